// Durations on the command line: 500ms, 30s, 5m, 2h, 1d; a number alone means seconds. Pure.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace pgpubsub::cli {

// Returns no value if the text is not a duration, is negative, or is longer than a year.
inline std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || number < 0)
        return std::nullopt;
    const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
    std::int64_t factor = 0;
    if (unit == "ms")
        factor = 1;
    if (unit == "s" || unit.empty())
        factor = 1000;
    if (unit == "m" || unit == "min")
        factor = 60'000;
    if (unit == "h")
        factor = 3'600'000;
    if (unit == "d")
        factor = 86'400'000;
    constexpr std::int64_t year = 366LL * 86'400'000;
    if (factor == 0 || number > year / factor)
        return std::nullopt;
    return std::chrono::milliseconds(number * factor);
}

}  // namespace pgpubsub::cli
