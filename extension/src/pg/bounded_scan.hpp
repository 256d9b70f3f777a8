// A scan of the rows of an index that ends by itself when it has looked at too many entries.
//
// An index keeps the entries of removed rows until VACUUM removes them. So a scan that stops only at a visible row may
// step over millions of them first. This scan is for callers that need an answer soon, not the whole answer.
#pragma once

#include "pg/compat.hpp"

#include <span>

namespace pgpubsub {

class bounded_scan {
public:
    // Begins the scan. keys: of the index's columns.
    // - The table must be locked.
    // - An MVCC snapshot must be registered or active for as long as the scan is open. Any other snapshot must see no
    //   more than one version of a row.
    // - with_keys: the caller needs key().
    enum entry_keys { without_keys, with_keys };
    static bounded_scan begin(Relation heap, Oid index, Snapshot snapshot, std::span<ScanKeyData> keys,
                              int64 max_entries, entry_keys wanted = without_keys) {
        bounded_scan scan;
        scan.slot_ = table_slot_create(heap, nullptr);
        scan.index_ = index_open(index, AccessShareLock);
        scan.scan_ = begin_index_scan(heap, scan.index_, snapshot, static_cast<int>(keys.size()));
        scan.scan_->xs_want_itup = wanted == with_keys;
        index_rescan(scan.scan_, keys.data(), static_cast<int>(keys.size()), nullptr, 0);
        scan.entries_left_ = max_entries;
        return scan;
    }

    // For an index of one bigint column: makes the scan step over the entries of `id` up to the tid `until`. These
    // entries are not counted, since none of their rows is looked at. The entries of one id are ordered by their tid.
    void skip(int64 id, const ItemPointerData& until) {
        skipped_id_ = id;
        skipped_until_ = until;
    }

    // Moves to the next visible row; false at the end, and when the scan was cut short.
    bool next() {
        for (; entries_left_ > 0; --entries_left_) {
            do {
                CHECK_FOR_INTERRUPTS();
                if (index_getnext_tid(scan_, ForwardScanDirection) == nullptr)
                    return false;
            } while (is_skipped());
            if (index_fetch_heap(scan_, slot_)) {
                --entries_left_;
                return true;
            }
        }
        return false;
    }
    bool was_cut() const { return entries_left_ <= 0; }
    // Returns a column of the entry that was looked at last, whether its row is visible or not.
    Datum key(int column) const {
        bool null;
        return index_getattr(scan_->xs_itup, column, scan_->xs_itupdesc, &null);
    }

    void end() {
        index_endscan(scan_);
        index_close(index_, NoLock);
        ExecDropSingleTupleTableSlot(slot_);
    }

    TupleTableSlot* row() const { return slot_; }
    // Returns the tid to which the entry that was looked at last leads.
    ItemPointerData place() const { return scan_->xs_heaptid; }

private:
    bool is_skipped() {
        return ItemPointerIsValid(&skipped_until_) && DatumGetInt64(key(1)) == skipped_id_ &&
               ItemPointerCompare(&scan_->xs_heaptid, &skipped_until_) <= 0;
    }

    Relation index_;
    IndexScanDesc scan_;
    TupleTableSlot* slot_;
    int64 entries_left_;
    int64 skipped_id_ = 0;
    ItemPointerData skipped_until_ = {{0, 0}, InvalidOffsetNumber};
};
static_assert(survives_longjmp<bounded_scan>);

// Returns a snapshot for reading without predicate locks. A snapshot of SERIALIZABLE takes them on all that it reads,
// so a monitor would make the transactions of publishers and consumers fail. Under SERIALIZABLE this returns
// SnapshotSelf: it reads the newest state of each row, one row after the other.
inline Snapshot snapshot_without_locks() { return IsolationIsSerializable() ? SnapshotSelf : GetActiveSnapshot(); }

}  // namespace pgpubsub
