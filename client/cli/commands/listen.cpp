// `pgpubsub listen`: prints notifications as JSON lines, or runs a command for each.
//
// Guarantees that a notification is removed only after its line has been written to stdout, or its command has exited
// with 0. If stdout is gone, the program ends silently, as other programs do whose reader has seen enough, and every
// unprinted notification is kept. Broadcasts are printed or handed to the command too; they were never stored.
//
// Steps: recover if requested; then run one consumer in this process, or several in processes of their own.

#include <unistd.h>

#include <optional>

#include <pgpubsub/pgpubsub.hpp>

#include "commands/listen.hpp"
#include "exec/delivery.hpp"
#include "exec/first_process.hpp"
#include "exec/supervisor.hpp"
#include "output/exit_status.hpp"
#include "output/report.hpp"

namespace pgpubsub::cli {

namespace {

bool is_transactional(const listen_settings& s) { return s.mode.empty() ? !s.command : s.mode == "transactional"; }

// Returns the default batch size.
// - Printing a line is quick and costs the server nothing: so many lines share a commit.
// - Notifications claimed ahead of a command are out of reach for others: so only a few are claimed, and the consumer
//   claims fewer if they take long.
// - The work of commands is repeated if their transaction fails: so one command for each transaction.
int default_batch(const listen_settings& s) {
    if (s.limit)
        return 1;  // to end in time
    if (!s.command)
        return 500;
    return is_transactional(s) ? 1 : 8;
}

consumer_options options_of(const listen_settings& s, bool replacement) {
    consumer_options o{.dsn = s.dsn};
    o.batch = s.batch.value_or(default_batch(s));
    o.lease = s.lease;
    if (s.poll_interval)
        o.poll_interval = *s.poll_interval;
    o.give_up_after = s.give_up_after;
    // A replacement takes the place of a worker that was connected: if the server is away just now, it will come back.
    if (replacement && !o.give_up_after)
        o.give_up_after = std::chrono::hours(24 * 365);
    o.drain = s.drain;
    o.listen = !s.no_listen;
    o.log = log_to_stderr(s.verbose ? log_level::info : log_level::warning);
    return o;
}

bool is_of_other_kind(const error& e) { return e.sqlstate() == "42809"; }

int consume(const listen_settings& s, bool replacement) {
    std::optional<delivery> deliver;
    try {
        deliver.emplace(s.command);
        consumer running(options_of(s, replacement));
        int left = s.limit.value_or(0);
        const auto handle = [&](const notification& n) {
            if (s.limit && left == 0)
                throw stop_consuming("--limit is reached");
            struct countdown {
                const listen_settings& s;
                int& left;
                consumer& running;
                ~countdown() {
                    if (s.limit && --left == 0)
                        running.stop();
                }
            } at_end{s, left, running};
            deliver->deliver(n, running);
        };
        const auto handle_broadcast = [&, handle](const notification& n) {
            if (!s.limit || left > 0)
                handle(n);
        };
        handler_options which{.filter = s.filter};
        if (s.subscription)
            which.subscription = *s.subscription;
        for (const auto& channel : s.channels) {
            if (is_transactional(s))
                running.on(channel, which, [handle](const notification& n, transaction&) { handle(n); });
            else
                running.on(channel, which, handle);
            if (queue_only_option(s) == nullptr)
                running.on_broadcast(channel, handle_broadcast);
        }
        running.run();
        if (!s.drain || running.failures() == 0)
            return success;
        report(std::to_string(running.failures()) + (running.failures() == 1 ? " notification" : " notifications") +
                   " failed",
               "pgpubsub peek CHANNEL shows last_error; those without attempts left: pgpubsub dead-letters CHANNEL");
        return unfinished;
    } catch (const error& e) {
        if (deliver && deliver->is_reader_gone()) {
            if (s.verbose)
                report(e.what());
        } else if (const char* option = queue_only_option(s); option != nullptr && is_of_other_kind(e)) {
            report(e.what(),
                   std::string(option) + " is for queue channels only; leave it out to listen to a broadcast channel.");
        } else {
            report(e);
        }
    } catch (const std::exception& e) {
        report(e.what());
    }
    return deliver && deliver->is_lacking() ? lacking : failure;
}

void recover_all(const listen_settings& s) {
    session server({.dsn = s.dsn, .log = log_to_stderr(log_level::warning)});
    for (const auto& channel : s.channels) {
        try {
            const auto count = server.recover(channel);
            report("channel \"" + channel + "\": recovered " + std::to_string(count));
        } catch (const error& e) {
            if (is_of_other_kind(e))
                continue;  // the listener reports what is wrong with that
            if (e.sqlstate() != "42704")
                throw;
            report(std::string("nothing to recover: ") + e.what());
        }
    }
}

}  // namespace

const char* queue_only_option(const listen_settings& s) {
    if (s.subscription)
        return "--subscription";
    if (s.filter)
        return "--filter";
    if (s.processes.value_or(1) > 1)
        return "--processes";  // each process would get each broadcast
    if (s.recover)
        return "--recover";
    if (!s.mode.empty())
        return "--mode";
    if (s.batch)
        return "--batch";
    if (s.lease)
        return "--lease";
    if (s.drain)
        return "--drain";
    if (s.no_listen)
        return "--no-listen";
    return nullptr;
}

int listen(const listen_settings& s) {
    if (s.recover)
        recover_all(s);  // closes its connection again before any process is forked
    if (s.processes.value_or(1) == 1) {
        const auto consume_here = [&] { return consume(s, false) == success ? success : failure; };
        return s.command && ::getpid() == 1 ? run_below_first_process(consume_here) : consume_here();
    }
    const supervision plan{.processes = *s.processes,
                           .drain = s.drain,
                           .stop_timeout = s.stop_timeout.value_or(std::chrono::seconds(60)),
                           .verbose = s.verbose};
    return supervise(plan, [&](int, bool replacement) {
        const int status = consume(s, replacement);
        flush_messages(std::chrono::seconds(1));
        return status;
    });
}

}  // namespace pgpubsub::cli
