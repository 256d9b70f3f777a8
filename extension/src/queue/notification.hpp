// The notification table: its columns, and how rows are written and found.
//
// It is read and written below the executor, by the table and index access methods: no plan that could go wrong with
// the statistics of a table that is empty one moment and huge the next, no permissions of the current user, and half
// the work per row. What an executor would check there (constraints, triggers, row security) this table has not.
#pragma once

#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/index_entries.hpp"
#include "pg/postgres.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {

// A row's values, indexed by column number.
struct row_values {
    Datum values[column::count];
    bool nulls[column::count];

    // All null.
    static row_values empty() {
        row_values row;
        memset(row.nulls, true, sizeof row.nulls);
        return row;
    }
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

// Makes the row due at that time, or now if it is past. Every due_at is stored by this: place.hpp needs it so.
void set_due(row_values* row, TimestampTz at);

// Makes a row ready that was handed out before, or held back: due now. It stays among those that have a due_at: key_order.hpp
// needs it so, and among the ready ones it would come back below what place.hpp remembers. It is told when it was given back.
void make_ready(row_values* row);

// When the row was given back, by the clock that its due_at was made by; DT_NOBEGIN for one that was not, or is leased again.
// The column is that of the lease's owner, which a row without a lease has not.
TimestampTz given_back_at(const row_values& row);

// The table, opened for writing. close() it when done; after an ERROR PostgreSQL does.
class notification_table {
public:
    static notification_table open();
    void close();

    Relation heap() const { return heap_; }

    void insert(const row_values& row);
    // Stores the row that stood, or stands, at `old` once more.
    void insert_again(const row_values& row, ItemPointer old);
    // Many rows at once. Each slot holds a tuple of the row's values, and gets its place.
    void insert(std::span<TupleTableSlot*> slots, std::span<const row_values> rows);

    // Replaces, or removes, the row version at `tid`. Not TM_Ok: another transaction was there first, or, with `wait`
    // unset, is at it now (TM_BeingModified), if only by a lock. With `wait` set, waits for that transaction to end.
    TM_Result update(ItemPointer tid, const row_values& row, bool wait);
    TM_Result remove(ItemPointer tid, bool wait);

    // Locks the row version for this transaction alone, without waiting. Not TM_Ok: as for update() without `wait`. Who has
    // the lock may update and remove with `wait` set: there is nobody to wait for.
    TM_Result lock(ItemPointer tid);

    // Whether the row version is there, and no other transaction is removing, changing or locking it just now.
    bool is_free(ItemPointer tid) const;

    // Removes all rows of a subscription that are committed by now, and returns how many. With `wait` set, waits for
    // those that another transaction is at; else leaves them.
    int64 remove_all(int32 subscription_id, bool wait);

private:
    bool may_be_only_ours(ItemPointer tid, const TM_FailureData& failure);
    bool has_multixact(ItemPointer tid);
    TupleTableSlot* version_slot();
    int64 remove_by(Oid index, int32 subscription_id, bool wait, bool* changed);
    void put_into_slot(const row_values& row);
    void keep_unknown_columns(ItemPointer tid);
    void insert_index_entries(const row_values& row, TupleTableSlot* slot);
    void insert_own_index_entries(const row_values& row, ItemPointer tid);
    void tell_of_keys(const row_values& row, ItemPointer tid) const;
    void insert_index_entry(int which, std::span<const Datum> key, ItemPointer tid);

    Relation heap_;
    MemoryContext context_;  // what was current at open()
    TupleTableSlot* slot_;
    TupleTableSlot* version_slot_;  // made when first needed
    Relation indexes_[8];  // our own, opened when first needed
    IndexInfo* info_;
    bool has_other_indexes_;     // somebody has added some to ours
    index_entries all_indexes_;  // where that is so
};
static_assert(survives_longjmp<notification_table>);

// Walks the rows of an index, in its order, that `snapshot` sees.
class notification_scan {
public:
    // keys: of the index's columns. The snapshot must be registered or active for as long as the scan is open.
    // with_keys: entry_key() is wanted.
    enum entry_keys { without_keys, with_keys };
    static notification_scan begin(const notification_table& table, Oid index, Snapshot snapshot,
                                   std::span<ScanKeyData> keys, entry_keys wanted = without_keys);
    // Begins anew, with as many keys as before. The snapshot as above.
    void restart(Snapshot snapshot, std::span<ScanKeyData> keys);
    // Moves to the next row; false at the end.
    bool next();
    // The same in two steps: to the next entry of the index, and to the row that it stands for, if the snapshot sees one.
    bool next_entry() { return index_getnext_tid(scan_, ForwardScanDirection) != nullptr; }
    bool fetch() { return index_fetch_heap(scan_, slot_); }
    // By a snapshot that may see several versions of a row: whether the entry leads to more, for fetch() to find.
    bool has_more_versions() const { return scan_->xs_heap_continue; }
    // A column of the entry.
    Datum entry_key(int column) const {
        bool null;
        return index_getattr(scan_->xs_itup, column, scan_->xs_itupdesc, &null);
    }
    // Where an entry leads to that was not fetched, or that fetch() found no row for; and whether nobody can see one there any more.
    ItemPointer entry_tid() const { return &scan_->xs_heaptid; }
    bool is_entry_dead() const { return scan_->kill_prior_tuple; }
    void end();

    ItemPointer tid() const { return &slot_->tts_tid; }
    TupleTableSlot* slot() const { return slot_; }
    Datum get(AttrNumber c, bool* null) const { return slot_getattr(slot_, c, null); }
    // All values; they point into the row and hold until the next call of next() or end().
    row_values values() const;

private:
    Relation index_;
    IndexScanDesc scan_;
    TupleTableSlot* slot_;
};
static_assert(survives_longjmp<notification_scan>);

// A scan that is opened when it is first needed, and begun anew from then on. All zero: it is not open.
class repeated_scan {
public:
    // As notification_scan::begin(), with the same table, index and number of keys each time.
    notification_scan& begin(const notification_table& table, Oid index, Snapshot snapshot, std::span<ScanKeyData> keys,
                             notification_scan::entry_keys wanted = notification_scan::without_keys);
    void end();

private:
    notification_scan scan_;
    bool is_open_;
};
static_assert(survives_longjmp<repeated_scan>);

// Whether this transaction has written the row.
bool is_of_this_transaction(TupleTableSlot* row);

// Whether the index has a row with these keys, in the newest snapshot.
bool has_row(const notification_table& table, Oid index, std::span<ScanKeyData> keys);

// What stands for the key in an ordered channel: a hash, so that a key of any length fits an index. Two keys with the same
// hash would wait for each other, and nothing else. A notification without a key (null) waits for no other one.
int64 order_key_of(const text* key, int64 id);

// What the publisher gives; the rest of a new row is derived.
struct new_notification {
    const Jsonb* payload;
    const text* key;            // null: none
    const Jsonb* headers;       // null: none
    bool has_deliver_at;
    TimestampTz deliver_at;
    int16 priority;
    const text* dedup_key;      // null: none
};

// Sets the row's order_key by its key, or to null where the channel is not ordered.
void set_order_key(row_values* row, const channel& c);

// Whether the filter lets the payload pass, as payload @> filter; null lets all.
bool passes(Datum payload, const Jsonb* filter);

// The row of a notification of that id for one subscription of the channel. It points to what n points to.
row_values new_row(const channel& c, const subscription& s, int64 id, const new_notification& n);

// Stores a row of a notification of that id for one subscription of the channel.
void store_for(notification_table& table, const channel& c, const subscription& s, int64 id, const new_notification& n);

// Stores a notification for each subscription of the channel whose filter lets it pass, and returns its id.
int64 store(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
            const new_notification& n);

}  // namespace pgpubsub
