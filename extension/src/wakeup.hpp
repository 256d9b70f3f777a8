// Wake-ups: the hint to consumers that a channel may have work.
//
// A hint is a NOTIFY on the channel's own name with no payload, so PostgreSQL itself sends one for each transaction
// and channel, at commit, and none for what rolls back, sub-transactions included. It is never the work: a hint that is lost
// delays a notification until the consumers' next sweep.
#pragma once

#include "channel.hpp"
#include "settings.hpp"

namespace pgpubsub {

inline void wake_consumers(const channel& c) {
    if (wakeup() == wakeup_mode::transaction)
        Async_Notify(c.name, "");
}

}  // namespace pgpubsub
