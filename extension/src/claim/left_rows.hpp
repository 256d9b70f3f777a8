// Whether a channel has rows, for who must know it while the channel's users are kept out (channel_lock::replace).
//
// The indexes may have millions of entries of removed rows. So one looks before the lock is taken, without a decision, and again under it.
// Where the library is preloaded, the first look remembers what is gone (place.hpp, key_memory.hpp), and the second one looks at
// what has come in since.
#pragma once

#include "queue/notification.hpp"

namespace pgpubsub {

bool has_rows(const notification_table& table, const channel& c);

}  // namespace pgpubsub
