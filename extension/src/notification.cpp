#include "notification.hpp"

#include <initializer_list>

#include "catalog.hpp"
#include "settings.hpp"

namespace pgpubsub {

row_values row_values::of(TupleTableSlot* slot) {
    slot_getallattrs(slot);
    row_values row;
    memcpy(row.values, slot->tts_values, sizeof row.values);
    memcpy(row.nulls, slot->tts_isnull, sizeof row.nulls);
    return row;
}

namespace {

// The indexes that the extension's script creates: notification_ready, notification_due, notification_leased.
constexpr int our_index_count = 3;

void insert_index_entry(Relation heap, Oid index_oid, ItemPointer tid, std::span<const Datum> key) {
    Datum values[INDEX_MAX_KEYS];
    const bool nulls[INDEX_MAX_KEYS] = {};
    memcpy(values, key.data(), key.size_bytes());
    // btree asks nothing of it.
    IndexInfo* const info = makeNode(IndexInfo);
    const Relation index = index_open(index_oid, RowExclusiveLock);
    index_insert(index, values, const_cast<bool*>(nulls), tid, heap, UNIQUE_CHECK_NO, false, info);
    index_close(index, NoLock);
    pfree(info);
}

}  // namespace

notification_table notification_table::open() {
    notification_table table{};
    table.heap_ = open_our_table(our_catalog().notification, RowExclusiveLock, column::count);
    table.slot_ = MakeSingleTupleTableSlot(RelationGetDescr(table.heap_), &TTSOpsVirtual);

    List* const indexes = RelationGetIndexList(table.heap_);
    if (list_length(indexes) != our_index_count) {
        table.estate_ = CreateExecutorState();
        with_context(table.estate_->es_query_cxt, [&table] {
            table.target_ = makeNode(ResultRelInfo);
            InitResultRelInfo(table.target_, table.heap_, 0, nullptr, 0);
            ExecOpenIndices(table.target_, false);
        });
    }
    list_free(indexes);
    return table;
}

void notification_table::close() {
    if (target_ != nullptr) {
        ExecCloseIndices(target_);
        FreeExecutorState(estate_);
    }
    ExecDropSingleTupleTableSlot(slot_);
    table_close(heap_, NoLock);
}

// What the predicates of the indexes say, said again here, is what saves a row most of the executor's work. Where
// somebody has added an index of their own, the executor does it.
void notification_table::insert_index_entries(const row_values& row) {
    if (target_ != nullptr) {
        executor_insert_index_entries(target_, slot_, estate_);
        ResetPerTupleExprContext(estate_);
        return;
    }
    const ItemPointer tid = &slot_->tts_tid;
    const catalog& tables = our_catalog();
    const Datum channel_id = row.get(column::channel_id);
    if (row.is_null(column::due_at)) {
        const Datum key[] = {channel_id, row.get(column::priority), row.get(column::id)};
        insert_index_entry(heap_, tables.notification_ready, tid, key);
    } else {
        const Datum key[] = {channel_id, row.get(column::due_at)};
        insert_index_entry(heap_, tables.notification_due, tid, key);
    }
    if (!row.is_null(column::lease_token)) {
        const Datum key[] = {row.get(column::id)};
        insert_index_entry(heap_, tables.notification_leased, tid, key);
    }
}

void notification_table::put_into_slot(const row_values& row) {
    ExecClearTuple(slot_);
    memcpy(slot_->tts_values, row.values, sizeof row.values);
    memcpy(slot_->tts_isnull, row.nulls, sizeof row.nulls);
    ExecStoreVirtualTuple(slot_);
}

void notification_table::insert(const row_values& row) {
    put_into_slot(row);
    table_tuple_insert(heap_, slot_, GetCurrentCommandId(true), 0, nullptr);
    insert_index_entries(row);
}

TM_Result notification_table::update(ItemPointer tid, const row_values& row, bool wait) {
    put_into_slot(row);
    TM_FailureData failure;
    bool needs_index_entries;
    const TM_Result result = update_tuple(heap_, tid, slot_, wait, &failure, &needs_index_entries);
    if (result == TM_Ok && needs_index_entries)
        insert_index_entries(row);
    return result;
}

TM_Result notification_table::remove(ItemPointer tid, bool wait) {
    TM_FailureData failure;
    return delete_tuple(heap_, tid, wait, &failure);
}

void notification_table::remove_all(int32 channel_id) {
    ScanKeyData key = channel_key(channel_id);
    // A row that was changed meanwhile has a new version, perhaps in the other index: so until there is nothing left.
    for (bool changed = true; changed;) {
        changed = false;
        for (const Oid index : {our_catalog().notification_ready, our_catalog().notification_due}) {
            const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
            notification_scan scan = notification_scan::begin(*this, index, snapshot, &key, 1);
            while (scan.next()) {
                CHECK_FOR_INTERRUPTS();
                if (remove(scan.tid(), true) == TM_Updated)
                    changed = true;
            }
            scan.end();
            UnregisterSnapshot(snapshot);
        }
        CommandCounterIncrement();
    }
}

notification_scan notification_scan::begin(const notification_table& table, Oid index, Snapshot snapshot, ScanKey keys,
                                           int key_count) {
    notification_scan scan;
    scan.slot_ = table_slot_create(table.heap(), nullptr);
    scan.index_ = index_open(index, RowExclusiveLock);
    scan.scan_ = begin_index_scan(table.heap(), scan.index_, snapshot, key_count);
    index_rescan(scan.scan_, keys, key_count, nullptr, 0);
    return scan;
}

bool notification_scan::next() { return index_getnext_slot(scan_, ForwardScanDirection, slot_); }

void notification_scan::end() {
    index_endscan(scan_);
    index_close(index_, NoLock);
    ExecDropSingleTupleTableSlot(slot_);
}

row_values notification_scan::values() const { return row_values::of(slot_); }

ScanKeyData channel_key(int32 channel_id) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(channel_id));
    return key;
}

ScanKeyData due_key(TimestampTz now) {
    ScanKeyData key;
    ScanKeyInit(&key, 2, BTLessEqualStrategyNumber, F_TIMESTAMPTZ_LE, TimestampTzGetDatum(now));
    return key;
}

ScanKeyData leased_key(int64 id) {
    ScanKeyData key;
    ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(id));
    return key;
}

int64 store(notification_table& table, const new_notification& n) {
    const int64 id = nextval_internal(our_catalog().notification_id_seq, false);
    row_values row;
    memset(row.nulls, true, sizeof row.nulls);
    row.set(column::id, Int64GetDatum(id));
    row.set(column::created_at, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
    row.set(column::channel_id, Int32GetDatum(n.channel_id));
    row.set(column::priority, Int16GetDatum(n.priority));
    row.set(column::attempts, Int16GetDatum(0));
    row.set(column::payload, JsonbPGetDatum(n.payload));
    if (n.key != nullptr)
        row.set(column::key, PointerGetDatum(n.key));
    if (n.headers != nullptr)
        row.set(column::headers, JsonbPGetDatum(n.headers));
    if (const optional_int version = db_version(); version.has_value)
        row.set(column::db_version, Int32GetDatum(version.value));
    if (n.has_deliver_at) {
        row.set(column::deliver_at, TimestampTzGetDatum(n.deliver_at));
        if (n.deliver_at > GetCurrentTimestamp())
            row.set(column::due_at, TimestampTzGetDatum(n.deliver_at));
    }
    table.insert(row);
    return id;
}

}  // namespace pgpubsub
