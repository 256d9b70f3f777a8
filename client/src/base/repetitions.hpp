// Holds back warnings that were repeated often just now. Instead, the last of them is logged once a minute, with the
// number of repetitions. Two warnings are the same if they differ in numbers only; text in double quotes, mostly a
// name, is compared as it is. Pure: the time is an argument.
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

    // Returns whether this message must be held back, and counts it then.
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

    // Returns the due lines that replace held-back messages. `all`: also if the minute is not yet over.
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

    // Returns whether messages are held back that no line has reported yet.
    bool any_held_back() const {
        return std::any_of(kinds_.begin(), kinds_.end(), [](const auto& k) { return k.second.held_back > 0; });
    }

private:
    static constexpr int said_as_they_are = 20;
    static constexpr auto window = std::chrono::seconds(60);
    static constexpr std::size_t kinds_kept = 200;

    struct kind {
        clock::time_point since{};  // when the first of the messages counted below came
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
