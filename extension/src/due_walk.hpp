// A walk over the rows of a subscription whose time has come, by that time, that steps over what place.hpp remembers to be gone.
//
// The caller may read ahead, and tells later what became of each row that it was given.
#pragma once

#include "lane_watch.hpp"

namespace pgpubsub {

class due_walk {
public:
    static due_walk begin(const notification_table& table, const channel& c, int32 subscription_id, Snapshot snapshot);
    // Moves to the next row; false at the end.
    bool next();
    bool is_at_end() const { return is_at_end_; }
    // What became of a row. Removed: it is gone when this transaction commits, or due later.
    void settled(TimestampTz due_at, ItemPointer tid, bool is_removed) { watch_.settled(due_at, tid, is_removed); }
    // All rows are settled.
    void end();

    ItemPointer tid() const { return scan_.tid(); }
    Datum get(AttrNumber c) const;

private:
    lane_watch watch_;
    notification_scan scan_;
    bool is_at_end_;
};
static_assert(survives_longjmp<due_walk>);

}  // namespace pgpubsub
