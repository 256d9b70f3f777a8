// Finds the members of a JSON object without changing them: each value is returned as its own text, so that a number of
// any length stays exact. Strict (RFC 8259), because anybody can send a NOTIFY with anything in it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_syntax.hpp"
#include "base/text.hpp"

namespace pgpubsub::inline v0 {

class json_scanner {
public:
    explicit json_scanner(std::string_view text) : rest_(text) {}

    // Returns the members of the object; no value if the text is not a JSON object. If a name occurs twice, both
    // members are returned.
    std::optional<std::vector<std::pair<std::string, std::string_view>>> members() {
        std::vector<std::pair<std::string, std::string_view>> found;
        skip_space();
        if (!object(&found))
            return std::nullopt;
        skip_space();
        return rest_.empty() ? std::optional(std::move(found)) : std::nullopt;
    }

    // Returns the text for which a JSON string stands; no value if it is not a string.
    std::optional<std::string> string_value() {
        std::string value;
        return string(&value) && rest_.empty() ? std::optional(std::move(value)) : std::nullopt;
    }

private:
    using member_list = std::vector<std::pair<std::string, std::string_view>>;

    static constexpr std::size_t deepest = 10'000;  // of a value; above PostgreSQL's own limit

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c)
            return false;
        rest_.remove_prefix(1);
        return true;
    }
    void skip_space() {
        const auto next = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(next == std::string_view::npos ? rest_.size() : next);
    }

    bool object(member_list* members) {
        if (!take('{'))
            return false;
        skip_space();
        if (take('}'))
            return true;
        do {
            std::string name;
            skip_space();
            if (!string(&name))
                return false;
            skip_space();
            if (!take(':'))
                return false;
            skip_space();
            const auto size = json_syntax::size_of_value(rest_, deepest);
            if (!size)
                return false;
            members->emplace_back(std::move(name), rest_.substr(0, *size));
            rest_.remove_prefix(*size);
            skip_space();
        } while (take(','));
        return take('}');
    }

    bool string(std::string* text) {
        if (!take('"'))
            return false;
        while (!rest_.empty()) {
            if (take('"'))
                return true;
            if (take('\\')) {
                if (!escape(text))
                    return false;
                continue;
            }
            const std::size_t length = static_cast<unsigned char>(rest_.front()) < 0x20 ? 0 : utf8_sequence(rest_);
            if (length == 0)
                return false;
            text->append(rest_.substr(0, length));
            rest_.remove_prefix(length);
        }
        return false;
    }

    bool escape(std::string* text) {
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (rest_.empty())
            return false;
        if (const auto at = letters.find(rest_.front()); at != std::string_view::npos) {
            *text += meanings[at];
            rest_.remove_prefix(1);
            return true;
        }
        auto code = code_unit();
        if (!code || (*code >= 0xDC00 && *code < 0xE000))
            return false;
        if (*code >= 0xD800 && *code < 0xDC00) {
            if (!take('\\'))
                return false;
            const auto low = code_unit();
            if (!low || *low < 0xDC00 || *low >= 0xE000)
                return false;
            code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
        }
        append_utf8(*text, *code);
        return true;
    }

    // Reads the part after a backslash: u and four hexadecimal digits.
    std::optional<unsigned> code_unit() {
        if (!take('u') || rest_.size() < 4)
            return std::nullopt;
        unsigned code = 0;
        for (int i = 0; i < 4; ++i) {
            constexpr std::string_view lower = "0123456789abcdef", upper = "0123456789ABCDEF";
            auto digit = lower.find(rest_[static_cast<std::size_t>(i)]);
            if (digit == std::string_view::npos)
                digit = upper.find(rest_[static_cast<std::size_t>(i)]);
            if (digit == std::string_view::npos)
                return std::nullopt;
            code = code * 16 + static_cast<unsigned>(digit);
        }
        rest_.remove_prefix(4);
        return code;
    }

    static void append_utf8(std::string& text, unsigned code) {
        const auto add = [&](unsigned byte) { text += static_cast<char>(byte); };
        if (code < 0x80)
            return add(code);
        if (code < 0x800) {
            add(0xC0 | (code >> 6));
        } else {
            if (code < 0x10000) {
                add(0xE0 | (code >> 12));
            } else {
                add(0xF0 | (code >> 18));
                add(0x80 | ((code >> 12) & 0x3F));
            }
            add(0x80 | ((code >> 6) & 0x3F));
        }
        add(0x80 | (code & 0x3F));
    }

    std::string_view rest_;
};

}  // namespace pgpubsub::inline v0
