// Changing the rows of channels, subscriptions and rights.
//
// Guarantee: no SQL is run, so nothing that somebody else has put on these tables fires, and no setting of the session
// plays a part. What the tables' constraints demand is up to the caller, who has checked it with messages of its own.
// All sessions are told to forget what they remember, when the transaction commits; what has been changed is seen by
// the next command.
#pragma once

#include "channel/channel.hpp"
#include "channel/plain_table.hpp"

namespace pgpubsub {

void update_channel(int32 id, std::span<const column_value> changes);
void update_subscription(int32 id, std::span<const column_value> changes);

void remove_subscription(int32 id);
void remove_subscriptions_of(int32 channel_id);
// The row of the channel, its subscriptions, and the rights on it.
void remove_channel(int32 id);

// Nothing is done where the role has the right.
void add_right(int32 channel_id, Oid role, privilege what);
// Returns whether the role had it.
bool remove_right(int32 channel_id, Oid role, privilege what);
void remove_owners(int32 channel_id);

// Tells all sessions, when the transaction commits, to forget what they remember of the channels; and this one at once.
void tell_of_changed_channels();

}  // namespace pgpubsub
