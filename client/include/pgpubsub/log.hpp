// How the library says what happens.
#ifndef PGPUBSUB_LOG_HPP
#define PGPUBSUB_LOG_HPP

#include <functional>
#include <string_view>

#include <pgpubsub/export.hpp>

namespace pgpubsub::inline v0 {

/// How much a message matters.
enum class log_level {
    debug,    ///< every batch and every wake-up
    info,     ///< connected, listening, stopping
    warning,  ///< it was dealt with, and somebody should know: a handler failed, a connection was lost
    error,    ///< it was not dealt with
};

/// "debug", "info", "warning" or "error".
PGPUBSUB_EXPORT std::string_view to_string(log_level level) noexcept;

/// Receives the messages: one line each, UTF-8, without control characters and without a newline at its end. It is
/// called from more than one thread, but never from two at the same time, and it must not throw. Of warnings that
/// differ in numbers only, twenty are said as they come; then one a minute, with how many there were: "… (said 480
/// times more in the last 60 s)".
using log_callback = std::function<void(log_level level, std::string_view message)>;

}  // namespace pgpubsub::inline v0

#endif
