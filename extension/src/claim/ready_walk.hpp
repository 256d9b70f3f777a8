// A walk over the ready rows of a subscription, by priority and id, that passes over what place.hpp remembers to be
// gone, and tells it what it finds: of the ids in each lane, and of the lanes.
#pragma once

#include "claim/range_recorder.hpp"

namespace pgpubsub {

class ready_walk {
public:
    // `known` outlives the walk.
    static ready_walk begin(const notification_table& table, int32 subscription_id, Snapshot snapshot,
                            const known_place* known);
    // Moves to the next row; false at the end.
    bool next();
    // Tells that the present row is gone when this transaction commits. Else it stays.
    void removed() { row_is_removed_ = true; }
    void end();

    // How many entries led to no row, beside those in ranges that are known.
    uint32 stepped_over() const { return stepped_over_; }
    // Whether it has passed over rows that another transaction is removing.
    bool passed_busy() const { return passed_busy_; }

    ItemPointer tid() const { return scan_.tid(); }
    row_values values() const { return scan_.values(); }
    int16 priority() const { return priority_; }
    int64 id() const { return id_; }

private:
    // Of so many rows that stay, it is not asked whether somebody is removing them.
    static constexpr int stay_limit = 64;
    // So many lanes are cheaper to look into than to be told of.
    static constexpr uint32 lane_limit = 4;
    // To pass over a lane saves as much time as to pass over so many entries.
    static constexpr uint32 entries_of_lane = 64;

    void scan_lane(int16 priority, int64 from);
    void scan_lanes(int64 from);
    const finished_range* known_lanes(int64 lane) const;
    void enter_lane(int32 lane);
    bool passes_over();
    void note(entry_fate fate);
    void settle();

    int32 subscription_id_;
    Snapshot snapshot_;
    const known_place* known_;
    notification_scan scan_;
    bool is_in_one_lane_;  // the scan ends with the present lane, since it began in the middle of it
    bool is_at_end_;
    range_recorder recorder_;  // of the present lane
    range_recorder lanes_;
    uint32 lanes_entered_;
    fate_finder fates_;
    uint32 stepped_over_;
    bool passed_busy_;
    const finished_range* ahead_;  // in the present lane
    bool has_row_;
    bool row_is_removed_;
    int stayed_;
    int16 priority_;
    int64 id_;
};
static_assert(survives_longjmp<ready_walk>);

}  // namespace pgpubsub
