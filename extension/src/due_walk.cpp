#include "due_walk.hpp"

#include "catalog.hpp"

namespace pgpubsub {

due_walk due_walk::begin(const notification_table& table, const channel& c, int32 subscription_id, Snapshot snapshot) {
    due_walk walk{};
    walk.watch_ = lane_watch::begin(table, c, subscription_id, column::due_at, snapshot);
    const lane_memory* known = nullptr;
    for (const lane_memory& lane : walk.watch_.remembered())
        if (lane.lane == due_lane)
            known = &lane;
    walk.watch_.enter(known);
    walk.watch_.comes_to(due_lane);
    ScanKeyData keys[] = {equals_int4(1, subscription_id), from_time(2, walk.watch_.from()), until_time(2, walk.watch_.now())};
    walk.scan_ = notification_scan::begin(table, our_catalog().notification_due, snapshot, keys);
    return walk;
}

bool due_walk::next() {
    while (!is_at_end_) {
        if (!scan_.next_entry()) {
            is_at_end_ = true;
        } else if (scan_.fetch()) {
            watch_.met(DatumGetTimestampTz(get(column::due_at)));
            return true;
        } else {
            CHECK_FOR_INTERRUPTS();
            watch_.stepped_over(scan_);
        }
    }
    return false;
}

Datum due_walk::get(AttrNumber c) const {
    bool null;
    return scan_.get(c, &null);
}

void due_walk::end() {
    watch_.leave(is_at_end_);
    watch_.end();
    scan_.end();
}

}  // namespace pgpubsub
