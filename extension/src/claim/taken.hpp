// What this transaction has taken: so that requeue() can put back a notification whose handler failed, without
// the consumer sending it again, and only one that was really taken here.
#pragma once

#include "pg/postgres.hpp"
#include "queue/archive.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

struct taken_notification {
    int64 id;
    int32 subscription_id;
    bool is_ordered;
    int64 order_key;            // of an ordered channel
    ItemPointerData tid;        // the removed row
    Oid file;                   // the table's storage it lies in: TRUNCATE changes that
    TransactionId taken_by;     // the (sub)transaction that removed it
    TransactionId requeued_by;  // the one that put it back, or InvalidTransactionId
    processed_place kept_at;    // in the history
    int64 older;                // the entry before this one of the same id, or -1
    int64 next_of_key;          // the entry after this one of the same key in the same ordered channel, or -1
};

// Registers the callback that empties the list at the transaction's end. Called once, when the library is loaded.
void watch_taken();

void note_taken(const row_values& row, ItemPointer tid, Relation heap, const processed_place& kept_at);

// The newest entry of that id; of those before `newer`, where that is given. Null: none. There are several of one id
// where it was taken for several subscriptions, or put back and taken again.
taken_notification* find_taken(int64 id, const taken_notification* newer);

// The next entry after `taken`, in the order of taking, that has the same key in the same ordered channel. Null: none.
// After find_taken(), with nothing taken since.
taken_notification* find_taken_behind(const taken_notification* taken);

// Whether it is still taken: neither the take was rolled back to a savepoint, nor was it put back.
bool is_still_taken(const taken_notification& taken);

// Reads the removed row; false where the table was truncated since.
bool fetch_taken(const taken_notification& taken, Relation heap, TupleTableSlot* row);

}  // namespace pgpubsub
