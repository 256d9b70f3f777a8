#include "ready_walk.hpp"

#include "catalog.hpp"

namespace pgpubsub {
namespace {

int by_priority(const void* a, const void* b) {
    const int32 left = static_cast<const lane_memory*>(a)->lane;
    const int32 right = static_cast<const lane_memory*>(b)->lane;
    return (left < right) - (left > right);
}

}  // namespace

ready_walk ready_walk::begin(const notification_table& table, const channel& c, int32 subscription_id, Snapshot snapshot) {
    ready_walk walk{};
    walk.table_ = &table;
    walk.subscription_id_ = subscription_id;
    walk.snapshot_ = snapshot;
    walk.watch_ = lane_watch::begin(table, c, subscription_id, column::id, snapshot);
    walk.make_segments();
    walk.open_segment();
    return walk;
}

void ready_walk::make_segments() {
    const std::span<lane_memory> lanes = watch_.remembered();
    qsort(lanes.data(), lanes.size(), sizeof(lane_memory), by_priority);
    int32 highest = PG_INT16_MAX;
    const auto add = [this](int32 from, int32 to, int lane) {
        if (from >= to)
            segments_[segment_count_++] = {static_cast<int16>(from), static_cast<int16>(to), static_cast<int16>(lane)};
    };
    for (std::size_t i = 0; i < lanes.size(); ++i) {
        const int32 priority = lanes[i].lane;
        if (priority == due_lane)
            continue;
        add(highest, priority + 1, no_lane);
        add(priority, priority, static_cast<int>(i));
        highest = priority - 1;
    }
    add(highest, PG_INT16_MIN, no_lane);
}

void ready_walk::open_segment() {
    const segment& s = segments_[segment_];
    ScanKeyData keys[] = {equals_int4(1, subscription_id_), {}, {}};
    if (s.lane == no_lane) {
        watch_.enter(nullptr);
        keys[1] = until_int2(2, s.highest);
        keys[2] = from_int2(2, s.lowest);
    } else {
        watch_.enter(&watch_.remembered()[s.lane]);
        keys[1] = equals_int2(2, s.highest);
        keys[2] = from_int8(3, watch_.from());
    }
    if (segment_ == 0)
        scan_ = notification_scan::begin(*table_, our_catalog().notification_ready, snapshot_, keys);
    else
        scan_.restart(snapshot_, keys);
}

bool ready_walk::next() {
    settle();
    while (!is_at_end_) {
        while (scan_.next_entry()) {
            CHECK_FOR_INTERRUPTS();
            if (!scan_.fetch()) {
                watch_.stepped_over(scan_);
                continue;
            }
            bool null;
            priority_ = DatumGetInt16(scan_.get(column::priority, &null));
            id_ = DatumGetInt64(scan_.get(column::id, &null));
            watch_.comes_to(priority_);
            watch_.met(id_);
            has_row_ = true;
            row_is_removed_ = false;
            return true;
        }
        watch_.leave(true);
        is_at_end_ = ++segment_ == segment_count_;
        if (!is_at_end_)
            open_segment();
    }
    return false;
}

void ready_walk::removed() { row_is_removed_ = true; }

// Tells what became of the present row.
void ready_walk::settle() {
    if (has_row_)
        watch_.settled(id_, scan_.tid(), row_is_removed_);
    has_row_ = false;
}

void ready_walk::end() {
    settle();
    if (!is_at_end_)
        watch_.leave(false);
    watch_.end();
    scan_.end();
}

}  // namespace pgpubsub
