// The consumer: options → on(channel, handler) → run() → stop().
#ifndef PGPUBSUB_CONSUMER_HPP
#define PGPUBSUB_CONSUMER_HPP

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include <pgpubsub/error.hpp>
#include <pgpubsub/export.hpp>
#include <pgpubsub/log.hpp>
#include <pgpubsub/notification.hpp>
#include <pgpubsub/transaction.hpp>

namespace pgpubsub::inline v0 {

/// How a consumer connects, waits and retries. Every field has a sensible default.
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

    /// How often to look for work (and ping the listening connection) when no wake-up comes; jittered by
    /// a quarter to either side. Wake-ups and due times don't wait for it: it is the safety net.
    std::chrono::milliseconds poll_interval = std::chrono::seconds(60);

    /// A notification whose handler failed is tried again after a delay that begins here …
    std::chrono::milliseconds retry_delay_min = std::chrono::seconds(1);
    /// … doubles with each attempt up to this, and is jittered downwards by up to a half.
    std::chrono::milliseconds retry_delay_max = std::chrono::hours(1);

    /// The pause before reconnecting begins here …
    std::chrono::milliseconds reconnect_delay_min = std::chrono::milliseconds(100);
    /// … doubles with each failure up to this, and is jittered downwards by up to a half.
    std::chrono::milliseconds reconnect_delay_max = std::chrono::seconds(30);

    /// How long to go on trying to connect. Unset: when run() starts, a failure is final at once; later
    /// a lost connection is retried for as long as it takes, and logged ever more rarely. Set: this long in
    /// both cases. What no waiting mends (authentication, a missing database or extension) is final at once.
    std::optional<std::chrono::milliseconds> give_up_after = {};

    /// run() returns once nothing is ready (delayed and leased notifications are not waited for). A channel that
    /// does not exist, and an SQL error of the server other than a conflict, is an error then.
    bool drain = false;

    /// run() stops on SIGINT and SIGTERM, except where they are ignored when it starts, and on SIGHUP, if that has
    /// no handler; it restores their handlers when it returns. Signals within half a second count as one.
    bool stop_on_signals = true;

    /// Receives what happens. Unset: warnings and errors go to stderr.
    log_callback log = {};
};

/// Does its work in the transaction in which the notification was taken: exactly once for all that it
/// does there. Throwing undoes its own work only; the notification is kept with the exception's what()
/// as its last error, and tried again later.
using transactional_handler = std::function<void(const notification&, transaction&)>;

/// Does long work under a lease, with no transaction open. Returning acks; throwing nacks with the
/// exception's what(). At least once: a crash, or a lease lost to a cut network, repeats the work.
using leased_handler = std::function<void(const notification&)>;

/// Thrown by a handler to end run(), when going on makes no sense (the place that results go to is gone).
/// What is not yet committed or acked goes back, untried: for a transactional handler the whole batch,
/// for a leased one this notification and those after it. run() throws an error with the same what().
class PGPUBSUB_EXPORT stop_consuming : public std::runtime_error {
public:
    explicit stop_consuming(const std::string& reason);
    ~stop_consuming() override;
};

/// Receives notifications and hands them to handlers, one at a time, in the thread that called run().
/// It holds two connections: one listens (in a thread of its own, which also extends the leases), the
/// other one takes, claims, and carries the handlers' transactions. For more parallel work, run more
/// consumers: in other processes or threads.
class PGPUBSUB_EXPORT consumer {
public:
    using options = consumer_options;

    /// @throws error 22023 when options contradict each other; the message names them
    explicit consumer(consumer_options settings = {});
    ~consumer();
    consumer(consumer&&) noexcept;
    consumer& operator=(consumer&&) noexcept;

    /// Registers the handler of a channel; its signature chooses the mode. Before run() only.
    /// @param channel  1 to 63 bytes, any characters; it need not exist yet
    /// @throws error 22023 when the channel has a handler already, or its name is not possible
    consumer& on(std::string channel, transactional_handler handler);
    consumer& on(std::string channel, leased_handler handler);

    /// Processes what is stored, then what comes, until stop(), a signal, or (with drain) nothing is left.
    /// Returns with the batch in hand finished. Lost connections are restored.
    /// @throws error with a hint that says what to do. At the start: 22023 for a malformed dsn or no
    ///         handler, 08001 when no server answers, 08004 when it refuses. At any time: 0A000 when the
    ///         extension is missing or too old, 42501 without the right to consume.
    void run();

    /// Asks run() to return: the first call after the batch in hand, the second after the handler in hand
    /// (the rest goes back untried). From any thread, and from signal handlers; before run() it counts too.
    void stop() noexcept;

    /// How often a stop was asked for, by stop() or by signals, in this run. For handlers only.
    int stop_requests() const;

    /// How many times a notification failed in the latest run().
    int failures() const noexcept;

private:
    class PGPUBSUB_HIDDEN impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace pgpubsub::inline v0

#endif
