// Pauses that grow: exponential, capped, and jittered so that clients that failed together don't come
// back together. Pure: the random number (0 ≤ u < 1) is handed in.
#pragma once

#include <algorithm>
#include <chrono>

namespace pgpubsub::inline v0 {

// The pause before attempt number `attempt` (1 is the first): minimum · 2^(attempt−1), at most maximum, of
// which between a half and the whole is used.
constexpr std::chrono::milliseconds backoff_delay(int attempt, std::chrono::milliseconds minimum,
                                                  std::chrono::milliseconds maximum, double u) {
    auto delay = std::min(minimum, maximum);
    for (int i = 1; i < attempt && delay < maximum; ++i)
        delay = delay > maximum / 2 ? maximum : delay * 2;  // no overflow, whatever the attempt
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
        static_cast<double>(delay.count()) * (0.5 + 0.5 * std::clamp(u, 0.0, 1.0))));
}

// An interval made longer by up to a quarter: never shorter, so that what is done once in it has a known upper limit.
constexpr std::chrono::milliseconds jittered(std::chrono::milliseconds interval, double u) {
    return std::chrono::milliseconds(static_cast<std::chrono::milliseconds::rep>(
        static_cast<double>(interval.count()) * (1.0 + 0.25 * std::clamp(u, 0.0, 1.0))));
}

// Which of many failures in a row are said aloud, whatever the time: number 1, 2, 4, 8 ….
constexpr bool worth_a_warning(int failures) { return (failures & (failures - 1)) == 0; }

// Counts the failures in a row.
class backoff {
public:
    constexpr backoff(std::chrono::milliseconds minimum, std::chrono::milliseconds maximum)
        : minimum_(minimum), maximum_(maximum) {}

    // The pause after one more failure, this time not longer than `longest`.
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
