// Publishing once: while a notification with the same dedup_key waits to be handed out, no second one is stored.
#pragma once

#include "channel/table_columns.hpp"
#include "pg/locks.hpp"
#include "queue/joiners.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// The longest dedup_key. Longer ones might not fit an index.
inline constexpr int max_dedup_key_bytes = 1024;

// Stores as store() does, a notification with a dedup_key, for each subscription by itself. If a notification with the
// same key waits and can be joined, that one stays; with `replace` it gets the new payload. Returns the id of the new
// notification if any was stored, else the id of the waiting one.
int64 store_once(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
                 const new_notification& n, bool replace);

// Returns the lock under which one session at a time joins or stores a notification with the key, or gets hold of one.
LOCKTAG dedup_lock(int32 subscription_id, const text* dedup_key);

// Runs f, by which a consumer gets hold of the row. A row with a dedup_key may have been joined: then the consumer gets
// it only if its snapshot sees what all transactions did that have joined it. Otherwise returns TM_BeingModified, as
// for a row that is just being joined. While f runs, no transaction can join the row.
template <typename F>
TM_Result get_hold_of(const notification_table& table, ItemPointer tid, const row_values& row, F f) {
    if (row.is_null(column::dedup_key))
        return f();
    momentary_lock lock;
    lock.acquire(
        dedup_lock(DatumGetInt32(row.get(column::subscription_id)), DatumGetTextPP(row.get(column::dedup_key))));
    const bool unseen = joiners_of(table.heap(), tid, GetActiveSnapshot()).unseen;
    const TM_Result outcome = unseen ? TM_BeingModified : f();
    lock.release();
    return outcome;
}

}  // namespace pgpubsub
