// Formats messages and hands them to the log callback, one thread at a time, without endless repetitions of a warning.
#pragma once

#include <fmt/format.h>

#include <atomic>
#include <mutex>
#include <string_view>
#include <utility>

#include <pgpubsub/log.hpp>

#include "base/repetitions.hpp"

namespace pgpubsub::inline v0 {

class logger {
public:
    explicit logger(log_callback callback);

    template <typename... Args>
    void debug(fmt::format_string<Args...> format, Args&&... args) {
        write(log_level::debug, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    void info(fmt::format_string<Args...> format, Args&&... args) {
        write(log_level::info, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    void warning(fmt::format_string<Args...> format, Args&&... args) {
        write(log_level::warning, fmt::format(format, std::forward<Args>(args)...));
    }
    template <typename... Args>
    void error(fmt::format_string<Args...> format, Args&&... args) {
        write(log_level::error, fmt::format(format, std::forward<Args>(args)...));
    }

    void write(log_level level, std::string_view message) noexcept;

    // If a minute is over, or `now` is set, logs how many messages were held back. Each write() does that too.
    void tell_repetitions(bool now = false) noexcept;

private:
    log_callback callback_;
    std::mutex mutex_;
    repetitions repetitions_;
    std::atomic<bool> holds_back_ = false;  // whether any message is held back; cheap to ask
};

}  // namespace pgpubsub::inline v0
