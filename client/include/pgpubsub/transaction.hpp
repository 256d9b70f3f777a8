// The transaction in which a transactional handler works.
#ifndef PGPUBSUB_TRANSACTION_HPP
#define PGPUBSUB_TRANSACTION_HPP

#include <cstdint>
#include <string_view>
#include <vector>

#include <pgpubsub/export.hpp>
#include <pgpubsub/message.hpp>
#include <pgpubsub/result.hpp>

namespace pgpubsub::inline v0 {

/// The transaction in which the handler's notification was taken: the handler's work in it and the removal of the
/// notification commit together or not at all. It is valid until the handler returns.
///
/// Each handler works behind a savepoint of its own, so that its failure undoes only its own work. The library begins
/// and ends the transaction: BEGIN, COMMIT, ROLLBACK and the like are refused with 2D000. SAVEPOINT, RELEASE and
/// ROLLBACK TO are allowed, with other names than pgpubsub_handler.
///
/// Settings that a handler makes for the session (SET, SET ROLE, set_config()), with LOCAL or without, hold until it
/// returns: they are undone before the next handler's first statement. Only settings that a function makes by itself
/// are not noticed.
class PGPUBSUB_EXPORT transaction {
public:
    class PGPUBSUB_HIDDEN impl;
    explicit transaction(impl& state) noexcept;
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;

    /// Runs one statement.
    /// @param sql         a single statement; parameters are written $1, $2, …
    /// @param parameters  their values
    /// @returns how many rows it changed (or, for a SELECT, returned)
    /// @throws error with the server's SQLSTATE; afterwards the transaction takes no further statement, so let the
    ///     exception leave the handler (or set a SAVEPOINT before, and go back to it)
    std::uint64_t execute(std::string_view sql, const params& parameters = {});

    /// Runs one statement and returns its rows; otherwise like execute().
    result query(std::string_view sql, const params& parameters = {});

    /// Publishes a notification; it exists if and only if the transaction commits.
    /// @returns its id, or the id of the notification with the same dedup_key that still waits
    /// @throws error 42704 if the channel does not exist, 42501 without the right to publish to it, 22P02 if payload or
    ///     headers are not JSON
    std::int64_t publish(const message& what);

    /// Publishes several notifications to one channel; otherwise like publish().
    /// @returns their ids, in the order of the payloads
    std::vector<std::int64_t> publish_batch(const message_batch& what);

private:
    impl* impl_;
};

}  // namespace pgpubsub::inline v0

#endif
