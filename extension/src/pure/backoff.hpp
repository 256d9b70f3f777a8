// How long a notification waits for its next attempt after an attempt failed. Pure: no PostgreSQL header, tested by
// test/unit/backoff.cpp.
#pragma once

#include <cmath>
#include <cstdint>

namespace pgpubsub {

// Exponential: base × factor^(attempts - 1), at most max. A random part of up to `jitter` of that is left out:
// notifications that failed together are not tried again together.
struct backoff {
    std::int64_t base;  // microseconds
    double factor;      // 1 or more
    std::int64_t max;   // microseconds
    double jitter;      // 0 (none) to 1 (anything from no delay to the whole)
};

// Returns the delay in microseconds after attempt number `attempts` (the first is 1). random: uniform in [0, 1).
inline std::int64_t delay_after(const backoff& b, int attempts, double random) {
    if (b.base == 0)
        return 0;
    const double grown = static_cast<double>(b.base) * std::pow(b.factor, attempts > 1 ? attempts - 1 : 0);
    const double whole = grown < static_cast<double>(b.max) ? grown : static_cast<double>(b.max);
    const double delay = whole * (1 - b.jitter * random);
    // The largest integers are no doubles, and the next double is too large.
    constexpr double limit = 9.2e18;
    return delay < limit ? static_cast<std::int64_t>(delay) : b.max;
}

}  // namespace pgpubsub
