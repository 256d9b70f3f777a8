// Publishing once: as long as a notification with the same dedup_key waits to be handed out, no second one is stored.
#pragma once

#include "notification.hpp"

namespace pgpubsub {

// Longer ones would not fit an index for sure.
inline constexpr int max_dedup_key_bytes = 1024;

// As store(), for a notification with a dedup_key, and for each subscription by itself: where one with the same key waits, that
// one stays; with `replace` it gets the new payload. Returns the id of the new one if any was stored, else that of the
// one which waits.
int64 store_once(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
                 const new_notification& n, bool replace);

}  // namespace pgpubsub
