// The work of the worker in its database beside waking consumers of new notifications. Without a worker, all of it
// waits for recover().
//
// Guarantee: each step takes a few milliseconds, runs in a transaction of its own, and waits for nobody's lock. A table
// that another session has locked is left for later. An ERROR in a step ends that step only: maintain() can be called
// again at once, and retries what failed after a pause, while the rest continues.
//
// - Wakes consumers when something of their channel becomes due: a delay, a back-off or a lease ends. At that time it
//   looks whether there still is something, since most leases have been acked by their end.
// - Ends leases of sessions that are gone, at once after note_dead_session().
// - Every minute or so: makes dead letters of leases that are over and whose attempts are used up; removes history,
//   broadcasts and counts that have been kept too long; wakes consumers of ready notifications, in case a hint was
//   lost.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

// Called once, after the worker has connected to its database, and again to begin anew: soon all channels are looked
// at.
void begin_maintenance();

// Notes that consumers of the channel must be woken at that time. 0: of any channel; which one and when is not known.
// Cheap.
void note_due(int32 channel_id, TimestampTz due_at);

// Notes that a session that held leases has ended, or is about to end.
void note_dead_session();

// Does due work, in one step; call it outside of any transaction. Times are those of steady_now(). Returns when it
// wants to be called again; a time <= now means at once.
int64 maintain(int64 now);

// maintenance_is_failing() returns whether something has failed and was not done since. retry_maintenance() retries it
// at once, because the reason may be gone.
bool maintenance_is_failing();
void retry_maintenance();

// Returns whether the next due time is known: not while a new worker goes through the channels for the first time.
bool maintenance_is_planned();
// next_due_time() returns when something is due at a time of day. next_upkeep() returns when there is other work. While
// there is no worker, both are recorded elsewhere.
TimestampTz next_due_time();
int64 next_upkeep();

}  // namespace pgpubsub
