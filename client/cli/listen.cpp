// `pgpubsub listen`: prints notifications as JSON lines, or runs a command for each.
//
// Guarantees that a notification is removed only after its line has been written to stdout, or its command
// has exited with 0; and that a stdout that is gone ends the program with everything unprinted kept. What comes by
// broadcast is printed or handed to the command too; it was never stored.
//
// Steps: recover if asked to; then one consumer in this process, or several in processes of their own.

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <system_error>

#include <pgpubsub/pgpubsub.hpp>

#include "command.hpp"
#include "exit_status.hpp"
#include "guardian.hpp"
#include "json_line.hpp"
#include "listen.hpp"
#include "report.hpp"
#include "supervisor.hpp"

namespace pgpubsub::cli {

namespace {

void print_line(const notification& n) {
    const std::string line = json_line(n) + '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const auto written = ::write(STDOUT_FILENO, rest.data(), rest.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) {  // somebody else made the terminal or pipe non-blocking
            pollfd wait{STDOUT_FILENO, POLLOUT, 0};
            ::poll(&wait, 1, 1000);
            continue;
        }
        if (written < 0) throw stop_consuming("could not write to stdout: " + std::string(std::strerror(errno)));
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

// Throws what the command failed with; stop_consuming when it was ended by the second request to stop, or when no command
// could be started.
void run_for(const std::string& command, const guardian& guard, const notification& n, const consumer& running) {
    bool ended_by_us = false;
    const auto should_end = [&] { return ended_by_us = running.stop_requests() > 1; };
    const auto outcome = [&] {
        try {
            return run_command(command, n, json_line(n), guard, should_end);
        } catch (const std::system_error& e) {
            if (is_passing(e.code())) throw;
            throw stop_consuming(e.what());
        }
    }();
    if (outcome.wait_status == 0) return;
    if (ended_by_us) throw stop_consuming("the command was ended by the second request to stop");
    if (is_rejection(outcome.wait_status)) throw rejected(failure_text(outcome));
    throw std::runtime_error(failure_text(outcome));
}

consumer_options options_of(const listen_settings& s, bool replacement) {
    consumer_options o{.dsn = s.dsn};
    // A command may take long, and what is claimed ahead of it nobody else could do meanwhile.
    o.batch = s.batch.value_or(s.command ? 1 : o.batch);
    o.lease = s.lease;
    if (s.poll_interval) o.poll_interval = *s.poll_interval;
    o.give_up_after = s.give_up_after;
    // It takes the place of one that was connected: if the server is away just now, it comes back.
    if (replacement && !o.give_up_after) o.give_up_after = std::chrono::hours(24 * 365);
    o.drain = s.drain;
    o.listen = !s.no_listen;
    o.log = log_to_stderr(s.verbose ? log_level::info : log_level::warning);
    return o;
}

bool is_transactional(const listen_settings& s) {
    return s.mode.empty() ? !s.command : s.mode == "transactional";
}

bool is_of_other_kind(const error& e) { return e.sqlstate() == "42809"; }

int consume(const listen_settings& s, bool replacement) try {
    std::optional<guardian> guard;
    if (s.command) guard.emplace();
    consumer running(options_of(s, replacement));
    const auto handle = [&](const notification& n) { s.command ? run_for(*s.command, *guard, n, running) : print_line(n); };
    handler_options which{.filter = s.filter};
    if (s.subscription) which.subscription = *s.subscription;
    for (const auto& channel : s.channels) {
        if (is_transactional(s))
            running.on(channel, which, [handle](const notification& n, transaction&) { handle(n); });
        else
            running.on(channel, which, handle);
        if (queue_only_option(s) == nullptr) running.on_broadcast(channel, handle);
    }
    running.run();
    if (!s.drain || running.failures() == 0) return success;
    report(std::to_string(running.failures()) + (running.failures() == 1 ? " notification" : " notifications") + " failed",
           "SELECT id, channel, attempts, last_error FROM pgpubsub.notifications WHERE last_error IS NOT NULL; "
           "those without attempts left: pgpubsub dead-letters CHANNEL");
    return unfinished;
} catch (const error& e) {
    if (const char* option = queue_only_option(s); option != nullptr && is_of_other_kind(e))
        report(e.what(), std::string(option) + " is for queue channels only; leave it out to listen to a broadcast channel.");
    else
        report(e);
    return failure;
} catch (const std::exception& e) {
    report(e.what());
    return failure;
}

void recover_all(const listen_settings& s) {
    session server({.dsn = s.dsn, .log = log_to_stderr(log_level::warning)});
    for (const auto& channel : s.channels) {
        try {
            const auto count = server.recover(channel);
            report("channel \"" + channel + "\": recovered " + std::to_string(count));
        } catch (const error& e) {
            if (is_of_other_kind(e)) continue;  // the listener says what is wrong with that
            if (e.sqlstate() != "42704") throw;
            report(std::string("nothing to recover: ") + e.what());
        }
    }
}

}  // namespace

const char* queue_only_option(const listen_settings& s) {
    if (s.subscription) return "--subscription";
    if (s.filter) return "--filter";
    if (s.processes.value_or(1) > 1) return "--processes";  // each would get each broadcast
    if (s.recover) return "--recover";
    if (!s.mode.empty()) return "--mode";
    if (s.batch) return "--batch";
    if (s.lease) return "--lease";
    if (s.drain) return "--drain";
    if (s.no_listen) return "--no-listen";
    return nullptr;
}

int listen(const listen_settings& s) {
    if (s.recover) recover_all(s);  // its connection is closed again before any process is forked
    if (s.processes.value_or(1) == 1) return consume(s, false) == success ? success : failure;
    const supervision plan{.processes = *s.processes,
                           .drain = s.drain,
                           .stop_timeout = s.stop_timeout.value_or(std::chrono::seconds(60)),
                           .verbose = s.verbose};
    return supervise(plan, [&](int, bool replacement) { return consume(s, replacement); });
}

}  // namespace pgpubsub::cli
