// Guarantees:
// - Everything that is ready reaches a handler: after a wake-up, when a due time comes, after each (re)connect, and at
//   the latest after the poll interval.
// - Channels take turns, so that a busy one does not starve the others. Broadcasts have their turn between batches.
// - Trouble with the server is logged and retried, or ends run() with an error if waiting does not help.
//
// Steps: look at the inbox, the broadcasts and the hints; process one batch for each channel that may have work; when
// none is left, sleep until something is posted, the server closes the connection, or it is time to look again. A hint
// is removed before its channel is looked at, so a hint that arrives meanwhile is not lost. After a hint and at a due
// time, the loop takes at once. A poll mostly finds nothing, so it first asks with one statement whether a take is
// worth it. A consumer whose last hints were in vain does the same, after a short random time in which other consumers
// have taken what there is.
//
// The connection belongs to the thread that runs work(); handlers run in it too.

#include "consumer/consumer_loop.hpp"

#include <algorithm>
#include <array>

#include "base/backoff.hpp"
#include "base/one_line.hpp"
#include "base/poll.hpp"
#include "base/random.hpp"
#include "base/sqlstate.hpp"
#include "base/waiting.hpp"

namespace pgpubsub::inline v0 {

consumer_loop::consumer_loop(const consumer_options& settings, const conninfo& target,
                             std::vector<channel_state> channels, std::vector<broadcast_state> broadcasts, logger& logs,
                             shared_state& state, inbox& inbox)
    : options(settings),
      log(logs),
      shared(state),
      in(inbox),
      target_(target),
      channels_(std::move(channels)),
      broadcasts_(std::move(broadcasts)),
      patience_(settings, logs, inbox, "the working connection") {}

void consumer_loop::connect() {
    patience_.until_connected([this] {
        server.reset();
        has_worked_ = false;
        server.emplace(target_, log, &in);
        shared.worker_server_is_dead = false;
        server->look_after(options.server_silence);
        server->heed(in, in.stops() + 1, shared.worker_server_is_dead);
        const auto process = check_extension(*server);
        shared.worker_pid = process.pid;
        shared.worker_server_started = process.server_started;
        if (options.listen)
            server->exec(stay_connected);
        check_filters();
        check_broadcast_channels();
        server->heed(in, std::max(2, in.stops() + 1), shared.worker_server_is_dead);
    });
}

// If the server rejected a filter, each call would fail with an error that says neither what is wrong nor where.
void consumer_loop::check_filters() {
    if (filters_checked_)
        return;
    for (const auto& c : channels_) {
        if (!c.from.filter)
            continue;
        try {
            const auto call = check_json_statement(*c.from.filter);
            server->exec(call.sql, call.parameters);
        } catch (const error& e) {
            if (!server->alive() || e.retryable() || e.sqlstate() == sqlstate::cancelled)
                throw;
            throw error(fmt::format("the filter of {} is no JSON that the server takes: {}", c.label, e.what()),
                        {.sqlstate = std::string(sqlstate::invalid_text),
                         .hint = fmt::format("A filter is JSON text, such as {{\"op\": \"insert\"}}. It is: {}",
                                             excerpt(*c.from.filter))});
        }
    }
    filters_checked_ = true;
}

// A handler for broadcasts would wait for ever on a queue channel, and on a channel that it may not use.
void consumer_loop::check_broadcast_channels() {
    if (broadcast_channels_checked_)
        return;
    for (const auto& b : broadcasts_) {
        if (b.may_be_queue)
            continue;
        try {
            const auto call = read_broadcast_statement(b.name, no_broadcast);
            server->exec(call.sql, call.parameters);
        } catch (const error& e) {
            if (e.sqlstate() != sqlstate::undefined_object)
                throw broadcast_refusal(*this, b, e);
            log.warning("channel \"{}\" does not exist; listening all the same", b.name);
        }
    }
    broadcast_channels_checked_ = true;
}

void consumer_loop::lost(std::string_view why) {
    patience_.lost(why);
    // A server that accepts connections and drops them must not be asked without pause.
    if (is_anew_)
        patience_.pause("lost before it had worked");
}

void consumer_loop::reconnect() {
    is_anew_ = true;
    connect();
    for (auto& c : channels_) {
        c.ready = true;
        c.asked_whether_paused = false;
    }
}

// When the consumer is about to end, nobody waits for what it might still take.
void consumer_loop::reconnect_after(std::string_view why) {
    if (stops() > 0) {
        log.warning("the working connection: {}; stopping without it", why);
        throw interrupted();
    }
    lost(why);
    reconnect();
}

void consumer_loop::hint(std::string_view channel) {
    for (std::size_t i = 0; i < channels_.size(); ++i)
        if (channels_[i].from.channel == channel)
            shared.hints.set(i, hinted::with_others);
}

void consumer_loop::adapt(channel_state& c, batch_outcome outcome, clock::duration took) {
    if (outcome.received == 0)
        return;
    c.empty_rounds = 0;
    const auto ms = std::chrono::duration_cast<milliseconds>(took);
    log.debug("{}: {} of at most {} notifications in {} ms", c.label, outcome.received, outcome.asked, ms.count());
    c.batch = next_batch_size(outcome.asked, outcome.received, ms, options.batch);
}

void consumer_loop::handler_failed(const channel_state& c, const notification& n, const handler_failure& failure) {
    ++failures;
    if (failure.reject)
        log.warning("{}: notification {} was rejected (attempt {}): {}", c.label, n.id, n.attempts,
                    excerpt(failure.text));
    else
        log.warning("{}: notification {} failed (attempt {}): {}", c.label, n.id, n.attempts, excerpt(failure.text));
}

void consumer_loop::work() {
    try {
        for (;;) {
            deliver_broadcasts(*this, broadcasts_);
            // From here to sleep() nobody reads the inbox, so anything posted ends the sleep.
            if (stops() > 0)
                return;
            shared.listener_failure.rethrow_if_set();
            if (any_ready()) {
                for (auto& c : channels_)
                    if (c.ready && stops() == 0)
                        process(c);
                continue;
            }
            // All channels are drained, which proves the connections. But without LISTEN, a wait proves them.
            if (options.listen)
                patience_.proved();
            ++shared.sweeps;
            if (std::exchange(is_anew_, false))
                log.info("working again (backend {})", server->backend_pid());
            log.tell_repetitions();
            if (options.drain)
                return check_all_exist();
            if (shared.broadcasts.empty())
                sleep();
        }
    } catch (const interrupted&) {  // a stop came while there was no connection
    } catch (const stop_consuming& stop) {
        throw error(stop.what());
    }
}

void consumer_loop::check_all_exist() const {
    for (const auto& c : channels_)
        if (c.missing)
            throw error(
                c.missing->what(),
                {.sqlstate = c.missing->sqlstate(),
                 .hint = c.from.subscription == "default"
                             ? "Check the spelling: SELECT name FROM pgpubsub.channels."
                             : "Check the spelling: SELECT channel, subscription FROM pgpubsub.subscriptions."});
}

bool consumer_loop::any_ready() {
    const auto now = clock::now();
    bool any = false;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        auto& c = channels_[i];
        if (const auto how = shared.hints.take(i); how != hinted::not_at_all) {
            // If many consumers wait, another one is mostly quicker: a consumer that came in vain again and again steps
            // back.
            const auto spread = how == hinted::alone ? milliseconds(0) : hint_spread(c.vain_hints);
            const auto from = now + std::chrono::duration_cast<clock::duration>(spread * random_unit());
            if (!c.hinted || from < c.not_before)
                c.not_before = from;
            c.hinted = true;
            c.ask_first = spread.count() > 0;
        }
        if (c.hinted && now >= c.not_before)
            c.ready = true;
        if (!c.ready && !options.drain && now >= c.look_again) {
            c.ready = true;
            c.ask_first = !c.due_then;
        }
        any = any || c.ready;
    }
    return any;
}

void consumer_loop::process(channel_state& c) {
    try {
        if (!server || !server->alive())
            reconnect();
        if (is_for_broadcasts(c))
            return;
        const bool asked = std::exchange(c.ask_first, false);
        const bool hinted = std::exchange(c.hinted, false);
        if (hinted)
            c.vain_hints = std::min(c.vain_hints + 1, 1000);
        if (asked && !is_worth_a_take(c, hinted))
            return;
        const batch_outcome outcome = std::visit(
            [&](const auto& handler) {
                if constexpr (std::is_same_v<std::decay_t<decltype(handler)>, transactional_handler>)
                    return run_transactional_batch(*this, c, handler);
                else
                    return run_leased_batch(*this, c, handler);
            },
            c.handler);
        c.missing.reset();
        has_worked_ = true;
        waits_.found = waits_.found || outcome.any;
        if (std::exchange(is_anew_, false))
            log.info("working again (backend {})", server->backend_pid());
        if (outcome.any)
            c.vain_hints = 0;
        if (outcome.any && c.paused)
            now_paused(c, false);
        if (asked && !outcome.any)
            rest(c, milliseconds(0));  // as the server said just now: another consumer has it
        else if (outcome.received < outcome.asked)
            drained(c, outcome.received);
        else if (outcome.asked == 1)
            c.ask_first = !options.drain;  // mostly there is no more
    } catch (const pause_consuming& p) {
        unable_to_work(c.label, p);
    } catch (const unreadable& u) {
        try {
            set_aside(c, u);
        } catch (const error& e) {
            server->rollback();
            failed(c, e);
        }
    } catch (const error& e) {
        failed(c, e);
    }
}

// A notification that the server can't send in UTF-8 (a database without an encoding may hold any bytes) must not hold
// up the others. Batches of one find out which it is. Then a claim that leaves its content on the server puts it aside
// with the error. Claims are ordered, so the claim gets the same notification, unless another consumer has it.
void consumer_loop::set_aside(channel_state& c, const unreadable& u) {
    if (u.asked > 1) {
        c.alone = u.asked;
        log.warning("{}: a notification can't be sent to this client ({}); they are taken one at a time", c.label,
                    u.why.what());
        return;
    }
    const auto results = server->pipeline({{"BEGIN"}, blind_claim_statement(c.from, lease())});
    const auto* row = results.back().get();
    if (PQntuples(row) == 0)
        return server->rollback();
    notification n;
    n.id = std::stoll(std::string(*value_at(row, 0, 1)));
    n.attempts = std::stoi(std::string(*value_at(row, 0, 2)));
    const handler_failure failure{.text =
                                      fmt::format("the notification can't be sent to the client: {}", u.why.what())};
    const auto call = nack_statement(std::string(*value_at(row, 0, 0)), failure);
    server->exec(call.sql, call.parameters);
    server->commit();
    handler_failed(c, n, failure);
    one_less_alone(c, 1);
}

// Fewer notifications came than were requested. There may still be more: for an ordered channel, a call hands out a
// limited number of keys, and under a lease one notification for each key. If nothing came, finds out when that may
// change by itself.
void consumer_loop::drained(channel_state& c, int received) {
    if (options.drain && received > 0)
        return;  // the rest is for the next look
    if (stops() > 0)
        return rest(c, std::nullopt);
    const bool ask_more = received == 0 && !c.asked_whether_paused;
    if (options.drain) {
        if (ask_more)
            ask_due_or_paused(c);
        return rest(c, std::nullopt);
    }
    const auto due_in = ask_more ? ask_due_or_paused(c) : ask_due(c);
    if (due_in && due_in->count() <= 0 && received > 0)
        return;  // there is more
    rest(c, due_in);
}

std::optional<milliseconds> consumer_loop::ask_due(const channel_state& c) {
    const auto call = next_due_statement(c.from);
    return read_next_due(server->exec(call.sql, call.parameters).get());
}

// Like ask_due(), and logs when a pause has begun or ended. That costs a look into the settings, so it is not done for
// each hint.
std::optional<milliseconds> consumer_loop::ask_due_or_paused(channel_state& c) {
    const auto call = next_due_or_paused_statement(c.from);
    const auto reply = server->exec(call.sql, call.parameters);
    c.asked_whether_paused = true;
    if (const bool paused = read_paused(reply.get()); paused != c.paused)
        now_paused(c, paused);
    return read_next_due(reply.get());
}

void consumer_loop::now_paused(channel_state& c, bool paused) {
    c.paused = paused;
    if (paused)
        log.warning("{} is paused: nothing of it is handed out until pgpubsub.resume_channel() is called", c.label);
    else
        log.info("{} is no longer paused", c.label);
}

bool consumer_loop::is_worth_a_take(channel_state& c, bool hinted) {
    const auto due_in = hinted ? ask_due(c) : ask_due_or_paused(c);
    c.missing.reset();
    if (due_in && due_in->count() <= 0)
        return true;
    rest(c, due_in);
    return false;
}

// Suspends looks at the channel until it gets a hint, the next notification is due, or the poll interval is over.
void consumer_loop::rest(channel_state& c, std::optional<milliseconds> due_in) {
    c.ready = false;
    c.look_again = clock::now() + jittered(options.poll_interval, random_unit());
    c.empty_rounds = due_in && due_in->count() <= 0 ? c.empty_rounds + 1 : 0;
    const auto wait = due_wait(due_in, c.empty_rounds);
    c.due_then = wait && clock::now() + *wait < c.look_again;
    if (c.due_then)
        c.look_again = clock::now() + *wait;
}

std::optional<std::string> consumer_loop::ask_kind(const std::string& channel) {
    const auto call = kind_statement(channel);
    return read_text(server->exec(call.sql, call.parameters).get());
}

// For a channel with handlers of both kinds: returns whether the broadcast handler gets what comes. Until the channel
// is known as a queue, the server is asked, because each trial would be an error in its log.
bool consumer_loop::is_for_broadcasts(channel_state& c) {
    if (!c.may_be_broadcast || c.is_queue)
        return false;
    const auto kind = ask_kind(c.from.channel);
    c.is_queue = kind && *kind != broadcast_kind;
    if (!kind || c.is_queue)
        return false;  // if there is no kind, the take reports why
    c.hinted = c.ask_first = false;
    c.missing.reset();
    rest(c, std::nullopt);
    return true;
}

void consumer_loop::unable_to_work(const std::string& label, const pause_consuming& p) {
    if (options.drain)
        throw error(p.what());
    if (stops() > 0)
        return log.warning("{}: the handler can't work just now: {}", label, p.what());
    patience_.pause(fmt::format("{}: the handler can't work just now: {}", label, p.what()));
}

bool consumer_loop::may_send_again(const error& e) {
    const bool needs_another = is_outdated(e) || e.sqlstate() == sqlstate::read_only;
    if (needs_another)
        server.reset();
    return needs_another || e.retryable() || e.sqlstate() == sqlstate::cancelled;
}

void consumer_loop::failed(channel_state& c, const error& e) {
    if (e.sqlstate() == sqlstate::undefined_object) {
        // A channel is made when a capture trigger first fires, or by create_channel() or subscribe(): its first
        // notification wakes us.
        if (!c.missing && !options.drain)
            log.warning("{}; listening all the same, until somebody makes it with {}. Check the spelling: {}", e.what(),
                        c.from.subscription == "default" ? "pgpubsub.create_channel() or a capture trigger fires"
                                                         : "pgpubsub.subscribe()",
                        c.from.subscription == "default" ? "SELECT name FROM pgpubsub.channels"
                                                         : "SELECT channel, subscription FROM pgpubsub.subscriptions");
        c.missing = e;
        return rest(c, std::nullopt);
    }
    if (e.sqlstate() == sqlstate::wrong_object_type) {
        if (c.may_be_broadcast) {  // the channel was a queue until just now
            c.is_queue = false;
            rest(c, std::nullopt);
            for (const auto& b : broadcasts_)
                if (b.name == c.from.channel)
                    is_broadcast_channel(*this, b);  // throws if we may not use it
            return;
        }
        throw error(fmt::format("{} is for broadcasts, and on() is for queue channels", c.label),
                    {.sqlstate = e.sqlstate(), .hint = "Register the handler with on_broadcast()."});
    }
    if (is_outdated(e))
        server.reset();
    if (server && server->alive() && sqlstate::is_permanent(e.sqlstate()))
        throw with_privilege_hint(e, *server, c.from.channel, "consume");
    if (!server || !server->alive()) {
        return reconnect_after(e.what());
    }
    // A drained channel comes to an end; so does a channel that can't be drained. A conflict passes by itself.
    if (options.drain && !sqlstate::is_conflict(e.sqlstate()))
        throw e;
    if (e.sqlstate() == sqlstate::read_only) {
        if (shared.sweeps == 0 && !options.give_up_after)
            throw e;     // wrong server or role, from the start
        server.reset();  // a standby by now: the primary may be elsewhere
    }
    if (stops() > 0)
        return;  // no pause
    patience_.pause(fmt::format("{}: {}{}{}{}", c.label, e.what(), e.hint().empty() ? "" : " (", e.hint(),
                                e.hint().empty() ? "" : ")"));
}

// Returns whether the extension was updated while the server process of this connection still has the former library,
// which lacks functions that the new version calls. A new connection gets the new library.
bool consumer_loop::is_outdated(const error& e) const {
    return has_worked_ && e.sqlstate() == sqlstate::undefined_function;
}

void consumer_loop::sleep() {
    auto until = clock::time_point::max();
    for (const auto& c : channels_)
        until = std::min(until, c.hinted ? std::min(c.not_before, c.look_again) : c.look_again);
    if (!options.listen)
        return wait(until);
    pause_until(until);
}

// Waits. Also returns when something is posted, or the connection ends.
void consumer_loop::pause_until(clock::time_point until) {
    std::array<pollfd, 2> waits{{{in.fd(), POLLIN, 0}, {server ? server->socket() : -1, POLLIN, 0}}};
    if (!poll_until(waits, until))
        return;
    if (waits[1].revents == 0)
        return;
    try {
        server->consume_input();  // an idle connection receives data when it ends (or when a setting changes)
    } catch (const error& e) {
        reconnect_after(e.what());
    }
}

}  // namespace pgpubsub::inline v0
