// A walk over the rows of a subscription whose time has come, by that time, that passes over what place.hpp remembers
// to be gone, and tells it what it finds.
//
// The caller may read ahead, and tells later what became of each row that it was given.
#pragma once

#include "claim/range_recorder.hpp"

namespace pgpubsub {

class due_walk {
public:
    // `known` outlives the walk. At most `most_ahead` rows are read ahead.
    static due_walk begin(const notification_table& table, int32 subscription_id, Snapshot snapshot,
                          const known_place* known);
    // Moves to the next row; false at the end.
    bool next();
    bool is_at_end() const { return is_at_end_; }
    // The present row, for settled().
    int number() const { return event_count_ - 1; }
    // What became of a row. Removed: it is gone when this transaction commits, or due later. Else it stays.
    void removed(int number);
    // All rows up to now are settled.
    void all_are_settled();
    // All rows are settled.
    void end();

    // How many entries led to no row, beside those in ranges that are known.
    uint32 stepped_over() const { return stepped_over_; }
    // Whether it has passed over rows that another transaction is removing.
    bool passed_busy() const { return passed_busy_; }

    ItemPointer tid() const { return scan_.tid(); }
    Datum get(AttrNumber c) const;
    row_values values() const { return scan_.values(); }

private:
    // What the walk has come by since the first row that is not settled: a row; entries next to each other of which the
    // same is to be said; or a range that it has passed over.
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
    event* events_;  // that wait until rows are settled
    int event_count_;
    int event_capacity_;
    bool is_at_end_;
};
static_assert(survives_longjmp<due_walk>);

}  // namespace pgpubsub
