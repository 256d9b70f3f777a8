// Which warnings are held back, because the same has been said so often just now, and what is said instead: once a
// minute the last of them, with how many there were. Two are the same when they differ in numbers only; but what is in
// double quotes, a name mostly, counts as it is. Pure: the time is handed in.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <pgpubsub/log.hpp>

#include "base/clock.hpp"

namespace pgpubsub::inline v0 {

class repetitions {
public:
    struct line {
        log_level level;
        std::string text;
    };

    // Whether this one is not to be written. It is counted then.
    bool holds_back(log_level level, std::string_view text, clock::time_point now) {
        if (kinds_.size() > kinds_kept)
            std::erase_if(kinds_, [](const auto& k) { return k.second.held_back == 0; });
        auto& k = kinds_[{level, kind_of(text)}];
        if (k.said == 0 || (k.held_back == 0 && now - k.since >= window))
            k = {.since = now, .said = 0, .last = {}};
        if (k.said < said_as_they_are) {
            ++k.said;
            return false;
        }
        ++k.held_back;
        k.last = text;
        return true;
    }

    // The lines that are due instead of those that were held back; `all`: also where the minute is not yet over.
    std::vector<line> due(clock::time_point now, bool all = false) {
        std::vector<line> lines;
        const bool too_many = kinds_.size() > kinds_kept;
        for (auto& [which, k] : kinds_) {
            if (k.held_back == 0 || (!all && !too_many && now - k.since < window))
                continue;
            const auto seconds =
                std::max<long long>(1, std::chrono::round<std::chrono::seconds>(now - k.since).count());
            lines.push_back({which.first, fmt::format("{} (said {} time{} more in the last {} s)", k.last, k.held_back,
                                                      k.held_back == 1 ? "" : "s", seconds)});
            k.held_back = 0;
            k.since = now;
        }
        return lines;
    }

    // Whether there are some that no line has told of yet.
    bool any_held_back() const {
        return std::any_of(kinds_.begin(), kinds_.end(), [](const auto& k) { return k.second.held_back > 0; });
    }

private:
    static constexpr int said_as_they_are = 20;
    static constexpr auto window = std::chrono::seconds(60);
    static constexpr std::size_t kinds_kept = 200;

    struct kind {
        clock::time_point since{};  // when the first of those below came
        int said = 0;
        unsigned long held_back = 0;
        std::string last;
    };

    static std::string kind_of(std::string_view text) {
        std::string kind;
        bool quoted = false, in_number = false;
        for (const char c : text.substr(0, 1000)) {
            if (c == '"')
                quoted = !quoted;
            const bool digit = !quoted && ((c >= '0' && c <= '9') || (c == '.' && in_number));
            if (!digit || !in_number)
                kind += digit ? '#' : c;
            in_number = digit;
        }
        return kind;
    }

    std::map<std::pair<log_level, std::string>, kind> kinds_;
};

}  // namespace pgpubsub::inline v0
