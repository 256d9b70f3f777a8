// Broadcasts: they reach every session that listens just then, in the order of the commits, and no session that comes
// later.
#pragma once

#include "channel/channel.hpp"
#include "channel/plain_table.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

// Sends a notification on a broadcast channel when the transaction commits, and returns its id.
int64 broadcast(const channel& c, const new_notification& n);

// Removes payloads of the channel whose retention time is over, as sweep_rows() does.
int64 sweep_broadcasts(const channel& c, sweep_limits limits, TimestampTz* from = nullptr);

// Removes all stored payloads of the channel, as remove_rows() does.
int64 remove_broadcasts(int32 channel_id, bool wait);

}  // namespace pgpubsub
