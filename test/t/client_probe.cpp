// A consumer for the tests of the library (client_*.pl), whose handler does what the payload says.
//
//   client_probe transactional|leased|broadcast DSN CHANNEL [drain]
//   client_probe session DSN SQL     runs it in a session, or, for "big", a statement of 100 MB when it gets SIGUSR1
//
// PROBE_SILENCE and PROBE_POLL are the options server_silence and poll_interval (default: an hour), in milliseconds.
// PROBE_SUBSCRIPTION adds a second handler, for that subscription of the channel, which only writes "id audited";
// PROBE_FILTER is the filter of the first; PROBE_BATCH the largest batch; PROBE_NO_LISTEN makes it wait without
// LISTEN; PROBE_LEASE is the lease in seconds. broadcast registers on_broadcast(), and on() for the channel
// PROBE_QUEUE, if given; the payload "fail" makes its handler throw, "unable" throw pause_consuming the first time,
// "wait" wait.
//
// {"do": ACTION, "value": N} with ACTION
//   insert      insert N into effect
//   fail        insert N, then throw
//   error       an SQL error that leaves the handler
//   swallow     insert N, an SQL error that the handler catches and keeps quiet about
//   savepoint   the same behind a savepoint, gone back to; then insert N
//   commit      insert N, then try to COMMIT
//   duplicate   insert N, which a deferred constraint may refuse at COMMIT
//   wait        insert N, then wait until the file PROBE_GATE exists
//   wait_only   wait, and do nothing else (leased mode)
//   wait_sql    insert N, then run a statement that lasts until the table open_gate has a row
//   outlive     insert N, wait until the server has ended the session, then return
//   outlive_sql the same, then run SQL
//   our_savepoint  insert N, then set a savepoint of the name that the library uses
//   set_role    insert N, then take on a role that has no rights
//   set_local   insert N, then set statement_timeout
//   settings    insert N, then write whether role and statement_timeout are as at the beginning
//   never       insert N, then throw retry_after of the longest time there is
//   publish     publish N to the channel "next"
//   publish_batch  publish N and N + 1 to the channel "next"
//   stop        ask the consumer to stop
//   reject      insert N, then throw rejected
//   later       insert N, then throw retry_after of an hour and a half
//   flaky       insert N, then throw if it is the first attempt
//   unable      insert N, then throw pause_consuming; but the third time return
//   give_up     insert N, then throw stop_consuming
// Each handler that runs writes a line "id action" to stdout. For its insert a leased handler uses a session.

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <thread>

#include <pgpubsub/pgpubsub.hpp>

namespace {

constexpr const char* insert = "INSERT INTO effect (value, notification) VALUES ($1, $2)";

// The value of a key in the flat payloads of the tests.
std::string value_of(const std::string& payload, const std::string& key) {
    auto begin = payload.find('"' + key + "\": ");
    if (begin == std::string::npos)
        return {};
    begin += key.size() + 4;
    if (payload[begin] == '"')
        ++begin;
    return payload.substr(begin, payload.find_first_of("\",}", begin) - begin);
}

void wait_for_gate() {
    while (!std::filesystem::exists(std::getenv("PROBE_GATE")))
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void wait_for_end_of(std::string_view backend, const std::string& dsn) {
    pgpubsub::session server({.dsn = dsn});
    while (server.query("SELECT FROM pg_stat_activity WHERE pid = $1::int", {backend}).rows() > 0)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

void note(const pgpubsub::notification& n, const std::string& action) {
    std::printf("%lld %s\n", static_cast<long long>(n.id), action.c_str());
    std::fflush(stdout);
}

void throw_as_told(const pgpubsub::notification& n, const std::string& action) {
    if (action == "fail" || (action == "flaky" && n.attempts == 1))
        throw std::runtime_error("failed as told");
    if (action == "reject")
        throw pgpubsub::rejected("rejected as told");
    if (static int times = 0; action == "unable" && ++times < 3)
        throw pgpubsub::pause_consuming("unable as told");
    if (action == "give_up")
        throw pgpubsub::stop_consuming("giving up as told");
    if (action == "never")
        throw pgpubsub::retry_after(std::chrono::milliseconds::max(), "never, as told");
    if (action == "later")
        throw pgpubsub::retry_after(std::chrono::minutes(90), "later, as told");
}

void handle(const pgpubsub::notification& n, pgpubsub::transaction& tx, pgpubsub::consumer& consumer,
            const std::string& dsn) {
    const auto action = value_of(n.payload, "do");
    const auto value = std::stoll(value_of(n.payload, "value"));
    note(n, action);
    if (action == "publish") {
        tx.publish({.channel = "next", .payload = std::to_string(value), .key = "k"});
        return;
    }
    if (action == "publish_batch") {
        const auto ids = tx.publish_batch({.channel = "next",
                                           .payloads = {std::to_string(value), std::to_string(value + 1)},
                                           .keys = {std::nullopt, "NULL"}});
        if (ids.size() != 2 || ids[0] >= ids[1])
            throw std::logic_error("publish_batch returned no two ids in order");
        return;
    }
    if (action == "savepoint")
        tx.execute("SAVEPOINT mine");
    if (action == "error")
        tx.query("SELECT 1 / $1::int", {0});
    if (action != "savepoint")
        tx.execute(insert, {value, n.id});
    throw_as_told(n, action);
    if (action == "swallow" || action == "savepoint") {
        try {
            tx.execute("SELECT 1 / $1::int", {0});
        } catch (const pgpubsub::error& e) {
            if (e.sqlstate() != "22012")
                throw;
        }
    }
    if (action == "savepoint") {
        tx.execute("ROLLBACK TO mine");
        tx.execute(insert, {value, n.id});
        const auto back = tx.query("SELECT value, NULL AS nothing FROM effect WHERE notification = $1", {n.id});
        if (back.rows() != 1 || back.at(0, "value") != std::to_string(value) || back.at(0, 1))
            throw std::logic_error("the handler does not see its own work");
    }
    if (static bool failed_before = false; action == "serialize" && !std::exchange(failed_before, true))
        tx.execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$");
    if (action == "our_savepoint")
        tx.execute("savepoint PGPUBSUB_handler");
    if (action == "set_role")
        tx.execute("SET ROLE nothing_allowed");
    if (action == "set_local")
        tx.execute("SELECT set_config('statement_timeout', '7654', true)");
    if (action == "settings")
        note(n, std::string(
                    *tx.query("SELECT current_user = session_user AND current_setting('statement_timeout') <> '7654ms'")
                         .at(0, 0)));
    if (action == "commit")
        tx.execute("/* now */ COMMIT");
    if (action == "wait")
        wait_for_gate();
    if (action == "wait_sql")
        tx.execute(
            "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM open_gate) LOOP PERFORM pg_sleep(0.02); END LOOP; END $$");
    if (action.starts_with("outlive"))
        wait_for_end_of(*tx.query("SELECT pg_backend_pid()").at(0, 0), dsn);
    if (action == "outlive_sql")
        tx.execute(insert, {value, n.id});
    if (action == "stop")
        consumer.stop();
}

std::chrono::milliseconds milliseconds_of(const char* variable, std::chrono::milliseconds otherwise) {
    const char* value = std::getenv(variable);
    return value != nullptr ? std::chrono::milliseconds(std::atoll(value)) : otherwise;
}

void run_session(const std::string& dsn, const std::string& sql) {
    pgpubsub::session session(
        {.dsn = dsn, .server_silence = milliseconds_of("PROBE_SILENCE", std::chrono::seconds(15))});
    if (sql != "big")
        return void(session.execute(sql));
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR1);
    sigprocmask(SIG_BLOCK, &wanted, nullptr);
    std::printf("connected\n");
    std::fflush(stdout);
    int signal = 0;
    sigwait(&wanted, &signal);
    session.execute("SELECT length($1)", {std::string(100'000'000, 'x')});
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc < 4)
        return 2;
    const std::string mode = argv[1];
    if (mode == "session")
        return run_session(argv[2], argv[3]), 0;
    const bool leased = mode == "leased";
    pgpubsub::consumer_options options{.dsn = argv[2], .poll_interval = std::chrono::hours(1)};
    options.drain = argc > 4;
    options.poll_interval = milliseconds_of("PROBE_POLL", options.poll_interval);
    options.server_silence = milliseconds_of("PROBE_SILENCE", options.server_silence);
    options.reconnect_delay_min = milliseconds_of("PROBE_PAUSE", options.reconnect_delay_min);
    options.reconnect_delay_max = std::max(options.reconnect_delay_min, options.reconnect_delay_max);
    const char* lease = std::getenv("PROBE_LEASE");
    if (leased)
        options.lease = std::chrono::seconds(lease != nullptr ? std::atoi(lease) : 1);
    options.listen = std::getenv("PROBE_NO_LISTEN") == nullptr;
    if (const char* batch = std::getenv("PROBE_BATCH"))
        options.batch = std::atoi(batch);
    options.log = [](pgpubsub::log_level level, std::string_view message) {
        std::fprintf(stderr, "%s: %.*s\n", pgpubsub::to_string(level).data(), static_cast<int>(message.size()),
                     message.data());
    };
    pgpubsub::consumer consumer(options);
    const std::string dsn = argv[2];
    if (mode == "broadcast") {
        const char* queue = std::getenv("PROBE_QUEUE");
        if (queue != nullptr)
            consumer.on(queue, [](const pgpubsub::notification& n) { note(n, "queued"); });
        consumer.on_broadcast(
            argv[3],
            [](const pgpubsub::notification& n) {
                note(n, n.payload.size() > 100 ? std::to_string(n.payload.size()) + " bytes"
                                               : n.payload + " " + n.key.value_or("-"));
                if (n.payload == "\"fail\"")
                    throw std::runtime_error("failed as told");
                if (n.payload == "\"wait\"")
                    wait_for_gate();
                if (static bool before = false; n.payload == "\"unable\"" && !std::exchange(before, true))
                    throw pgpubsub::pause_consuming("unable as told");
            },
            [](const pgpubsub::broadcast_gap& gap) {
                note({}, "missed " + (gap.count ? std::to_string(*gap.count) : "some") + ": " + gap.reason);
            });
        consumer.run();
        return 0;
    }
    pgpubsub::handler_options which;
    if (const char* filter = std::getenv("PROBE_FILTER"))
        which.filter = filter;
    if (const char* subscription = std::getenv("PROBE_SUBSCRIPTION"))
        consumer.on(argv[3], {.subscription = subscription},
                    [](const pgpubsub::notification& n) { note(n, "audited"); });
    if (leased) {
        consumer.on(argv[3], which, [&](const pgpubsub::notification& n) {
            const auto action = value_of(n.payload, "do");
            note(n, action);
            throw_as_told(n, action);
            if (action.starts_with("wait"))
                wait_for_gate();
            if (action == "wait_only")
                return;
            pgpubsub::session session({.dsn = dsn});
            if (action == "publish_batch")
                return void(
                    session.publish_batch({.channel = "next", .payloads = {"1", "2"}, .keys = {std::nullopt, "NULL"}}));
            session.execute(insert, {std::stoll(value_of(n.payload, "value")), n.id});
        });
    } else {
        consumer.on(argv[3], which,
                    [&](const pgpubsub::notification& n, pgpubsub::transaction& tx) { handle(n, tx, consumer, dsn); });
    }
    consumer.run();
} catch (const pgpubsub::error& e) {
    std::fprintf(stderr, "fatal: %s [%s] %s\n", e.what(), e.sqlstate().c_str(), e.hint().c_str());
    return 1;
}
