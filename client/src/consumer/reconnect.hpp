// The retries of one connection: how long to pause after each failure, and when to give up.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string_view>

#include <pgpubsub/consumer.hpp>

#include "base/backoff.hpp"
#include "base/clock.hpp"

namespace pgpubsub::inline v0 {

class inbox;
class logger;

class reconnector {
public:
    reconnector(const consumer_options& options, logger& log, inbox& in, std::string_view purpose);

    // Links the other connection of the consumer: when this connection is back after a failure, the pause of the other
    // one ends too.
    void wakes(reconnector& other) { other_ = &other; }

    // Limits the pauses: none is longer than the value that `longest` returns when the pause begins.
    void limit(std::function<milliseconds()> longest) { longest_ = std::move(longest); }

    // Ends the present pause, or the pause that follows the present attempt. May be called from any thread.
    void hurry() noexcept;

    // Calls `attempt` until it succeeds. Logs each failure and pauses after it. While no server answers, the pauses are
    // short: when the server is back, it must not wait for us. Throws the error of `attempt` if waiting does not help
    // or was long enough. Throws interrupted if a stop is posted meanwhile; after a stop it makes one attempt only.
    void until_connected(const std::function<void()>& attempt);

    // Called when the connection has proved itself by doing its work. Only then do the pauses begin small again, so
    // that a server which accepts and drops connections is not hammered.
    void proved() { pauses_.reset(); }

    // From here on, a lost connection is a matter of waiting. The first success has the same effect.
    void connected() { connected_once_ = true; }

    // Logs that the connection is gone. The next success logs for how long.
    void lost(std::string_view why);

    // Logs a failure of the connection's work, ever more rarely in a row of failures, and pauses.
    void pause(std::string_view failure) { pause(failure, options_.reconnect_delay_max, clock::time_point::max()); }

private:
    void pause(std::string_view failure, milliseconds longest, clock::time_point deadline);
    milliseconds longest_after(const error& e) const;
    bool is_worth_a_warning();

    const consumer_options& options_;
    logger& log_;
    inbox& inbox_;
    std::string_view purpose_;
    backoff pauses_;
    std::function<milliseconds()> longest_;
    reconnector* other_ = nullptr;
    std::atomic<bool> hurried_ = false;
    bool connected_once_ = false;
    clock::time_point last_warning_{};
    std::optional<clock::time_point> lost_at_;
};

}  // namespace pgpubsub::inline v0
