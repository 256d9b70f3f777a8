// Handlers: their signatures, the notifications that they get, and the exceptions that they can throw.
#ifndef PGPUBSUB_HANDLER_HPP
#define PGPUBSUB_HANDLER_HPP

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>

#include <pgpubsub/export.hpp>
#include <pgpubsub/notification.hpp>
#include <pgpubsub/transaction.hpp>

namespace pgpubsub::inline v0 {

/// Works in the transaction in which the notification was taken: its effects in that transaction happen exactly once.
/// An exception undoes only the work of this handler; the notification is kept with the exception's what() as its last
/// error, and tried again later: see rejected and retry_after.
using transactional_handler = std::function<void(const notification&, transaction&)>;

/// Does long work under a lease, with no transaction open. A return acks; an exception nacks with its what(). At least
/// once: a crash, or a lease lost to a cut network, repeats the work; a repetition is recognised by the notification's
/// idempotency_key.
using leased_handler = std::function<void(const notification&)>;

/// Receives the notifications of a broadcast channel, in the order in which they were committed. Nothing is stored for
/// it: if the handler throws, the failure is logged, and the notification does not come again. Broadcasts are not
/// authenticated: everybody who can connect to the database can send one.
using broadcast_handler = std::function<void(const notification&)>;

/// Broadcasts that were sent and do not reach their handler.
struct broadcast_gap {
    std::string channel = {};                 ///< the channel on which they were sent
    std::optional<std::uint64_t> count = {};  ///< how many; no value: unknown, and possibly none
    std::string reason = {};                  ///< for people: "the listening connection was lost", …
};

/// Is called when broadcasts are missed: after the broadcasts that came before them, and before those that come after
/// them. This is the time to read anew the state whose changes the broadcasts report. An exception that it throws is
/// logged, except stop_consuming.
using gap_handler = std::function<void(const broadcast_gap&)>;

/// Which notifications of a queue channel a handler gets.
struct handler_options {
    /// The subscription: a durable copy of the channel's stream, made with pgpubsub.subscribe(). Each channel
    /// has the one named "default".
    std::string subscription = "default";

    /// JSON text. The handler gets only notifications whose payload contains it (jsonb's operator @>), such as
    /// `{"context": {"tenant": 7}}`. The others stay for other consumers. Unset: all.
    std::optional<std::string> filter = {};
};

/// Thrown by a handler if no other attempt makes sense: the notification becomes a dead letter at once, with the reason
/// as its last error. After any other exception it is tried again after the back-off of the subscription, and becomes a
/// dead letter when the subscription's max_attempts are used up.
class PGPUBSUB_EXPORT rejected : public std::runtime_error {
public:
    explicit rejected(const std::string& reason);
    ~rejected() override;
};

/// Thrown by a handler to choose the delay: the next attempt, if there is one left, is made after the given delay
/// instead of the back-off of the subscription (for example for a rate limit that says when it ends).
class PGPUBSUB_EXPORT retry_after : public std::runtime_error {
public:
    /// @param delay   in milliseconds, 0 or more; more than a hundred years count as a hundred years
    /// @param reason  becomes the last error of the notification
    retry_after(std::chrono::milliseconds delay, const std::string& reason);
    ~retry_after() override;

    std::chrono::milliseconds delay() const noexcept;  ///< the given delay, within these limits

private:
    std::chrono::milliseconds delay_;
};

/// Thrown by a handler to end run(), if going on makes no sense (the destination of the results is gone). Work that is
/// not yet committed or acked goes back, untried: for a transactional handler the whole batch, for a leased handler
/// this notification and those after it. run() throws an error with the same what().
class PGPUBSUB_EXPORT stop_consuming : public std::runtime_error {
public:
    explicit stop_consuming(const std::string& reason);
    ~stop_consuming() override;
};

/// Thrown by a handler if the consumer can't work just now, whatever the notification (no file descriptors, no
/// processes, a full disk). The same notifications as with stop_consuming go back untried. Then run() goes on after a
/// pause, which grows as long as that happens again. A broadcast is handed to its handler once more. With the option
/// drain it ends run() as stop_consuming does.
class PGPUBSUB_EXPORT pause_consuming : public std::runtime_error {
public:
    explicit pause_consuming(const std::string& reason);
    ~pause_consuming() override;
};

}  // namespace pgpubsub::inline v0

#endif
