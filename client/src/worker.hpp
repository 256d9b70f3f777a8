// The working side of a consumer: takes or claims batches and runs the handlers.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <pgpubsub/consumer.hpp>

#include "broker.hpp"
#include "clock.hpp"
#include "connection.hpp"
#include "inbox.hpp"
#include "logger.hpp"
#include "reconnect.hpp"
#include "shared_state.hpp"

namespace pgpubsub::inline v0 {

// A notification that was alone in its transaction when that failed as a whole.
struct suspect {
    std::int64_t id = 0;
    int deaths = 0;
    bool guilty = false;  // its failure is to be recorded
    std::string failure;
};

// What the worker remembers of a channel.
struct channel_state {
    std::string name;
    std::variant<transactional_handler, leased_handler> handler;

    bool ready = true;                     // there may be work
    bool missing = false;                  // it did not exist when last looked at
    int batch = 1;                         // how many to ask for next
    int alone = 0;                         // so many of the next ones get a transaction each
    suspect last_suspect;
    int empty_rounds = 0;                  // how many times in a row nothing came although something was due
    clock::time_point look_again{};        // when to look without being woken
};

struct batch_outcome {
    int asked = 0;
    int received = 0;
};

// Thrown when the server can't send a notification that it has taken or claimed for us: see worker::set_aside().
struct unreadable {
    int asked;
    error why;
};

class worker {
public:
    worker(const consumer_options& options, const conninfo& target, std::vector<channel_state> channels, logger& log,
           shared_state& shared, inbox& in);

    // Connects and checks the extension; the connection is this object's thread's.
    void connect();

    // Until a stop, or until nothing is ready if the options say so.
    void work();

    // --- for the batch functions below ---
    const consumer_options& options;
    logger& log;
    shared_state& shared;
    inbox& in;
    std::optional<connection> server;

    int stops() {
        in.read();
        return in.stops();
    }
    // Connects anew, with pauses. Throws interrupted when another stop comes meanwhile.
    void reconnect();
    // Logs that the connection was lost; reconnect() says for how long.
    void lost(std::string_view why) { patience_.lost(why); }
    // Learns from a batch how many to ask for next.
    void adapt(channel_state& c, batch_outcome outcome, clock::duration took);
    milliseconds retry_delay(int attempts) const;
    // Logs that a handler failed, and counts it.
    void handler_failed(const channel_state& c, const notification& n, milliseconds delay, std::string_view failure);
    int failures = 0;  // how many times a notification has failed
    milliseconds lease() const { return options.lease.value_or(std::chrono::seconds(30)); }

private:
    void process(channel_state& c);
    void drained(channel_state& c, int received);
    void failed(channel_state& c, const error& e);
    void set_aside(channel_state& c, const unreadable& u);
    void check_all_exist() const;
    bool any_ready();
    void sleep();

    const conninfo& target_;
    std::vector<channel_state> channels_;
    reconnector patience_;
};

// Takes a batch and runs its handlers in one transaction. transactional.cpp
batch_outcome run_transactional_batch(worker& w, channel_state& c, const transactional_handler& handler);

// Claims a batch and runs its handlers under leases. leased.cpp
batch_outcome run_leased_batch(worker& w, channel_state& c, const leased_handler& handler);

// How many to ask for next.
inline int next_asked(const channel_state& c) { return c.alone > 0 ? 1 : c.batch; }

// Notes that one of those that get a batch of their own is done.
inline void one_less_alone(channel_state& c, int received) { c.alone = received == 0 ? 0 : std::max(0, c.alone - 1); }

// Calls a handler and returns the text of its failure, if it fails. Lets stop_consuming through.
template <typename Call>
std::optional<std::string> failure_of(Call call) {
    try {
        call();
        return std::nullopt;
    } catch (const stop_consuming&) {
        throw;
    } catch (const std::exception& e) {
        return *e.what() != '\0' ? std::string(e.what()) : std::string("the handler failed without a message");
    } catch (...) {
        return std::string("the handler threw something that is no std::exception");
    }
}

}  // namespace pgpubsub::inline v0
