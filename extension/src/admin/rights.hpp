// Rights on channels.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Gives a role a right on a channel, and with it what it needs to make use of it.
void give_right(int32 channel_id, Oid role, privilege what);

// Makes a role the owner of a new channel. What it may call stays as it is.
void make_owner(int32 channel_id, Oid role);

}  // namespace pgpubsub
