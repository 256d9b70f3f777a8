#include "queue/notification_table.hpp"

#include "channel/catalog.hpp"
#include "channel/plain_table.hpp"
#include "channel/table_columns.hpp"
#include "pg/compat.hpp"
#include "place/key_memory.hpp"
#include "place/place.hpp"
#include "place/unstored.hpp"
#include "queue/notification_scan.hpp"

namespace pgpubsub {

namespace {

// The indexes that the extension's script creates. The numbers are positions in notification_table::indexes_.
enum own_index { ready, due, leased, ordered, held, in_flight, dedup, waiting, own_index_count };

constexpr Oid catalog::*index_oids[] = {
    &catalog::notification_ready,   &catalog::notification_due,     &catalog::notification_leased,
    &catalog::notification_ordered, &catalog::notification_held,    &catalog::notification_in_flight,
    &catalog::notification_dedup,   &catalog::notification_waiting,
};
static_assert(lengthof(index_oids) == own_index_count);

// A catalog of a version before 0.2.0 has no index notification_waiting.
bool has_waiting() { return OidIsValid(our_catalog().notification_waiting); }

}  // namespace

void notification_table::insert_index_entry(int which, std::span<const Datum> key, ItemPointer tid) {
    static_assert(own_index_count == lengthof(decltype(indexes_){}));
    Relation& index = indexes_[which];
    if (index == nullptr)
        index = index_open(our_catalog().*index_oids[which], RowExclusiveLock);
    Datum values[INDEX_MAX_KEYS];
    const bool nulls[INDEX_MAX_KEYS] = {};
    memcpy(values, key.data(), key.size_bytes());
    index_insert(index, values, const_cast<bool*>(nulls), tid, heap_, UNIQUE_CHECK_NO, false, info_);
}

notification_table notification_table::open() {
    // So changes of channels and rights that others have committed count from the next call on, in a running
    // transaction, too.
    AcceptInvalidationMessages();
    notification_table table{};
    table.heap_ = open_our_table(our_catalog().notification, RowExclusiveLock, column::count);
    table.context_ = CurrentMemoryContext;
    table.slot_ = MakeSingleTupleTableSlot(RelationGetDescr(table.heap_), &TTSOpsVirtual);

    table.info_ = makeNode(IndexInfo);  // the btree code asks nothing of it
    List* const indexes = RelationGetIndexList(table.heap_);
    table.has_other_indexes_ = list_length(indexes) != own_index_count - !has_waiting();
    list_free(indexes);
    if (table.has_other_indexes_)
        table.all_indexes_ = index_entries::open(table.heap_);
    return table;
}

void notification_table::close() {
    for (const Relation index : indexes_)
        if (index != nullptr)
            index_close(index, NoLock);
    if (has_other_indexes_)
        all_indexes_.close();
    ExecDropSingleTupleTableSlot(slot_);
    if (version_slot_ != nullptr)
        ExecDropSingleTupleTableSlot(version_slot_);
    table_close(heap_, NoLock);
}

// If somebody has added an index to ours, the executor inserts the entries.
void notification_table::insert_index_entries(const row_values& row, TupleTableSlot* slot) {
    if (has_other_indexes_)
        all_indexes_.insert(slot);
    else
        insert_own_index_entries(row, &slot->tts_tid);
    if (row.is_null(column::due_at))
        lane_is_stored(heap_, DatumGetInt32(row.get(column::subscription_id)),
                       DatumGetInt16(row.get(column::priority)));
    if (knows_keys())
        tell_of_keys(row, &slot->tts_tid);
}

// Reports the entries to those that look for rows by their keys. The conditions are those of the indexes.
void notification_table::tell_of_keys(const row_values& row, ItemPointer tid) const {
    const int32 subscription_id = DatumGetInt32(row.get(column::subscription_id));
    const int64 id = DatumGetInt64(row.get(column::id));
    if (!row.is_null(column::order_key)) {
        const auto name = [&](key_index index) {
            return key_name_of(heap_, index, subscription_id, DatumGetInt64(row.get(column::order_key)));
        };
        const bool is_leased = !row.is_null(column::lease_token);
        if (!is_leased)
            key_is_stored(name(key_index::ordered), id, nullptr);
        if (!row.is_null(column::due_at))
            key_is_stored(name(key_index::held), id, is_leased ? tid : nullptr);
    }
    if (!row.is_null(column::due_at))
        key_is_stored(name_of_waiting(heap_, subscription_id), id, tid);
    if (!row.is_null(column::dedup_key))
        key_is_stored(key_name_of(heap_, subscription_id, DatumGetTextPP(row.get(column::dedup_key))), id, tid);
}

// Repeats here what the predicates of the indexes say. That saves a row most of the executor's work.
void notification_table::insert_own_index_entries(const row_values& row, ItemPointer tid) {
    const Datum subscription_id = row.get(column::subscription_id);
    const bool is_leased = !row.is_null(column::lease_token);
    if (row.is_null(column::due_at)) {
        const Datum key[] = {subscription_id, row.get(column::priority), row.get(column::id)};
        insert_index_entry(own_index::ready, key, tid);
    } else {
        const Datum key[] = {subscription_id, row.get(column::due_at)};
        insert_index_entry(own_index::due, key, tid);
    }
    if (is_leased) {
        const Datum key[] = {row.get(column::id)};
        insert_index_entry(own_index::leased, key, tid);
    } else if (!row.is_null(column::due_at) && has_waiting()) {
        const Datum key[] = {subscription_id, row.get(column::id)};
        insert_index_entry(own_index::waiting, key, tid);
    }
    if (!row.is_null(column::order_key)) {
        const Datum key[] = {subscription_id, row.get(column::order_key), row.get(column::id)};
        if (!is_leased)
            insert_index_entry(own_index::ordered, key, tid);
        if (!row.is_null(column::due_at))
            insert_index_entry(own_index::held, key, tid);
        if (is_leased)
            insert_index_entry(own_index::in_flight, {key, 2}, tid);
    }
    if (!row.is_null(column::dedup_key)) {
        const Datum key[] = {subscription_id, row.get(column::dedup_key)};
        insert_index_entry(own_index::dedup, key, tid);
    }
}

void notification_table::put_into_slot(const row_values& row) { fill_slot(slot_, row.values, row.nulls); }

// Keeps the values that a later version has stored in columns that this library doesn't know.
void notification_table::keep_unknown_columns(ItemPointer tid) {
    if (slot_->tts_tupleDescriptor->natts == column::count)
        return;
    TupleTableSlot* const old = table_slot_create(heap_, nullptr);
    if (table_tuple_fetch_row_version(heap_, tid, SnapshotAny, old)) {
        slot_getallattrs(old);
        for (int i = column::count; i < slot_->tts_tupleDescriptor->natts; ++i) {
            slot_->tts_values[i] = old->tts_values[i];
            slot_->tts_isnull[i] = old->tts_isnull[i];
        }
        ExecMaterializeSlot(slot_);
    }
    ExecDropSingleTupleTableSlot(old);
}

void notification_table::insert(const row_values& row) {
    put_into_slot(row);
    table_tuple_insert(heap_, slot_, GetCurrentCommandId(true), 0, nullptr);
    insert_index_entries(row, slot_);
    due_is_stored();
}

void notification_table::insert_again(const row_values& row, ItemPointer old) {
    put_into_slot(row);
    keep_unknown_columns(old);
    table_tuple_insert(heap_, slot_, GetCurrentCommandId(true), 0, nullptr);
    insert_index_entries(row, slot_);
    due_is_stored();
}

void notification_table::insert(std::span<TupleTableSlot*> slots, std::span<const row_values> rows) {
    table_multi_insert(heap_, slots.data(), static_cast<int>(slots.size()), GetCurrentCommandId(true), 0, nullptr);
    for (std::size_t i = 0; i < slots.size(); ++i)
        insert_index_entries(rows[i], slots[i]);
    due_is_stored();
}

// First looks whether another transaction plainly has the row, which costs little: the lock asks the server's table of
// locks.
TM_Result notification_table::lock(ItemPointer tid) {
    TupleTableSlot* const slot = version_slot();
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    if (table_tuple_fetch_row_version(heap_, tid, &dirty, slot) && TransactionIdIsValid(dirty.xmax)) {
        ExecClearTuple(slot);
        return TM_BeingModified;
    }
    TM_FailureData failure;
    const TM_Result outcome = table_tuple_lock(heap_, tid, GetActiveSnapshot(), slot, GetCurrentCommandId(true),
                                               LockTupleExclusive, LockWaitSkip, 0, &failure);
    ExecClearTuple(slot);
    return outcome == TM_WouldBlock ? TM_BeingModified : outcome;
}

// Without `wait`, the row is locked first: PostgreSQL's heap_update() does not provide for a caller that won't wait.
// With the lock, it has no transaction to wait for.
TM_Result notification_table::update(ItemPointer tid, const row_values& row, bool wait) {
    if (!wait) {
        if (const TM_Result locked = lock(tid); locked != TM_Ok) {
            due_is_stored();  // no due_at will be stored
            return locked;
        }
    }
    put_into_slot(row);
    keep_unknown_columns(tid);
    TM_FailureData failure;
    index_update told;
    const TM_Result result = update_tuple(heap_, tid, slot_, &failure, &told);
    if (result == TM_Ok && told == index_update::all)
        insert_index_entries(row, slot_);
    else if (result == TM_Ok && told == index_update::summarizing && has_other_indexes_)
        all_indexes_.insert(slot_, true);
    due_is_stored();
    return result;
}

TM_Result notification_table::remove(ItemPointer tid, bool wait) {
    TM_FailureData failure;
    const TM_Result result = delete_tuple(heap_, tid, wait, &failure);
    if (result != TM_BeingModified || !may_be_only_ours(tid, failure))
        return result;
    const TM_Result locked = lock(tid);
    return locked == TM_Ok ? delete_tuple(heap_, tid, true, &failure) : locked;
}

// Two kinds of locks that only this transaction has count as being modified, too: its own lock, from when it joined or
// leased the row; and a MultiXact, which its sub-transactions make of their locks, and which stays when they roll back.
// Only lock() can tell.
bool notification_table::may_be_only_ours(ItemPointer tid, const TM_FailureData& failure) {
    return TransactionIdIsCurrentTransactionId(failure.xmax) || has_multixact(tid);
}

bool notification_table::has_multixact(ItemPointer tid) {
    TupleTableSlot* const slot = version_slot();
    if (!table_tuple_fetch_row_version(heap_, tid, SnapshotAny, slot))
        return false;
    bool must_free;
    const bool found = ExecFetchSlotHeapTuple(slot, false, &must_free)->t_data->t_infomask & HEAP_XMAX_IS_MULTI;
    ExecClearTuple(slot);
    return found;
}

// Returns a slot for one row version as it is in the table. The slot lives as long as the table is open, whatever
// memory context is current when it is first needed.
TupleTableSlot* notification_table::version_slot() {
    if (version_slot_ == nullptr)
        version_slot_ = with_context(context_, [this] { return table_slot_create(heap_, nullptr); });
    return version_slot_;
}

bool notification_table::is_free(ItemPointer tid) const {
    SnapshotData snapshot;
    InitDirtySnapshot(snapshot);
    TupleTableSlot* const slot = table_slot_create(heap_, nullptr);
    const bool is_there = table_tuple_fetch_row_version(heap_, tid, &snapshot, slot);
    ExecDropSingleTupleTableSlot(slot);
    return is_there && !TransactionIdIsValid(snapshot.xmax);
}

int64 notification_table::remove_by(Oid index, int32 subscription_id, bool wait, bool* changed) {
    int64 removed = 0;
    ScanKeyData keys[] = {equals_int4(1, subscription_id)};
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    notification_scan scan = notification_scan::begin(*this, index, snapshot, keys);
    while (scan.next()) {
        CHECK_FOR_INTERRUPTS();
        const TM_Result outcome = remove(scan.tid(), wait);
        removed += outcome == TM_Ok;
        *changed = *changed || outcome == TM_Updated;
    }
    scan.end();
    UnregisterSnapshot(snapshot);
    return removed;
}

// A row that was changed meanwhile has a new version, perhaps in another of the indexes. So this is repeated until
// nothing was changed.
int64 notification_table::remove_by(std::initializer_list<Oid> indexes, int32 subscription_id, bool wait) {
    int64 removed = 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (const Oid index : indexes)
            removed += remove_by(index, subscription_id, wait, &changed);
        CommandCounterIncrement();
    }
    return removed;
}

int64 notification_table::remove_all(int32 subscription_id, bool wait) {
    return remove_by({our_catalog().notification_ready, our_catalog().notification_due}, subscription_id, wait);
}

int64 notification_table::remove_waiting(int32 subscription_id, bool wait) {
    return remove_by({our_catalog().notification_due}, subscription_id, wait);
}

}  // namespace pgpubsub
