// Tells whether a text of the type json can become jsonb.
//
// The type json keeps any text of valid syntax. jsonb can't hold all of them. Excluded are:
// - \u0000;
// - half of a surrogate pair;
// - a number beyond the limits of numeric;
// - a string longer than its length field can say.
//
// The conversion reports these by an ERROR. In a capture's trigger, this would fail the user's INSERT. So capture asks
// here first, and stores the text as a JSON string when the answer is no. When this can't tell (an escape in a database
// that isn't UTF-8), the answer is no, too. Pure: no PostgreSQL header, tested by test/unit/json_text.cpp.
#pragma once

#include <cstddef>
#include <string_view>

#include "pure/limits.hpp"

namespace pgpubsub {

namespace json_text_detail {

// The limits of numeric (PostgreSQL documentation, 8.1.2): digits before and after the decimal point.
inline constexpr long numeric_max_integer_digits = 131072;
inline constexpr long numeric_max_fraction_digits = 16383;
// The input function of numeric refuses exponents from here on, even of a zero (INT_MAX / 2).
inline constexpr long exponent_cap = 1'073'741'823;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Returns whether numeric can hold the number that starts at text[at]; moves `at` behind the number.
constexpr bool number_fits_numeric(std::string_view text, std::size_t& at) {
    if (at < text.size() && text[at] == '-')
        ++at;
    long integer_digits = 0;  // without leading zeros
    long leading_zeros = 0;   // of the whole mantissa, counted in the fraction
    long fraction_digits = 0;
    bool nonzero = false;
    for (; at < text.size() && is_digit(text[at]); ++at) {
        nonzero = nonzero || text[at] != '0';
        integer_digits += nonzero;
    }
    if (at < text.size() && text[at] == '.')
        for (++at; at < text.size() && is_digit(text[at]); ++at) {
            ++fraction_digits;
            nonzero = nonzero || text[at] != '0';
            leading_zeros += !nonzero;
        }
    long exponent = 0;
    if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
        ++at;
        const bool negative = at < text.size() && text[at] == '-';
        if (at < text.size() && (text[at] == '-' || text[at] == '+'))
            ++at;
        for (; at < text.size() && is_digit(text[at]); ++at)
            if (exponent < exponent_cap)
                exponent = exponent * 10 + (text[at] - '0');
        if (negative)
            exponent = -exponent;
        if (exponent >= exponent_cap || exponent <= -exponent_cap)
            return false;
    }
    // The position of the first digit that isn't zero, counted from the decimal point to the left.
    const long magnitude = (integer_digits > 0 ? integer_digits : -leading_zeros) + exponent;
    const long scale = fraction_digits - exponent;
    return scale <= numeric_max_fraction_digits && (!nonzero || magnitude <= numeric_max_integer_digits);
}

constexpr int hex_value(char c) {
    if (is_digit(c))
        return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Returns the code unit of the four hexadecimal digits at text[at]; -1 if they aren't there.
constexpr int code_unit(std::string_view text, std::size_t at) {
    if (at + 4 > text.size())
        return -1;
    int unit = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        const int digit = hex_value(text[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

// Returns whether jsonb can hold the string whose opening quote stands before text[at]; moves `at` behind the closing
// quote.
constexpr bool string_fits(std::string_view text, std::size_t& at, bool utf8, std::size_t max_length) {
    const std::size_t begin = at;
    while (at < text.size() && text[at] != '"') {
        if (text[at] != '\\') {
            ++at;
            continue;
        }
        if (at + 1 >= text.size() || text[at + 1] != 'u') {
            at += 2;
            continue;
        }
        const int unit = code_unit(text, at + 2);
        at += 6;
        if (unit <= 0 || (!utf8 && unit > 0x7f))
            return false;
        if (unit >= 0xdc00 && unit <= 0xdfff)
            return false;
        if (unit >= 0xd800 && unit <= 0xdbff) {
            const bool escape_follows = at + 1 < text.size() && text[at] == '\\' && text[at + 1] == 'u';
            const int low = escape_follows ? code_unit(text, at + 2) : -1;
            if (low < 0xdc00 || low > 0xdfff)
                return false;
            at += 6;
        }
    }
    const bool fits = at - begin <= max_length;
    ++at;
    return fits;
}

}  // namespace json_text_detail

// Returns whether `text`, of valid JSON syntax, can be converted to jsonb without an error.
// - utf8: the database's encoding is UTF-8.
// - max_length: the most bytes that a string, or the whole text, may have.
// - max_depth: how deep arrays and objects may be nested (the conversion recurses, and must not run out of stack in a
//   user's INSERT).
constexpr bool json_text_fits_jsonb(std::string_view text, bool utf8, std::size_t max_length, int max_depth) {
    if (text.size() > max_length)
        return false;
    int depth = 0;
    int commas = 0;  // of all arrays and objects together: none of them has more than this number of parts plus one
    for (std::size_t at = 0; at < text.size();) {
        const char c = text[at];
        if (c == '"') {
            if (!json_text_detail::string_fits(text, ++at, utf8, max_length))
                return false;
        } else if (c == '-' || json_text_detail::is_digit(c)) {
            if (!json_text_detail::number_fits_numeric(text, at))
                return false;
        } else {
            if ((c == '{' || c == '[') && ++depth > max_depth)
                return false;
            if (c == '}' || c == ']')
                --depth;
            if (c == ',' && ++commas == max_jsonb_members)
                return false;
            ++at;
        }
    }
    return true;
}

}  // namespace pgpubsub
