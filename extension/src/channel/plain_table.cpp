#include "channel/plain_table.hpp"

#include "channel/catalog.hpp"
#include "pg/bounded_scan.hpp"
#include "pg/compat.hpp"
#include "pg/index_entries.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {

void fill_slot(TupleTableSlot* slot, std::span<const Datum> values, std::span<const bool> nulls) {
    ExecClearTuple(slot);
    memcpy(slot->tts_values, values.data(), values.size_bytes());
    memcpy(slot->tts_isnull, nulls.data(), nulls.size_bytes());
    for (int i = static_cast<int>(values.size()); i < slot->tts_tupleDescriptor->natts; ++i) {
        slot->tts_values[i] = Datum{0};
        slot->tts_isnull[i] = true;
    }
    ExecStoreVirtualTuple(slot);
}

HeapTuple form_row(TupleDesc columns, std::span<const Datum> values, std::span<const bool> nulls) {
    const auto known = static_cast<int>(values.size());
    if (columns->natts == known)
        return heap_form_tuple(columns, const_cast<Datum*>(values.data()), const_cast<bool*>(nulls.data()));
    auto* const all = static_cast<Datum*>(palloc0(columns->natts * sizeof(Datum)));
    auto* const all_nulls = static_cast<bool*>(palloc(columns->natts * sizeof(bool)));
    memset(all_nulls, true, columns->natts * sizeof(bool));
    memcpy(all, values.data(), values.size_bytes());
    memcpy(all_nulls, nulls.data(), nulls.size_bytes());
    return heap_form_tuple(columns, all, all_nulls);
}

ItemPointerData insert_row(Oid table, std::span<const Datum> values, std::span<const bool> nulls) {
    const Relation rel = open_our_table(table, RowExclusiveLock, static_cast<int>(values.size()));
    TupleTableSlot* const slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
    fill_slot(slot, values, nulls);

    index_entries entries = index_entries::open(rel);
    table_tuple_insert(rel, slot, GetCurrentCommandId(true), 0, nullptr);
    entries.insert(slot);
    const ItemPointerData place = slot->tts_tid;

    entries.close();
    ExecDropSingleTupleTableSlot(slot);
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

void plain_scan::update(std::span<const column_value> changes) {
    const TupleDesc columns = RelationGetDescr(table_);
    auto* const values = static_cast<Datum*>(palloc0(columns->natts * sizeof(Datum)));
    auto* const nulls = static_cast<bool*>(palloc0(columns->natts * sizeof(bool)));
    auto* const replaces = static_cast<bool*>(palloc0(columns->natts * sizeof(bool)));
    for (const column_value& change : changes) {
        values[change.column - 1] = change.value;
        nulls[change.column - 1] = change.is_null;
        replaces[change.column - 1] = true;
    }
    TupleTableSlot* const slot = MakeSingleTupleTableSlot(columns, &TTSOpsHeapTuple);
    ExecStoreHeapTuple(heap_modify_tuple(tuple_, columns, values, nulls, replaces), slot, false);

    TM_FailureData failure;
    index_update told;
    ItemPointerData tid = tuple_->t_self;
    if (update_tuple(table_, &tid, slot, &failure, &told) != TM_Ok)
        ereport(ERROR, errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                errmsg("a row of \"pgpubsub.%s\" was changed concurrently", RelationGetRelationName(table_)),
                errhint("Try again."));
    if (told != index_update::none) {
        index_entries entries = index_entries::open(table_);
        entries.insert(slot, told == index_update::summarizing);
        entries.close();
    }
    ExecDropSingleTupleTableSlot(slot);
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

bool fetch_if_there(Relation table, ItemPointerData tid, Snapshot snapshot, TupleTableSlot* row) {
    return ItemPointerGetBlockNumber(&tid) < RelationGetNumberOfBlocks(table) &&
           table_tuple_fetch_row_version(table, &tid, snapshot, row);
}

int64 sweep_rows(Relation table, Oid index, int32 owner, TimestampTz until, sweep_limits limits, TimestampTz* from) {
    if (limits.rows <= 0)
        return 0;
    const TimestampTz begin = from == nullptr ? DT_NOBEGIN : *from;
    int64 removed = 0;
    // A command can't remove a row that it has inserted itself.
    CommandCounterIncrement();
    ScanKeyData keys[] = {equals_int4(1, owner), from_time(2, begin), until_time(2, until)};
    bounded_scan scan = bounded_scan::begin(table, index, SnapshotSelf, keys, limits.entries, bounded_scan::with_keys);
    while (removed < limits.rows && scan.next()) {
        TM_FailureData failure;
        removed += delete_tuple(table, &scan.row()->tts_tid, false, &failure) == TM_Ok;
    }
    if (from != nullptr) {
        const bool has_more = removed >= limits.rows || scan.was_cut();
        // The next step begins after this step's beginning if none but removed rows have that time.
        *from = has_more ? Max(DatumGetTimestampTz(scan.key(2)), removed > 0 ? begin : begin + 1) : DT_NOEND;
    }
    scan.end();
    return removed;
}

}  // namespace pgpubsub
