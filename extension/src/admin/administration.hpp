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
