// Removing what subscriptions hold.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Errors: feature_not_supported (0A000) in a transaction that may not see all of it. what: what is to be dropped.
void check_sees_all_rows(const char* what);

// Removes everything that subscriptions of the channel hold, and keeps the channel's users out until the transaction
// ends, but not before most is removed.
void remove_everything(const channel& c, std::span<const subscription> subscriptions);

}  // namespace pgpubsub
