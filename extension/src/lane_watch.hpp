// What a walk learns about the lanes that it goes through, one after the other; place.hpp says what for.
//
// The walk tells what it meets: each row, and what became of it; and each entry of the index that leads to no row it can see.
// What is to be remembered of a lane follows from that, when the walk leaves it.
#pragma once

#include "notification.hpp"
#include "place.hpp"

namespace pgpubsub {

class lane_watch {
public:
    // `order`: the column by which the lanes are ordered, id or due_at.
    static lane_watch begin(const notification_table& table, const channel& c, int32 subscription_id, AttrNumber order,
                            Snapshot snapshot);
    void end();

    // What is remembered of all lanes; the caller may sort it.
    std::span<lane_memory> remembered() { return {place_.lanes, static_cast<std::size_t>(place_.lane_count)}; }
    TimestampTz now() const { return now_; }

    // Enters a lane that is remembered; or, with null, a stretch of the index with any number of others.
    void enter(const lane_memory* memory);
    // In such a stretch: what comes next is of that lane. No row of the one before it waits to be settled.
    void comes_to(int32 lane);
    // Where the walk of the lane is to begin.
    int64 from() const { return lane_.is_remembered && !lane_.walked.was_swept ? lane_.memory.floor : bottom; }

    // A row, in the order of the lane.
    void met(int64 at);
    // What became of a row that was met, in any order. Removed: it is gone when this transaction commits.
    void settled(int64 at, ItemPointer tid, bool is_removed);
    // An entry for which the scan has found no row.
    void stepped_over(const notification_scan& scan);

    // Remembers what the walk has found. `was_exhausted`: it has walked to the lane's end. All rows are settled.
    void leave(bool was_exhausted);

private:
    struct lane_state {
        lane_memory memory;
        bool is_remembered;
        bool has_lane;              // its number is known
        bool is_exact;
        bool looks_at_entries;      // a second time, at those without a visible row
        bool looks_at_rows;         // that stay
        int64 last_met;             // row; bottom: none
        int64 blocker;              // the first row that stays for a reason that may last; top: none
        bool has_dead;
        ItemPointerData last_dead;  // an entry behind the last row
        TimestampTz sweep_begun;
        bool sweep_is_timed;
        walked_lane walked;
    };

    bool is_due_lane() const { return order_ == column::due_at; }
    bool should_sweep() const;
    void look_at_entry();
    void look_at_row(int64 at, ItemPointer tid);
    void add_hole(TransactionId xid, int64 at);
    void end_sweep_timing();
    int64 reached(bool was_exhausted) const;
    int64 next_mark();
    int64 last_dead_id();
    TupleTableSlot* second_slot();

    const notification_table* table_;
    AttrNumber order_;
    bool is_ordered_;  // the channel
    TransactionId oldest_running_;
    place_key key_;
    place place_;
    TimestampTz now_;
    lane_state lane_;
    IndexFetchTableData* second_fetch_;
    TupleTableSlot* second_slot_;
};
static_assert(survives_longjmp<lane_watch>);

}  // namespace pgpubsub
