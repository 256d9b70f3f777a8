// A walk over the due rows of a subscription, ordered by due_at. It skips the ranges that place.hpp remembers as gone,
// and reports what it finds to place.hpp.
//
// The caller may read ahead, and reports later what became of each row that it received.
#pragma once

#include "claim/range_recorder.hpp"

namespace pgpubsub {

class due_walk {
public:
    // Begins a walk. `known` must outlive the walk. At most `most_ahead` rows are read ahead.
    static due_walk begin(const notification_table& table, int32 subscription_id, Snapshot snapshot,
                          const known_place* known);
    // Moves to the next row; false at the end.
    bool next();
    bool is_at_end() const { return is_at_end_; }
    // Returns the number of the present row, for removed().
    int number() const { return event_count_ - 1; }
    // Reports that the row is gone when this transaction commits, or due later. A row without this report stays.
    void removed(int number);
    // Reports that all rows up to now are settled.
    void all_are_settled();
    // Ends the walk: all rows are settled.
    void end();

    // Returns how many entries led to no row, not counting those in known ranges.
    uint32 stepped_over() const { return stepped_over_; }
    // Returns whether the walk skipped rows that another transaction is removing.
    bool passed_busy() const { return passed_busy_; }

    ItemPointer tid() const { return scan_.tid(); }
    Datum get(AttrNumber c) const;
    row_values values() const { return scan_.values(); }

private:
    // What the walk has met since the first unsettled row:
    // - a row;
    // - adjacent entries that share one fate;
    // - or a range that the walk skipped.
    struct event {
        enum what : uint8 { row, entries, known_range };
        what kind;
        int64 first;
        int64 last;
        entry_fate fate;
        uint32 count;
    };

    void add(const event& e);
    void note_entry(int64 at, entry_fate fate);
    bool passes_over(int64 at);
    void scan_from(int64 at);

    int32 subscription_id_;
    Snapshot snapshot_;
    const known_place* known_;
    notification_scan scan_;
    range_recorder recorder_;
    fate_finder fates_;
    uint32 stepped_over_;
    bool passed_busy_;
    const finished_range* ahead_;
    event* events_;  // events that wait until the rows before them are settled
    int event_count_;
    int event_capacity_;
    bool is_at_end_;
};
static_assert(survives_longjmp<due_walk>);

}  // namespace pgpubsub
