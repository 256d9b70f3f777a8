// The log messages of the library.
#ifndef PGPUBSUB_LOG_HPP
#define PGPUBSUB_LOG_HPP

#include <functional>
#include <string_view>

#include <pgpubsub/export.hpp>

namespace pgpubsub::inline v0 {

/// The importance of a message.
enum class log_level {
    debug,    ///< every batch and every wake-up
    info,     ///< connected, listening, stopping
    warning,  ///< dealt with, but somebody should know: a handler failed, a connection was lost
    error,    ///< not dealt with
};

/// Returns "debug", "info", "warning" or "error".
PGPUBSUB_EXPORT std::string_view to_string(log_level level) noexcept;

/// Receives the messages: one line each, UTF-8, without control characters and without a newline at the end. It is
/// called from several threads, but never from two at the same time. It must not throw. Among warnings that differ in
/// numbers only, the first twenty are logged as they come; then one a minute, with their number: "… (said 480 times
/// more in the last 60 s)".
using log_callback = std::function<void(log_level level, std::string_view message)>;

}  // namespace pgpubsub::inline v0

#endif
