// Guarantees:
// - A wake-up reaches the loop however long its handler runs.
// - The server's notify queue never fills up because of this client.
// - Leases in hand are extended.
// - A connection that died silently is noticed (by the ping) and replaced.
//
// A wake-up is only a hint: after each reconnect all channels are marked, because any wake-up may have been missed. A
// broadcast is the message itself: it is handed on as it came, and a broadcast sent while there was no connection is
// missed.
//
// Ownership: the thread owns server_ from start() on, and no other thread touches it. Before, it belongs to the thread
// that calls open(). The loop's connection is never used here. The two threads share hints, broadcasts, receipts and a
// counter (shared_state), and wake each other through their inboxes.
//
// Steps: LISTEN to all channels and mark them all. Then repeat for ever: pass on what has arrived, extend leases and
// ping when it is time, look again (a NOTIFY arrives with any reply), sleep in poll().

#include "consumer/listener.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/logger.hpp"
#include "base/poll.hpp"
#include "base/quoting.hpp"
#include "base/random.hpp"
#include "base/sqlstate.hpp"
#include "protocol/hint.hpp"

namespace pgpubsub::inline v0 {

namespace {

constexpr milliseconds answer_limit = std::chrono::seconds(10);

}  // namespace

listener::listener(const consumer_options& options, const conninfo& target, recipients_by_channel channels, logger& log,
                   shared_state& shared, inbox& loop)
    : options_(options),
      target_(target),
      channels_(std::move(channels)),
      log_(log),
      shared_(shared),
      loop_(loop),
      patience_(options, log, inbox_,
                options.listen ? "the listening connection" : "the connection that extends leases") {
    // Leases in hand must not wait for a pause that has grown.
    patience_.limit([this] { return shared_.leases.empty() ? milliseconds::max() : lease() / 10; });
}

listener::~listener() {
    inbox_.post_stop();
    if (thread_.joinable())
        thread_.join();
}

void listener::open(inbox& interrupts) {
    server_.reset();
    server_.emplace(target_, log_, &interrupts);
    opened_at_ = clock::now();
    if (!options_.listen)
        return log_.info("extending leases (backend {})", server_->backend_pid());
    server_->exec_within(stay_connected, {}, answer_limit, interrupts);
    server_pid_ = ask_pid(interrupts);
    for (const auto& [channel, told] : channels_)
        server_->exec_within("LISTEN " + quote_identifier(channel), {}, answer_limit, interrupts);
    sweeps_at_listen_ = shared_.sweeps;
    shared_.hints.set_all();
    loop_.post_wake();
    log_.info("listening on {} channel{} (backend {})", channels_.size(), channels_.size() == 1 ? "" : "s",
              server_pid_);
    if (server_pid_ == shared_.worker_pid)
        distrust();
}

// libpq has a pid too, but behind a pooler it is an invented one.
int listener::ask_pid(inbox& in) {
    const auto process = read_server_process(server_->exec_within(server_process_query, {}, answer_limit, in).get());
    server_started_ = process.server_started;
    return process.pid;
}

// A pooler hands our statements to changing server processes: LISTEN has no lasting effect.
void listener::distrust() {
    server_pid_ = 0;  // every addressee may be us
    if (std::exchange(warned_of_pooler_, true))
        return;
    log_.warning(
        "the listening connection shares its server process with others, as behind a pooler in transaction mode: "
        "wake-ups get lost, and only the poll interval finds what comes. Set the option listen to false "
        "(--no-listen), or connect without that pooler");
}

void listener::start() {
    patience_.connected();
    next_extension_ = clock::now() + lease() / 3;
    thread_ = std::thread([this] { run(); });
}

void listener::run() noexcept {
    try {
        for (;;) {
            try {
                serve();
            } catch (const error& e) {
                if (server_->is_silent())
                    warn_worker();
                patience_.lost(e.what());
                reopen();
            }
        }
    } catch (const interrupted&) {  // the loop asks us to end
    } catch (...) {
        shared_.listener_failure.set(std::current_exception());
        loop_.post_wake();
    }
}

void listener::reopen() {
    if (server_)
        pass_on_notifies();  // the NOTIFYs that had arrived
    // The previous connection proved itself if the loop has swept since the connection began to listen, or if it lived
    // for long.
    if (shared_.sweeps > sweeps_at_listen_ || clock::now() - opened_at_ >= options_.reconnect_delay_max)
        patience_.proved();
    else
        patience_.pause("lost before the first sweep");
    patience_.until_connected([this] { open(inbox_); });
    if (options_.listen) {  // before anything that arrives by the new connection
        shared_.broadcasts.push_gap();
        loop_.post_wake();
    }
    next_extension_ = clock::now();
}

void listener::serve() {
    // Without LISTEN nothing is missed when the connection dies: the next extension notices it.
    const auto ping_time = [&] {
        return options_.listen ? clock::now() + jittered(options_.poll_interval, random_unit())
                               : clock::time_point::max();
    };
    auto next_ping = ping_time();
    for (;;) {
        pass_on_notifies();
        if (clock::now() >= next_extension_)
            extend_leases();
        if (clock::now() >= next_ping) {
            ping();
            next_ping = ping_time();
        }
        if (pass_on_notifies())
            continue;  // they came with a reply, so poll() would not report them

        std::array<pollfd, 2> waits{{{server_->socket(), POLLIN, 0}, {inbox_.fd(), POLLIN, 0}}};
        if (!poll_until(waits, std::min(next_extension_, next_ping)))
            continue;
        if (waits[1].revents != 0) {
            inbox_.read();
            if (inbox_.stops() > 0)
                throw interrupted();
        }
        if (waits[0].revents != 0)
            server_->consume_input();
    }
}

bool listener::pass_on_notifies() {
    bool any = false;
    while (const pg_notify notify = server_->next_notify()) {
        const auto found = channels_.find(notify->relname);
        if (found == channels_.end())
            continue;
        const auto says = read_hint(notify->extra, server_pid_);
        if (says == hint::for_others)
            continue;
        // A NOTIFY by an application, which may have any payload, wakes the consumer all the same.
        if (const auto& told = found->second; told.broadcast && says == hint::unknown)
            shared_.broadcasts.push({*told.broadcast, notify->extra});
        else
            for (const auto handler : told.queues)
                shared_.hints.set(handler, says == hint::for_us ? hinted::alone : hinted::with_others);
        any = true;
    }
    if (any)
        loop_.post_wake();
    return any;
}

void listener::extend_leases() {
    next_extension_ = clock::now() + lease() / 3;
    const auto receipts = shared_.leases.list();
    if (receipts.empty())
        return;
    const auto call = extend_statement(receipts, lease(), options_.listen ? lease_end::setting : lease_end::time);
    try {
        const auto done = server_->exec_within(call.sql, call.parameters, answer_limit, inbox_);
        log_.debug("extended {} of {} leases", read_number(done.get()), receipts.size());
    } catch (const error& e) {
        if (e.connection_lost())
            throw;
        log_.warning("leases could not be extended: {}", e.what());  // the ack will show which leases were lost
        next_extension_ = clock::now() + lease() / 12;
    }
}

// Warns the working connection: if it waits for the same server, it waits in vain.
void listener::warn_worker() {
    if (server_started_ == 0 || server_started_ != shared_.worker_server_started)
        return;
    shared_.worker_server_is_dead = true;
    loop_.post_wake();
}

void listener::ping() {
    const int pid = ask_pid(inbox_);
    if (target_.session_attributes == "read-write" && server_->is_read_only())
        throw error("the server has become read-only",
                    {.sqlstate = std::string(sqlstate::read_only), .connection_lost = true});
    if (pid != server_pid_ || pid == shared_.worker_pid)
        distrust();
}

}  // namespace pgpubsub::inline v0
