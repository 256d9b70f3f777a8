// The patience for one connection: how long to pause after each failure and when to give up.
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

    // The other connection of the consumer: when this one is back after a failure, that one's pause ends too.
    void wakes(reconnector& other) { other_ = &other; }

    // No pause is longer than what this returns when it begins.
    void limit(std::function<milliseconds()> longest) { longest_ = std::move(longest); }

    // Ends the pause that there is, or that follows the present attempt. From any thread.
    void hurry() noexcept;

    // Calls `attempt` until it succeeds, logging each failure and pausing after it. While no server answers the pauses
    // are short: whoever is back first must not wait for us. Throws its error when waiting does not help or was long
    // enough, and interrupted when a stop is posted meanwhile; after a stop it makes one attempt only.
    void until_connected(const std::function<void()>& attempt);

    // To be called when the connection has proved itself by doing its work: only then the pauses begin
    // small again, so that a server that accepts and drops connections is not hammered.
    void proved() { pauses_.reset(); }

    // From here on a lost connection is a matter of waiting. Said by the first success by itself.
    void connected() { connected_once_ = true; }

    // Logs that the connection is gone: the next success says for how long.
    void lost(std::string_view why);

    // Logs a failure of the connection's work, the ever rarer the more there are in a row, and pauses.
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
