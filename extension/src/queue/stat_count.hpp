// Counts what happens to notifications, for the rates of pgpubsub.stat_channels.
//
// A count is an addition in this session's memory; stat_count.cpp says when and how the counts reach the table.
#pragma once

#include "channel/plain_table.hpp"

namespace pgpubsub {

// Registers the callback that stores the counts. Called once, when the library is loaded.
void watch_counts();

// Count for the present transaction; if that rolls back, the counts are dropped. Counts of a sub-transaction that rolls
// back stay. A negative n takes a count back.
void count_published(int32 subscription_id, int64 n = 1);
void count_processed(int32 subscription_id, int64 n = 1);
void count_failed(int32 subscription_id, int64 n = 1);

// Removes the stored counts of a subscription that say nothing any more, as sweep_rows() does.
void sweep_counts(int32 subscription_id, sweep_limits limits, TimestampTz* from);

// Removes the stored counts of a subscription that is being dropped. Sessions drop the counts that they still hold for
// it themselves.
void remove_counts(int32 subscription_id);

}  // namespace pgpubsub
