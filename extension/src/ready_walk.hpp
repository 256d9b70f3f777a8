// A walk over the ready rows of a subscription, by priority and id, that steps over what place.hpp remembers to be gone.
//
// It is made of segments: for each lane that is remembered, those of the higher priorities above it that are not, which mostly are
// none, and then the lane from its floor; at last what is below. A segment is only opened when those before it gave too little.
// The walk watches what becomes of each row, and so knows at its end what it may remember of a lane.
#pragma once

#include "notification.hpp"
#include "place.hpp"

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
        int16 lane;  // its number in place_, or none
    };
    // What is known of the lane that is being walked.
    struct lane_state {
        int memory;                 // its number in place_, or none
        bool has_lane;              // its number is known
        bool is_exact;
        bool looks_at_entries;      // a second time, at those without a visible row
        bool looks_at_rows;         // that stay
        int64 last_met;             // id of a row; bottom: none
        int64 blocker;              // the first row that stays for a reason that may last; top: none
        bool has_dead;
        ItemPointerData last_dead;  // an entry behind the last row
        TimestampTz sweep_begun;
        bool sweep_is_timed;
        walked_lane walked;
    };
    static constexpr int no_lane = -1;

    void make_segments();
    void open_segment();
    void begin_lane(int memory_number);
    // Null: the lane is not remembered.
    const lane_memory* memory() const { return lane_.memory == no_lane ? nullptr : &place_.lanes[lane_.memory]; }
    void step_over_entry();
    void look_at_entry();
    void look_at_row();
    void add_hole(TransactionId xid, int64 id);
    void settle();
    void end_sweep_timing();
    void note_last_dead(int64* seen);
    void end_lane(bool was_exhausted);

    const notification_table* table_;
    Snapshot snapshot_;
    bool is_ordered_;
    TimestampTz now_;
    TransactionId oldest_running_;
    place_key key_;
    place place_;
    notification_scan scan_;
    segment segments_[2 * max_lanes + 1];
    int segment_count_;
    int segment_;
    bool is_at_end_;
    bool has_row_;
    bool row_is_removed_;
    int16 priority_;
    int64 id_;
    lane_state lane_;
    IndexFetchTableData* second_fetch_;
    TupleTableSlot* second_slot_;
};
static_assert(survives_longjmp<ready_walk>);

}  // namespace pgpubsub
