// Reading and writing the extension's tables beside that of the notifications: one row at a time, without SQL, by the
// executor's way into the indexes, so that a DBA may add indexes of any kind to them.
#pragma once

#include <span>

#include "pg/postgres.hpp"

namespace pgpubsub {

// The values of a row's first columns as a slot or a tuple of the table. What the table has behind them, since its
// catalog is of a later version, is null.
void fill_slot(TupleTableSlot* slot, std::span<const Datum> values, std::span<const bool> nulls);
HeapTuple form_row(TupleDesc columns, std::span<const Datum> values, std::span<const bool> nulls);

// Inserts a row and returns its place. Errors: those of open_our_table(), for as many columns as there are values.
ItemPointerData insert_row(Oid table, std::span<const Datum> values, std::span<const bool> nulls);

// What a column of a row is to become.
struct column_value {
    AttrNumber column;
    Datum value;
    bool is_null = false;
};

// The rows of such a table that an index finds, as the newest snapshot sees them.
class plain_scan {
public:
    // keys: by the numbers of the table's columns, which must be those of the index in its order.
    static plain_scan begin(Oid table, int columns, Oid index, std::span<ScanKeyData> keys);
    bool next();
    // Of the present row.
    Datum get(AttrNumber c, bool* null) const { return heap_getattr(tuple_, c, RelationGetDescr(table_), null); }
    // Removes the present row; false when another transaction was there first, or, with `wait` unset, is at it now.
    // With `wait` set, waits for that transaction to end.
    bool remove(bool wait);
    // Stores a new version of the present row with these columns changed. Waits for a transaction that is at it.
    // Errors: t_r_serialization_failure (40001) when that one has changed or removed the row.
    void update(std::span<const column_value> changes);
    void end();

private:
    Relation table_;
    Snapshot snapshot_;
    SysScanDesc scan_;
    HeapTuple tuple_;
};
static_assert(survives_longjmp<plain_scan>);

// Reads the row version at that place; false where there is none that the snapshot sees, or where the table has become
// so short that there is no such place. A place that was noted before a TRUNCATE leads to another row, or nowhere.
bool fetch_if_there(Relation table, ItemPointerData tid, Snapshot snapshot, TupleTableSlot* row);

// How much a sweep does at most. Entries: an index keeps those of removed rows until they are vacuumed, and to walk
// over all of them for each few rows would take ever longer.
struct sweep_limits {
    int64 rows;
    int64 entries;
};

// Removes rows of that owner whose time is `until` or before, by an index of these two columns; none that another
// transaction is at. Returns how many. It takes no predicate locks, so that those who sweep in SERIALIZABLE
// transactions don't make each other fail.
//
// from: the time from which it looks, DT_NOBEGIN at first; it is set to that from which a next step has to go on, so
// that no step walks over what those before it have removed; DT_NOEND: nothing more is there. Null: from the beginning,
// for one step.
int64 sweep_rows(Relation table, Oid index, int32 owner, TimestampTz until, sweep_limits limits,
                 TimestampTz* from = nullptr);

// Removes the rows of the scan, and ends it. Returns how many. With `wait` set, waits for those that another
// transaction is at; else leaves them.
int64 remove_rows(plain_scan scan, bool wait);

}  // namespace pgpubsub
