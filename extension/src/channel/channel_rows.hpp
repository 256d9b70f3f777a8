// Changes the rows of channels, subscriptions and rights.
//
// Guarantees:
// - No SQL is run. So no trigger or rule that somebody has put on these tables fires, and no setting of the session
//   plays a part.
// - When the transaction commits, all sessions are told to forget what they remember. The next command sees what has
//   been changed.
//
// The caller must keep to the tables' constraints: it has checked them, with messages of its own.
#pragma once

#include "channel/channel.hpp"
#include "channel/plain_table.hpp"

namespace pgpubsub {

void update_channel(int32 id, std::span<const column_value> changes);
void update_subscription(int32 id, std::span<const column_value> changes);

void remove_subscription(int32 id);
void remove_subscriptions_of(int32 channel_id);
// Removes the row of the channel, its subscriptions, and the rights on it.
void remove_channel(int32 id);

// Gives the role the right. If the role has it, nothing is done.
void add_right(int32 channel_id, Oid role, privilege what);
// Takes the right from the role, and returns whether the role had it.
bool remove_right(int32 channel_id, Oid role, privilege what);
void remove_owners(int32 channel_id);

// Tells all sessions, when the transaction commits, to forget what they remember of the channels; tells this session at
// once.
void tell_of_changed_channels();

}  // namespace pgpubsub
