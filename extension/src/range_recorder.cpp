#include "range_recorder.hpp"

#include "transactions.hpp"

namespace pgpubsub {

range_recorder range_recorder::begin(const known_place* known) {
    range_recorder recorder{};
    recorder.known_ = known;
    return recorder;
}

void range_recorder::enter(int32 lane, int64 from) {
    has_lane_ = true;
    lane_ = lane;
    from_ = from;
    entries_ = 0;
    has_present_ = false;
}

// Several entries may have one number: versions of a row, or rows that are due at the same time. The least that can be said of one
// of them holds for all.
void range_recorder::note(int64 at, entry_fate fate, uint32 entries) {
    if (has_present_ && at_ == at) {
        present_entries_ += entries;
        if (present_ == fate || present_.kind == entry_fate::stays)
            return;
        const bool both_depend = present_.kind != entry_fate::gone && fate.kind != entry_fate::gone;
        if (fate.kind == entry_fate::stays || both_depend)
            present_ = {entry_fate::stays, 0};
        else if (present_.kind == entry_fate::gone)
            present_ = fate;
        return;
    }
    settle_present();
    has_present_ = true;
    at_ = at;
    present_ = fate;
    present_entries_ = entries;
}

void range_recorder::settle_present() {
    if (!has_present_)
        return;
    has_present_ = false;
    if (at_ < from_)
        return;
    if (present_.kind == entry_fate::stays) {
        close(at_);
        from_ = at_ + 1;
        return;
    }
    if (entries_ > 0 && fate_ != present_)
        close(at_);
    fate_ = present_;
    entries_ += present_entries_;
}

// What is stored later is not in a range: it ends where that begins.
void range_recorder::close(int64 to) {
    const int64 end = Min(to, known_->limit_of(lane_));
    if (entries_ > 0 && from_ < end) {
        finished_range range{};
        range.from = from_;
        range.to = end;
        range.owner = fate_.owner;
        range.lane = lane_;
        range.entries = entries_;
        range.kind = fate_.kind == entry_fate::gone      ? finished_range::finished
                     : fate_.kind == entry_fate::removed ? finished_range::removed
                                                         : finished_range::inserted;
        known_->remember(range);
    }
    from_ = to;
    entries_ = 0;
}

void range_recorder::skip(int64 from, int64 to) {
    settle_present();
    if (from_ < from)
        close(from);
    from_ = Max(from_, to);
    entries_ = 0;
}

void range_recorder::leave(int64 to) {
    if (!has_lane_)
        return;
    settle_present();
    close(to);
    has_lane_ = false;
}

fate_finder fate_finder::begin(const notification_table& table, Snapshot snapshot) {
    fate_finder finder{};
    finder.table_ = &table;
    finder.snapshot_ = snapshot;
    // What was removed in a sub-transaction that has ended since depends on the one that it has become a part of: so on ours too.
    if (TransactionIdIsValid(GetTopTransactionIdIfAny()))
        finder.writer_ = own_transaction();
    return finder;
}

void range_recorder::leave_behind_last() {
    if (has_lane_ && has_present_)
        leave(at_ + 1);
    has_lane_ = false;
}

void range_recorder::leave_before_last() {
    if (has_lane_ && has_present_) {
        has_present_ = false;
        close(at_);
    }
    has_lane_ = false;
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

// Whether a version that is gone may have a new one whose entry the walk does not meet. What was there by the walk's snapshot had its
// entries then, before the walk read the index. But of a row that came later, the walk may have read the page for the new entry
// too early. So a version of such a row tells nothing, unless the row was deleted.
bool fate_finder::may_have_moved(ItemPointer tid) {
    if (!table_tuple_fetch_row_version(table_->heap(), tid, SnapshotAny, slot()))
        return true;  // the first version is not there any more, but others of its chain are
    bool must_free;
    const HeapTupleHeader tuple = ExecFetchSlotHeapTuple(slot_, false, &must_free)->t_data;
    const TransactionId inserter = HeapTupleHeaderGetXmin(tuple);
    const bool has_new_version = !ItemPointerEquals(&tuple->t_ctid, tid);
    ExecClearTuple(slot_);
    return has_new_version && !TransactionIdIsCurrentTransactionId(inserter) && XidInMVCCSnapshot(inserter, snapshot_) &&
           TransactionIdDidCommit(inserter);
}

// It may lead to a row that somebody is inserting, or has committed since the snapshot, or that this transaction has removed.
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

// Somebody may be deleting it. A row that gets a new version stays.
entry_fate fate_finder::of_row(ItemPointer tid) {
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    entry_fate fate = {entry_fate::stays, 0};
    if (table_tuple_fetch_row_version(table_->heap(), tid, &dirty, slot()) && TransactionIdIsValid(dirty.xmax)) {
        bool must_free;
        const HeapTuple tuple = ExecFetchSlotHeapTuple(slot_, false, &must_free);
        const bool is_deleted = ItemPointerEquals(&tuple->t_data->t_ctid, tid) && !HeapTupleHeaderIndicatesMovedPartitions(tuple->t_data);
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
