// Keeps notifications that leave the queue: dead letters, and the history of processed notifications.
#pragma once

#include "channel/channel.hpp"
#include "channel/plain_table.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// Keeps the row as a dead letter. error: null for the error that the row has.
void store_dead_letter(const row_values& row, const text* error);

// Where a row is in the history. Nowhere, unless something was stored.
struct processed_place {
    ItemPointerData tid;
    Oid file;  // the table's file: TRUNCATE changes it
};

// Keeps the row in the history, and returns its place there.
processed_place store_processed(const row_values& row);

// Takes back the row that store_processed() kept earlier in this transaction, of that id for that subscription.
void forget_processed(const processed_place& place, int32 subscription_id, int64 id);

plain_scan scan_dead_letters(int32 subscription_id);
plain_scan scan_dead_letter(int32 subscription_id, int64 id);

// Removes from the history of a subscription what is older than its setting says, as sweep_rows() does.
int64 sweep_processed(const subscription& s, sweep_limits limits, TimestampTz* from = nullptr);

// Returns what a consumer sweeps that has added so many rows: more than it added, so that rows don't pile up.
inline sweep_limits sweep_after(int64 added) { return {2 * added, 64 + 4 * added}; }

// Removes the dead letters and the history of a subscription, and returns how many, as remove_rows() does.
int64 remove_archives(int32 subscription_id, bool wait);

}  // namespace pgpubsub
