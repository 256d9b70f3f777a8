// Checks whether a text is JSON (RFC 8259), in one pass over it, whatever its size and depth. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace pgpubsub::inline v0 {

class json_syntax {
public:
    // Returns where the text stops being JSON (its end, if something is missing there); no value if it is JSON.
    static std::optional<std::size_t> first_error(std::string_view text) {
        json_syntax check(text, static_cast<std::size_t>(-1));
        if (check.value()) {
            check.skip_space();
            if (check.at_ == check.end_)
                return std::nullopt;
        }
        return check.passed(text);
    }

    // Returns the length of the value at the start of the text; no value if that is not JSON, or has more than
    // `deepest` nested brackets.
    static std::optional<std::size_t> size_of_value(std::string_view text, std::size_t deepest) {
        json_syntax check(text, deepest);
        return check.value() ? std::optional(check.passed(text)) : std::nullopt;
    }

private:
    json_syntax(std::string_view text, std::size_t deepest)
        : at_(text.data()), end_(text.data() + text.size()), deepest_(deepest) {}

    std::size_t passed(std::string_view text) const { return static_cast<std::size_t>(at_ - text.data()); }

    bool value() {
        std::string open;  // the open brackets
        for (;;) {
            skip_space();
            if (take('{')) {
                skip_space();
                if (!take('}')) {
                    open += '}';
                    if (open.size() > deepest_ || !name())
                        return false;
                    continue;
                }
            } else if (take('[')) {
                skip_space();
                if (!take(']')) {
                    open += ']';
                    if (open.size() > deepest_)
                        return false;
                    continue;
                }
            } else if (!scalar()) {
                return false;
            }
            for (;;) {  // behind a value
                if (open.empty())
                    return true;
                skip_space();
                if (take(open.back())) {
                    open.pop_back();
                    continue;
                }
                if (!take(','))
                    return false;
                if (open.back() == '}' && !name())
                    return false;
                break;
            }
        }
    }

    bool name() {
        skip_space();
        if (!string())
            return false;
        skip_space();
        return take(':');
    }

    bool scalar() {
        if (at_ == end_)
            return false;
        switch (*at_) {
            case '"': return string();
            case 't': return word("true");
            case 'f': return word("false");
            case 'n': return word("null");
            default: return number();
        }
    }

    bool string() {
        if (!take('"'))
            return false;
        for (;;) {
            while (at_ != end_ && is_plain(*at_))
                ++at_;
            if (at_ == end_)
                return false;
            if (take('"'))
                return true;
            if (take('\\')) {
                if (!escape())
                    return false;
                continue;
            }
            const auto length = static_cast<unsigned char>(*at_) < 0x20
                                    ? 0
                                    : utf8_sequence({at_, static_cast<std::size_t>(end_ - at_)});
            if (length == 0)
                return false;
            at_ += length;
        }
    }

    bool escape() {
        if (at_ == end_)
            return false;
        if (std::string_view("\"\\/bfnrt").find(*at_) != std::string_view::npos) {
            ++at_;
            return true;
        }
        const int unit = code_unit();
        if (unit < 0 || (unit >= 0xDC00 && unit < 0xE000))
            return false;
        if (unit < 0xD800 || unit >= 0xE000)
            return true;
        if (!take('\\'))
            return false;
        const int low = code_unit();
        return low >= 0xDC00 && low < 0xE000;
    }

    int code_unit() {
        if (!take('u'))
            return -1;
        int unit = 0;
        for (int i = 0; i < 4; ++i, ++at_) {
            if (at_ == end_)
                return -1;
            const char c = *at_;
            const int digit = c >= '0' && c <= '9'   ? c - '0'
                              : c >= 'a' && c <= 'f' ? c - 'a' + 10
                              : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                     : -1;
            if (digit < 0)
                return -1;
            unit = unit * 16 + digit;
        }
        return unit;
    }

    bool number() {
        take('-');
        if (!take('0') && !digits())
            return false;
        if (take('.') && !digits())
            return false;
        if (take('e') || take('E')) {
            if (!take('+'))
                take('-');
            return digits();
        }
        return true;
    }

    bool digits() {
        const char* const begin = at_;
        while (at_ != end_ && *at_ >= '0' && *at_ <= '9')
            ++at_;
        return at_ != begin;
    }

    bool word(std::string_view expected) {
        for (const char c : expected)
            if (!take(c))
                return false;
        return true;
    }

    bool take(char c) {
        if (at_ == end_ || *at_ != c)
            return false;
        ++at_;
        return true;
    }

    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r' || *at_ == '\n'))
            ++at_;
    }

    static bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

    const char* at_;
    const char* const end_;
    const std::size_t deepest_;
};

}  // namespace pgpubsub::inline v0
