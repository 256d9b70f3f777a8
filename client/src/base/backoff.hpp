// Pauses that grow: exponential, capped, and jittered so that clients that failed together don't come back together.
// Pure: the random number (0 ≤ u < 1) is an argument.
#pragma once

#include <algorithm>
#include <chrono>

namespace pgpubsub::inline v0 {

// Returns the pause before attempt number `attempt` (1 is the first). The longest value is minimum · 2^(attempt−1), at
// most `maximum`; the pause is between a half and the whole of that.
constexpr std::chrono::milliseconds backoff_delay(int attempt, std::chrono::milliseconds minimum,
                                                  std::chrono::milliseconds maximum, double u) {
    auto delay = std::min(minimum, maximum);
    for (int i = 1; i < attempt && delay < maximum; ++i)
        delay = delay > maximum / 2 ? maximum : delay * 2;  // no overflow, whatever the attempt
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
        static_cast<double>(delay.count()) * (0.5 + 0.5 * std::clamp(u, 0.0, 1.0))));
}

// Returns an interval that is longer by up to a quarter. It is never shorter, so that the interval has a known upper
// limit.
constexpr std::chrono::milliseconds jittered(std::chrono::milliseconds interval, double u) {
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
        static_cast<double>(interval.count()) * (1.0 + 0.25 * std::clamp(u, 0.0, 1.0))));
}

// Returns whether a failure in a long row is worth a warning, whatever the time: number 1, 2, 4, 8 ….
constexpr bool worth_a_warning(int failures) { return (failures & (failures - 1)) == 0; }

// Counts consecutive failures.
class backoff {
public:
    constexpr backoff(std::chrono::milliseconds minimum, std::chrono::milliseconds maximum)
        : minimum_(minimum), maximum_(maximum) {}

    // Returns the pause after one more failure, this time at most `longest`.
    constexpr std::chrono::milliseconds next(double u,
                                             std::chrono::milliseconds longest = std::chrono::milliseconds::max()) {
        if (failures_ < 1'000'000)
            ++failures_;
        return backoff_delay(failures_, minimum_, std::min(maximum_, longest), u);
    }
    constexpr void reset() { failures_ = 0; }
    constexpr int failures() const { return failures_; }

private:
    std::chrono::milliseconds minimum_;
    std::chrono::milliseconds maximum_;
    int failures_ = 0;
};

}  // namespace pgpubsub::inline v0
