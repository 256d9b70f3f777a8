// Rights on channels.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Gives a role a right on a channel, and the plain grants that it needs to use it.
void give_right(int32 channel_id, Oid role, privilege what);

// Makes a role the owner of a new channel. The functions that the role may call stay the same.
void make_owner(int32 channel_id, Oid role);

}  // namespace pgpubsub
