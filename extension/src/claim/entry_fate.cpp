#include "claim/entry_fate.hpp"

#include "pg/compat.hpp"
#include "pg/transactions.hpp"

namespace pgpubsub {

fate_finder fate_finder::begin(const notification_table& table, Snapshot snapshot) {
    fate_finder finder{};
    finder.table_ = &table;
    finder.snapshot_ = snapshot;
    // A row removed in a subtransaction that has since ended depends on the parent of that subtransaction, hence on our
    // transaction too.
    if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
        finder.writer_ = own_transaction();
    return finder;
}

entry_fate fate_finder::of_removed() {
    if (remover_ == 0)
        remover_ = own_transaction();
    return {entry_fate::removed, remover_};
}

TupleTableSlot* fate_finder::slot() {
    if (slot_ == nullptr)
        slot_ = table_slot_create(table_->heap(), nullptr);
    return slot_;
}

entry_fate fate_finder::busy_with(TransactionId xid, entry_fate::what kind) {
    if (next_ == 0 || !TransactionIdPrecedes(xid, static_cast<TransactionId>(next_)))
        next_ = next_transaction();
    return {kind, whole_number(xid, next_)};
}

// Returns whether a version that is gone may have a new version whose entry the walk does not meet. A row that the
// walk's snapshot sees had its entries before the walk read the index. For a row that came later, the walk may have
// read the page of the new entry too early. Therefore a version of such a row proves nothing, unless the row was
// deleted.
bool fate_finder::may_have_moved(ItemPointer tid) {
    if (!table_tuple_fetch_row_version(table_->heap(), tid, SnapshotAny, slot()))
        return true;  // the first version is gone, but other versions of its chain are there
    bool must_free;
    const HeapTupleHeader tuple = ExecFetchSlotHeapTuple(slot_, false, &must_free)->t_data;
    const TransactionId inserter = HeapTupleHeaderGetXmin(tuple);
    const bool has_new_version = !ItemPointerEquals(&tuple->t_ctid, tid);
    ExecClearTuple(slot_);
    return has_new_version && !TransactionIdIsCurrentTransactionId(inserter) &&
           XidInMVCCSnapshot(inserter, snapshot_) && TransactionIdDidCommit(inserter);
}

// The entry may lead to a row that another transaction is inserting or has committed since the snapshot, or to a row
// that this transaction has removed.
entry_fate fate_finder::of_entry(ItemPointer tid, bool is_dead) {
    if (is_dead)
        return {entry_fate::gone, 0};
    if (fetch_ == nullptr)
        fetch_ = begin_index_fetch(table_->heap());
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ItemPointerData at = *tid;
    bool call_again = false;
    bool all_dead = false;
    if (!table_index_fetch_tuple(fetch_, &at, &dirty, slot(), &call_again, &all_dead)) {
        if (all_dead)
            return {entry_fate::gone, 0};
        if (may_have_moved(tid))
            return {entry_fate::stays, 0};
        return writer_ != 0 ? entry_fate{entry_fate::removed, writer_} : entry_fate{entry_fate::gone, 0};
    }
    ExecClearTuple(slot_);
    if (TransactionIdIsValid(dirty.xmin))
        return busy_with(dirty.xmin, entry_fate::inserted);
    return {entry_fate::stays, 0};
}

// Another transaction may be deleting the row. A row that gets a new version stays.
entry_fate fate_finder::of_row(ItemPointer tid) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    entry_fate fate = {entry_fate::stays, 0};
    if (table_tuple_fetch_row_version(table_->heap(), tid, &dirty, slot()) && TransactionIdIsValid(dirty.xmax)) {
        bool must_free;
        const HeapTuple tuple = ExecFetchSlotHeapTuple(slot_, false, &must_free);
        const bool is_deleted =
            ItemPointerEquals(&tuple->t_data->t_ctid, tid) && !HeapTupleHeaderIndicatesMovedPartitions(tuple->t_data);
        if (is_deleted)
            fate = busy_with(dirty.xmax, entry_fate::removed);
    }
    ExecClearTuple(slot_);
    return fate;
}

void fate_finder::end() {
    if (fetch_ != nullptr)
        table_index_fetch_end(fetch_);
    if (slot_ != nullptr)
        ExecDropSingleTupleTableSlot(slot_);
}

}  // namespace pgpubsub
