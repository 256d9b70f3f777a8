// What becomes of a notification whose attempt failed: it waits for its next one, or it is a dead letter.
#pragma once

#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// What the consumer says of the failure; the arguments of nack() and requeue().
struct failure {
    bool has_delay;  // else the subscription's back-off decides
    TimestampTz retry_at;
    const text* error;  // null: none given
    bool reject;        // no further attempt
};

// What is stored of an error, in bytes; of a longer one the middle is cut out, and it says so.
inline constexpr int max_error_bytes = 8192;

// Reads the arguments of those numbers. Errors: invalid_parameter_value (22023) for a negative delay.
failure read_failure(FunctionCallInfo fcinfo, int delay, int error, int reject);
template <typename At>
failure failure_arguments(FunctionCallInfo fcinfo) {
    return read_failure(fcinfo, At::delay, At::error, At::reject);
}

// Whether the subscription allows no further attempt.
bool is_used_up(const row_values& row, const subscription& s);

// Whether the row, whose attempts count the failed one, becomes a dead letter. The caller removes it, and then stores
// that.
inline bool is_dead(const row_values& row, const subscription& s, const failure& f) {
    return f.reject || is_used_up(row, s);
}

// Makes the row what is to be stored for its next attempt.
void prepare_retry(row_values* row, const subscription& s, const failure& f);

// Makes a dead letter of a row: its attempts are used up, since its last consumer let the lease run out or the limit
// was lowered, or it can't be handed out at all. Not TM_Ok: another transaction is or was at it. error: null for the
// one that it has.
TM_Result bury(notification_table& table, ItemPointer tid, const row_values& row, const char* error);

inline constexpr const char* lease_is_over = "the lease ended without an ack";
inline constexpr const char* owner_is_gone = "the session that held the lease ended without an ack";

// The error of a row whose attempts are used up, given that of a lost lease: only one that was leased has lost it.
inline const char* error_if_leased(const row_values& row, const char* lost_lease) {
    return row.is_null(column::lease_token) ? nullptr : lost_lease;
}

}  // namespace pgpubsub
