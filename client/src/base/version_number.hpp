// Compares versions of the extension, such as 0.1.0 and 0.10. Pure.
#pragma once

#include <compare>
#include <string_view>

namespace pgpubsub::inline v0 {

// Compares numbers between dots as numbers. A missing number counts as 0, and the text after the last number ("-dev")
// is ignored.
constexpr std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
    const auto take_number = [](std::string_view& text) {
        unsigned long number = 0;
        while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
            number = number * 10 + static_cast<unsigned long>(text.front() - '0');
            text.remove_prefix(1);
        }
        if (!text.empty() && text.front() == '.')
            text.remove_prefix(1);
        else
            text = {};
        return number;
    };
    while (!a.empty() || !b.empty())
        if (const auto order = take_number(a) <=> take_number(b); order != 0)
            return order;
    return std::strong_ordering::equal;
}

}  // namespace pgpubsub::inline v0
