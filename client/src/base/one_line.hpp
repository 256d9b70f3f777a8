// Makes text from elsewhere a part of one line of output. It removes everything that a reader may take for the end of a
// line (C0, DEL, NEL and the other C1, U+2028, U+2029), and everything that controls a terminal. Pure; the text is
// UTF-8.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/text.hpp"

namespace pgpubsub::inline v0 {

// Returns the length of the control character or line separator at the start of `text`, or 0.
constexpr std::size_t control_sequence(std::string_view text) {
    if (text.empty())
        return 0;
    const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    if (byte(0) < 0x20 || byte(0) == 0x7F)
        return 1;
    if (byte(0) == 0xC2 && byte(1) >= 0x80 && byte(1) < 0xA0)
        return 2;
    if (byte(0) == 0xE2 && byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9))
        return 3;
    return 0;
}

// Returns a copy of `text` in which each control character is replaced. `replace` is a function from its bytes to text.
template <typename Replace>
std::string replace_controls(std::string_view text, Replace replace) {
    std::string line;
    line.reserve(text.size());
    std::size_t copied = 0;
    for (std::size_t i = 0; i < text.size();) {
        const auto length = control_sequence(text.substr(i, 3));
        if (length == 0) {
            ++i;
            continue;
        }
        line.append(text.substr(copied, i - copied));
        line += replace(text.substr(i, length));
        copied = i += length;
    }
    return line.append(text.substr(copied));
}

// Returns valid JSON on one line: a control character in a string becomes its escape; white space between tokens is
// left out, except plain spaces. Every number stays as it is written.
inline std::string json_on_one_line(std::string_view json) {
    return replace_controls(json, [](std::string_view control) -> std::string {
        const auto last = static_cast<unsigned char>(control.back());
        if (control.size() == 3)
            return last == 0xA8 ? "\\u2028" : "\\u2029";
        if (last < 0x20)
            return "";  // a string can contain it only as an escape
        constexpr char digits[] = "0123456789abcdef";
        return std::string("\\u00") + digits[last >> 4] + digits[last & 0xF];
    });
}

// Returns a message for people: each control character becomes a space, and each byte that is not UTF-8 U+FFFD.
inline std::string printable(std::string_view text) {
    return to_utf8(replace_controls(text, [](std::string_view) { return " "; }));
}

// Returns an error text for a log line: one line; if it is long, its beginning and its end.
inline std::string excerpt(std::string_view text) {
    constexpr std::size_t head = 100, tail = 200;
    const auto in_character = [&](std::size_t i) { return (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80; };
    std::string shown(text);
    if (text.size() > head + tail) {
        std::size_t first = head, last = text.size() - tail;
        while (first > 0 && in_character(first))
            --first;
        while (last < text.size() && in_character(last))
            ++last;
        shown = std::string(text.substr(0, first)) + " … " + std::string(text.substr(last));
    }
    return printable(shown);
}

}  // namespace pgpubsub::inline v0
