// What the worker does with the hints: collects them, and wakes consumers, as few as there is work for.
//
// A channel's first hint is sent at once; those that come within pgpubsub.wakeup_delay after one is sent are sent
// together, and those that come when all consumers were told, and none has begun a claim yet, wait for a claim: it will
// find what they are about. A hint is addressed to one consumer: a waiting one (pgpubsub.wait()) by its latch, else a
// listening one by a NOTIFY whose payload is its backend's pid. If no claim follows, to two more, then four, and at
// last to everybody (an empty payload): consumers may be busy, or gone, or not know of addresses. A claim that leaves
// something is a hint too, so that work spreads to further consumers.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

// Once, in a new worker. `has_gap`: it is not known what was missed since the last one.
void start_notifier(bool has_gap);

// Whether nothing has to be remembered of the hints, so that another worker can go on.
bool notifier_is_quiet();

// Takes what is marked. True: the extension may be gone.
bool collect_hints(shared_database* d);

// At the worker's end: gives back what was not collected. Can't fail.
void abandon_hints(shared_database* d);

// Before this, nothing is sent; so it need not be collected either. Times are those of steady_now().
int64 next_sending_allowed();

// When there is something to send next; never: not before something is collected.
int64 next_sending();

// Sends what is due, in a transaction of its own; false if nothing is. What can't be sent stays for the next time.
bool send_hints(shared_database* d);

}  // namespace pgpubsub
