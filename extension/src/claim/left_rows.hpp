// Finds and removes the rows of a channel for a caller that must keep the channel's users out meanwhile
// (channel_lock::replace).
//
// The indexes may have millions of entries of removed rows. So the rows are looked up twice: before the lock is taken,
// without a decision, and again under the lock. If the library is preloaded, the first look remembers what is gone
// (place.hpp, key_memory.hpp), and the second look reads only what was added since. Rows are removed in the same two
// steps.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

bool has_rows(const notification_table& table, const channel& c);

// Removes rows without waiting: the ready rows, if the library is preloaded. An ack waits for the transaction that is
// changing its row, and may hold a lock on the channel that the caller is going to lock. Therefore leased rows are left
// to the second step.
void remove_most_rows(notification_table& table, const channel& c, const subscription& s);
// Removes the remaining rows, under the lock.
void remove_left_rows(notification_table& table, const channel& c, const subscription& s);

}  // namespace pgpubsub
