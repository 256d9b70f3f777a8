// Wake-ups: the hint to consumers that a channel may have work.
//
// Guarantees:
// - A hint is never the work: a lost hint delays a notification until the consumers' next sweep.
// - What rolls back, sub-transactions included, wakes nobody.
//
// A hint is given in one of two ways:
// - by the worker of the database: a commit tells it of the hint when the transaction is visible;
// - without a worker, by a NOTIFY within the transaction.
#pragma once

#include "channel/channel.hpp"
#include "pg/settings.hpp"

namespace pgpubsub {

// Registers the callbacks that give the hints. Called once, when the library is loaded.
void watch_wakeups();

// Wakes consumers of the channel when the present transaction commits; not if what it did until now is rolled back.
void wake_consumers(const channel& c);

// Has consumers of the channel woken at that time too, once the present transaction has committed. Without a worker it
// does nothing: then consumers ask next_due().
void wake_consumers_at(const channel& c, TimestampTz due_at);

// Wakes consumers if the present (sub)transaction rolls back, since the rows that it took are there again.
void wake_consumers_on_abort(const channel& c);

// Has the worker look whether the extension is still there, once the present transaction has committed.
void look_at_extension_at_commit();

// Asks for a worker of this database once the present transaction has committed. The transaction makes the extension.
void ask_for_worker_at_commit();

// Has the launcher look at the databases once the present transaction has committed. There may be a new database, or
// one may take connections that took none before.
void look_at_databases_at_commit();

// Tells the worker that this session, which is ending, holds leases. Can't fail.
void tell_worker_of_dead_session();

// Tells the worker that the present statement claims from the channel, so that the hint need not be given to others.
void note_claim_begun(const channel& c);
// spread_hint() wakes some further consumers at once, because a claim leaves something for them. may_spread() says
// whether that would be of use now.
bool may_spread(const channel& c);
void spread_hint(const channel& c);

// Returns what wake_consumers() does at present, by the settings and with or without a worker. Never automatic.
wakeup_mode effective_wakeup();

}  // namespace pgpubsub
