// A walk over the ready rows of a subscription, by priority and id, that steps over what place.hpp remembers to be gone.
//
// It is made of segments: for each lane that is remembered, those of the higher priorities above it that are not, which mostly are
// none, and then the lane from its floor; at last what is below. A segment is only opened when those before it gave too little.
// What becomes of each row is told to a lane_watch, which knows at a lane's end what is to be remembered of it.
#pragma once

#include "lane_watch.hpp"

namespace pgpubsub {

class ready_walk {
public:
    static ready_walk begin(const notification_table& table, const channel& c, int32 subscription_id, Snapshot snapshot);
    // Moves to the next row; false at the end.
    bool next();
    // Tells that the present row is gone when this transaction commits. Else it stays.
    void removed();
    void end();

    ItemPointer tid() const { return scan_.tid(); }
    row_values values() const { return scan_.values(); }
    int16 priority() const { return priority_; }
    int64 id() const { return id_; }

private:
    struct segment {
        int16 highest;  // priority
        int16 lowest;
        int16 lane;  // its number in watch_.remembered(), or none
    };
    static constexpr int no_lane = -1;

    void make_segments();
    void open_segment();
    void settle();

    const notification_table* table_;
    int32 subscription_id_;
    Snapshot snapshot_;
    lane_watch watch_;
    notification_scan scan_;
    segment segments_[2 * max_ready_lanes + 1];
    int segment_count_;
    int segment_;
    bool is_at_end_;
    bool has_row_;
    bool row_is_removed_;
    int16 priority_;
    int64 id_;
};
static_assert(survives_longjmp<ready_walk>);

}  // namespace pgpubsub
