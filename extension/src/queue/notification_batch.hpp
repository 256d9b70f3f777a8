// Stores many notifications. Rows are gathered and written together, page by page, which costs about half of writing
// them one by one. However many rows there are, a batch needs no more than a few megabytes.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

class notification_batch {
public:
    // Begins a batch for notifications of one channel. The table must stay open for as long as the batch is. Other code
    // may run in between, and remove subscriptions: rows that wait for a subscription that is gone are not written.
    static notification_batch begin(notification_table* table, const channel& c);

    // Stores as store() does. The row is in the table after end() at the latest. What n points to may be gone after the
    // call.
    int64 add(const new_notification& n);

    // Writes the rows that are left.
    void end();

private:
    static constexpr int max_rows = 1000;
    static constexpr Size max_bytes = 1024 * 1024;

    void grow();
    void add_row(const row_values& row);
    void write();
    void all_are_stored();
    void read_subscriptions();
    void leave_out_the_gone();

    notification_table* table_;
    const channel* channel_;
    std::span<const subscription> subscriptions_;
    uint64 generation_;     // the generation of channels when the subscriptions were read
    bool has_announced_;    // the ids of the waiting rows (unstored.hpp)
    MemoryContext memory_;  // for the two arrays and the slots
    MemoryContext tuples_;  // the tuples that wait to be written
    row_values* rows_;
    TupleTableSlot** slots_;
    int count_;     // of the waiting rows
    int capacity_;  // of the arrays; there are so many slots
    Size bytes_;
};
static_assert(survives_longjmp<notification_batch>);

}  // namespace pgpubsub
