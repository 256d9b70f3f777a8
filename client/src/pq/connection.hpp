// One connection to the server. It belongs to one thread at a time; a thread that hands it over stops using it.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <pgpubsub/error.hpp>
#include <pgpubsub/result.hpp>

#include "base/clock.hpp"
#include "pq/conninfo.hpp"
#include "pq/pq.hpp"

namespace pgpubsub::inline v0 {

class inbox;
class logger;
struct wait_rules;

struct statement {
    std::string sql;
    params parameters = {};
};

// Throws error 22021 if a parameter contains a zero byte, which would silently cut it short.
void refuse_zero_bytes(const params& parameters);

class connection {
public:
    ~connection();
    connection(connection&&) = delete;

    // Connects. Throws error (08001, 08004) with a hint. Throws interrupted if `in` is given and another stop is posted
    // to it meanwhile.
    connection(const conninfo& target, logger& log, inbox* in);

    // From now on, exec(), pipeline(), commit() and rollback() obey the inbox, which belongs to the caller. In two
    // cases the wait for an answer ends soon and the connection is lost; the server is asked to cancel the statement:
    // - `last_stop` stops have been posted;
    // - the flag is set, followed by a posted wake-up: another thread has found the server dead.
    void heed(inbox& in, int last_stop, const std::atomic<bool>& server_is_dead);

    // Sets the time for which the server may be silent before it is probed on another connection. If it does not answer
    // there either, this connection is lost.
    void look_after(milliseconds silence) { silence_ = silence; }

    // Runs one statement by the extended protocol, without a named prepared statement, so that it works through a
    // pooler in transaction mode. Throws error.
    pg_result exec(const std::string& sql, const params& parameters = {});

    // Runs COMMIT. If the connection is lost, the error is marked as in doubt. If the transaction turns out to have
    // been aborted, that is an error too (25P02).
    void commit();

    // Rolls back the open transaction, if any. Never throws (a connection that fails here is lost).
    void rollback() noexcept;

    // Sends all statements at once and waits once. Outside a transaction block they are one transaction. Throws the
    // first error; the statements after it were not executed.
    std::vector<pg_result> pipeline(const std::vector<statement>& statements);

    // Like exec(), but also obeys the inbox and a deadline. For the listener, which must stay responsive and must not
    // trust a silent peer. Throws interrupted, or error with connection_lost() on a timeout.
    pg_result exec_within(const std::string& sql, const params& parameters, milliseconds limit, inbox& in);

    // Like exec(), but gives up as soon as anything is posted to the inbox: the statement is not sent, or it is
    // cancelled, and the result is null. For a statement that may take long and may be cut short.
    pg_result exec_unless_posted(const std::string& sql, const params& parameters, milliseconds limit, inbox& in);

    // Reads the data that has arrived, without waiting. Throws error if the connection is gone.
    void consume_input();
    pg_notify next_notify() noexcept;

    bool alive() const noexcept;
    bool is_silent() const noexcept { return silent_; }  // it was lost because no answer came
    bool is_read_only() const noexcept;                  // as far as the server has said
    int socket() const noexcept { return PQsocket(handle_.get()); }
    std::string user() const { return PQuser(handle_.get()); }
    int backend_pid() const noexcept { return PQbackendPID(handle_.get()); }
    PGTransactionStatusType transaction_status() const noexcept { return PQtransactionStatus(handle_.get()); }

private:
    pg_result checked(pg_result result);
    error error_from(const PGresult* result);
    error lost(const std::string& what);
    void send(const std::string& sql, const params& parameters);

    pg_result exec_by(const std::string& sql, const params& parameters, wait_rules& rules);
    wait_rules usual_rules();
    pg_result next_result(wait_rules& rules);
    bool cancel(milliseconds limit) noexcept;

    settings_list settings_;  // of the target
    pg_connection handle_;
    bool lost_ = false;
    bool silent_ = false;
    inbox* in_ = nullptr;
    int last_stop_ = 0;
    const std::atomic<bool>* server_is_dead_ = nullptr;
    milliseconds silence_ = std::chrono::seconds(15);
};

// Returns a value as a view; no value for null.
inline std::optional<std::string_view> value_at(const PGresult* result, int row, int column) {
    if (PQgetisnull(result, row, column) != 0)
        return std::nullopt;
    return std::string_view(PQgetvalue(result, row, column),
                            static_cast<std::size_t>(PQgetlength(result, row, column)));
}

}  // namespace pgpubsub::inline v0
