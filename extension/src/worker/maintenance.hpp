// What the worker does in its database beside waking consumers of what is published: all that without it waits for
// recover().
//
// Guarantee: each step takes a few milliseconds, in a transaction of its own, and waits for nobody's lock; a table that
// somebody else has locked is left for later. An ERROR in a step ends that step only: maintain() can be called again at
// once, and tries what failed again after a pause, while the rest goes on.
//
// - Consumers are woken when something of their channel becomes due: a delay, a back-off or a lease ends. Whether there
//   still is something is looked up then, for most leases have been acked by their end.
// - Leases of sessions that are gone are ended, at once after note_dead_session().
// - Every minute or so: leases that are over and whose attempts are used up become dead letters, history, broadcasts
//   and counts are removed that are kept too long, and consumers of what is ready are woken, should a hint have been
//   lost.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

// Called once, after the worker has connected to its database, and again to begin anew: all channels are looked at,
// soon.
void begin_maintenance();

// Consumers of the channel are to be woken then; 0: of any channel, it is not known of which and when. Cheap.
void note_due(int32 channel_id, TimestampTz due_at);

// A session that held leases has ended, or is about to.
void note_dead_session();

// Does what is due, in one step; outside of any transaction. Times are those of steady_now(). Returns when it wants to
// be called again: <= now: at once.
int64 maintain(int64 now);

// Whether something has failed and was not done since; and does it again at once, since the reason may be gone.
bool maintenance_is_failing();
void retry_maintenance();

// Whether it is known when what is due next: not while a new worker goes through the channels for the first time.
bool maintenance_is_planned();
// When something is due at a time of day, and when there is something else to do; while there is no worker, that is
// noted elsewhere.
TimestampTz next_due_time();
int64 next_upkeep();

}  // namespace pgpubsub
