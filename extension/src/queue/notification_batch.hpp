// Storing many notifications: rows are gathered and written together, page by page, which costs about half of writing
// them one by one. However many they are, a batch needs no more than a few megabytes.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

class notification_batch {
public:
    // For notifications of one channel. The table stays open for as long as the batch is. Other code may run in
    // between, and remove subscriptions: what waits for one that is gone is not written.
    static notification_batch begin(notification_table* table, const channel& c);

    // As store(); the row is there at the latest after end(). What n points to may be gone after the call.
    int64 add(const new_notification& n);

    // Writes what is left.
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
    uint64 generation_;     // of channels, when they were read
    bool has_announced_;    // the ids of those that wait (unstored.hpp)
    MemoryContext memory_;  // of the two arrays and the slots
    MemoryContext tuples_;  // the tuples that wait to be written
    row_values* rows_;
    TupleTableSlot** slots_;
    int count_;     // of those that wait
    int capacity_;  // of the arrays; so many slots there are
    Size bytes_;
};
static_assert(survives_longjmp<notification_batch>);

}  // namespace pgpubsub
