#include "taken.hpp"

namespace pgpubsub {
namespace {

struct newest_of_id {
    int64 id;  // the hash key
    int64 index;
};

// In TopTransactionContext, which goes away with the transaction. The index by id is only made, and brought up to date,
// when something is looked up: most takes never are.
taken_notification* list = nullptr;
int64 list_size = 0;
int64 list_capacity = 0;
HTAB* by_id = nullptr;
int64 indexed = 0;

void forget_at_end(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PARALLEL_ABORT:
        case XACT_EVENT_PREPARE:
            list = nullptr;
            by_id = nullptr;
            list_size = list_capacity = indexed = 0;
            break;
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE:
            break;
    }
}

void bring_index_up_to_date() {
    if (by_id == nullptr) {
        HASHCTL ctl{};
        ctl.hcxt = TopTransactionContext;
        ctl.keysize = sizeof(int64);
        ctl.entrysize = sizeof(newest_of_id);
        by_id = hash_create("pgpubsub taken", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    }
    for (; indexed < list_size; ++indexed) {
        bool found;
        auto* const newest = static_cast<newest_of_id*>(hash_search(by_id, &list[indexed].id, HASH_ENTER, &found));
        list[indexed].previous = found ? newest->index : -1;
        newest->index = indexed;
    }
}

// Whether what that (sub)transaction did still stands.
bool stands(TransactionId xid) { return TransactionIdIsValid(xid) && TransactionIdIsCurrentTransactionId(xid); }

// Whether it is still taken. `row` receives the removed row.
bool counts(taken_notification& taken, Relation heap, TupleTableSlot* row) {
    return stands(taken.taken_by) && !stands(taken.requeued_by) && taken.file == heap->rd_rel->relfilenode &&
           table_tuple_fetch_row_version(heap, &taken.tid, SnapshotAny, row);
}

}  // namespace

void watch_taken() { RegisterXactCallback(forget_at_end, nullptr); }

void note_taken(const row_values& row, ItemPointer tid, Relation heap, const processed_place& kept_at) {
    if (list_size == list_capacity) {
        const int64 capacity = list_capacity == 0 ? 64 : list_capacity * 2;
        const Size bytes = capacity * sizeof(taken_notification);
        list = static_cast<taken_notification*>(
            list == nullptr ? MemoryContextAllocHuge(TopTransactionContext, bytes) : repalloc_huge(list, bytes));
        list_capacity = capacity;
    }
    const bool is_ordered = !row.is_null(column::order_key);
    list[list_size++] = {
        .id = DatumGetInt64(row.get(column::id)),
        .subscription_id = DatumGetInt32(row.get(column::subscription_id)),
        .is_ordered = is_ordered,
        .order_key = is_ordered ? DatumGetInt64(row.get(column::order_key)) : 0,
        .tid = *tid,
        .file = heap->rd_rel->relfilenode,
        .taken_by = GetCurrentTransactionId(),
        .requeued_by = InvalidTransactionId,
        .kept_at = kept_at,
        .previous = -1,
    };
}

taken_notification* find_taken(int64 id, Relation heap, TupleTableSlot* row) {
    bring_index_up_to_date();
    const auto* const newest = static_cast<newest_of_id*>(hash_search(by_id, &id, HASH_FIND, nullptr));
    for (int64 i = newest == nullptr ? -1 : newest->index; i >= 0; i = list[i].previous)
        if (counts(list[i], heap, row))
            return &list[i];
    return nullptr;
}

taken_notification* find_taken_behind(const taken_notification* taken, Relation heap, TupleTableSlot* row) {
    for (int64 i = taken - list + 1; taken->is_ordered && i < list_size; ++i)
        if (list[i].is_ordered && list[i].order_key == taken->order_key &&
            list[i].subscription_id == taken->subscription_id && counts(list[i], heap, row))
            return &list[i];
    return nullptr;
}

}  // namespace pgpubsub
