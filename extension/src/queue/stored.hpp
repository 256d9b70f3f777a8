// What peek() and get() have in common: the states of stored rows, what a row is shown as, the walk over priorities.
//
// Each row is in one of these indexes:
// - a ready row in notification_ready;
// - a leased row in notification_leased;
// - a row that waits without a lease in notification_waiting. If a version before 0.2.0 made the catalog, that index
//   does not exist. Then notification_due serves, which has all rows that wait, in another order.
#pragma once

#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/bounded_scan.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

enum class stored_state { ready, delayed, leased, retrying };

// Returns the state of that name. Errors: invalid_parameter_value (22023).
stored_state parse_stored_state(std::string_view name);

stored_state state_of(const row_values& row, TimestampTz now);

// The columns of the results, which are those of the view notifications.
namespace shown_column {
enum {
    id,
    channel,
    payload,
    key,
    headers,
    created_at,
    deliver_at,
    priority,
    attempts,
    db_version,
    subscription,
    state,
    due_at,
    dedup_key,
    last_error,
    count
};
}

struct shown_row {
    Datum values[shown_column::count];
    bool nulls[shown_column::count];
};

// Return what a row is shown as. The values point into the row.
shown_row shown_notification(const channel& c, const subscription& s, const row_values& row, TimestampTz now);
shown_row shown_dead_letter(const channel& c, const subscription& s, TupleTableSlot* row);

inline void put(ReturnSetInfo* result, shown_row r) {
    tuplestore_putvalues(result->setResult, result->setDesc, r.values, r.nulls);
}

// Opens the notification table so that it serves on a standby, too; the class notification_table is for writing.
inline Relation open_notifications() {
    return open_our_table(our_catalog().notification, AccessShareLock, column::count);
}

// Calls f(index, priority) for each priority that has entries in the index of ready rows, from the highest priority on.
// The next priority is that of the first entry below the one before, whether the entry leads to a row or not.
template <typename F>
void for_each_priority(Relation table, Snapshot snapshot, int32 subscription_id, F f) {
    const Oid index = our_catalog().notification_ready;
    for (int32 highest = PG_INT16_MAX; highest >= PG_INT16_MIN; --highest) {
        CHECK_FOR_INTERRUPTS();
        ScanKeyData keys[] = {equals_int4(1, subscription_id), until_int2(2, static_cast<int16>(highest))};
        bounded_scan scan = bounded_scan::begin(table, index, snapshot, keys, 1, bounded_scan::with_keys);
        const bool found = scan.next() || scan.was_cut();
        if (found)
            highest = DatumGetInt16(scan.key(2));
        scan.end();
        if (!found)
            return;
        f(index, static_cast<int16>(highest));
    }
}

}  // namespace pgpubsub
