// The notification table: its columns, and how rows are written and found.
//
// It is read and written below the executor, by the table and index access methods: no plan that could go wrong with
// the statistics of a table that is empty one moment and huge the next, no permissions of the current user, and half
// the work per row. What an executor would check there (constraints, triggers, row security) this table has not.
#pragma once

#include "channel.hpp"
#include "pg.hpp"

namespace pgpubsub {

namespace column {
enum : AttrNumber {
    id = 1,
    created_at,
    channel_id,
    priority,
    attempts,
    payload,
    key,
    headers,
    db_version,
    deliver_at,
    due_at,
    lease_token,
    last_error,
    count = last_error
};
}

// A row's values, indexed by column number.
struct row_values {
    Datum values[column::count];
    bool nulls[column::count];

    // Of the row in the slot. They point into it, and hold as long as it does.
    static row_values of(TupleTableSlot* slot);

    void set(AttrNumber c, Datum value) {
        values[c - 1] = value;
        nulls[c - 1] = false;
    }
    void set_null(AttrNumber c) { nulls[c - 1] = true; }
    bool is_null(AttrNumber c) const { return nulls[c - 1]; }
    Datum get(AttrNumber c) const { return values[c - 1]; }

    // The number of attempts with one more; it ends at the largest smallint.
    int16 next_attempt() const {
        const int16 attempts = DatumGetInt16(get(column::attempts));
        return attempts == PG_INT16_MAX ? attempts : attempts + 1;
    }
};

// The table, opened for writing. close() it when done; after an ERROR PostgreSQL does.
class notification_table {
public:
    static notification_table open();
    void close();

    Relation heap() const { return heap_; }

    void insert(const row_values& row);

    // Replaces, or removes, the row version at `tid`. Not TM_Ok: another transaction was there first, or, with `wait`
    // unset, is at it now (TM_BeingModified). With `wait` set, waits for that transaction to end.
    TM_Result update(ItemPointer tid, const row_values& row, bool wait);
    TM_Result remove(ItemPointer tid, bool wait);

    // Removes all rows of a channel that are committed by now, and waits for those that another transaction is at.
    void remove_all(int32 channel_id);

private:
    void put_into_slot(const row_values& row);
    void insert_index_entries(const row_values& row);

    Relation heap_;
    TupleTableSlot* slot_;
    // Only where somebody has added indexes to ours; null otherwise.
    EState* estate_;
    ResultRelInfo* target_;
};
static_assert(survives_longjmp<notification_table>);

// Walks the rows of an index, in its order, that `snapshot` sees.
class notification_scan {
public:
    // keys: of the index's columns. The snapshot must be registered or active for as long as the scan is open.
    static notification_scan begin(const notification_table& table, Oid index, Snapshot snapshot, ScanKey keys,
                                   int key_count);
    // Moves to the next row; false at the end.
    bool next();
    void end();

    ItemPointer tid() const { return &slot_->tts_tid; }
    Datum get(AttrNumber c, bool* null) const { return slot_getattr(slot_, c, null); }
    // All values; they point into the row and hold until the next call of next() or end().
    row_values values() const;

private:
    Relation index_;
    IndexScanDesc scan_;
    TupleTableSlot* slot_;
};
static_assert(survives_longjmp<notification_scan>);

ScanKeyData channel_key(int32 channel_id);                    // for notification_ready and notification_due
ScanKeyData due_key(TimestampTz now);                         // second key of notification_due: due by then
ScanKeyData leased_key(int64 id);                             // for notification_leased

// What the publisher gives; the rest of a new row is derived.
struct new_notification {
    int32 channel_id;
    const Jsonb* payload;
    const text* key;            // null: none
    const Jsonb* headers;       // null: none
    bool has_deliver_at;
    TimestampTz deliver_at;
    int16 priority;
};

// Stores a notification and returns its id.
int64 store(notification_table& table, const new_notification& n);

}  // namespace pgpubsub
