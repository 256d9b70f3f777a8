// The lock of a channel. Each channel has its own, so that an open transaction delays only users of its channel.
//
// The lock belongs to the transaction, is shown by pg_locks (locktype advisory, objsubid 5), and has the modes of a
// table's lock:
//
//   mode     taken by a transaction that                                                    excludes
//   use      stores into the channel, takes from it or recovers it, or attaches a table     replace
//   change   changes its settings, its subscriptions or the rights on it                    change, replace
//   replace  drops it or a subscription, or changes how its rows are stored                 all
//
// A transaction that has the lock in any mode knows that the channel stays. What it has read of the channel under the
// lock stays true, except for what only `change` protects. Before a transaction waits for the lock, it has checked that
// the caller has a right on the channel: no other role can stand in the way of its users.
//
// Locks are taken in this order, so that no two transactions that use one channel each wait for each other:
//   1. the name of a channel that is being made (create_channel.cpp)
//   2. the user's table: of the capture that fires, or of attach()
//   3. the extension's tables, in modes that exclude no transaction here
//   4. the lock of a channel
//   5. rows of the channel, keys of an ordered one (without waiting), for a moment a dedup_key
//   6. which functions a role may call, when the transaction commits (plain_grants.cpp)
//
// A transaction that uses several channels takes 4 to 5 again for each, as it takes the locks of several tables.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

enum class channel_lock : LOCKMODE {
    use = RowExclusiveLock,
    change = ShareUpdateExclusiveLock,
    replace = ShareRowExclusiveLock,
};

// Locks the channel for use until the transaction ends. If the transaction had no lock, reads the channel again. False:
// the channel is gone. It costs a comparison if the transaction has the lock already. was_locked: the transaction did
// not have the lock before.
bool use_channel(channel* c, bool* was_locked = nullptr);

// Does the same without waiting. False, too, if another transaction has the channel for `replace`.
bool use_channel_if_free(channel* c);

// Returns the channel of that name, locked for use. `role` must have the privilege. Errors: undefined_object (42704),
// insufficient_privilege (42501).
channel get_channel_for_use(std::string_view name, Oid role, privilege wanted);

// Locks the channel. What was read of the channel before may have changed.
void lock_channel(int32 id, channel_lock mode);

// Returns the channel of that name, locked. The caller must own it. Errors: undefined_object (42704),
// insufficient_privilege (42501).
channel owned_channel(std::string_view name, channel_lock mode);

}  // namespace pgpubsub
