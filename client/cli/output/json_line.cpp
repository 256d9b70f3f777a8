// A line is written into one string, without a tree of values in between. The server's JSON is spliced in as it is,
// because a number that was read as a double is not the same number any more. For a text that is not JSON,
// nlohmann-json gives the best explanation.

#include "output/json_line.hpp"

#include <algorithm>
#include <charconv>

#include <nlohmann/json.hpp>

#include "base/json_syntax.hpp"
#include "base/one_line.hpp"

namespace pgpubsub::cli {

namespace {

using nlohmann::json;

// Appends the text as a JSON string, with escapes; bytes that are not UTF-8 are replaced.
void append_quoted(std::string& line, std::string_view text) {
    constexpr char digits[] = "0123456789abcdef";
    line += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if (byte == '"' || byte == '\\') {
            line += '\\';
            line += text[i++];
        } else if (byte < 0x20) {
            constexpr std::string_view short_ones = "\b\f\n\r\t", letters = "bfnrt";
            const auto at = short_ones.find(text[i++]);
            line += '\\';
            if (at != std::string_view::npos)
                line += letters[at];
            else
                ((line += "u00") += digits[byte >> 4]) += digits[byte & 0xF];
        } else if (byte < 0x80) {
            line += text[i++];
        } else if (const auto length = utf8_sequence(text.substr(i, 4)); length > 0) {
            line.append(text, i, length);
            i += length;
        } else {
            line += "\xEF\xBF\xBD";
            ++i;
        }
    }
    line += '"';
}

void append_quoted(std::string& line, const std::optional<std::string>& text) {
    text ? append_quoted(line, std::string_view(*text)) : void(line += "null");
}

void append_number(std::string& line, std::int64_t number) {
    char digits[24];
    line.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

bool has_controls(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        if ((byte < 0x20 || byte == 0x7F || byte == 0xC2 || byte == 0xE2) && control_sequence(text.substr(i, 3)) > 0)
            return true;
    }
    return false;
}

// Returns "line 2, column 5".
std::string place_of(std::string_view text, std::size_t at) {
    const auto before = text.substr(0, at);
    const auto newline = before.rfind('\n');
    return "line " + std::to_string(1 + std::count(before.begin(), before.end(), '\n')) + ", column " +
           std::to_string(newline == std::string_view::npos ? at + 1 : at - newline);
}

// Builds no value; keeps the first error and its place.
struct syntax_check : json::json_sax_t {
    bool null() override { return true; }
    bool boolean(bool) override { return true; }
    bool number_integer(number_integer_t) override { return true; }
    bool number_unsigned(number_unsigned_t) override { return true; }
    bool number_float(number_float_t, const string_t&) override { return true; }
    bool string(string_t&) override { return true; }
    bool binary(binary_t&) override { return true; }
    bool start_object(std::size_t) override { return true; }
    bool key(string_t&) override { return true; }
    bool end_object() override { return true; }
    bool start_array(std::size_t) override { return true; }
    bool end_array() override { return true; }
    bool parse_error(std::size_t, const std::string&, const json::exception& e) override {
        // 406: a number too large for a double. It is JSON all the same, and the server decides about the rest.
        if (e.id != 406)
            problem = e.what();
        return false;
    }
    std::optional<std::string> problem;
};

}  // namespace

std::string json_line(const notification& n) {
    std::string line;
    line.reserve(256 + n.channel.size() + n.payload.size() + (n.key ? n.key->size() : 0) +
                 (n.headers ? n.headers->size() : 0));
    line += R"({"id":)";
    append_number(line, n.id);
    line += R"(,"channel":)";
    append_quoted(line, std::string_view(n.channel));
    line += R"(,"payload":)";
    line += n.payload;
    line += R"(,"key":)";
    append_quoted(line, n.key);
    line += R"(,"headers":)";
    n.headers ? line += * n.headers : line += "null";
    line += R"(,"created_at":)";
    append_quoted(line, std::string_view(n.created_at));
    line += R"(,"deliver_at":)";
    append_quoted(line, n.deliver_at);
    line += R"(,"priority":)";
    append_number(line, n.priority);
    line += R"(,"attempts":)";
    append_number(line, n.attempts);
    line += R"(,"db_version":)";
    n.db_version ? append_number(line, *n.db_version) : void(line += "null");
    line += R"(,"idempotency_key":)";
    append_quoted(line, std::string_view(n.idempotency_key));
    line += '}';
    return has_controls(line) ? json_on_one_line(line) : line;
}

std::optional<std::string> json_problem(std::string_view text) {
    const auto at = json_syntax::first_error(text);
    if (!at)
        return std::nullopt;
    if (*at < text.size() && text[*at] == '\0')
        return place_of(text, *at) + ": a zero byte, which JSON can't have";
    if (text.starts_with("\xEF\xBB\xBF"))
        return "line 1, column 1: a byte order mark, which JSON can't have";
    constexpr std::size_t much = 1'000'000;  // limit for an operation with a call for each character
    if (*at > much)
        return place_of(text, *at) + ": here it stops being JSON";
    syntax_check check;
    json::sax_parse(text.substr(0, *at + much), &check);
    if (!check.problem)
        return place_of(text, *at) + ": here it stops being JSON";
    std::string problem = *check.problem;
    // "[json.exception.parse_error.101] parse error at line 1, column 5: …" → "line 1, column 5: …"
    if (const auto found = problem.find(" at line "); found != std::string::npos)
        problem.erase(0, found + 4);
    return problem;
}

}  // namespace pgpubsub::cli
