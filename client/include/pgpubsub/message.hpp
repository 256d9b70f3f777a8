// What a publisher hands in.
#ifndef PGPUBSUB_MESSAGE_HPP
#define PGPUBSUB_MESSAGE_HPP

#include <optional>
#include <string>

namespace pgpubsub::inline v0 {

/// A notification that is to be published. Only channel and payload are needed:
/// `tx.publish({.channel = "media", .payload = R"({"path": "/a"})"})`.
struct message {
    std::string channel = {};                    ///< an existing channel, 1 to 63 bytes
    std::string payload = {};                    ///< JSON text
    std::optional<std::string> key = {};         ///< the key, if any
    std::optional<std::string> headers = {};     ///< JSON text, an object
    std::optional<std::string> deliver_at = {};  ///< not before this time, as PostgreSQL reads a timestamptz
    int priority = 0;                            ///< higher ones are delivered first
};

}  // namespace pgpubsub::inline v0

#endif
