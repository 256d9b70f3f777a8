// What becomes of a notification whose attempt failed: it waits for its next attempt, or becomes a dead letter.
#pragma once

#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// The failure as the consumer reports it: the arguments of nack() and requeue().
struct failure {
    bool has_delay;  // otherwise the subscription's back-off decides
    TimestampTz retry_at;
    const text* error;  // null: no error was given
    bool reject;        // there shall be no further attempt
};

// The longest error that is stored, in bytes. Of a longer error the middle is cut out, and the text says so.
inline constexpr int max_error_bytes = 8192;

// Reads the arguments of those numbers. Errors: invalid_parameter_value (22023) for a negative delay.
failure read_failure(FunctionCallInfo fcinfo, int delay, int error, int reject);
template <typename At>
failure failure_arguments(FunctionCallInfo fcinfo) {
    return read_failure(fcinfo, At::delay, At::error, At::reject);
}

// Returns whether the subscription allows no further attempt.
bool is_used_up(const row_values& row, const subscription& s);

// Returns whether the row becomes a dead letter. Its attempts must include the failed one. The caller removes the row,
// and then stores the dead letter.
inline bool is_dead(const row_values& row, const subscription& s, const failure& f) {
    return f.reject || is_used_up(row, s);
}

// Changes the row into the one that is stored for its next attempt.
void prepare_retry(row_values* row, const subscription& s, const failure& f);

// Makes a dead letter of a row. Its attempts are used up, because its last consumer let the lease run out, or the limit
// was lowered; or it can't be handed out at all. Not TM_Ok: another transaction has or had it. error: null for the
// error that the row has.
TM_Result bury(notification_table& table, ItemPointer tid, const row_values& row, const char* error);

inline constexpr const char* lease_is_over = "the lease ended without an ack";
inline constexpr const char* owner_is_gone = "the session that held the lease ended without an ack";

// Returns the error of a row whose attempts are used up, given the error of a lost lease: only a leased row has lost
// its lease.
inline const char* error_if_leased(const row_values& row, const char* lost_lease) {
    return row.is_null(column::lease_token) ? nullptr : lost_lease;
}

}  // namespace pgpubsub
