// What the worker does with the hints: it collects them and wakes consumers, as few as there is work for.
//
// - A channel's first hint is sent at once.
// - Hints that arrive within pgpubsub.wakeup_delay after a sending are sent together.
// - Hints that arrive when all consumers were woken, and none has begun a claim yet, wait for a claim: it will find
//   what they are about.
//
// A hint is addressed to one consumer. A waiting consumer (pgpubsub.wait()) is woken by its latch; if there is none, a
// listening consumer by a NOTIFY whose payload is its backend's pid. If no claim follows, two more are woken, then
// four, and at last all consumers (an empty payload): consumers may be busy, or gone, or may not know of addresses. A
// claim that leaves something is a hint too, so that work spreads to further consumers.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

// Called once, in a new worker. `has_gap`: it is not known which hints were missed since the last worker.
void start_notifier(bool has_gap);

// Returns whether nothing must be remembered of the hints, so that another worker can go on.
bool notifier_is_quiet();

// Collects the hints of marked channels, and does what the database's tasks ask for (a session with leases has ended, a
// prepared transaction is over). Returns true if the extension may be gone.
bool collect_hints(shared_database* d);

// Gives back the hints that were not collected, at the worker's end. Can't fail.
void abandon_hints(shared_database* d);

// Returns the time before which nothing is sent; until then, hints need not be collected either. Times are those of
// steady_now().
int64 next_sending_allowed();

// Returns when there is something to send next; never: not before something is collected.
int64 next_sending();

// Sends the due hints, in a transaction of its own. Returns false if none is due. A hint that can't be sent stays for
// the next time.
bool send_hints(shared_database* d);

}  // namespace pgpubsub
