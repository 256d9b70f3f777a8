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

/// How a consumer connects and waits. Every field has a sensible default. The number of attempts and the delay between
/// them are settings of the subscription: pgpubsub.alter_channel().
struct consumer_options {
    /// A libpq connection string or URI. Missing parts come from PGHOST, PGDATABASE and so on. TCP keepalives,
    /// connect_timeout and tcp_user_timeout are set if none of these sets them.
    std::string dsn = {};

    /// Shown in pg_stat_activity. Empty: taken from the dsn, PGAPPNAME, or "pgpubsub".
    std::string application_name = {};

    /// The most notifications that are taken or claimed at once (1 to 1000). The consumer begins with one. It takes
    /// more while its handlers are fast, and fewer when a batch lasts longer than a quarter of a second, so that it
    /// does not hoard slow work. The default stays below the 64 subtransactions that PostgreSQL remembers cheaply for a
    /// transaction: each handler that writes costs one.
    int batch = 50;

    /// For leased handlers: the time for which a claim hides a notification from other consumers (at least 1 s). The
    /// lease is extended while the handler runs, so it bounds how soon a crash is noticed, not how long the work may
    /// take. Unset: 30 s.
    std::optional<std::chrono::milliseconds> lease = {};

    /// The interval between two looks for work, and between two pings of the listening connection, when no wake-up
    /// comes: one statement each. Jittered: up to a quarter longer. Wake-ups and due times don't wait for it: it is the
    /// safety net.
    std::chrono::milliseconds poll_interval = std::chrono::seconds(60);

    /// false: wait for work without LISTEN, by CALL pgpubsub.wait(), which keeps the working connection busy for up to
    /// the poll interval. This is for connections on which LISTEN has no lasting effect: behind a pooler in transaction
    /// mode. Then no setting of the session is made, either, and leases end by their time alone (lease_scope = time).
    /// If there are handlers of several subscriptions, these take turns to wait, a second each. Excludes
    /// on_broadcast().
    bool listen = true;

    /// The first pause before reconnecting.
    std::chrono::milliseconds reconnect_delay_min = std::chrono::milliseconds(100);
    /// The upper limit of that pause, which doubles with each failure and is jittered downwards by up to a half. While
    /// no server answers, or the server is starting, the pause stays below 2 s (or reconnect_delay_min), and ends when
    /// the other connection is back.
    std::chrono::milliseconds reconnect_delay_max = std::chrono::seconds(30);

    /// The time without an answer to a statement after which the consumer looks for the server on a new connection. If
    /// the server sends nothing there within ten seconds, it counts as gone, and the working connection as lost. While
    /// the server is there, a statement may take any time.
    std::chrono::milliseconds server_silence = std::chrono::seconds(15);

    /// The time for which the consumer goes on trying to connect. Unset: when run() starts, a failure is final at once;
    /// later, a lost connection is retried without limit, and logged ever more rarely. Set: this time applies in both
    /// cases. A failure that waiting can't mend (authentication, a missing database or extension) is final at once.
    std::optional<std::chrono::milliseconds> give_up_after = {};

    /// true: run() returns when nothing is ready (it does not wait for delayed and leased notifications). Then a
    /// channel that does not exist is an error, and so is an SQL error of the server other than a conflict. Excludes
    /// on_broadcast().
    bool drain = false;

    /// true: run() stops on SIGINT and SIGTERM, unless they are ignored when it starts, and on SIGHUP, if that has no
    /// handler. It restores their handlers when it returns. Signals within half a second count as one.
    bool stop_on_signals = true;

    /// Receives log messages. Unset: warnings and errors go to stderr.
    log_callback log = {};
};

/// Receives notifications and hands them to handlers, one at a time, in the thread that called run(). It holds two
/// connections. One listens, in a thread of its own, which also extends the leases. The other takes, claims, and
/// carries the handlers' transactions. (With listen = false: one connection, and a second if there are leases to
/// extend.) For more parallel work, run more consumers, in other processes or threads. A process that a handler forks
/// may destroy its copy of the consumer, and must not use it.
class PGPUBSUB_EXPORT consumer {
public:
    using options = consumer_options;

    /// @throws error 22023 if options contradict each other; the message names them
    explicit consumer(consumer_options settings = {});

    /// Stops the consumer. If run() is running in another thread, the destructor asks it to stop and waits until it has
    /// returned: the batch in hand is finished. In a handler of the same consumer, the destructor only asks, and run()
    /// ends after the batch. An assignment to the consumer has the same effect.
    ~consumer();

    /// A moved-from consumer can be assigned to and destroyed. Its stop() does nothing, its failures() returns 0, and
    /// every other call throws an error (55000). run() continues with the consumer that was moved.
    consumer(consumer&&) noexcept;
    consumer& operator=(consumer&&) noexcept;

    /// Registers the handler of a queue channel; the handler's signature chooses the mode. Call it before run() only.
    /// @param channel  1 to 63 bytes, any characters; it need not exist yet
    /// @param which    a subscription other than the default one, and a filter; a channel may have one handler for each
    ///     of its subscriptions
    /// @throws error 22023 if this channel and subscription have a handler already, or a name is not possible; 55000
    ///     while run() runs, also in a handler
    consumer& on(std::string channel, transactional_handler handler);
    consumer& on(std::string channel, leased_handler handler);
    consumer& on(std::string channel, handler_options which, transactional_handler handler);
    consumer& on(std::string channel, handler_options which, leased_handler handler);

    /// Registers the handler of a broadcast channel. The handler receives what is published from the moment when run()
    /// listens. Broadcasts sent while the connection is lost are missed; a warning in the log says so. Broadcasts wait
    /// in memory while a handler runs, up to 64 MB; beyond that the oldest are dropped, with a warning. Call it before
    /// run() only.
    ///
    /// Any role of the database can forge a broadcast on a broadcast channel, by NOTIFY. On a queue channel no
    /// broadcast is delivered: after broadcasts have arrived, the server is asked which kind the channel is. A channel
    /// may have a handler of each kind (on() and on_broadcast()); the one that suits the channel is used.
    /// @param missed  is called where broadcasts are missing, in order with those that arrive, in the same thread as
    ///     the handler
    /// @throws error 22023 as on()
    consumer& on_broadcast(std::string channel, broadcast_handler handler);
    consumer& on_broadcast(std::string channel, broadcast_handler handler, gap_handler missed);

    /// Processes the stored notifications, then new ones, until stop(), a signal, or (with drain) until nothing is
    /// left. Finishes the batch in hand before it returns. Restores lost connections.
    /// @throws error with a hint that says what to do:
    /// - at the start: 22023 for a malformed dsn or no handler, 08001 if no server answers, 08004 if the server
    ///   refuses;
    /// - at any time: 0A000 if the extension is missing or too old, 42501 without the right to consume, 42809 if the
    ///   channel is of the other kind (on() is for queue channels, on_broadcast() for broadcast channels);
    /// - 55000 if run() is running already, in another thread or because a handler called it.
    void run();

    /// Asks run() to return: the first call after the batch in hand, the second call after the handler in hand (the
    /// rest goes back untried). It may be called from any thread, and from signal handlers; a call before run() counts
    /// too.
    void stop() noexcept;

    /// Returns how often a stop was requested in this run, by stop() or by signals. For handlers only.
    int stop_requests() const;

    /// Returns how many times a notification failed, was rejected or (a broadcast) was missed in the latest run().
    int failures() const noexcept;

private:
    class PGPUBSUB_HIDDEN impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace pgpubsub::inline v0

#endif
