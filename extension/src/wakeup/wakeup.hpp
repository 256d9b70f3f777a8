// Wake-ups: the hint to consumers that a channel may have work.
//
// A hint is never the work: one that is lost delays a notification until the consumers' next sweep. It is given either
// by the worker of the database, whom a commit tells of it when the transaction is visible; or, without a worker, by a
// NOTIFY within the transaction. Either way what rolls back, sub-transactions included, wakes nobody.
#pragma once

#include "channel/channel.hpp"
#include "pg/settings.hpp"

namespace pgpubsub {

// Registers the callbacks that give the hints. Called once, when the library is loaded.
void watch_wakeups();

// Wakes consumers of the channel when the present transaction commits; not if what it did until now is rolled back.
void wake_consumers(const channel& c);

// Has consumers of the channel woken at that time too, once the present transaction has committed. Without a worker
// nothing: then consumers ask next_due().
void wake_consumers_at(const channel& c, TimestampTz due_at);

// The other way round: wakes consumers if the present (sub)transaction rolls back, since what it took is there again.
void wake_consumers_on_abort(const channel& c);

// Has the worker look whether the extension is still there, once the present transaction has committed.
void look_at_extension_at_commit();

// Asks for a worker of this database then: the extension is being made.
void ask_for_worker_at_commit();

// Has the launcher look at the databases then: there may be a new one, or one takes connections that did not.
void look_at_databases_at_commit();

// Tells the worker that this session, which is ending, holds leases. Can't fail.
void tell_worker_of_dead_session();

// For the worker: the present statement claims from the channel, so that the hint need not be given to others.
void note_claim_begun(const channel& c);
// A claim leaves something for further consumers: wakes some at once. The first one says whether that would be of use
// now.
bool may_spread(const channel& c);
void spread_hint(const channel& c);

// What wake_consumers() does at present: with the settings, and with or without a worker. Never automatic.
wakeup_mode effective_wakeup();

}  // namespace pgpubsub
