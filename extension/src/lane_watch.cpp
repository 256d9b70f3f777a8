#include "lane_watch.hpp"

namespace pgpubsub {
namespace {

// So many dead entries are cheaper to step over than to look at closely.
constexpr int passed_limit = 500;

// Of all databases, but for our own transaction.
TransactionId oldest_running(Snapshot snapshot) {
    TransactionId oldest = snapshot->xmax;
    for (uint32 i = 0; i < snapshot->xcnt; ++i)
        if (TransactionIdPrecedes(snapshot->xip[i], oldest))
            oldest = snapshot->xip[i];
    while (TransactionIdIsCurrentTransactionId(oldest))
        TransactionIdAdvance(oldest);
    return oldest;
}

Datum value_of(TupleTableSlot* slot, AttrNumber c) {
    bool null;
    return slot_getattr(slot, c, &null);
}

}  // namespace

lane_watch lane_watch::begin(const notification_table& table, const channel& c, int32 subscription_id, AttrNumber order,
                             Snapshot snapshot) {
    lane_watch watch{};
    watch.table_ = &table;
    watch.order_ = order;
    watch.is_ordered_ = c.ordered;
    watch.oldest_running_ = oldest_running(snapshot);
    watch.key_ = key_of_place(table.heap(), subscription_id);
    watch.place_ = recall_place(watch.key_, snapshot);
    watch.now_ = GetCurrentTimestamp();  // not before any time that is remembered
    return watch;
}

void lane_watch::enter(const lane_memory* memory) {
    lane_ = {};
    lane_.last_met = bottom;
    lane_.blocker = top;
    walked_lane& walked = lane_.walked;
    walked.first_live = top;
    walked.floor = walked.mark = bottom;
    walked.oldest_running = oldest_running_;
    if (memory == nullptr)
        return;
    lane_.memory = *memory;
    lane_.is_remembered = lane_.has_lane = true;
    walked.lane = memory->lane;
    walked.epoch = memory->epoch;
    walked.mark = memory->mark;
    lane_.is_exact = !TransactionIdPrecedes(oldest_running_, memory->mark_horizon);
    walked.was_swept = should_sweep();
    if (walked.was_swept)
        lane_.sweep_begun = GetCurrentTimestamp();
    const bool is_long = !is_ordered_ && memory->passed > passed_limit;
    lane_.looks_at_entries = is_long && !lane_.is_exact;
    lane_.looks_at_rows = is_long || (!is_ordered_ && walked.was_swept);
}

bool lane_watch::should_sweep() const {
    if (is_ordered_ && TransactionIdIsValid(lane_.memory.weak_horizon))
        return true;
    const bool clock_was_set_back = now_ < lane_.memory.last_sweep || (is_due_lane() && now_ + 1 < lane_.memory.floor);
    return (clock_was_set_back || now_ >= sweep_time(lane_.memory)) && begin_sweep(key_, lane_.memory, now_);
}

void lane_watch::comes_to(int32 lane) {
    if (lane_.is_remembered)
        return;
    if (lane_.has_lane && lane_.walked.lane != lane) {
        leave(true);
        enter(nullptr);
    }
    lane_.has_lane = true;
    lane_.walked.lane = lane;
}

void lane_watch::met(int64 at) {
    lane_.last_met = at;
    lane_.has_dead = false;
    if (lane_.walked.was_swept && !lane_.sweep_is_timed && at >= lane_.memory.floor)
        end_sweep_timing();
}

void lane_watch::settled(int64 at, ItemPointer tid, bool is_removed) {
    if (!is_removed && lane_.looks_at_rows) {
        look_at_row(at, tid);
        return;
    }
    lane_.walked.first_live = Min(lane_.walked.first_live, at);
    if (!is_removed)
        lane_.blocker = Min(lane_.blocker, at);
}

void lane_watch::stepped_over(const notification_scan& scan) {
    ++lane_.walked.passed;
    if (scan.is_entry_dead())
        return;
    lane_.last_dead = *scan.entry_tid();
    lane_.has_dead = true;
    if (lane_.looks_at_entries && lane_.blocker == top)
        look_at_entry();
}

TupleTableSlot* lane_watch::second_slot() {
    if (second_slot_ == nullptr)
        second_slot_ = table_slot_create(table_->heap(), nullptr);
    return second_slot_;
}

// It may lead to a row that somebody is inserting, or has committed since the snapshot.
void lane_watch::look_at_entry() {
    TupleTableSlot* const slot = second_slot();
    if (second_fetch_ == nullptr)
        second_fetch_ = begin_index_fetch(table_->heap());
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ItemPointerData tid = lane_.last_dead;
    bool call_again = false;
    bool all_dead = false;
    if (!table_index_fetch_tuple(second_fetch_, &tid, &dirty, slot, &call_again, &all_dead))
        return;
    // Another row that has got that place meanwhile may have none: it is not ours.
    bool null;
    const int64 at = DatumGetInt64(slot_getattr(slot, order_, &null));
    const TransactionId busy = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
    if (!null && TransactionIdIsValid(busy))
        add_hole(busy, at);
    else if (!null)
        lane_.blocker = Min(lane_.blocker, at);
    ExecClearTuple(slot);
}

// Somebody may be removing it.
void lane_watch::look_at_row(int64 at, ItemPointer tid) {
    TupleTableSlot* const slot = second_slot();
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    const bool is_there = table_tuple_fetch_row_version(table_->heap(), tid, &dirty, slot);
    ExecClearTuple(slot);
    const bool is_being_removed = is_there && TransactionIdIsValid(dirty.xmax);
    bool is_known = false;
    if (is_being_removed) {
        add_hole(dirty.xmax, at);
        for (int i = 0; i < place_.hole_count; ++i)
            is_known = is_known || (place_.holes[i].xid == dirty.xmax && place_.holes[i].lane == lane_.walked.lane &&
                                    place_.holes[i].at <= at);
    } else {
        lane_.blocker = Min(lane_.blocker, at);
    }
    if (!is_known)
        lane_.walked.first_live = Min(lane_.walked.first_live, at);
}

void lane_watch::add_hole(TransactionId xid, int64 at) {
    walked_lane& walked = lane_.walked;
    for (int i = 0; i < walked.hole_count; ++i) {
        if (walked.holes[i].xid == xid) {
            walked.holes[i].at = Min(walked.holes[i].at, at);
            return;
        }
    }
    if (walked.hole_count == max_holes)
        lane_.blocker = Min(lane_.blocker, at);
    else
        walked.holes[walked.hole_count++] = {xid, walked.lane, at};
}

void lane_watch::end_sweep_timing() {
    lane_.sweep_is_timed = true;
    lane_.walked.sweep_cost = GetCurrentTimestamp() - lane_.sweep_begun;
}

// Of the last entry, behind which no row came: the id of its row, if that was of the lane; else bottom. The lane is named by it,
// if by nothing else.
int64 lane_watch::last_dead_id() {
    TupleTableSlot* const slot = second_slot();
    if (!table_tuple_fetch_row_version(table_->heap(), &lane_.last_dead, SnapshotAny, slot))
        return bottom;
    // If another row has got that place meanwhile, its id was drawn before now as well.
    const bool is_ours = DatumGetInt32(value_of(slot, column::subscription_id)) == key_.subscription_id;
    const int16 priority = DatumGetInt16(value_of(slot, column::priority));
    const int64 id = DatumGetInt64(value_of(slot, column::id));
    ExecClearTuple(slot);
    if (is_ours && !lane_.has_lane)
        comes_to(priority);
    return is_ours && priority == lane_.walked.lane ? id : bottom;
}

// The walk has seen everything below it.
int64 lane_watch::reached(bool was_exhausted) const {
    if (is_due_lane())  // behind the last row there may be more with the same time
        return was_exhausted ? now_ + 1 : Max(lane_.last_met, from());
    return was_exhausted ? top : lane_.last_met == bottom ? from() : lane_.last_met + 1;
}

// What is below that belongs to transactions that have an id by now. bottom: not known.
int64 lane_watch::next_mark() {
    if (is_due_lane())
        return now_;
    int64 seen = lane_.last_met;
    if (lane_.has_dead)
        seen = Max(seen, last_dead_id());
    return seen == bottom ? bottom : seen + 1;
}

void lane_watch::leave(bool was_exhausted) {
    walked_lane& walked = lane_.walked;
    if (!lane_.is_remembered && lane_.last_met == bottom && !lane_.has_dead)
        return;
    const int64 floor = lane_.is_remembered ? lane_.memory.floor : bottom;
    const int64 clear_to = Min(lane_.blocker, reached(was_exhausted));

    const bool may_move = lane_.is_remembered && (lane_.is_exact || lane_.looks_at_entries);
    if (may_move && Min(walked.mark, clear_to) > floor) {
        walked.floor = Min(walked.mark, clear_to);
        walked.is_exact = lane_.is_exact;
    }
    int kept = 0;
    for (int i = 0; i < walked.hole_count; ++i)
        if (walked.holes[i].at < walked.floor)
            walked.holes[kept++] = walked.holes[i];
    walked.hole_count = kept;

    if (walked.mark <= floor || (may_move && clear_to >= walked.mark)) {
        if (const int64 mark = next_mark(); mark > walked.mark) {
            walked.new_mark = mark;
            walked.new_mark_horizon = ReadNextTransactionId();
        }
    }
    if (walked.was_swept) {
        if (!lane_.sweep_is_timed)
            end_sweep_timing();
        if (!was_exhausted && lane_.last_met < floor)  // the rest is for the next walk
            walked.first_live = Min(walked.first_live, lane_.last_met);
        walked.is_empty = was_exhausted && lane_.last_met == bottom && walked.passed == 0;
    }
    if (lane_.has_lane)
        remember_walk(key_, walked, now_);
}

void lane_watch::end() {
    if (second_fetch_ != nullptr)
        table_index_fetch_end(second_fetch_);
    if (second_slot_ != nullptr)
        ExecDropSingleTupleTableSlot(second_slot_);
}

}  // namespace pgpubsub
