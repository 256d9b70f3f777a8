// Guarantees that the callback never runs in two threads at once, that its exceptions end here (a failing log must not
// cost a notification), and that a message is one line.

#include "base/logger.hpp"

#include <cstdio>

#include "base/one_line.hpp"

namespace pgpubsub::inline v0 {

std::string_view to_string(log_level level) noexcept {
    switch (level) {
        case log_level::debug: return "debug";
        case log_level::info: return "info";
        case log_level::warning: return "warning";
        case log_level::error: return "error";
    }
    return "unknown";
}

logger::logger(log_callback callback) : callback_(std::move(callback)) {
    if (callback_)
        return;
    callback_ = [](log_level level, std::string_view message) {
        if (level < log_level::warning)
            return;
        const std::string line = fmt::format("pgpubsub: {}: {}\n", to_string(level), message);
        std::fwrite(line.data(), 1, line.size(), stderr);
    };
}

void logger::write(log_level level, std::string_view message) noexcept {
    tell_repetitions();
    try {
        const std::scoped_lock lock(mutex_);
        const std::string text = printable(message);  // names, errors and payloads come from others
        if (level >= log_level::warning && repetitions_.holds_back(level, text, clock::now()))
            holds_back_ = true;
        else
            callback_(level, text);
    } catch (...) {  // documented: the callback must not throw
    }
}

void logger::tell_repetitions(bool now) noexcept {
    if (!holds_back_)
        return;
    try {
        const std::scoped_lock lock(mutex_);
        for (const auto& [level, text] : repetitions_.due(clock::now(), now))
            callback_(level, text);
        holds_back_ = repetitions_.any_held_back();
    } catch (...) {}
}

}  // namespace pgpubsub::inline v0
