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

}  // namespace

void watch_taken() { RegisterXactCallback(forget_at_end, nullptr); }

void note_taken(int64 id, ItemPointer tid, Relation heap) {
    if (list_size == list_capacity) {
        const int64 capacity = list_capacity == 0 ? 64 : list_capacity * 2;
        const Size bytes = capacity * sizeof(taken_notification);
        list = static_cast<taken_notification*>(
            list == nullptr ? MemoryContextAllocHuge(TopTransactionContext, bytes) : repalloc_huge(list, bytes));
        list_capacity = capacity;
    }
    list[list_size++] = {id, *tid, heap->rd_rel->relfilenode, GetCurrentTransactionId(), InvalidTransactionId, -1};
}

taken_notification* find_taken(int64 id, Relation heap, TupleTableSlot* row) {
    bring_index_up_to_date();
    const auto* const newest = static_cast<newest_of_id*>(hash_search(by_id, &id, HASH_FIND, nullptr));
    for (int64 i = newest == nullptr ? -1 : newest->index; i >= 0; i = list[i].previous) {
        taken_notification& taken = list[i];
        if (stands(taken.taken_by) && !stands(taken.requeued_by) && taken.file == heap->rd_rel->relfilenode &&
            table_tuple_fetch_row_version(heap, &taken.tid, SnapshotAny, row))
            return &taken;
    }
    return nullptr;
}

}  // namespace pgpubsub
