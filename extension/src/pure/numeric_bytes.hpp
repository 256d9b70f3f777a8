// Makes a number in the form in which the type numeric stores it, without PostgreSQL's own arithmetic.
//
// The bytes are a head of one or two words, then the digits to the base of 10,000. Neither the first nor the last digit
// is zero. The head has the sign, the count of decimal digits after the point, and the weight: the power of the base by
// which the first digit is multiplied. The one-word head is used whenever the numbers fit, as PostgreSQL does, so equal
// numbers have equal bytes. Pure: no PostgreSQL header, tested by test/unit/numeric_bytes.cpp.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace pgpubsub {

class numeric_bytes {
public:
    // Zero.
    constexpr numeric_bytes() = default;

    explicit constexpr numeric_bytes(std::int64_t value) {
        auto rest = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
        std::uint16_t lowest_first[5] = {};
        int count = 0;
        for (; rest != 0; rest /= base)
            lowest_first[count++] = static_cast<std::uint16_t>(rest % base);
        int zeros = 0;
        while (zeros < count && lowest_first[zeros] == 0)
            ++zeros;
        set_head(value < 0, 0, count == 0 ? 0 : count - 1);
        for (int i = count; i > zeros; --i)
            words_[size_++] = lowest_first[i - 1];
    }

    // Takes the text of a floating-point number: up to 17 significant digits, a point somewhere, an exponent, as in
    // "-1.5e-07" and "1200".
    explicit constexpr numeric_bytes(std::string_view decimal) {
        std::size_t at = 0;
        const bool negative = at < decimal.size() && decimal[at] == '-';
        at += negative;
        // `digits` has no zeros at the front. `point`: how many of all digits stand before the point; if negative, how
        // many zeros follow it.
        char digits[max_digits] = {};
        int count = 0, point = 0, scale = 0;
        bool after_point = false;
        for (; at < decimal.size() && decimal[at] != 'e'; ++at) {
            if (decimal[at] == '.') {
                after_point = true;
                continue;
            }
            scale += after_point;
            if (decimal[at] != '0' || count > 0) {
                if (count < max_digits)
                    digits[count++] = static_cast<char>(decimal[at] - '0');
                point += !after_point;
            } else {
                point -= after_point;
            }
        }
        const int exponent = at < decimal.size() ? exponent_of({decimal.data() + at + 1, decimal.size() - at - 1}) : 0;
        scale = scale > exponent ? scale - exponent : 0;
        point += exponent;
        while (count > 0 && digits[count - 1] == 0)
            --count;
        if (count == 0) {
            set_head(false, scale, 0);
            return;
        }
        // The first digit of the base has 1 to 4 decimal digits, so that the point lies between two digits of the base.
        const int weight = floor_of_quarter(point - 1);
        set_head(negative, scale, weight);
        for (int first = point - 4 * (weight + 1); first < count; first += 4) {
            unsigned digit = 0;
            for (int i = first; i < first + 4; ++i)
                digit = digit * 10 + (i >= 0 && i < count ? static_cast<unsigned>(digits[i]) : 0);
            words_[size_++] = static_cast<std::uint16_t>(digit);
        }
    }

    // The bytes that follow the length word.
    constexpr std::uint32_t size() const { return size_ * 2; }
    const void* data() const { return words_; }
    static constexpr std::uint32_t max_size = 18;

    // Returns whether a stored numeric is NaN, Infinity or -Infinity. bytes: those that follow its length word.
    static bool is_special(const void* bytes) {
        std::uint16_t head;
        std::memcpy(&head, bytes, sizeof head);
        return (head & 0xc000) == 0xc000;
    }

private:
    static constexpr std::uint64_t base = 10000;
    static constexpr int max_digits = 20;

    static constexpr int floor_of_quarter(int n) { return n >= 0 ? n / 4 : -((3 - n) / 4); }

    static constexpr int exponent_of(std::string_view digits) {
        int exponent = 0;
        for (const char c : digits)
            if (c >= '0' && c <= '9')
                exponent = exponent * 10 + (c - '0');
        return !digits.empty() && digits[0] == '-' ? -exponent : exponent;
    }

    constexpr void set_head(bool negative, int scale, int weight) {
        if (scale <= 63 && weight >= -64 && weight <= 63) {
            words_[0] = static_cast<std::uint16_t>(0x8000 | (negative ? 0x2000 : 0) | scale << 7 | (weight & 0x7f));
            size_ = 1;
        } else {
            words_[0] = static_cast<std::uint16_t>((negative ? 0x4000 : 0) | scale);
            words_[1] = static_cast<std::uint16_t>(weight);
            size_ = 2;
        }
    }

    std::uint16_t words_[max_size / 2] = {0x8000};
    std::uint32_t size_ = 1;
};

}  // namespace pgpubsub
