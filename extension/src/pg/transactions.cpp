#include "pg/compat.hpp"
#include "pg/transactions.hpp"

namespace pgpubsub {
namespace {

// Returns whether the transaction has committed. *is_known is false if its part of the commit log was removed, because
// all there is frozen.
bool did_commit(TransactionId xid, bool* is_known) {
    LWLockAcquire(XactTruncationLock, LW_SHARED);
    *is_known = !TransactionIdPrecedes(xid, oldest_in_commit_log());
    const bool committed = *is_known && TransactionIdDidCommit(xid);
    LWLockRelease(XactTruncationLock);
    return committed;
}

constexpr uint64 too_long_ago = uint64{1} << 30;

}  // namespace

uint64 next_transaction() { return U64FromFullTransactionId(ReadNextFullTransactionId()); }

uint64 whole_number(TransactionId xid, uint64 next) {
    const uint64 number = (next & ~uint64{PG_UINT32_MAX}) | xid;
    return number < next ? number : number - (uint64{1} << 32);
}

uint64 own_transaction() {
    const TransactionId xid = GetCurrentTransactionId();
    return whole_number(xid, next_transaction());
}

uint64 oldest_running(Snapshot snapshot, uint64 next) {
    TransactionId oldest = snapshot->xmax;
    for (uint32 i = 0; i < snapshot->xcnt; ++i)
        if (TransactionIdPrecedes(snapshot->xip[i], oldest))
            oldest = snapshot->xip[i];
    return oldest == static_cast<TransactionId>(next) ? next : whole_number(oldest, next);
}

transaction_state state_of_transaction(uint64 transaction, Snapshot snapshot, uint64 next) {
    if (next - transaction > too_long_ago)
        return transaction_state::unknown;
    const auto xid = static_cast<TransactionId>(transaction);
    if (is_present_transaction(transaction))
        return transaction_state::running;
    // A rollback counts for an older snapshot too: the rows are there again.
    if (XidInMVCCSnapshot(xid, snapshot))
        return TransactionIdDidAbort(xid) ? transaction_state::aborted : transaction_state::running;
    bool is_known;
    const bool committed = did_commit(xid, &is_known);
    return !is_known   ? transaction_state::unknown
           : committed ? transaction_state::committed
                       : transaction_state::aborted;
}

}  // namespace pgpubsub
