// One connection to the server. It belongs to one thread at a time; whoever hands it over stops using it.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <pgpubsub/error.hpp>
#include <pgpubsub/result.hpp>

#include "clock.hpp"
#include "conninfo.hpp"
#include "pq.hpp"

namespace pgpubsub::inline v0 {

class inbox;
class logger;

struct statement {
    std::string sql;
    params parameters = {};
};

// Throws error 22021 when a parameter contains a zero byte, which would silently cut it short.
void refuse_zero_bytes(const params& parameters);

class connection {
public:
    // Connects. Throws error (08001, 08004) with a hint, or interrupted when `in` is given and another
    // stop is posted to it meanwhile.
    connection(const conninfo& target, logger& log, inbox* in);

    // Runs one statement by the extended protocol, without a named prepared statement, so that it works
    // through a pooler in transaction mode. Throws error.
    pg_result exec(const std::string& sql, const params& parameters = {});

    // COMMIT: an error by a lost connection is marked as in doubt; a transaction that turns out to have
    // been aborted is an error too (25P02).
    void commit();

    // Rolls back what is open, if anything; never throws (a connection that fails here is lost).
    void rollback() noexcept;

    // Sends all statements at once and waits once. Outside a transaction block they are one transaction.
    // Throws the first error; what follows it was not executed.
    std::vector<pg_result> pipeline(const std::vector<statement>& statements);

    // Like exec(), but watches the inbox and a deadline: for the listener, which must stay responsive and
    // must not trust a silent peer. Throws interrupted, or error with connection_lost() on a timeout.
    pg_result exec_within(const std::string& sql, const params& parameters, milliseconds limit, inbox& in);

    // Like exec(), but gives up as soon as anything is posted to the inbox: nothing is sent then, or it is cancelled, and
    // the result is null. Whoever posts is left to be read(). For a statement that may take long and may be cut short.
    pg_result exec_unless_posted(const std::string& sql, const params& parameters, milliseconds limit, inbox& in);

    // Reads what has arrived, without waiting. Throws error when the connection is gone.
    void consume_input();
    pg_notify next_notify() noexcept;

    bool alive() const noexcept;
    int socket() const noexcept { return PQsocket(handle_.get()); }
    std::string user() const { return PQuser(handle_.get()); }
    int backend_pid() const noexcept { return PQbackendPID(handle_.get()); }
    PGTransactionStatusType transaction_status() const noexcept { return PQtransactionStatus(handle_.get()); }

private:
    pg_result checked(pg_result result);
    error error_from(const PGresult* result);
    error lost(const std::string& what);
    void send(const std::string& sql, const params& parameters);

    // What is to be done when something is posted: throw, or return how long to wait from then on, without heeding
    // the inbox any more; nothing: go on as before.
    using at_post = std::function<std::optional<milliseconds>()>;
    // Like exec(), but watches the inbox and a deadline, and checks nothing.
    pg_result exec_watching(const std::string& sql, const params& parameters, milliseconds limit, const inbox& in,
                            const at_post& posted);
    void cancel();

    pg_connection handle_;
    bool lost_ = false;
};

// A value as a view, or nothing for null.
inline std::optional<std::string_view> value_at(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column) != 0) return std::nullopt;
    return std::string_view(PQgetvalue(result, row, column),
                            static_cast<std::size_t>(PQgetlength(result, row, column)));
}

}  // namespace pgpubsub::inline v0
