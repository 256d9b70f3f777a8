#include "taken.hpp"

#include "notification.hpp"

namespace pgpubsub {
namespace {

// In TopTransactionContext, which goes away with the transaction.
taken_notification* list = nullptr;
Size list_size = 0;
Size list_capacity = 0;

void forget_at_end(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_ABORT:
        case XACT_EVENT_PARALLEL_ABORT:
        case XACT_EVENT_PREPARE:
            list = nullptr;
            list_size = list_capacity = 0;
            break;
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PRE_PREPARE:
            break;
    }
}

// Whether the row was removed by this transaction in a part of it that was not rolled back. The removal is read
// from the row itself, which therefore is right about savepoints, too.
bool is_removed_by_us(TupleTableSlot* slot) {
    bool should_free;
    const HeapTuple tuple = ExecFetchSlotHeapTuple(slot, false, &should_free);
    const HeapTupleHeader header = tuple->t_data;
    return !(header->t_infomask & HEAP_XMAX_INVALID) && !HEAP_XMAX_IS_LOCKED_ONLY(header->t_infomask) &&
           TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetUpdateXid(header));
}

}  // namespace

void watch_taken() { RegisterXactCallback(forget_at_end, nullptr); }

void note_taken(int64 id, ItemPointer tid) {
    if (list_size == list_capacity) {
        const Size capacity = list_capacity == 0 ? 64 : list_capacity * 2;
        const Size bytes = capacity * sizeof(taken_notification);
        list = static_cast<taken_notification*>(
            list == nullptr ? MemoryContextAllocHuge(TopTransactionContext, bytes) : repalloc_huge(list, bytes));
        list_capacity = capacity;
    }
    list[list_size++] = {id, *tid, InvalidTransactionId};
}

taken_notification* find_taken(int64 id, Relation heap, TupleTableSlot* row) {
    // Backwards: what is put back is mostly of the batch taken last.
    for (Size i = list_size; i-- > 0;) {
        taken_notification& taken = list[i];
        if (taken.id != id)
            continue;
        if (TransactionIdIsValid(taken.requeued_by) && TransactionIdIsCurrentTransactionId(taken.requeued_by))
            continue;
        if (!table_tuple_fetch_row_version(heap, &taken.tid, SnapshotAny, row))
            continue;
        bool null;
        if (DatumGetInt64(slot_getattr(row, column::id, &null)) == id && is_removed_by_us(row))
            return &taken;
    }
    return nullptr;
}

}  // namespace pgpubsub
