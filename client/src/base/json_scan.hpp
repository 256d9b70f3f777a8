// Finds the members of a JSON object without changing them: each value is handed out as the text that it is, so that a
// number of any length stays exact. Strict (RFC 8259), since anybody can send a NOTIFY with anything in it. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"

namespace pgpubsub::inline v0 {

class json_scanner {
public:
    explicit json_scanner(std::string_view text) : rest_(text) {}

    // The members of the object that the text is; nothing when it is no JSON object. Of a name that comes twice both
    // are handed out.
    std::optional<std::vector<std::pair<std::string, std::string_view>>> members() {
        std::vector<std::pair<std::string, std::string_view>> found;
        skip_space();
        if (!object(&found)) return std::nullopt;
        skip_space();
        return rest_.empty() ? std::optional(std::move(found)) : std::nullopt;
    }

    // The text that a JSON string stands for; nothing when it is no string.
    std::optional<std::string> string_value() {
        std::string value;
        return string(&value) && rest_.empty() ? std::optional(std::move(value)) : std::nullopt;
    }

private:
    using member_list = std::vector<std::pair<std::string, std::string_view>>;

    static constexpr int deepest = 10'000;  // above PostgreSQL's own limit, and far below the stack's

    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool take(std::string_view word) {
        if (!rest_.starts_with(word)) return false;
        rest_.remove_prefix(word.size());
        return true;
    }
    void skip_space() {
        const auto next = rest_.find_first_not_of(" \t\r\n");
        rest_.remove_prefix(next == std::string_view::npos ? rest_.size() : next);
    }

    bool value() {
        if (rest_.empty()) return false;
        switch (rest_.front()) {
            case '{': return object(nullptr);
            case '[': return array();
            case '"': return string(nullptr);
            case 't': return take("true");
            case 'f': return take("false");
            case 'n': return take("null");
            default: return number();
        }
    }

    bool object(member_list* members) {
        if (!take('{') || ++depth_ > deepest) return false;
        skip_space();
        if (!take('}')) {
            do {
                std::string name;
                skip_space();
                if (!string(members != nullptr ? &name : nullptr)) return false;
                skip_space();
                if (!take(':')) return false;
                skip_space();
                const std::string_view begin = rest_;
                if (!value()) return false;
                if (members != nullptr)
                    members->emplace_back(std::move(name), begin.substr(0, begin.size() - rest_.size()));
                skip_space();
            } while (take(','));
            if (!take('}')) return false;
        }
        --depth_;
        return true;
    }

    bool array() {
        if (!take('[') || ++depth_ > deepest) return false;
        skip_space();
        if (!take(']')) {
            do {
                skip_space();
                if (!value()) return false;
                skip_space();
            } while (take(','));
            if (!take(']')) return false;
        }
        --depth_;
        return true;
    }

    bool number() {
        take('-');
        if (!take('0') && !digits()) return false;
        if (take('.') && !digits()) return false;
        if (take('e') || take('E')) {
            if (!take('+')) take('-');
            return digits();
        }
        return true;
    }
    bool digits() {
        const auto end = rest_.find_first_not_of("0123456789");
        const auto count = end == std::string_view::npos ? rest_.size() : end;
        rest_.remove_prefix(count);
        return count > 0;
    }

    bool string(std::string* text) {
        if (!take('"')) return false;
        while (!rest_.empty()) {
            if (take('"')) return true;
            if (take('\\')) {
                if (!escape(text)) return false;
                continue;
            }
            const std::size_t length = static_cast<unsigned char>(rest_.front()) < 0x20 ? 0 : utf8_sequence(rest_);
            if (length == 0) return false;
            if (text != nullptr) text->append(rest_.substr(0, length));
            rest_.remove_prefix(length);
        }
        return false;
    }

    bool escape(std::string* text) {
        constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
        if (rest_.empty()) return false;
        if (const auto at = letters.find(rest_.front()); at != std::string_view::npos) {
            if (text != nullptr) *text += meanings[at];
            rest_.remove_prefix(1);
            return true;
        }
        auto code = code_unit();
        if (!code || (*code >= 0xDC00 && *code < 0xE000)) return false;
        if (*code >= 0xD800 && *code < 0xDC00) {
            if (!take('\\')) return false;
            const auto low = code_unit();
            if (!low || *low < 0xDC00 || *low >= 0xE000) return false;
            code = 0x10000 + ((*code - 0xD800) << 10) + (*low - 0xDC00);
        }
        if (text != nullptr) append_utf8(*text, *code);
        return true;
    }

    // What stands behind a backslash: u and four hexadecimal digits.
    std::optional<unsigned> code_unit() {
        if (!take('u') || rest_.size() < 4) return std::nullopt;
        unsigned code = 0;
        for (int i = 0; i < 4; ++i) {
            constexpr std::string_view lower = "0123456789abcdef", upper = "0123456789ABCDEF";
            auto digit = lower.find(rest_[static_cast<std::size_t>(i)]);
            if (digit == std::string_view::npos) digit = upper.find(rest_[static_cast<std::size_t>(i)]);
            if (digit == std::string_view::npos) return std::nullopt;
            code = code * 16 + static_cast<unsigned>(digit);
        }
        rest_.remove_prefix(4);
        return code;
    }

    static void append_utf8(std::string& text, unsigned code) {
        const auto add = [&](unsigned byte) { text += static_cast<char>(byte); };
        if (code < 0x80) return add(code);
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
    int depth_ = 0;
};

}  // namespace pgpubsub::inline v0
