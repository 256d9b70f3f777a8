// The state behind pgpubsub::transaction: one handler after the other in one transaction, each behind a savepoint. The
// savepoint is set only when the handler first runs SQL, and is sent along with it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <pgpubsub/transaction.hpp>

#include "pq/connection.hpp"
#include "protocol/sql_calls.hpp"

namespace pgpubsub::inline v0 {

class transaction::impl {
public:
    // `listens`: settings of the session are made for a connection that stays.
    impl(connection& server, bool listens) : server_(server), listens_(listens) {}

    pg_result run(std::string_view sql, const params& parameters);

    void begin_handler() {
        in_handler_ = true;
        touched_ = false;
        first_error_.clear();
    }
    void end_handler() noexcept { in_handler_ = false; }

    // Undoes the settings that the handlers have made for the session. Call it before the transaction is committed.
    void restore_settings();

    // Undoes the current handler's work and puts its notification back with the failure. Returns how many notifications
    // went back: on an ordered channel more than one, if others of its key that were taken later have to wait for it.
    std::int64_t fail(std::int64_t id, const handler_failure& failure);

    // Returns the first SQL error that the current handler got, in case it swallowed the error.
    const std::string& first_error() const noexcept { return first_error_; }

private:
    connection& server_;
    const bool listens_;
    bool in_handler_ = false;
    void add_restoration(std::vector<statement>& statements);

    bool settings_changed_ = false;  // by a handler, and not yet undone
    bool touched_ = false;           // the current handler's savepoint is set
    bool savepoint_open_ = false;    // a savepoint is set, the current handler's or an earlier one's
    std::string first_error_;
};

}  // namespace pgpubsub::inline v0
