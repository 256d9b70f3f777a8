#include "ready_walk.hpp"

#include "catalog.hpp"
#include "settings.hpp"

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

int by_priority(const void* a, const void* b) {
    return static_cast<const lane_memory*>(b)->lane - static_cast<const lane_memory*>(a)->lane;
}

Datum value_of(TupleTableSlot* slot, AttrNumber c) {
    bool null;
    return slot_getattr(slot, c, &null);
}

}  // namespace

ready_walk ready_walk::begin(const notification_table& table, const channel& c, int32 subscription_id, Snapshot snapshot) {
    ready_walk walk{};
    walk.table_ = &table;
    walk.snapshot_ = snapshot;
    walk.is_ordered_ = c.ordered;
    walk.now_ = GetCurrentTimestamp();
    walk.oldest_running_ = oldest_running(snapshot);
    walk.key_ = key_of_place(table.heap(), subscription_id);
    walk.place_ = recall_place(walk.key_, snapshot);
    walk.make_segments();
    walk.open_segment();
    return walk;
}

void ready_walk::make_segments() {
    qsort(place_.lanes, place_.lane_count, sizeof(lane_memory), by_priority);
    int32 highest = PG_INT16_MAX;
    const auto add = [this](int32 from, int32 to, int lane) {
        if (from >= to)
            segments_[segment_count_++] = {static_cast<int16>(from), static_cast<int16>(to), static_cast<int16>(lane)};
    };
    for (int i = 0; i < place_.lane_count; ++i) {
        const int32 priority = place_.lanes[i].lane;
        add(highest, priority + 1, no_lane);
        add(priority, priority, i);
        highest = priority - 1;
    }
    add(highest, PG_INT16_MIN, no_lane);
}

void ready_walk::open_segment() {
    const segment& s = segments_[segment_];
    begin_lane(s.lane);
    ScanKeyData keys[] = {equals_int4(1, key_.subscription_id), {}, {}};
    if (s.lane == no_lane) {
        keys[1] = until_int2(2, s.highest);
        keys[2] = from_int2(2, s.lowest);
    } else {
        keys[1] = equals_int2(2, s.highest);
        keys[2] = from_int8(3, lane_.walked.was_swept ? bottom : memory()->floor);
    }
    if (segment_ == 0)
        scan_ = notification_scan::begin(*table_, our_catalog().notification_ready, snapshot_, keys);
    else
        scan_.restart(snapshot_, keys);
}

void ready_walk::begin_lane(int memory_number) {
    lane_ = {};
    lane_.memory = memory_number;
    lane_.last_met = bottom;
    lane_.blocker = top;
    walked_lane& walked = lane_.walked;
    walked.first_live = top;
    walked.floor = walked.mark = bottom;
    walked.oldest_running = oldest_running_;
    const lane_memory* const memory = this->memory();
    if (memory == nullptr)
        return;
    lane_.has_lane = true;
    walked.lane = memory->lane;
    walked.epoch = memory->epoch;
    walked.mark = memory->mark;
    lane_.is_exact = !TransactionIdPrecedes(oldest_running_, memory->mark_horizon);
    walked.was_swept = (is_ordered_ && TransactionIdIsValid(memory->weak_horizon)) ||
                       (now_ >= sweep_time(*memory) && begin_sweep(key_, memory->lane, now_));
    if (walked.was_swept)
        lane_.sweep_begun = GetCurrentTimestamp();
    const bool is_long = !is_ordered_ && memory->passed > passed_limit;
    lane_.looks_at_entries = is_long && !lane_.is_exact;
    lane_.looks_at_rows = is_long || (!is_ordered_ && walked.was_swept);
}

bool ready_walk::next() {
    settle();
    while (!is_at_end_) {
        while (scan_.next_entry()) {
            CHECK_FOR_INTERRUPTS();
            if (!scan_.fetch()) {
                step_over_entry();
                continue;
            }
            bool null;
            priority_ = DatumGetInt16(scan_.get(column::priority, &null));
            id_ = DatumGetInt64(scan_.get(column::id, &null));
            if (lane_.memory == no_lane && (!lane_.has_lane || lane_.walked.lane != priority_)) {
                if (lane_.has_lane) {
                    end_lane(true);
                    begin_lane(no_lane);
                }
                lane_.has_lane = true;
                lane_.walked.lane = priority_;
            }
            has_row_ = true;
            row_is_removed_ = false;
            return true;
        }
        end_lane(true);
        is_at_end_ = ++segment_ == segment_count_;
        if (!is_at_end_)
            open_segment();
    }
    return false;
}

void ready_walk::removed() { row_is_removed_ = true; }

// Notes what became of the present row.
void ready_walk::settle() {
    if (!has_row_)
        return;
    has_row_ = false;
    lane_.last_met = id_;
    lane_.has_dead = false;
    if (lane_.walked.was_swept && !lane_.sweep_is_timed && id_ >= memory()->floor)
        end_sweep_timing();
    if (!row_is_removed_ && lane_.looks_at_rows) {
        look_at_row();
        return;
    }
    lane_.walked.first_live = Min(lane_.walked.first_live, id_);
    if (!row_is_removed_)
        lane_.blocker = Min(lane_.blocker, id_);
}

void ready_walk::step_over_entry() {
    ++lane_.walked.passed;
    if (scan_.is_entry_dead())
        return;
    lane_.last_dead = *scan_.entry_tid();
    lane_.has_dead = true;
    if (lane_.looks_at_entries && lane_.blocker == top)
        look_at_entry();
}

// It may lead to a row that somebody is inserting, or has committed since the snapshot.
void ready_walk::look_at_entry() {
    if (second_slot_ == nullptr)
        second_slot_ = table_slot_create(table_->heap(), nullptr);
    if (second_fetch_ == nullptr)
        second_fetch_ = begin_index_fetch(table_->heap());
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    ItemPointerData tid = lane_.last_dead;
    bool call_again = false;
    bool all_dead = false;
    if (!table_index_fetch_tuple(second_fetch_, &tid, &dirty, second_slot_, &call_again, &all_dead))
        return;
    const int64 id = DatumGetInt64(value_of(second_slot_, column::id));
    const TransactionId busy = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
    if (TransactionIdIsValid(busy))
        add_hole(busy, id);
    else
        lane_.blocker = Min(lane_.blocker, id);
    ExecClearTuple(second_slot_);
}

// Somebody may be removing it.
void ready_walk::look_at_row() {
    if (second_slot_ == nullptr)
        second_slot_ = table_slot_create(table_->heap(), nullptr);
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    const bool is_there = table_tuple_fetch_row_version(table_->heap(), scan_.tid(), &dirty, second_slot_);
    ExecClearTuple(second_slot_);
    const bool is_being_removed = is_there && TransactionIdIsValid(dirty.xmax);
    bool is_known = false;
    if (is_being_removed) {
        add_hole(dirty.xmax, id_);
        for (int i = 0; i < place_.hole_count; ++i)
            is_known = is_known || (place_.holes[i].xid == dirty.xmax && place_.holes[i].lane == lane_.walked.lane &&
                                    place_.holes[i].id <= id_);
    } else {
        lane_.blocker = Min(lane_.blocker, id_);
    }
    if (!is_known)
        lane_.walked.first_live = Min(lane_.walked.first_live, id_);
}

void ready_walk::add_hole(TransactionId xid, int64 id) {
    walked_lane& walked = lane_.walked;
    for (int i = 0; i < walked.hole_count; ++i)
        if (walked.holes[i].xid == xid)
            return;
    if (walked.hole_count == max_holes)
        lane_.blocker = Min(lane_.blocker, id);
    else
        walked.holes[walked.hole_count++] = {xid, walked.lane, id};
}

void ready_walk::end_sweep_timing() {
    lane_.sweep_is_timed = true;
    lane_.walked.sweep_cost = GetCurrentTimestamp() - lane_.sweep_begun;
}

// Of the last entry, behind which no row came: whose it was.
void ready_walk::note_last_dead(int64* seen) {
    if (second_slot_ == nullptr)
        second_slot_ = table_slot_create(table_->heap(), nullptr);
    if (!table_tuple_fetch_row_version(table_->heap(), &lane_.last_dead, SnapshotAny, second_slot_))
        return;
    // If another row has got that place meanwhile, its id was drawn before now as well.
    const bool is_ours = DatumGetInt32(value_of(second_slot_, column::subscription_id)) == key_.subscription_id;
    const int16 priority = DatumGetInt16(value_of(second_slot_, column::priority));
    if (is_ours && !lane_.has_lane) {
        lane_.has_lane = true;
        lane_.walked.lane = priority;
    }
    if (is_ours && priority == lane_.walked.lane)
        *seen = Max(*seen, DatumGetInt64(value_of(second_slot_, column::id)));
    ExecClearTuple(second_slot_);
}

// Remembers what the walk has found. `was_exhausted`: it has walked to the lane's end.
void ready_walk::end_lane(bool was_exhausted) {
    walked_lane& walked = lane_.walked;
    const lane_memory* const memory = this->memory();
    if (memory == nullptr && !lane_.has_lane && !lane_.has_dead)
        return;
    const int64 floor = memory == nullptr ? bottom : memory->floor;
    const int64 from = walked.was_swept ? bottom : floor;
    const int64 reached = was_exhausted ? top : lane_.last_met == bottom ? from : lane_.last_met + 1;
    const int64 clear_to = Min(lane_.blocker, reached);

    const bool may_move = memory != nullptr && (lane_.is_exact || lane_.looks_at_entries);
    if (may_move && Min(walked.mark, clear_to) > floor) {
        walked.floor = Min(walked.mark, clear_to);
        walked.is_exact = lane_.is_exact;
    }
    int kept = 0;
    for (int i = 0; i < walked.hole_count; ++i)
        if (walked.holes[i].id < walked.floor)
            walked.holes[kept++] = walked.holes[i];
    walked.hole_count = kept;

    if (walked.mark <= floor || (may_move && clear_to >= walked.mark)) {
        int64 seen = lane_.last_met;
        if (lane_.has_dead)
            note_last_dead(&seen);
        if (seen != bottom && seen + 1 > walked.mark) {
            walked.new_mark = seen + 1;
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

void ready_walk::end() {
    settle();
    if (!is_at_end_)
        end_lane(false);
    if (second_fetch_ != nullptr)
        table_index_fetch_end(second_fetch_);
    if (second_slot_ != nullptr)
        ExecDropSingleTupleTableSlot(second_slot_);
    scan_.end();
}

}  // namespace pgpubsub
