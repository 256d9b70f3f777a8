// The rows that this transaction has taken. With them, requeue() can put back a notification whose handler failed,
// without the consumer sending it again, and only one that was really taken in this transaction.
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
    Oid file;                   // the file of the table that holds it; TRUNCATE changes the file
    TransactionId taken_by;     // the (sub)transaction that removed it
    TransactionId requeued_by;  // the (sub)transaction that put it back, or InvalidTransactionId
    processed_place kept_at;    // its place in the history
    int64 older;                // the previous entry of the same id, or -1
    int64 next_of_key;          // the next entry of the same key in the same ordered channel, or -1
};

// Registers the callback that empties the list at the transaction's end. Called once, when the library is loaded.
void watch_taken();

void note_taken(const row_values& row, ItemPointer tid, Relation heap, const processed_place& kept_at);

// Returns the newest entry of that id, or, if `newer` is given, the newest before it; null if there is none. An id has
// several entries if it was taken for several subscriptions, or put back and taken again.
taken_notification* find_taken(int64 id, const taken_notification* newer);

// Returns the next entry after `taken`, in the order of taking, with the same key in the same ordered channel; null if
// there is none. Call it after find_taken(), with nothing taken in between.
taken_notification* find_taken_behind(const taken_notification* taken);

// Returns whether the notification is still taken: the take was not rolled back to a savepoint, and the notification
// was not put back.
bool is_still_taken(const taken_notification& taken);

// Reads the removed row; returns false if the table was truncated since.
bool fetch_taken(const taken_notification& taken, Relation heap, TupleTableSlot* row);

}  // namespace pgpubsub
