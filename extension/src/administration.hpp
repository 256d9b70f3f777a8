// What the functions that change channels, subscriptions and rights have in common.
//
// Guarantee: only who may create (by a grant on create_channel) or who owns the channel gets past the guards
// (owned_channel() in channel_lock.hpp). What then changes is changed without SQL (channel_rows.hpp, plain_grants.hpp).
#pragma once

#include "arguments.hpp"
#include "catalog.hpp"
#include "channel.hpp"
#include "channel_lock.hpp"
#include "channel_rows.hpp"
