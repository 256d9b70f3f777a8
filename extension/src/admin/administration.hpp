// What the functions that change channels, subscriptions and rights have in common.
//
// Guarantee: only who may create (by a grant on create_channel) or who owns the channel gets past the guards
// (owned_channel() in channel_lock.hpp). What then changes is changed without SQL (channel_rows.hpp, plain_grants.hpp).
#pragma once

#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/channel_lock.hpp"
#include "channel/channel_rows.hpp"

namespace pgpubsub {

// Why a broadcast channel has not what a queue channel has.
inline constexpr const char* nothing_is_stored =
    "A broadcast is sent when the transaction commits, and not stored for consumers.";

// The subscription that the argument names, or all where it is null.
inline std::span<const subscription> subscriptions_argument(FunctionCallInfo fcinfo, int index, const channel& c) {
    if (PG_ARGISNULL(index))
        return subscriptions_of(c);
    auto* const named = static_cast<subscription*>(palloc(sizeof(subscription)));
    *named = get_subscription(c, text_argument(fcinfo, index, "subscription"));
    return {named, 1};
}

}  // namespace pgpubsub
