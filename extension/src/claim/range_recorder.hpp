// What a walk tells of the rows that it comes by, and the ranges that follow from it (place.hpp).
//
// Of each entry of the index the walk says, in the order of the lane, what is behind it. Entries next to each other of
// which the same is to be said are one range. A row that stays ends a range, and is in none.
#pragma once

#include "claim/entry_fate.hpp"
#include "place/place.hpp"

namespace pgpubsub {

class range_recorder {
public:
    static range_recorder begin(const known_place* known);

    // The walk enters a lane, or goes on in it behind what is known.
    void enter(int32 lane, int64 from);
    void note(int64 at, entry_fate fate, uint32 entries = 1);
    // It passes over what is known.
    void skip(int64 from, int64 to);
    // It has seen all of the lane that is below `to`.
    void leave(int64 to);
    // It has seen all of the lane up to the number that was noted last: that included, or not.
    void leave_behind_last();
    void leave_before_last();

    bool is_in(int32 lane) const { return has_lane_ && lane_ == lane; }

private:
    void close(int64 to);
    void settle_present();

    const known_place* known_;
    bool has_lane_;
    int32 lane_;
    int64 from_;       // of the range that is being made
    entry_fate fate_;  // of that
    uint32 entries_;   // in that; 0: nothing is known of it yet
    bool has_present_;
    int64 at_;            // the number of the entries that were noted last
    entry_fate present_;  // of all of these
    uint32 present_entries_;
};
static_assert(survives_longjmp<range_recorder>);

}  // namespace pgpubsub
