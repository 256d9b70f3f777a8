// Computes how long a consumer may sleep, and how much it takes at once. Pure.
#pragma once

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <optional>
#include <string_view>

namespace pgpubsub::inline v0 {

// Reads the server's "seconds until due" (a float8 as text, maybe negative or infinite), rounded up to milliseconds so
// that no consumer wakes too early. Returns no value for infinity, and for text that is not a number.
inline std::optional<std::chrono::milliseconds> parse_due(std::string_view seconds) {
    double value = 0;
    const auto [end, code] = std::from_chars(seconds.data(), seconds.data() + seconds.size(), value);
    if (code != std::errc() || end != seconds.data() + seconds.size() || std::isnan(value))
        return std::nullopt;
    if (std::isinf(value) && value > 0)
        return std::nullopt;
    constexpr double limit = 86'400.0 * 365;  // keeps the arithmetic below far from overflow
    return std::chrono::milliseconds(
        static_cast<std::chrono::milliseconds::rep>(std::ceil(std::clamp(value, -limit, limit) * 1000)));
}

// Returns when to look at a drained channel again because of its next due time. An overdue notification that was not
// handed out (another consumer's open transaction holds it just now) is requested again soon, but ever less often:
// `empty_rounds` counts how many times in a row nothing came although something was due.
constexpr std::optional<std::chrono::milliseconds> due_wait(std::optional<std::chrono::milliseconds> due_in,
                                                            int empty_rounds) {
    using std::chrono::milliseconds;
    if (!due_in)
        return std::nullopt;
    if (due_in->count() > 0)
        return due_in;
    return milliseconds(10) * (1 << std::clamp(empty_rounds, 0, 7));  // 10 ms to 1.28 s
}

// Returns the time over which consumers spread their looks after a hint to all consumers, depending on how many hints
// in a row were in vain: the first few count as chance.
constexpr std::chrono::milliseconds hint_spread(int vain_hints) {
    using std::chrono::milliseconds;
    return vain_hints < 4 ? milliseconds(0) : milliseconds(std::min(20, 1 << std::min(vain_hints - 4, 5)));
}

// Returns the pause before the next wait, depending on how many waits in a row named a channel where nothing was found.
constexpr std::chrono::milliseconds pause_after_vain_waits(int in_vain) {
    using std::chrono::milliseconds;
    return in_vain < 2 ? milliseconds(0) : milliseconds(10) * (1 << std::min(in_vain - 2, 7));  // 10 ms to 1.28 s
}

// Returns the size of the next batch: doubled while a full batch is quick, cut while a batch is slow. So a consumer
// neither pays a round trip for each notification nor keeps work that others could do.
constexpr int next_batch_size(int asked, int received, std::chrono::milliseconds took, int maximum) {
    using std::chrono::milliseconds;
    if (took > milliseconds(250)) {
        const auto fitting = received * milliseconds(250).count() / took.count();
        return std::clamp(static_cast<int>(std::min<long long>(fitting, asked)), 1, maximum);
    }
    if (received >= asked && took < milliseconds(100))
        return std::clamp(asked * 2, 1, maximum);
    return std::clamp(asked, 1, maximum);
}

}  // namespace pgpubsub::inline v0
