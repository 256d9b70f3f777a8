#include "claim/ready_walk.hpp"

#include "channel/catalog.hpp"

namespace pgpubsub {

ready_walk ready_walk::begin(const notification_table& table, int32 subscription_id, Snapshot snapshot, const known_place* known) {
    ready_walk walk{};
    walk.subscription_id_ = subscription_id;
    walk.snapshot_ = snapshot;
    walk.known_ = known;
    walk.recorder_ = range_recorder::begin(known);
    walk.fates_ = fate_finder::begin(table, snapshot);
    ScanKeyData none[] = {equals_int4(1, subscription_id), until_int2(2, PG_INT16_MAX), from_int2(2, PG_INT16_MIN)};
    walk.scan_ = notification_scan::begin(table, our_catalog().notification_ready, snapshot, none, notification_scan::with_keys);
    return walk;
}

// One lane from an id on.
void ready_walk::scan_lane(int16 priority, int64 from) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), equals_int2(2, priority), from_int8(3, from)};
    scan_.restart(snapshot_, keys);
    is_in_one_lane_ = true;
}

// The scan has come to its end.
bool ready_walk::goes_on() {
    recorder_.leave(top);
    if (!is_in_one_lane_ || priority_ == PG_INT16_MIN)
        return false;
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), until_int2(2, priority_ - 1), from_int2(2, PG_INT16_MIN)};
    scan_.restart(snapshot_, keys);
    is_in_one_lane_ = false;
    return true;
}

// Where the entry is in a range that is known, goes on behind that, or says to do so.
bool ready_walk::passes_over() {
    const int32 lane = lane_of_priority(priority_);
    if (!recorder_.is_in(lane)) {
        recorder_.leave(top);
        recorder_.enter(lane, bottom);
        ahead_ = known_->at_or_behind(lane, id_);
    } else if (ahead_ != nullptr && ahead_->to <= id_) {
        ahead_ = known_->at_or_behind(lane, id_);
    }
    if (ahead_ == nullptr || ahead_->from > id_)
        return false;
    const known_place::passage passed = known_->passage_through(*ahead_);
    recorder_.skip(passed.from, passed.to);
    passed_busy_ = passed_busy_ || passed.is_busy;
    if (passed.is_long())
        scan_lane(priority_, passed.to);
    return true;
}

bool ready_walk::next() {
    settle();
    while (!is_at_end_) {
        while (scan_.next_entry()) {
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
            recorder_.note(id_, fates_.of_entry(scan_.entry_tid(), scan_.is_entry_dead()));
        }
        is_at_end_ = !goes_on();
    }
    return false;
}

// Tells what became of the present row.
void ready_walk::settle() {
    if (!has_row_)
        return;
    has_row_ = false;
    if (row_is_removed_)
        recorder_.note(id_, fates_.of_removed());
    else
        recorder_.note(id_, ++stayed_ > stay_limit ? fates_.of_row(scan_.tid()) : entry_fate{entry_fate::stays, 0});
}

void ready_walk::end() {
    settle();
    if (!is_at_end_)
        recorder_.leave_behind_last();  // an id has one row that is there
    fates_.end();
    scan_.end();
}

}  // namespace pgpubsub
