// The consumer: options → on(channel, handler) → run() → stop().
#ifndef PGPUBSUB_CONSUMER_HPP
#define PGPUBSUB_CONSUMER_HPP

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <pgpubsub/error.hpp>
#include <pgpubsub/export.hpp>
#include <pgpubsub/handler.hpp>
#include <pgpubsub/log.hpp>

namespace pgpubsub::inline v0 {

/// How a consumer connects and waits. Every field has a sensible default. How often and after which delay a failed
/// notification is tried again is a setting of its subscription: pgpubsub.alter_channel().
struct consumer_options {
    /// A libpq connection string or URI; what it lacks comes from PGHOST, PGDATABASE and so on. TCP
    /// keepalives, connect_timeout and tcp_user_timeout are set where it does not set them.
    std::string dsn = {};

    /// Shown in pg_stat_activity; empty: from the dsn, PGAPPNAME, or "pgpubsub".
    std::string application_name = {};

    /// The most notifications that are taken or claimed at once (1 to 1000). The consumer begins with
    /// one, takes more while its handlers are fast, and fewer when a batch lasts longer than a quarter of
    /// a second, so that slow work is not hoarded. The default stays below the 64 subtransactions that
    /// PostgreSQL remembers cheaply for a transaction: each handler that writes costs one.
    int batch = 50;

    /// Leased handlers: how long a claim lasts before others may have it (at least 1 s). It is extended
    /// while the handler runs, so it bounds how soon a crash is noticed, not how long the work may take.
    /// Unset: 30 s.
    std::optional<std::chrono::milliseconds> lease = {};

    /// How often to look for work, and to ping the listening connection, when no wake-up comes: one statement each.
    /// Jittered: up to a quarter longer. Wake-ups and due times don't wait for it: it is the safety net.
    std::chrono::milliseconds poll_interval = std::chrono::seconds(60);

    /// false: wait for work without LISTEN, by CALL pgpubsub.wait(), which keeps the working connection busy for up to
    /// the poll interval. For connections on which LISTEN has no effect that lasts: behind a pooler in transaction
    /// mode. Then no setting of the session is made, either, and leases end by their time alone (lease_scope = time).
    /// With handlers of several subscriptions these take turns to wait, a second each. Excludes on_broadcast().
    bool listen = true;

    /// The pause before reconnecting begins here …
    std::chrono::milliseconds reconnect_delay_min = std::chrono::milliseconds(100);
    /// … doubles with each failure up to this, and is jittered downwards by up to a half. While no server answers, or
    /// it is starting, it stays below 2 s (or reconnect_delay_min), and ends when the other connection is back.
    std::chrono::milliseconds reconnect_delay_max = std::chrono::seconds(30);

    /// How long the server may leave a statement without an answer before it is looked for on a new connection. If
    /// there is no word from it there within ten seconds, it is taken for gone, and the working connection for lost; as
    /// long as it is there, a statement may take any time.
    std::chrono::milliseconds server_silence = std::chrono::seconds(15);

    /// How long to go on trying to connect. Unset: when run() starts, a failure is final at once; later
    /// a lost connection is retried for as long as it takes, and logged ever more rarely. Set: this long in
    /// both cases. What no waiting mends (authentication, a missing database or extension) is final at once.
    std::optional<std::chrono::milliseconds> give_up_after = {};

    /// run() returns once nothing is ready (delayed and leased notifications are not waited for). A channel that
    /// does not exist, and an SQL error of the server other than a conflict, is an error then. Excludes on_broadcast().
    bool drain = false;

    /// run() stops on SIGINT and SIGTERM, except where they are ignored when it starts, and on SIGHUP, if that has
    /// no handler; it restores their handlers when it returns. Signals within half a second count as one.
    bool stop_on_signals = true;

    /// Receives what happens. Unset: warnings and errors go to stderr.
    log_callback log = {};
};

/// Receives notifications and hands them to handlers, one at a time, in the thread that called run().
/// It holds two connections: one listens (in a thread of its own, which also extends the leases), the
/// other one takes, claims, and carries the handlers' transactions. (With listen = false: one, and a second if there
/// are leases to extend.) For more parallel work, run more consumers: in other processes or threads. A process that a
/// handler forks may destroy its copy of the consumer, and must not use it.
class PGPUBSUB_EXPORT consumer {
public:
    using options = consumer_options;

    /// @throws error 22023 when options contradict each other; the message names them
    explicit consumer(consumer_options settings = {});

    /// While run() runs in another thread, this asks it to stop, and waits until it has returned: the batch in hand is
    /// finished. In one of its own handlers it asks only, and run() ends after that batch. So does an assignment to it.
    ~consumer();

    /// What was moved from can be assigned to and destroyed; all else throws an error (55000), except that stop() does
    /// nothing and failures() is 0. run() goes on with what was moved.
    consumer(consumer&&) noexcept;
    consumer& operator=(consumer&&) noexcept;

    /// Registers the handler of a queue channel; its signature chooses the mode. Before run() only.
    /// @param channel  1 to 63 bytes, any characters; it need not exist yet
    /// @param which    a subscription other than the default one, a filter; a channel may have one handler for each
    ///                 of its subscriptions
    /// @throws error 22023 when there is a handler for this channel and subscription already, or a name is not
    /// possible;
    ///         55000 while run() runs, in a handler too
    consumer& on(std::string channel, transactional_handler handler);
    consumer& on(std::string channel, leased_handler handler);
    consumer& on(std::string channel, handler_options which, transactional_handler handler);
    consumer& on(std::string channel, handler_options which, leased_handler handler);

    /// Registers the handler of a broadcast channel: it gets what is published from the moment in which run() listens.
    /// What is sent while the connection is lost is missed; a warning in the log says so. Broadcasts wait in memory
    /// while a handler runs, up to 64 MB; beyond that the oldest are dropped, with a warning. Before run() only.
    /// @param missed  is told where some are missing, in order with those that are not; in the same thread as the
    /// handler Any role of the database can forge a broadcast on a broadcast channel, by NOTIFY. On a queue channel
    /// none is delivered: the server is asked which kind the channel is after broadcasts have arrived. A channel may
    /// have a handler of either kind (on() and on_broadcast()); the one that suits the channel is used.
    /// @throws error 22023 as on()
    consumer& on_broadcast(std::string channel, broadcast_handler handler);
    consumer& on_broadcast(std::string channel, broadcast_handler handler, gap_handler missed);

    /// Processes what is stored, then what comes, until stop(), a signal, or (with drain) nothing is left.
    /// Returns with the batch in hand finished. Lost connections are restored.
    /// @throws error with a hint that says what to do. At the start: 22023 for a malformed dsn or no
    ///         handler, 08001 when no server answers, 08004 when it refuses. At any time: 0A000 when the
    ///         extension is missing or too old, 42501 without the right to consume, 42809 when the channel is of the
    ///         other kind: on() is for queue channels, on_broadcast() for broadcast channels. 55000 when it runs
    ///         already, in another thread or because a handler called it.
    void run();

    /// Asks run() to return: the first call after the batch in hand, the second after the handler in hand
    /// (the rest goes back untried). From any thread, and from signal handlers; before run() it counts too.
    void stop() noexcept;

    /// How often a stop was asked for, by stop() or by signals, in this run. For handlers only.
    int stop_requests() const;

    /// How many times a notification failed, was rejected or (a broadcast) was missed in the latest run().
    int failures() const noexcept;

private:
    class PGPUBSUB_HIDDEN impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace pgpubsub::inline v0

#endif
