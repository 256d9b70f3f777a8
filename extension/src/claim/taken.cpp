#include "claim/taken.hpp"

#include "channel/plain_table.hpp"
#include "channel/table_columns.hpp"
#include "pg/hash_table.hpp"

namespace pgpubsub {
namespace {

struct newest_of_id {
    int64 id;  // the hash key
    int64 index;
};

struct newest_of_key {
    struct {
        int64 order_key;
        int64 subscription_id;
    } key;  // the hash key; without gaps
    int64 index;
};

// In TopTransactionContext, which goes away with the transaction. The indexes by id and by key are made and brought up
// to date only for a look-up: most takes are never looked up.
taken_notification* list = nullptr;
int64 list_size = 0;
int64 list_capacity = 0;
HTAB* by_id = nullptr;
HTAB* by_key = nullptr;
int64 indexed = 0;

void forget_at_end(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PARALLEL_ABORT:
        case XACT_EVENT_PREPARE:
            list = nullptr;
            by_id = by_key = nullptr;
            list_size = list_capacity = indexed = 0;
            break;
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE: break;
    }
}

void link_to_id(int64 index) {
    bool found;
    auto* const newest = static_cast<newest_of_id*>(hash_search(by_id, &list[index].id, HASH_ENTER, &found));
    list[index].older = found ? newest->index : -1;
    newest->index = index;
}

void link_to_key(int64 index) {
    if (!list[index].is_ordered)
        return;
    const decltype(newest_of_key::key) key = {list[index].order_key, list[index].subscription_id};
    bool found;
    auto* const newest = static_cast<newest_of_key*>(hash_search(by_key, &key, HASH_ENTER, &found));
    if (found)
        list[newest->index].next_of_key = index;
    newest->index = index;
}

void bring_index_up_to_date() {
    if (by_id == nullptr)
        by_id = make_hash_table<decltype(newest_of_id::id), newest_of_id>("pgpubsub taken", TopTransactionContext, 256);
    if (by_key == nullptr)
        by_key = make_hash_table<decltype(newest_of_key::key), newest_of_key>("pgpubsub taken keys",
                                                                              TopTransactionContext, 256);
    for (; indexed < list_size; ++indexed) {
        link_to_id(indexed);
        link_to_key(indexed);
    }
}

// Returns whether the work of that (sub)transaction still stands.
bool stands(TransactionId xid) { return TransactionIdIsValid(xid) && TransactionIdIsCurrentTransactionId(xid); }

}  // namespace

void watch_taken() { RegisterXactCallback(forget_at_end, nullptr); }

void note_taken(const row_values& row, ItemPointer tid, Relation heap, const processed_place& kept_at) {
    if (list_size == list_capacity) {
        const int64 capacity = list_capacity == 0 ? 64 : list_capacity * 2;
        const Size bytes = capacity * sizeof(taken_notification);
        list = static_cast<taken_notification*>(list == nullptr ? MemoryContextAllocHuge(TopTransactionContext, bytes)
                                                                : repalloc_huge(list, bytes));
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
        .older = -1,
        .next_of_key = -1,
    };
}

taken_notification* find_taken(int64 id, const taken_notification* newer) {
    bring_index_up_to_date();
    const auto* const newest = static_cast<newest_of_id*>(hash_search(by_id, &id, HASH_FIND, nullptr));
    const int64 index = newer != nullptr ? newer->older : newest != nullptr ? newest->index : -1;
    return index < 0 ? nullptr : &list[index];
}

taken_notification* find_taken_behind(const taken_notification* taken) {
    return taken->next_of_key < 0 ? nullptr : &list[taken->next_of_key];
}

bool is_still_taken(const taken_notification& taken) { return stands(taken.taken_by) && !stands(taken.requeued_by); }

// A second TRUNCATE in one transaction does not change the file. Then the place is gone, or another row is there.
bool fetch_taken(const taken_notification& taken, Relation heap, TupleTableSlot* row) {
    if (taken.file != heap->rd_rel->relfilenode || !fetch_if_there(heap, taken.tid, SnapshotAny, row))
        return false;
    const row_values values = row_values::of(row);
    return DatumGetInt64(values.get(column::id)) == taken.id &&
           DatumGetInt32(values.get(column::subscription_id)) == taken.subscription_id;
}

}  // namespace pgpubsub
