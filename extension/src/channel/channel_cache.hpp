// The session's memory of channels: what it has read of their tables, until somebody changes one.
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

// A channel from the memory, or from the tables; null where there is none. It holds until the next look-up of any kind,
// which may forget everything. A name is not too long for one.
const remembered_channel* look_up_channel(int32 id);
const remembered_channel* look_up_channel(std::string_view name);

// The channel of a subscription; false where there is none.
bool find_channel_id(int32 subscription_id, int32* channel_id);

// The ids of all channels, in their order, as an array in the current memory context.
std::span<const int32> all_channel_ids();

}  // namespace pgpubsub
