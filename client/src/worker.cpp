// Guarantees that whatever is ready reaches a handler: after a wake-up, when a due time comes, after each
// (re)connect, and at the latest after the poll interval; that channels take turns, so a busy one does not
// starve the others; and that trouble with the server is logged and retried, or ends run() with an error
// when waiting does not help.
//
// Steps: look at the inbox and the hints; one batch for each channel that may have work; when none is left,
// sleep until something is posted, the server closes the connection, or it is time to look again. A hint
// is taken down before its channel is looked at, so one that arrives meanwhile is not lost.
//
// The connection belongs to the thread that runs work(); handlers run in it too.

#include "worker.hpp"

#include <algorithm>
#include <array>

#include "backoff.hpp"
#include "poll.hpp"
#include "random.hpp"
#include "sqlstate.hpp"
#include "text.hpp"
#include "waiting.hpp"

namespace pgpubsub::inline v0 {

worker::worker(const consumer_options& settings, const conninfo& target, std::vector<channel_state> channels,
               logger& logs, shared_state& state, inbox& inbox)
    : options(settings),
      log(logs),
      shared(state),
      in(inbox),
      target_(target),
      channels_(std::move(channels)),
      patience_(settings, logs, inbox, "the working connection") {}

void worker::connect() {
    patience_.until_connected([this] {
        server.reset();
        server.emplace(target_, log, &in);
        check_extension(*server);
        server->exec(stay_connected);
    });
}

void worker::reconnect() {
    connect();
    log.info("working again (backend {})", server->backend_pid());
    for (auto& c : channels_) c.ready = true;
}

void worker::adapt(channel_state& c, batch_outcome outcome, clock::duration took) {
    if (outcome.received == 0) return;
    const auto ms = std::chrono::duration_cast<milliseconds>(took);
    log.debug("channel \"{}\": {} of at most {} notifications in {} ms", c.name, outcome.received, outcome.asked,
              ms.count());
    c.batch = next_batch_size(outcome.asked, outcome.received, ms, options.batch);
}

milliseconds worker::retry_delay(int attempts) const {
    return backoff_delay(std::max(1, attempts), options.retry_delay_min, options.retry_delay_max, random_unit());
}

void worker::handler_failed(const channel_state& c, const notification& n, milliseconds delay, std::string_view failure) {
    ++failures;
    log.warning("channel \"{}\": notification {} failed (attempt {}), next attempt in {:.1f} s: {}", c.name, n.id,
                n.attempts, static_cast<double>(delay.count()) / 1000, excerpt(failure));
}

void worker::work() {
    try {
        for (;;) {
            if (stops() > 0) return;
            shared.listener_failure.rethrow_if_set();
            if (any_ready()) {
                for (auto& c : channels_)
                    if (c.ready && stops() == 0) process(c);
                continue;
            }
            // All channels are drained: the connections have proved themselves.
            patience_.proved();
            ++shared.sweeps;
            if (options.drain) return check_all_exist();
            sleep();
        }
    } catch (const interrupted&) {  // a stop came while there was no connection
    } catch (const stop_consuming& stop) {
        throw error(stop.what());
    }
}

void worker::check_all_exist() const {
    for (const auto& c : channels_)
        if (c.missing)
            throw error(fmt::format("channel \"{}\" does not exist", c.name),
                        {.sqlstate = std::string(sqlstate::undefined_object),
                         .hint = "Check the spelling: SELECT name FROM pgpubsub.channels."});
}

bool worker::any_ready() {
    const auto now = clock::now();
    bool any = false;
    for (std::size_t i = 0; i < channels_.size(); ++i) {
        auto& c = channels_[i];
        if (shared.hints.take(i)) {
            c.ready = true;
            c.empty_rounds = 0;
        }
        if (!options.drain && now >= c.look_again) c.ready = true;
        any = any || c.ready;
    }
    return any;
}

void worker::process(channel_state& c) {
    try {
        if (!server || !server->alive()) reconnect();
        const batch_outcome outcome = std::visit(
            [&](const auto& handler) {
                if constexpr (std::is_same_v<std::decay_t<decltype(handler)>, transactional_handler>)
                    return run_transactional_batch(*this, c, handler);
                else
                    return run_leased_batch(*this, c, handler);
            },
            c.handler);
        c.missing = false;
        if (outcome.received < outcome.asked) drained(c, outcome.received);
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

// A notification that the server can't send in UTF-8 (a database without an encoding may hold any bytes) must
// not hold up the others: batches of one find out which it is, and a claim that leaves its content on the server
// puts it aside with the error. Claims are ordered, so that is the same one, unless another consumer had it.
void worker::set_aside(channel_state& c, const unreadable& u) {
    if (u.asked > 1) {
        c.alone = u.asked;
        log.warning("channel \"{}\": a notification can't be sent to this client ({}); they are taken one at a time",
                    c.name, u.why.what());
        return;
    }
    const auto results = server->pipeline({{"BEGIN"}, blind_claim_statement(c.name, lease())});
    const auto* row = results.back().get();
    if (PQntuples(row) == 0) return server->rollback();
    notification n;
    n.id = std::stoll(std::string(*value_at(row, 0, 1)));
    n.attempts = std::stoi(std::string(*value_at(row, 0, 2)));
    const auto delay = retry_delay(n.attempts);
    const std::string failure = fmt::format("the notification can't be sent to the client: {}", u.why.what());
    const auto call = nack_statement(std::string(*value_at(row, 0, 0)), delay, failure);
    server->exec(call.sql, call.parameters);
    server->commit();
    handler_failed(c, n, delay, failure);
    one_less_alone(c, 1);
}

// Nothing more is ready just now: find out when that may change by itself.
void worker::drained(channel_state& c, int received) {
    c.ready = false;
    c.look_again = clock::now() + jittered(options.poll_interval, random_unit());
    if (options.drain || stops() > 0) return;

    const auto call = next_due_statement(c.name);
    const auto due_in = read_next_due(server->exec(call.sql, call.parameters).get());
    c.empty_rounds = received == 0 && due_in && due_in->count() <= 0 ? c.empty_rounds + 1 : 0;
    if (const auto wait = due_wait(due_in, c.empty_rounds))
        c.look_again = std::min(c.look_again, clock::now() + *wait);
}

void worker::failed(channel_state& c, const error& e) {
    if (e.sqlstate() == sqlstate::undefined_object) {
        // Made when a capture trigger first fires, or by create_channel(): its first notification wakes us.
        if (!c.missing && !options.drain)
            log.warning("{}; listening all the same, until somebody makes it with pgpubsub.create_channel() or a "
                        "capture trigger fires. Check the spelling: SELECT name FROM pgpubsub.channels",
                        e.what());
        c.missing = true;
        c.ready = false;
        c.look_again = clock::now() + jittered(options.poll_interval, random_unit());
        return;
    }
    if (server && server->alive() && sqlstate::is_permanent(e.sqlstate())) throw with_privilege_hint(e, *server, c.name, "consume");
    if (!server || !server->alive()) {
        lost(e.what());
        return reconnect();
    }
    // What is drained has an end, and so has what can't be drained; a conflict is over by itself.
    if (options.drain && !sqlstate::is_conflict(e.sqlstate())) throw e;
    if (e.sqlstate() == sqlstate::read_only) server.reset();  // a standby by now: the primary may be elsewhere
    patience_.pause(fmt::format("channel \"{}\": {}{}{}{}", c.name, e.what(), e.hint().empty() ? "" : " (", e.hint(),
                                e.hint().empty() ? "" : ")"));
}

void worker::sleep() {
    auto until = clock::time_point::max();
    for (const auto& c : channels_) until = std::min(until, c.look_again);
    std::array<pollfd, 2> waits{{{in.fd(), POLLIN, 0}, {server ? server->socket() : -1, POLLIN, 0}}};
    if (!poll_until(waits, until)) return;
    if (waits[1].revents == 0) return;
    try {
        server->consume_input();  // an idle connection says something when it ends (or when a setting changes)
    } catch (const error& e) {
        lost(e.what());
        reconnect();
    }
}

}  // namespace pgpubsub::inline v0
