// Whether a channel has rows, and removing them, for who must keep the channel's users out meanwhile
// (channel_lock::replace).
//
// The indexes may have millions of entries of removed rows. So one looks before the lock is taken, without a decision,
// and again under it. Where the library is preloaded, the first look remembers what is gone (place.hpp,
// key_memory.hpp), and the second one looks at what has come in since. Removing goes in the same two steps.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

bool has_rows(const notification_table& table, const channel& c);

// Removes rows that nobody waits for, without a wait: the ready ones, where the library is preloaded. Who acks a lease
// waits for whoever is at that row, and may have the channel that the caller is going to lock: so what is leased is
// left to the second step.
void remove_most_rows(notification_table& table, const channel& c, const subscription& s);
// Removes what is left, under the lock.
void remove_left_rows(notification_table& table, const channel& c, const subscription& s);

}  // namespace pgpubsub
