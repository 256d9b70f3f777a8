// Where notifications are kept that leave the queue: dead letters, and the history of what was processed.
#pragma once

#include "channel/channel.hpp"
#include "channel/plain_table.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// Keeps the row as a dead letter. error: null for the one that it has.
void store_dead_letter(const row_values& row, const text* error);

// Where a row stands in the history: nowhere, unless something was stored.
struct processed_place {
    ItemPointerData tid;
    Oid file;  // the table's storage: TRUNCATE changes that
};

// Keeps the row in the history, and returns its place there.
processed_place store_processed(const row_values& row);

// Takes back what store_processed() kept earlier in this transaction, of that id for that subscription.
void forget_processed(const processed_place& place, int32 subscription_id, int64 id);

plain_scan scan_dead_letters(int32 subscription_id);
plain_scan scan_dead_letter(int32 subscription_id, int64 id);

// Removes from the history of a subscription what is older than its setting says; as sweep_rows().
int64 sweep_processed(const subscription& s, sweep_limits limits, TimestampTz* from = nullptr);

// What a consumer sweeps that has added so many rows: more than it added, so that they don't pile up.
inline sweep_limits sweep_after(int64 added) { return {2 * added, 64 + 4 * added}; }

// Removes the dead letters and the history of a subscription, and returns how many; as remove_rows().
int64 remove_archives(int32 subscription_id, bool wait);

}  // namespace pgpubsub
