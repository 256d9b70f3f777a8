// Reads the notification table by its indexes.
#pragma once

#include "pg/scan_keys.hpp"
#include "queue/notification_table.hpp"

namespace pgpubsub {

// Scans the rows of an index that `snapshot` sees, in the order of the index.
class notification_scan {
public:
    // Begins a scan. keys: of the index's columns. The snapshot must be registered or active for as long as the scan is
    // open. with_keys: the caller needs entry_key().
    enum entry_keys { without_keys, with_keys };
    static notification_scan begin(const notification_table& table, Oid index, Snapshot snapshot,
                                   std::span<ScanKeyData> keys, entry_keys wanted = without_keys);
    // Begins anew, with as many keys as before. The same holds for the snapshot.
    void restart(Snapshot snapshot, std::span<ScanKeyData> keys);
    // Moves to the next row; false at the end.
    bool next();
    // Do the same in two steps: next_entry() moves to the next entry of the index; fetch() moves to the row for which
    // it stands, if the snapshot sees one.
    bool next_entry() { return index_getnext_tid(scan_, ForwardScanDirection) != nullptr; }
    bool fetch() { return index_fetch_heap(scan_, slot_); }
    // For a snapshot that may see several versions of a row: returns whether the entry leads to more, for fetch() to
    // find.
    bool has_more_versions() const { return scan_->xs_heap_continue; }
    // Returns a column of the entry.
    Datum entry_key(int column) const {
        bool null;
        return index_getattr(scan_->xs_itup, column, scan_->xs_itupdesc, &null);
    }
    // For an entry that was not fetched, or for which fetch() found no row: return its tid, and whether no transaction
    // can see a row there any more.
    ItemPointer entry_tid() const { return &scan_->xs_heaptid; }
    bool is_entry_dead() const { return scan_->kill_prior_tuple; }
    void end();

    ItemPointer tid() const { return &slot_->tts_tid; }
    TupleTableSlot* slot() const { return slot_; }
    Datum get(AttrNumber c, bool* null) const { return slot_getattr(slot_, c, null); }
    // Returns all values. They point into the row and are valid until the next call of next() or end().
    row_values values() const;

private:
    Relation index_;
    IndexScanDesc scan_;
    TupleTableSlot* slot_;
};
static_assert(survives_longjmp<notification_scan>);

// A scan that is opened when it is first needed, and only restarted from then on. All zero: it is not open.
class repeated_scan {
public:
    // Begins as notification_scan::begin() does, with the same table, index and number of keys each time.
    notification_scan& begin(const notification_table& table, Oid index, Snapshot snapshot, std::span<ScanKeyData> keys,
                             notification_scan::entry_keys wanted = notification_scan::without_keys);
    void end();

private:
    notification_scan scan_;
    bool is_open_;
};
static_assert(survives_longjmp<repeated_scan>);

// Returns whether this transaction has written the row.
bool is_of_this_transaction(TupleTableSlot* row);

// Returns whether the index has a row with these keys, in the newest snapshot.
bool has_row(const notification_table& table, Oid index, std::span<ScanKeyData> keys);

}  // namespace pgpubsub
