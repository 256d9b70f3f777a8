#include "claim/ready_walk.hpp"

#include "channel/catalog.hpp"

namespace pgpubsub {

ready_walk ready_walk::begin(const notification_table& table, int32 subscription_id, Snapshot snapshot,
                             const known_place* known) {
    ready_walk walk{};
    walk.subscription_id_ = subscription_id;
    walk.snapshot_ = snapshot;
    walk.known_ = known;
    walk.recorder_ = walk.lanes_ = range_recorder::begin(known);
    walk.lanes_.enter(lane_of_lanes, bottom);
    walk.fates_ = fate_finder::begin(table, snapshot);
    ScanKeyData none[] = {equals_int4(1, subscription_id), until_int2(2, PG_INT16_MAX), from_int2(2, PG_INT16_MIN)};
    walk.scan_ =
        notification_scan::begin(table, our_catalog().notification_ready, snapshot, none, notification_scan::with_keys);
    walk.scan_lanes(first_lane);
    return walk;
}

// Scans one lane, beginning at an id.
void ready_walk::scan_lane(int16 priority, int64 from) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), equals_int2(2, priority), from_int8(3, from)};
    scan_.restart(snapshot_, keys);
    is_in_one_lane_ = true;
}

// Scans the lanes from that lane on, behind the known ones.
void ready_walk::scan_lanes(int64 from) {
    if (const finished_range* const known = known_lanes(from)) {
        const known_place::passage passed = known_->passage_through(*known);
        lanes_.skip(passed.from, passed.to);
        passed_busy_ = passed_busy_ || passed.is_busy;
        from = passed.to;
    }
    is_at_end_ = from > last_lane;
    if (is_at_end_)
        return;
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), until_int2(2, static_cast<int16>(-from)),
                          from_int2(2, PG_INT16_MIN)};
    scan_.restart(snapshot_, keys);
    is_in_one_lane_ = false;
}

// Returns the known range that holds the lane; null if there is none.
const finished_range* ready_walk::known_lanes(int64 lane) const {
    const finished_range* const range = known_->at_or_behind(lane_of_lanes, lane);
    return range != nullptr && range->from <= lane ? range : nullptr;
}

void ready_walk::enter_lane(int32 lane) {
    recorder_.enter(lane, bottom);
    ahead_ = known_->at_or_behind(lane, bottom);
    ++lanes_entered_;
}

// Returns true if the entry is in a known range, so that the walk skips it. Moves the scan behind the range if that
// saves time.
bool ready_walk::passes_over() {
    const int32 lane = lane_of_priority(priority_);
    if (!recorder_.is_in(lane)) {
        recorder_.leave(top);
        if (known_lanes(lane) != nullptr) {
            scan_lanes(lane);
            return true;
        }
        enter_lane(lane);
    }
    if (ahead_ != nullptr && ahead_->to <= id_)
        ahead_ = known_->at_or_behind(lane, id_);
    if (ahead_ == nullptr || ahead_->from > id_)
        return false;
    const known_place::passage passed = known_->passage_through(*ahead_);
    recorder_.skip(passed.from, passed.to);
    for (const finished_range* r = passed.begin; r != passed.end; ++r)
        lanes_.note(lane, entry_fate::of_range(*r), entries_of_lane);
    passed_busy_ = passed_busy_ || passed.is_busy;
    if (passed.is_long())
        scan_lane(priority_, passed.to);
    return true;
}

bool ready_walk::next() {
    settle();
    while (!is_at_end_) {
        if (!scan_.next_entry()) {
            recorder_.leave(top);
            is_at_end_ = !is_in_one_lane_;
            if (is_in_one_lane_)
                scan_lanes(int64{lane_of_priority(priority_)} + 1);
            continue;
        }
        CHECK_FOR_INTERRUPTS();
        priority_ = DatumGetInt16(scan_.entry_key(2));
        id_ = DatumGetInt64(scan_.entry_key(3));
        if (passes_over())
            continue;
        if (scan_.fetch()) {
            has_row_ = true;
            row_is_removed_ = false;
            return true;
        }
        ++stepped_over_;
        note(fates_.of_entry(scan_.entry_tid(), scan_.is_entry_dead()));
    }
    return false;
}

// Records the fate of the present entry.
void ready_walk::note(entry_fate fate) {
    recorder_.note(id_, fate);
    lanes_.note(lane_of_priority(priority_), fate, entries_of_lane);
}

// Records what became of the present row.
void ready_walk::settle() {
    if (!has_row_)
        return;
    has_row_ = false;
    if (row_is_removed_)
        note(fates_.of_removed());
    else
        note(++stayed_ > stay_limit ? fates_.of_row(scan_.tid()) : entry_fate{entry_fate::stays, 0});
}

void ready_walk::end() {
    settle();
    if (is_at_end_) {
        lanes_.leave(top);
    } else {
        recorder_.leave_behind_last();  // an id has one visible row
        lanes_.leave_before_last();
    }
    if (lanes_entered_ > lane_limit)
        known_->want_lanes();
    fates_.end();
    scan_.end();
}

}  // namespace pgpubsub
