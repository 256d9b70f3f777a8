// A walk over the ready rows of a subscription, by priority and id. It skips the ranges that place.hpp remembers as
// gone, and reports to place.hpp what it finds: of the ids in each lane, and of the lanes.
#pragma once

#include "claim/range_recorder.hpp"

namespace pgpubsub {

class ready_walk {
public:
    // Begins a walk. `known` must outlive the walk.
    static ready_walk begin(const notification_table& table, int32 subscription_id, Snapshot snapshot,
                            const known_place* known);
    // Moves to the next row; false at the end.
    bool next();
    // Reports that the present row is gone when this transaction commits. A row without this report stays.
    void removed() { row_is_removed_ = true; }
    void end();

    // Returns how many entries led to no row, not counting those in known ranges.
    uint32 stepped_over() const { return stepped_over_; }
    // Returns whether the walk skipped rows that another transaction is removing.
    bool passed_busy() const { return passed_busy_; }

    ItemPointer tid() const { return scan_.tid(); }
    row_values values() const { return scan_.values(); }
    int16 priority() const { return priority_; }
    int64 id() const { return id_; }

private:
    // For this many rows that stay, the walk does not ask whether another transaction is removing them.
    static constexpr int stay_limit = 64;
    // Up to this many lanes are cheaper to scan than to record.
    static constexpr uint32 lane_limit = 4;
    // Skipping a lane saves as much time as skipping this many entries.
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
    bool is_in_one_lane_;  // the scan ends with the present lane, because it began in the middle of that lane
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
