#include "plain_table.hpp"

#include "bounded_scan.hpp"
#include "catalog.hpp"

namespace pgpubsub {

ItemPointerData insert_row(Oid table, std::span<const Datum> values, std::span<const bool> nulls) {
    const Relation rel = open_our_table(table, RowExclusiveLock, static_cast<int>(values.size()));
    EState* const estate = CreateExecutorState();
    TupleTableSlot* const slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
    memcpy(slot->tts_values, values.data(), values.size_bytes());
    memcpy(slot->tts_isnull, nulls.data(), nulls.size_bytes());
    ExecStoreVirtualTuple(slot);

    auto* const target = with_context(estate->es_query_cxt, [rel] {
        ResultRelInfo* const info = makeNode(ResultRelInfo);
        InitResultRelInfo(info, rel, 0, nullptr, 0);
        ExecOpenIndices(info, false);
        return info;
    });
    table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, nullptr);
    if (target->ri_NumIndices > 0)
        executor_insert_index_entries(target, slot, estate);
    const ItemPointerData place = slot->tts_tid;

    ExecCloseIndices(target);
    ExecDropSingleTupleTableSlot(slot);
    FreeExecutorState(estate);
    table_close(rel, NoLock);
    return place;
}

plain_scan plain_scan::begin(Oid table, int columns, Oid index, std::span<ScanKeyData> keys) {
    plain_scan scan{};
    scan.table_ = open_our_table(table, RowExclusiveLock, columns);
    scan.snapshot_ = RegisterSnapshot(GetLatestSnapshot());
    scan.scan_ =
        systable_beginscan(scan.table_, index, true, scan.snapshot_, static_cast<int>(keys.size()), keys.data());
    return scan;
}

bool plain_scan::next() {
    tuple_ = systable_getnext(scan_);
    return HeapTupleIsValid(tuple_);
}

bool plain_scan::remove(bool wait) {
    TM_FailureData failure;
    ItemPointerData tid = tuple_->t_self;
    return delete_tuple(table_, &tid, wait, &failure) == TM_Ok;
}

void plain_scan::end() {
    systable_endscan(scan_);
    UnregisterSnapshot(snapshot_);
    table_close(table_, NoLock);
}

int64 remove_rows(plain_scan scan, bool wait) {
    int64 removed = 0;
    while (scan.next()) {
        CHECK_FOR_INTERRUPTS();
        removed += scan.remove(wait);
    }
    scan.end();
    return removed;
}

int64 sweep_rows(Relation table, Oid index, std::span<ScanKeyData> keys, sweep_limits limits) {
    int64 removed = 0;
    // A row that this command has inserted can't be removed by it.
    CommandCounterIncrement();
    bounded_scan scan = bounded_scan::begin(table, index, SnapshotSelf, keys, limits.entries);
    while (removed < limits.rows && scan.next()) {
        TM_FailureData failure;
        removed += delete_tuple(table, &scan.row()->tts_tid, false, &failure) == TM_Ok;
    }
    scan.end();
    return removed;
}

}  // namespace pgpubsub
