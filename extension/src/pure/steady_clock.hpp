// A clock that nobody sets, for pauses and intervals. Times of day, such as due times, go by PostgreSQL's clock. Pure:
// no PostgreSQL header.
#pragma once

#include <cstdint>
#include <ctime>
#include <limits>

namespace pgpubsub {

inline constexpr std::int64_t at_once = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

// Returns the microseconds since a moment in the past. The moment is the same for all processes of the machine until it
// is restarted.
inline std::int64_t steady_now() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

}  // namespace pgpubsub
