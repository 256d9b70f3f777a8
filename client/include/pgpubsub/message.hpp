// The input of a publisher.
#ifndef PGPUBSUB_MESSAGE_HPP
#define PGPUBSUB_MESSAGE_HPP

#include <optional>
#include <string>
#include <vector>

namespace pgpubsub::inline v0 {

/// A notification that is to be published. Only channel and payload are needed:
/// `tx.publish({.channel = "media", .payload = R"({"path": "/a"})"})`.
struct message {
    std::string channel = {};                    ///< an existing channel, 1 to 63 bytes
    std::string payload = {};                    ///< JSON text
    std::optional<std::string> key = {};         ///< the key, if any
    std::optional<std::string> headers = {};     ///< JSON text, an object
    std::optional<std::string> deliver_at = {};  ///< not delivered before this time; text of a PostgreSQL timestamptz
    int priority = 0;                            ///< higher priorities are delivered first

    /// The text by which the notification is recognised while it waits. While a notification with the same dedup_key
    /// waits for a subscription, nothing is stored for that subscription, and publish() returns the id of the waiting
    /// notification.
    std::optional<std::string> dedup_key = {};
    /// true: the waiting notification gets this payload. Needs dedup_key.
    bool replace_waiting = false;
};

/// Several notifications for one channel, published by one call: `{.channel = "media", .payloads = {"1", "2"}}`.
struct message_batch {
    std::string channel = {};                              ///< an existing channel, 1 to 63 bytes
    std::vector<std::string> payloads = {};                ///< JSON texts, one for each notification
    std::vector<std::optional<std::string>> keys = {};     ///< their keys: as many as payloads, or none at all
    std::vector<std::optional<std::string>> headers = {};  ///< JSON texts, objects: as many as payloads, or none at all
    std::optional<std::string> deliver_at = {};            ///< for all of them, as in message
    int priority = 0;                                      ///< for all of them, as in message
};

}  // namespace pgpubsub::inline v0

#endif
