// A single connection, for publishing and for looking after channels.
#ifndef PGPUBSUB_SESSION_HPP
#define PGPUBSUB_SESSION_HPP

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <pgpubsub/export.hpp>
#include <pgpubsub/log.hpp>
#include <pgpubsub/message.hpp>
#include <pgpubsub/result.hpp>

namespace pgpubsub::inline v0 {

/// How a session connects.
struct session_options {
    std::string dsn = {};               ///< a libpq connection string or URI; missing parts come from PGHOST etc.
    std::string application_name = {};  ///< shown in pg_stat_activity; empty: from the dsn, PGAPPNAME, or "pgpubsub"
    log_callback log = {};              ///< receives the server's notices; unset: warnings go to stderr
    /// The time without an answer to a statement after which the session looks for the server on a new connection. If
    /// the server sends nothing there within ten seconds, it counts as gone. While the server is there, a statement may
    /// take any time.
    std::chrono::milliseconds server_silence = std::chrono::seconds(15);
};

/// One connection to a database that has the extension. Each call is a transaction of its own, unless execute("BEGIN")
/// began one. A session is for one thread at a time; a lost connection stays lost. It belongs to the process that made
/// it: after a fork(), the child may destroy its copy, which leaves the parent's connection alone, and must not use it.
/// A moved-from session throws an error (55000) when it is used.
class PGPUBSUB_EXPORT session {
public:
    /// Connects, and checks that the extension is there and new enough.
    /// @throws error with a hint that says what to do: 22023 for a malformed dsn, 08001 if no server answers, 08004 if
    ///     the server refuses, 0A000 if the extension is missing or too old
    explicit session(session_options options = {});
    session(session&&) noexcept;
    session& operator=(session&&) noexcept;
    ~session();

    /// Runs one statement and returns how many rows it changed. $1, $2, … are its parameters.
    /// @throws error with the server's SQLSTATE; connection_lost() and in_doubt() if the reply got lost
    std::uint64_t execute(std::string_view sql, const params& parameters = {});

    /// Runs one statement and returns its rows; otherwise like execute().
    result query(std::string_view sql, const params& parameters = {});

    /// Publishes a notification.
    /// @returns its id, or the id of the notification with the same dedup_key that still waits
    /// @throws error 42704 if the channel does not exist, 42501 without the right to publish to it, 22P02 if payload or
    ///     headers are not JSON
    std::int64_t publish(const message& what);

    /// Publishes several notifications to one channel, all or none; otherwise like publish().
    /// @returns their ids, in the order of the payloads
    std::vector<std::int64_t> publish_batch(const message_batch& what);

    /// Ends the leases whose owner is gone, and wakes the consumers of ready notifications. It commits after each
    /// chunk, so it can't be called between execute("BEGIN") and the end of that transaction.
    /// @param channel     no value: all channels that the user may consume
    /// @param chunk_size  number of notifications in a transaction, at least 1
    /// @returns how many leases and waits it ended
    /// @throws error 42704 if the channel does not exist, 42501 without the right to consume from it, 2D000 inside a
    ///     transaction
    std::int64_t recover(const std::optional<std::string>& channel = {}, int chunk_size = 10'000);

private:
    class PGPUBSUB_HIDDEN impl;
    std::unique_ptr<impl> impl_;
};

}  // namespace pgpubsub::inline v0

#endif
