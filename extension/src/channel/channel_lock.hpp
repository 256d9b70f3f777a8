// The lock of a channel: each has one of its own, so that an open transaction holds up nobody but users of its channel.
//
// It belongs to the transaction, is shown by pg_locks (locktype advisory, objsubid 5), and has the modes of a table's
// lock:
//
//   mode     who has it                                                                          excludes
//   use      who stores into the channel, takes from it or recovers it, or attaches a table       replace
//   change   who changes its settings, its subscriptions or the rights on it                     change, replace
//   replace  who drops it or a subscription, or changes how its rows are stored                  all
//
// So who has it in any mode knows that the channel stays, and what was read of it under the lock holds, but for what
// only `change` protects. Whoever waits for it has looked before that the caller has a right on the channel: nobody
// else can stand in its way.
//
// Locks are taken in this order, so that no two transactions wait for each other that use one channel each:
//   1. the name of a channel that is being made (create_channel.cpp)
//   2. the user's table: of the capture that fires, or of attach()
//   3. the extension's tables, in modes that exclude nobody here
//   4. the lock of a channel
//   5. rows of the channel, keys of an ordered one (without waiting), for a moment a dedup_key
//   6. what functions a role may call, when the transaction commits (plain_grants.cpp)
// A transaction that uses several channels takes 4 to 5 again for each, as it takes the locks of several tables.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

enum class channel_lock : LOCKMODE {
    use = RowExclusiveLock,
    change = ShareUpdateExclusiveLock,
    replace = ShareRowExclusiveLock,
};

// Locks the channel for use until the transaction ends, and reads it again where it had to be locked. False when it is
// gone. It costs a comparison where the transaction has the lock already. was_locked: whether it had not.
bool use_channel(channel* c, bool* was_locked = nullptr);

// The same without waiting: false, too, when somebody has it for `replace`.
bool use_channel_if_free(channel* c);

// The channel of that name, locked for use. `role` must have the privilege.
// Errors: undefined_object (42704), insufficient_privilege (42501).
channel get_channel_for_use(std::string_view name, Oid role, privilege wanted);

// Locks the channel. What was read of it before may have changed.
void lock_channel(int32 id, channel_lock mode);

// The channel of that name, which the caller owns, locked. Errors: undefined_object (42704), insufficient_privilege
// (42501).
channel owned_channel(std::string_view name, channel_lock mode);

}  // namespace pgpubsub
