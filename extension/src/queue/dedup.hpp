// Publishing once: as long as a notification with the same dedup_key waits to be handed out, no second one is stored.
#pragma once

#include "channel/table_columns.hpp"
#include "pg/locks.hpp"
#include "queue/joiners.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// Longer ones would not fit an index for sure.
inline constexpr int max_dedup_key_bytes = 1024;

// As store(), for a notification with a dedup_key, and for each subscription by itself: where one with the same key
// waits and can be joined, that one stays; with `replace` it gets the new payload. Returns the id of the new one if any
// was stored, else that of the one which waits.
int64 store_once(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
                 const new_notification& n, bool replace);

// The lock under which one session at a time joins or stores a notification with the key, or gets hold of one.
LOCKTAG dedup_lock(int32 subscription_id, const text* dedup_key);

// Runs f, with which a consumer gets hold of the row. One with a dedup_key it gets only if its snapshot sees what all
// did who have joined it; else TM_BeingModified, as for one that is just being joined. While f runs nobody joins it.
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
