// Merges the due times of many rows of one channel into a single delayed wake-up.
#pragma once

#include "channel/table_columns.hpp"
#include "queue/notification.hpp"
#include "wakeup/wakeup.hpp"

namespace pgpubsub {

class later_wake_up {
public:
    void add(const channel& c, TimestampTz due_at) {
        if (!has_any_ || c_.id != c.id) {
            flush();
            has_any_ = true;
            c_ = c;
            first_ = due_at;
        }
        first_ = Min(first_, due_at);
    }
    // Adds the due time of a row, if the row waits for one.
    void add(const channel& c, const row_values& row) {
        if (!row.is_null(column::due_at) && DatumGetTimestampTz(row.get(column::due_at)) > GetCurrentTimestamp())
            add(c, DatumGetTimestampTz(row.get(column::due_at)));
    }
    void flush() {
        if (has_any_)
            wake_consumers_at(c_, first_);
        has_any_ = false;
    }

private:
    bool has_any_;
    channel c_;
    TimestampTz first_;
};
static_assert(survives_longjmp<later_wake_up>);

}  // namespace pgpubsub
