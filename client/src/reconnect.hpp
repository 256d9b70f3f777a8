// The patience for one connection: how long to pause after each failure and when to give up.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include <pgpubsub/consumer.hpp>

#include "backoff.hpp"
#include "clock.hpp"

namespace pgpubsub::inline v0 {

class inbox;
class logger;

class reconnector {
public:
    reconnector(const consumer_options& options, logger& log, inbox& in, std::string_view purpose);

    // Calls `attempt` until it succeeds, logging each failure and pausing after it. Throws its error when
    // waiting does not help or was long enough, and interrupted when a stop is posted meanwhile; after a stop
    // it makes one attempt only.
    void until_connected(const std::function<void()>& attempt);

    // To be called when the connection has proved itself by doing its work: only then the pauses begin
    // small again, so that a server that accepts and drops connections is not hammered.
    void proved() { pauses_.reset(); }

    // From here on a lost connection is a matter of waiting. Said by the first success by itself.
    void connected() { connected_once_ = true; }

    // Logs that the connection is gone: the next success says for how long.
    void lost(std::string_view why);

    // Logs a failure of the connection's work, the ever rarer the more there are in a row, and pauses.
    void pause(std::string_view failure) { pause(failure, clock::time_point::max()); }

private:
    void pause(std::string_view failure, clock::time_point deadline);

    const consumer_options& options_;
    logger& log_;
    inbox& inbox_;
    std::string_view purpose_;
    backoff pauses_;
    bool connected_once_ = false;
    std::optional<clock::time_point> lost_at_;
};

}  // namespace pgpubsub::inline v0
