// Turns the entries that a walk meets into the ranges of place.hpp.
//
// The walk reports the fate of each index entry, in the order of the lane. Adjacent entries with the same fate form one
// range. A row that stays ends a range, and is in none.
#pragma once

#include "claim/entry_fate.hpp"
#include "place/place.hpp"

namespace pgpubsub {

class range_recorder {
public:
    static range_recorder begin(const known_place* known);

    // Enters a lane, or continues in it behind a known range.
    void enter(int32 lane, int64 from);
    void note(int64 at, entry_fate fate, uint32 entries = 1);
    // The walk skips a known range.
    void skip(int64 from, int64 to);
    // The walk has seen all of the lane below `to`.
    void leave(int64 to);
    // leave_behind_last(): the walk has seen all of the lane up to and including the number that was noted last.
    // leave_before_last(): the same, without that number.
    void leave_behind_last();
    void leave_before_last();

    bool is_in(int32 lane) const { return has_lane_ && lane_ == lane; }

private:
    void close(int64 to);
    void settle_present();

    const known_place* known_;
    bool has_lane_;
    int32 lane_;
    int64 from_;       // where the range that is being made begins
    entry_fate fate_;  // of that range
    uint32 entries_;   // in that range; 0: nothing is known of it yet
    bool has_present_;
    int64 at_;            // the number of the entries that were noted last
    entry_fate present_;  // of all of these entries
    uint32 present_entries_;
};
static_assert(survives_longjmp<range_recorder>);

}  // namespace pgpubsub
