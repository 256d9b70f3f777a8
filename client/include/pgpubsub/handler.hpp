// Handlers: what they are, which notifications they get, and what they can throw.
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

/// Does its work in the transaction in which the notification was taken: exactly once for all that it
/// does there. Throwing undoes its own work only; the notification is kept with the exception's what()
/// as its last error, and tried again later: see rejected and retry_after.
using transactional_handler = std::function<void(const notification&, transaction&)>;

/// Does long work under a lease, with no transaction open. Returning acks; throwing nacks with the
/// exception's what(). At least once: a crash, or a lease lost to a cut network, repeats the work:
/// the notification's idempotency_key tells that it does.
using leased_handler = std::function<void(const notification&)>;

/// Receives the notifications of a broadcast channel, in the order in which they were committed. Nothing is stored
/// for it: one whose handler throws is logged, and does not come again. It is not authenticated: whoever can connect to
/// the database can send one.
using broadcast_handler = std::function<void(const notification&)>;

/// Broadcasts that were sent and do not reach their handler.
struct broadcast_gap {
    std::string channel = {};                 ///< the channel that they were sent on
    std::optional<std::uint64_t> count = {};  ///< how many; nothing: that is not known, and it may be none
    std::string reason = {};                  ///< for people: "the listening connection was lost", …
};

/// Is told of broadcasts that are missed, after those that came before them and before those that come after them: the
/// time to read the state anew of which the broadcasts tell the changes. What it throws is logged, except
/// stop_consuming.
using gap_handler = std::function<void(const broadcast_gap&)>;

/// Which notifications of a queue channel a handler gets.
struct handler_options {
    /// The subscription: a durable copy of the channel's stream, made with pgpubsub.subscribe(). Each channel
    /// has the one named "default".
    std::string subscription = "default";

    /// JSON text: only notifications whose payload contains it (jsonb's operator @>), such as
    /// `{"context": {"tenant": 7}}`. The others stay for other consumers. Unset: all.
    std::optional<std::string> filter = {};
};

/// Thrown by a handler: no other attempt makes sense, so the notification becomes a dead letter at once, with the
/// reason as its last error. Any other exception lets it be tried again after the back-off of the subscription, and
/// makes it a dead letter when the subscription's max_attempts are used up.
class PGPUBSUB_EXPORT rejected : public std::runtime_error {
public:
    explicit rejected(const std::string& reason);
    ~rejected() override;
};

/// Thrown by a handler: the next attempt, if there is one left, is made after the given delay instead of the back-off
/// of the subscription (a rate limit that says when it ends).
class PGPUBSUB_EXPORT retry_after : public std::runtime_error {
public:
    /// @param delay   0 or more; more than a hundred years count as so many
    /// @param reason  becomes the last error of the notification
    retry_after(std::chrono::milliseconds delay, const std::string& reason);
    ~retry_after() override;

    std::chrono::milliseconds delay() const noexcept;  ///< what was given, within these limits

private:
    std::chrono::milliseconds delay_;
};

/// Thrown by a handler to end run(), when going on makes no sense (the place that results go to is gone).
/// What is not yet committed or acked goes back, untried: for a transactional handler the whole batch,
/// for a leased one this notification and those after it. run() throws an error with the same what().
class PGPUBSUB_EXPORT stop_consuming : public std::runtime_error {
public:
    explicit stop_consuming(const std::string& reason);
    ~stop_consuming() override;
};

/// Thrown by a handler when the consumer can't work just now, whatever the notification (no file descriptors, no
/// processes, a full disk). What goes back untried is as with stop_consuming; then run() goes on after a pause, which
/// grows as long as that happens again. A broadcast is handed to its handler once more. With the option drain it ends
/// run() as stop_consuming does.
class PGPUBSUB_EXPORT pause_consuming : public std::runtime_error {
public:
    explicit pause_consuming(const std::string& reason);
    ~pause_consuming() override;
};

}  // namespace pgpubsub::inline v0

#endif
