// The rows of a subscription that may be claimed, in the order in which they are to be claimed.
//
// Two indexes hold them: ready rows by priority and id, and rows whose waiting time is over by that time. Both are
// merged. Of the second kind, one chunk at a time is read ahead and sorted; a row whose delay has ended therefore takes
// its place among the ready rows by priority and age. When more than one chunk of rows is due, their due times decide
// the order between the chunks.
#pragma once

#include "claim/due_walk.hpp"
#include "claim/ready_walk.hpp"

namespace pgpubsub {

class claimable_rows {
public:
    static claimable_rows begin(const notification_table& table, const channel& c, int32 subscription_id,
                                int expected_count);
    // Moves to the next row, and returns its place and values; false at the end. The values stay valid until the next
    // call.
    bool next(ItemPointer tid, row_values* row);
    // Reports that the present row is gone when this transaction commits, or due later.
    void removed();
    void end();
    // Returns whether the walk skipped rows that another transaction is removing.
    bool passed_busy() const { return ready_.passed_busy() || due_.passed_busy(); }

private:
    struct due_row {
        int16 priority;
        int64 id;
        TimestampTz due_at;
        ItemPointerData tid;
        int number;  // in the walk
    };
    static int by_priority_and_age(const void* a, const void* b);

    void read_due_chunk();
    bool due_comes_first() const;
    void advance_ready();

    const notification_table* table_;
    known_place* known_;
    ready_walk ready_;
    bool ready_has_row_;
    bool ready_was_given_;  // the present row

    due_walk due_;
    due_row* chunk_;
    int chunk_capacity_;
    int chunk_size_;
    int chunk_next_;
    TupleTableSlot* due_slot_;
};
static_assert(survives_longjmp<claimable_rows>);

}  // namespace pgpubsub
