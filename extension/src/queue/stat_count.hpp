// Counting what happens to notifications, for the rates of pgpubsub.stat_channels.
//
// A count is an addition in this session's memory; stat_count.cpp says when and how the counts reach the others.
#pragma once

#include "channel/plain_table.hpp"

namespace pgpubsub {

// Registers the callback that stores the counts. Called once, when the library is loaded.
void watch_counts();

// Each counts for the present transaction, and comes to nothing if that rolls back. What a sub-transaction counted that
// rolls back stays counted. n may be negative, to take a count back.
void count_published(int32 subscription_id, int64 n = 1);
void count_processed(int32 subscription_id, int64 n = 1);
void count_failed(int32 subscription_id, int64 n = 1);

// Removes what is stored for a subscription and says nothing any more, as sweep_rows().
void sweep_counts(int32 subscription_id, sweep_limits limits, TimestampTz* from);

// Removes what is stored for a subscription that is being dropped. What sessions still hold for it they drop
// themselves.
void remove_counts(int32 subscription_id);

}  // namespace pgpubsub
