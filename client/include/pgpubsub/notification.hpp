// The input of a handler.
#ifndef PGPUBSUB_NOTIFICATION_HPP
#define PGPUBSUB_NOTIFICATION_HPP

#include <cstdint>
#include <optional>
#include <string>

namespace pgpubsub::inline v0 {

/// One notification, as the server stores it. A broadcast has no deliver_at, no priority, and one attempt.
struct notification {
    std::int64_t id = 0;                         ///< unique, as long as the server does not go back in time: see below
    std::string channel = {};                    ///< the channel on which it came
    std::string payload = {};                    ///< JSON text (UTF-8, without a newline), numbers exactly as stored
    std::optional<std::string> key = {};         ///< the publisher's key
    std::optional<std::string> headers = {};     ///< JSON text, an object
    std::string created_at = {};                 ///< time of publishing: ISO 8601 with the session's UTC offset
    std::optional<std::string> deliver_at = {};  ///< time before which it was not to be delivered, likewise
    int priority = 0;                            ///< higher priorities are delivered first
    int attempts = 0;                            ///< number of attempts, as the server counts them
    std::optional<int> db_version = {};          ///< pgpubsub.db_version of the publisher's session

    /// The idempotency key, which identifies repetitions for effects outside of the database. "ID-MICROSECONDS": the
    /// id, and created_at as microseconds since 1970 in UTC. Ids alone can come again: after a fail-over to an
    /// asynchronous standby, or when a backup was restored to an earlier time. The key is the same in each attempt, and
    /// in each subscription.
    std::string idempotency_key = {};
};

}  // namespace pgpubsub::inline v0

#endif
