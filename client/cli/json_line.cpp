// Writing and checking JSON by nlohmann-json, except for what it would change: values that the server
// has already written are spliced in, since a number read as a double is not the same number any more.

#include "json_line.hpp"

#include <nlohmann/json.hpp>

#include "one_line.hpp"

namespace pgpubsub::cli {

namespace {

using nlohmann::json;

std::string quoted(const std::string& text) {
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string quoted(const std::optional<std::string>& text) { return text ? quoted(*text) : "null"; }

// Builds nothing; keeps the first error and where it is.
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
        // 406: a number too large for a double. It is JSON all the same, and the server judges the rest.
        if (e.id != 406) problem = e.what();
        return false;
    }
    std::optional<std::string> problem;
};

}  // namespace

std::string json_line(const notification& n) {
    std::string line = R"({"id":)" + std::to_string(n.id);
    line += R"(,"channel":)" + quoted(n.channel);
    line += R"(,"payload":)" + n.payload;
    line += R"(,"key":)" + quoted(n.key);
    line += R"(,"headers":)" + n.headers.value_or("null");
    line += R"(,"created_at":)" + quoted(n.created_at);
    line += R"(,"deliver_at":)" + quoted(n.deliver_at);
    line += R"(,"priority":)" + std::to_string(n.priority);
    line += R"(,"attempts":)" + std::to_string(n.attempts);
    line += R"(,"db_version":)" + (n.db_version ? std::to_string(*n.db_version) : "null");
    line += R"(,"idempotency_key":)" + quoted(n.idempotency_key);
    return json_on_one_line(line += '}');
}

std::optional<std::string> json_problem(std::string_view text) {
    syntax_check check;
    json::sax_parse(text, &check);
    if (!check.problem) return std::nullopt;
    std::string problem = *check.problem;
    // "[json.exception.parse_error.101] parse error at line 1, column 5: …" → "line 1, column 5: …"
    if (const auto at = problem.find(" at line "); at != std::string::npos) problem.erase(0, at + 4);
    return problem;
}

}  // namespace pgpubsub::cli
