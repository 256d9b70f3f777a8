#include "queue/joiners.hpp"

namespace pgpubsub {
namespace {

struct lock_mark {
    TransactionId xmax;
    bool is_group;  // a MultiXact
};

// Returns the row's xmax with its kind. The two belong together, so both are read while no session can write them.
lock_mark mark_of(Relation heap, ItemPointer tid) {
    lock_mark mark{InvalidTransactionId, false};
    TupleTableSlot* const slot = table_slot_create(heap, nullptr);
    if (TTS_IS_BUFFERTUPLE(slot) && table_tuple_fetch_row_version(heap, tid, SnapshotAny, slot)) {
        const auto* const row = reinterpret_cast<BufferHeapTupleTableSlot*>(slot);
        LockBuffer(row->buffer, BUFFER_LOCK_SHARE);
        const HeapTupleHeader header = row->base.tuple->t_data;
        if (!HEAP_LOCKED_UPGRADED(header->t_infomask))
            mark = {HeapTupleHeaderGetRawXmax(header), (header->t_infomask & HEAP_XMAX_IS_MULTI) != 0};
        LockBuffer(row->buffer, BUFFER_LOCK_UNLOCK);
    }
    ExecDropSingleTupleTableSlot(slot);
    return mark;
}

// Returns whether xid is a sub-transaction of ours that was rolled back.
bool was_ours(TransactionId xid) {
    const TransactionId own = GetTopTransactionIdIfAny();
    return TransactionIdIsValid(own) && TransactionIdFollows(xid, own) &&
           TransactionIdFollowsOrEquals(xid, TransactionXmin) && SubTransGetTopmostTransaction(xid) == own;
}

void add(joiners* all, TransactionId xid, Snapshot snapshot) {
    if (!TransactionIdIsNormal(xid) || was_ours(xid))
        return;
    all->any = true;
    if (TransactionIdIsCurrentTransactionId(xid))
        all->ours = true;
    else if (XidInMVCCSnapshot(xid, snapshot))
        all->unseen = true;
}

}  // namespace

joiners joiners_of(Relation heap, ItemPointer tid, Snapshot snapshot) {
    joiners all{};
    const lock_mark mark = mark_of(heap, tid);
    if (!mark.is_group) {
        add(&all, mark.xmax, snapshot);
        return all;
    }
    // If told that the members only lock, PostgreSQL would leave out groups that have ended as a whole.
    constexpr bool only_lock = false;
    constexpr bool from_pg_upgrade = false;
    MultiXactMember* members;
    const int count = GetMultiXactIdMembers(mark.xmax, &members, from_pg_upgrade, only_lock);
    for (int i = 0; i < count; ++i)
        add(&all, members[i].xid, snapshot);
    if (count > 0)
        pfree(members);
    return all;
}

}  // namespace pgpubsub
