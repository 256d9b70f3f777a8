// A receipt proves that its holder has a lease: it is the notification's id and a random token, as text.
//
// The text is `ID-TOKEN`: the id in decimal, the token as 16 hexadecimal digits. It is text because every driver can
// pass an array of text without being told about a type. Pure: no PostgreSQL header, tested by test/unit/receipt.cpp.
#pragma once

#include <charconv>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pgpubsub {

struct receipt {
    std::int64_t id;
    std::uint64_t token;

    friend auto operator<=>(const receipt&, const receipt&) = default;
};

inline constexpr std::size_t receipt_token_digits = 16;
// 20 characters of a 64-bit integer with its sign, the dash, the token.
inline constexpr std::size_t receipt_max_length = 20 + 1 + receipt_token_digits;

// Writes the receipt as text into `buffer` and returns the part that was written (not null-terminated).
inline std::string_view format_receipt(const receipt& r, std::span<char, receipt_max_length> buffer) {
    char* const begin = buffer.data();
    char* out = std::to_chars(begin, begin + buffer.size(), r.id).ptr;
    *out++ = '-';
    for (int shift = 60; shift >= 0; shift -= 4)
        *out++ = "0123456789abcdef"[(r.token >> shift) & 0xf];
    return {begin, static_cast<std::size_t>(out - begin)};
}

// Returns the receipt that format_receipt wrote as `text`; nothing if the text is anything else.
inline std::optional<receipt> parse_receipt(std::string_view text) {
    if (text.size() < receipt_token_digits + 2)
        return std::nullopt;
    // substr() has a bounds check, which refers to a function of the C++ library.
    const std::string_view id{text.data(), text.size() - receipt_token_digits - 1};
    const std::string_view digits{id.data() + id.size() + 1, receipt_token_digits};
    if (text[id.size()] != '-')
        return std::nullopt;

    receipt r{};
    const auto id_end = std::from_chars(id.data(), id.data() + id.size(), r.id);
    const auto token_end = std::from_chars(digits.data(), digits.data() + digits.size(), r.token, 16);
    if (id_end.ec != std::errc{} || id_end.ptr != id.data() + id.size())
        return std::nullopt;
    if (token_end.ec != std::errc{} || token_end.ptr != digits.data() + digits.size())
        return std::nullopt;
    return r;
}

}  // namespace pgpubsub
