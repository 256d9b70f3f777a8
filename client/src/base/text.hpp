// Makes any bytes acceptable as text to the server: valid UTF-8, no zero byte, bounded. Pure. If the server refused an
// error message, one failed notification would become a batch that never ends.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pgpubsub::inline v0 {

// Returns the length of the valid UTF-8 sequence at the start of `text`, or 0. No overlong forms, no surrogates.
constexpr std::size_t utf8_sequence(std::string_view text) {
    if (text.empty())
        return 0;
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80)
        return 1;
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.size() < length)
        return 0;
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    if (byte(1) < low || byte(1) > high)
        return 0;
    for (std::size_t i = 2; i < length; ++i)
        if (byte(i) < 0x80 || byte(i) > 0xBF)
            return 0;
    return length;
}

// Returns the text with each invalid byte, and each zero byte, replaced by U+FFFD.
inline std::string to_utf8(std::string_view text) {
    std::string clean;
    clean.reserve(text.size());
    while (!text.empty()) {
        const std::size_t length = text.front() == '\0' ? 0 : utf8_sequence(text);
        if (length == 0) {
            clean += "\xEF\xBF\xBD";
            text.remove_prefix(1);
        } else {
            clean.append(text.substr(0, length));
            text.remove_prefix(length);
        }
    }
    return clean;
}

// Returns an error text that can be stored: valid UTF-8, at most `limit` bytes. If it is longer, its end is kept
// (there, programs say why they gave up), cut between characters.
inline std::string storable_error(std::string_view text, std::size_t limit = 8192) {
    if (text.size() > limit)
        text.remove_prefix(text.size() - limit);
    while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0) == 0x80)
        text.remove_prefix(1);
    std::string clean = to_utf8(text);
    if (clean.size() > limit) {  // replacement characters are longer than what they replace
        std::size_t cut = clean.size() - limit;
        while (cut < clean.size() && (static_cast<unsigned char>(clean[cut]) & 0xC0) == 0x80)
            ++cut;
        clean.erase(0, cut);
    }
    return clean;
}

}  // namespace pgpubsub::inline v0
