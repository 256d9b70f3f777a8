// Converts a timestamptz that the server has written in JSON (ISO 8601 with a UTC offset) into a number, and makes the
// idempotency key from it. Pure.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pgpubsub::inline v0 {

// Returns the days from 1970-01-01 to a day of the Gregorian calendar, in which the year 0 comes before the year 1.
constexpr std::int64_t days_from_1970(std::int64_t year, std::int64_t month, std::int64_t day) {
    year -= month <= 2;  // in a year that begins in March, the leap day is at the end
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return era * 146'097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719'468;
}

// Returns the microseconds since 1970-01-01 00:00 UTC for a text such as 2026-01-02T03:04:05.678901+05:30. The year has
// four digits or more, the offset may have minutes and seconds, and " BC" may stand at the end. Returns no value if the
// text is not of this form.
inline std::optional<std::int64_t> microseconds_of(std::string_view text) {
    const auto take = [&](std::string_view expected) {
        const bool found = text.starts_with(expected);
        if (found)
            text.remove_prefix(expected.size());
        return found;
    };
    const auto number = [&](std::size_t least, std::size_t most) -> std::optional<std::int64_t> {
        const auto end = text.find_first_not_of("0123456789");
        const auto length = end == std::string_view::npos ? text.size() : end;
        if (length < least || length > most)
            return std::nullopt;
        std::int64_t value = 0;
        std::from_chars(text.data(), text.data() + length, value);
        text.remove_prefix(length);
        return value;
    };
    const auto at_most = [&](std::int64_t limit) -> std::optional<std::int64_t> {
        const auto value = number(2, 2);
        return value && *value <= limit ? value : std::nullopt;
    };

    const auto year = number(4, 6);
    if (!year || !take("-"))
        return std::nullopt;
    const auto month = at_most(12);
    if (!month || *month == 0 || !take("-"))
        return std::nullopt;
    const auto day = at_most(31);
    if (!day || *day == 0 || !take("T"))
        return std::nullopt;
    const auto hour = at_most(23);
    if (!hour || !take(":"))
        return std::nullopt;
    const auto minute = at_most(59);
    if (!minute || !take(":"))
        return std::nullopt;
    const auto second = at_most(60);
    if (!second)
        return std::nullopt;
    std::int64_t fraction = 0;
    if (take(".")) {
        const auto digits = text.size();
        const auto read = number(1, 6);
        if (!read)
            return std::nullopt;
        fraction = *read;
        for (auto count = digits - text.size(); count < 6; ++count)
            fraction *= 10;
    }
    const bool west = take("-");
    if (!west && !take("+"))
        return std::nullopt;
    const auto offset_hours = at_most(99);
    const auto offset_minutes = offset_hours && take(":") ? at_most(59) : std::optional<std::int64_t>(0);
    if (!offset_hours || !offset_minutes)
        return std::nullopt;
    const auto offset_seconds = take(":") ? at_most(59) : std::optional<std::int64_t>(0);
    if (!offset_seconds)
        return std::nullopt;
    const bool before_christ = take(" BC");
    if (!text.empty())
        return std::nullopt;

    const auto offset = *offset_hours * 3600 + *offset_minutes * 60 + *offset_seconds;
    const auto days = days_from_1970(before_christ ? 1 - *year : *year, *month, *day);
    const auto seconds = days * 86'400 + *hour * 3600 + *minute * 60 + *second - (west ? -offset : offset);
    std::int64_t microseconds = 0;
    if (__builtin_mul_overflow(seconds, std::int64_t{1'000'000}, &microseconds) ||
        __builtin_add_overflow(microseconds, fraction, &microseconds))
        return std::nullopt;  // within half an hour of the last time that the server knows
    return microseconds;
}

// Returns the key that identifies repetitions, even if a server that has gone back in time gives out the same ids
// again. If created_at is not a time of the calendar (infinity, written by hand), its text is used as it is.
inline std::string idempotency_key(std::int64_t id, std::string_view created_at) {
    const auto microseconds = microseconds_of(created_at);
    return std::to_string(id) + '-' + (microseconds ? std::to_string(*microseconds) : std::string(created_at));
}

}  // namespace pgpubsub::inline v0
