// Stores a notification in the table: as a row for each subscription whose filter lets it pass.
#pragma once

#include "queue/notification_row.hpp"
#include "queue/notification_scan.hpp"
#include "queue/notification_table.hpp"

namespace pgpubsub {

// The values that a publisher gives. The other values of a new row are derived.
struct new_notification {
    const Jsonb* payload;
    const text* key;       // null: none
    const Jsonb* headers;  // null: none
    bool has_deliver_at;
    TimestampTz deliver_at;
    int16 priority;
    const text* dedup_key;  // null: none
};

// Returns whether the filter lets the payload pass, as payload @> filter does; null lets all pass.
bool passes(Datum payload, const Jsonb* filter);

// Returns the row of a notification of that id for one subscription of the channel. It points to what n points to.
row_values new_row(const channel& c, const subscription& s, int64 id, const new_notification& n);

// Stores a row of a notification of that id for one subscription of the channel.
void store_for(notification_table& table, const channel& c, const subscription& s, int64 id, const new_notification& n);

// Stores a notification for each subscription of the channel whose filter lets it pass, and returns its id.
int64 store(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
            const new_notification& n);

}  // namespace pgpubsub
