#include "queue/notification_scan.hpp"

#include "pg/compat.hpp"

namespace pgpubsub {

notification_scan notification_scan::begin(const notification_table& table, Oid index, Snapshot snapshot,
                                           std::span<ScanKeyData> keys, entry_keys wanted) {
    notification_scan scan;
    scan.slot_ = table_slot_create(table.heap(), nullptr);
    scan.index_ = index_open(index, RowExclusiveLock);
    scan.scan_ = begin_index_scan(table.heap(), scan.index_, snapshot, static_cast<int>(keys.size()));
    scan.scan_->xs_want_itup = wanted == with_keys;
    scan.restart(snapshot, keys);
    return scan;
}

void notification_scan::restart(Snapshot snapshot, std::span<ScanKeyData> keys) {
    scan_->xs_snapshot = snapshot;
    index_rescan(scan_, keys.data(), static_cast<int>(keys.size()), nullptr, 0);
}

notification_scan& repeated_scan::begin(const notification_table& table, Oid index, Snapshot snapshot,
                                        std::span<ScanKeyData> keys, notification_scan::entry_keys wanted) {
    if (is_open_)
        scan_.restart(snapshot, keys);
    else
        scan_ = notification_scan::begin(table, index, snapshot, keys, wanted);
    is_open_ = true;
    return scan_;
}

void repeated_scan::end() {
    if (is_open_)
        scan_.end();
    is_open_ = false;
}

bool notification_scan::next() { return index_getnext_slot(scan_, ForwardScanDirection, slot_); }

void notification_scan::end() {
    index_endscan(scan_);
    index_close(index_, NoLock);
    ExecDropSingleTupleTableSlot(slot_);
}

bool is_of_this_transaction(TupleTableSlot* row) {
    bool null;
    return TransactionIdIsCurrentTransactionId(
        DatumGetTransactionId(slot_getsysattr(row, MinTransactionIdAttributeNumber, &null)));
}

row_values notification_scan::values() const { return row_values::of(slot_); }

bool has_row(const notification_table& table, Oid index, std::span<ScanKeyData> keys) {
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    notification_scan scan = notification_scan::begin(table, index, snapshot, keys);
    const bool found = scan.next();
    scan.end();
    UnregisterSnapshot(snapshot);
    return found;
}

}  // namespace pgpubsub
