// The working side of a consumer: takes or claims batches and runs the handlers.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <pgpubsub/consumer.hpp>

#include "base/clock.hpp"
#include "base/inbox.hpp"
#include "base/logger.hpp"
#include "consumer/reconnect.hpp"
#include "consumer/shared_state.hpp"
#include "pq/connection.hpp"
#include "protocol/sql_calls.hpp"

namespace pgpubsub::inline v0 {

// A notification that was alone in its transaction when the transaction failed as a whole.
struct suspect {
    std::int64_t id = 0;
    int deaths = 0;
    bool guilty = false;  // its failure must be recorded
    std::string failure;
};

// The state that the consumer loop keeps for a handler of a queue channel.
struct channel_state {
    queue from;
    std::string label;  // for messages: channel "media", or channel "media", subscription "audit"
    std::variant<transactional_handler, leased_handler> handler;
    bool may_be_broadcast = false;  // the channel has a broadcast handler too: the one that suits it is used
    bool is_queue = false;          // for such a channel: it was a queue when last asked

    bool ready = true;       // there may be work
    bool ask_first = false;  // work is unlikely: ask whether anything is due before taking
    bool hinted = false;     // a hint is to be followed, but not before:
    clock::time_point not_before{};
    int vain_hints = 0;            // number of hints in a row that led to nothing
    std::optional<error> missing;  // the channel or subscription did not exist when last looked at
    int batch = 1;                 // how many to request next
    int alone = 0;                 // number of next notifications that get a transaction each
    suspect last_suspect;
    bool asked_whether_paused = false;  // on this connection
    bool paused = false;                // the answer to the last question
    int empty_rounds = 0;               // how many times in a row nothing came although something was due
    clock::time_point look_again{};     // when to look without being woken …
    bool due_then = false;              // … because something is due then, and not for a poll
};

// The handler of a broadcast channel.
struct broadcast_state {
    std::string name;
    broadcast_handler handler;
    gap_handler missed = {};    // may be empty
    bool may_be_queue = false;  // the channel has a handler for queue channels too: the one that suits it is used
};

struct batch_outcome {
    int asked = 0;
    int received = 0;
    bool any = received > 0;  // a turn may consist of several batches; asked and received tell the last one
};

// Thrown if the server can't send a notification that it has taken or claimed for us: see consumer_loop::set_aside().
struct unreadable {
    int asked;
    error why;
};

// For waiting without LISTEN: which subscription has its turn, and whether the waits are useful.
struct waiting_rounds {
    std::size_t turn = 0;
    bool hinted = false;  // the last wait named a channel …
    bool found = false;   // … and since then something was found
    int in_vain = 0;      // number of waits in a row that named a channel where nothing was found
};

// Calls a handler and returns its failure, if it fails. Lets stop_consuming and pause_consuming through.
template <typename Call>
std::optional<handler_failure> failure_of(Call call) {
    const auto text = [](const std::exception& e) {
        return *e.what() != '\0' ? std::string(e.what()) : std::string("the handler failed without a message");
    };
    try {
        call();
        return std::nullopt;
    } catch (const stop_consuming&) {
        throw;
    } catch (const pause_consuming&) {
        throw;
    } catch (const rejected& e) {
        return handler_failure{.text = text(e), .reject = true};
    } catch (const retry_after& e) {
        return handler_failure{.text = text(e), .delay = e.delay()};
    } catch (const std::exception& e) {
        return handler_failure{.text = text(e)};
    } catch (...) {
        return handler_failure{.text = "the handler threw something that is no std::exception"};
    }
}

class consumer_loop {
public:
    consumer_loop(const consumer_options& options, const conninfo& target, std::vector<channel_state> channels,
                  std::vector<broadcast_state> broadcasts, logger& log, shared_state& shared, inbox& in);

    // Connects and checks the extension. The connection belongs to this object's thread.
    void connect();

    // Works until a stop or, if the options say so, until nothing is ready.
    void work();

    // --- for the batch functions below ---
    const consumer_options& options;
    logger& log;
    shared_state& shared;
    inbox& in;
    std::optional<connection> server;

    int stops() {
        if (in.has_post())
            in.read();
        return in.stops();
    }
    // Connects again, with pauses. Throws interrupted if another stop comes meanwhile.
    void reconnect();
    // Like reconnect(), but for new work only: throws interrupted if a stop has come.
    void reconnect_after(std::string_view why);
    // Logs that the connection was lost, and pauses if it had not worked. reconnect() logs how long it was away.
    void lost(std::string_view why);
    // Looks at the queue handlers of a channel soon, as after a wake-up.
    void hint(std::string_view channel);
    // Adapts the size of the next batch to the last one.
    void adapt(channel_state& c, batch_outcome outcome, clock::duration took);
    // Logs that a handler failed, and counts it.
    void handler_failed(const channel_state& c, const notification& n, const handler_failure& failure);
    int failures = 0;  // number of failures of notifications
    milliseconds lease() const { return options.lease.value_or(std::chrono::seconds(30)); }
    // Returns a claim of this consumer.
    statement claim_for(const queue& from, int max_count) const {
        return claim_statement(from, max_count, lease(), options.listen ? lease_end::setting : lease_end::time);
    }
    // Returns whether a refused statement may be sent again: the server was busy, or the statement conflicted with
    // another session. If only another connection helps, this one is given up.
    bool may_send_again(const error& e);
    // Returns the present kind of the channel; no value if the channel does not exist, or may not be used.
    std::optional<std::string> ask_kind(const std::string& channel);
    // Calls a handler for broadcasts, and repeats the call while the handler can't work.
    template <typename Call>
    std::optional<handler_failure> failure_in_broadcast(const broadcast_state& b, Call call) {
        for (;;)
            try {
                return failure_of(call);
            } catch (const pause_consuming& p) {
                if (stops() > 0)
                    return handler_failure{.text = p.what()};
                unable_to_work(fmt::format("channel \"{}\"", b.name), p);
            }
    }
    reconnector& patience() { return patience_; }

private:
    void process(channel_state& c);
    void drained(channel_state& c, int received);
    std::optional<milliseconds> ask_due(const channel_state& c);
    bool is_worth_a_take(channel_state& c, bool hinted);
    std::optional<milliseconds> ask_due_or_paused(channel_state& c);
    void now_paused(channel_state& c, bool paused);
    bool is_for_broadcasts(channel_state& c);
    void unable_to_work(const std::string& label, const pause_consuming& p);
    void check_filters();
    void rest(channel_state& c, std::optional<milliseconds> due_in);
    void failed(channel_state& c, const error& e);
    bool is_outdated(const error& e) const;
    void set_aside(channel_state& c, const unreadable& u);
    void check_all_exist() const;
    void check_broadcast_channels();
    bool any_ready();
    void sleep();
    void wait(clock::time_point until);
    void pause_until(clock::time_point until);

    const conninfo& target_;
    std::vector<channel_state> channels_;
    std::vector<broadcast_state> broadcasts_;
    bool broadcast_channels_checked_ = false;
    bool filters_checked_ = false;
    bool is_anew_ = false;     // the connection is not the first, and has not worked yet
    bool has_worked_ = false;  // the present connection has worked: the functions that this client calls were there
    waiting_rounds waits_;
    reconnector patience_;
};

// Takes a batch and runs its handlers in one transaction. See transactional.cpp.
batch_outcome run_transactional_batch(consumer_loop& loop, channel_state& c, const transactional_handler& handler);

// Claims a batch and runs its handlers under leases. See leased.cpp.
batch_outcome run_leased_batch(consumer_loop& loop, channel_state& c, const leased_handler& handler);

// Hands the broadcasts that have arrived to their handlers. See broadcasts.cpp.
void deliver_broadcasts(consumer_loop& loop, const std::vector<broadcast_state>& broadcasts);
// Returns whether the channel is a broadcast channel just now. Throws broadcast_refusal(). See broadcasts.cpp.
bool is_broadcast_channel(consumer_loop& loop, const broadcast_state& b);

// The kind of a channel for broadcasts.
inline constexpr std::string_view broadcast_kind = "broadcast";

// Returns the error that ends the consumer when the server refuses a broadcast channel: it is of the other kind, or a
// right is missing.
error broadcast_refusal(const consumer_loop& loop, const broadcast_state& b, const error& e);

// Returns how many notifications to request next.
inline int next_asked(const channel_state& c) { return c.alone > 0 ? 1 : c.batch; }

// Notes that one of the notifications with a batch of their own is done.
inline void one_less_alone(channel_state& c, int received) { c.alone = received == 0 ? 0 : std::max(0, c.alone - 1); }

}  // namespace pgpubsub::inline v0
