// The session's memory of channels: what it has read of their tables, until one of them is changed.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

struct remembered_grant {
    Oid grantee;
    privilege what;
};

struct remembered_channel {
    int32 id;  // the hash key
    channel what;
    int grant_count;
    remembered_grant* grants;
    int subscription_count;
    subscription* subscriptions;  // their filters are in the memory of channels
};
static_assert(survives_longjmp<remembered_channel>);

// Returns a channel from the memory, or from the tables; null if there is none. The result is valid until the next
// look-up of any kind, which may forget everything. A name must not be too long for a channel.
const remembered_channel* look_up_channel(int32 id);
const remembered_channel* look_up_channel(std::string_view name);

// Finds the channel of a subscription; false if there is none.
bool find_channel_id(int32 subscription_id, int32* channel_id);

// Returns the ids of all channels, in their order, as an array in the current memory context.
std::span<const int32> all_channel_ids();

}  // namespace pgpubsub
