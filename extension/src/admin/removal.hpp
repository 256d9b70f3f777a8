// Removes the notifications of subscriptions.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Errors: feature_not_supported (0A000) in a transaction that may not see all rows. `what`: what is to be dropped.
void check_sees_all_rows(const char* what);

// Removes all notifications of the given subscriptions of the channel. Keeps the channel's users out until the
// transaction ends, but only after most rows are removed.
void remove_everything(const channel& c, std::span<const subscription> subscriptions);

}  // namespace pgpubsub
