// What this transaction has taken: so that requeue() can put back a notification whose handler failed, without
// the consumer sending it again, and only one that was really taken here.
#pragma once

#include "archive.hpp"
#include "notification.hpp"
#include "pg.hpp"

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
    int64 previous;             // the entry before this one of the same id, or -1
};

// Registers the callback that empties the list at the transaction's end. Called once, when the library is loaded.
void watch_taken();

void note_taken(const row_values& row, ItemPointer tid, Relation heap, const processed_place& kept_at);

// The notification of that id that this transaction took and has not put back; null where there is none. A take or a
// requeue that was rolled back to a savepoint does not count. `row` receives the removed row.
taken_notification* find_taken(int64 id, Relation heap, TupleTableSlot* row);

// The next one after `taken`, in the order of taking, that has the same key in the same ordered channel and likewise
// counts; null where there is none, or the channel is not ordered.
taken_notification* find_taken_behind(const taken_notification* taken, Relation heap, TupleTableSlot* row);

}  // namespace pgpubsub
