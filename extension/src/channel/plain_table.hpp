// Reads and writes the extension's tables except the notification table: one row at a time, without SQL. The executor
// writes the index entries, so that a DBA may add indexes of any kind to these tables.
#pragma once

#include <span>

#include "pg/postgres.hpp"

namespace pgpubsub {

// Make a slot or a tuple from the values of a row's first columns. Further columns, which the table has if its catalog
// is of a later version, become null.
void fill_slot(TupleTableSlot* slot, std::span<const Datum> values, std::span<const bool> nulls);
HeapTuple form_row(TupleDesc columns, std::span<const Datum> values, std::span<const bool> nulls);

// Inserts a row and returns its tid. Errors: those of open_our_table(), for as many columns as there are values.
ItemPointerData insert_row(Oid table, std::span<const Datum> values, std::span<const bool> nulls);

// The new value of a column of a row.
struct column_value {
    AttrNumber column;
    Datum value;
    bool is_null = false;
};

// The rows of such a table that an index finds, as the newest snapshot sees them.
class plain_scan {
public:
    // Begins the scan. keys: by the numbers of the table's columns, which must be those of the index in its order.
    static plain_scan begin(Oid table, int columns, Oid index, std::span<ScanKeyData> keys);
    bool next();
    // Returns a column of the present row.
    Datum get(AttrNumber c, bool* null) const { return heap_getattr(tuple_, c, RelationGetDescr(table_), null); }
    // Removes the present row. False: another transaction was there first; or, without `wait`, another transaction has
    // locked or is changing the row now. With `wait`, waits for that transaction to end.
    bool remove(bool wait);
    // Stores a new version of the present row with these columns changed. Waits for a transaction that has locked or is
    // changing the row. Errors: t_r_serialization_failure (40001) if that transaction has changed or removed the row.
    void update(std::span<const column_value> changes);
    void end();

private:
    Relation table_;
    Snapshot snapshot_;
    SysScanDesc scan_;
    HeapTuple tuple_;
};
static_assert(survives_longjmp<plain_scan>);

// Reads the row version at that tid. False: the snapshot sees none there, or the table has become so short that there
// is no such tid. A tid that was noted before a TRUNCATE leads to another row, or nowhere.
bool fetch_if_there(Relation table, ItemPointerData tid, Snapshot snapshot, TupleTableSlot* row);

// How much a sweep does at most. `entries` limits the index entries that it looks at: an index keeps the entries of
// removed rows until VACUUM. To walk over all of them for each few rows would take ever longer.
struct sweep_limits {
    int64 rows;
    int64 entries;
};

// Removes rows of that owner whose time is `until` or before, by an index of these two columns. Leaves rows that
// another transaction has locked or is changing. Returns how many it removed. It takes no predicate locks, so that
// SERIALIZABLE transactions that sweep don't make each other fail.
//
// from: the time from which it looks, DT_NOBEGIN at first. It is set to the time from which the next step must go on,
// so that no step walks over what the steps before it have removed; DT_NOEND: nothing more is there. Null: one step,
// from the beginning.
int64 sweep_rows(Relation table, Oid index, int32 owner, TimestampTz until, sweep_limits limits,
                 TimestampTz* from = nullptr);

// Removes the rows of the scan, ends it, and returns how many it removed. Rows that another transaction has locked or
// is changing: with `wait`, waits for them; else leaves them.
int64 remove_rows(plain_scan scan, bool wait);

}  // namespace pgpubsub
