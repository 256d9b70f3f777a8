// Shared helpers of the functions that change channels, subscriptions and rights.
//
// Guarantee: only two kinds of users get past the guards (owned_channel() in channel_lock.hpp): users who may create
// (by a grant on create_channel), and the owner of the channel. All later changes are made without SQL
// (channel_rows.hpp, plain_grants.hpp).
#pragma once

#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/channel_lock.hpp"
#include "channel/channel_rows.hpp"

namespace pgpubsub {

// Why a broadcast channel lacks what a queue channel has.
inline constexpr const char* nothing_is_stored =
    "A broadcast is sent when the transaction commits, and not stored for consumers.";

// Returns the subscription that the argument names, or all if it is null.
inline std::span<const subscription> subscriptions_argument(FunctionCallInfo fcinfo, int index, const channel& c) {
    if (PG_ARGISNULL(index))
        return subscriptions_of(c);
    auto* const named = static_cast<subscription*>(palloc(sizeof(subscription)));
    *named = get_subscription(c, text_argument(fcinfo, index, "subscription"));
    return {named, 1};
}

}  // namespace pgpubsub
