// The hints of prepared transactions. The worker gives them when it finds that the transaction is over.
#pragma once

#include "pure/steady_clock.hpp"
#include "shmem/databases.hpp"

#include <span>

namespace pgpubsub {

// Finds all transactions that are prepared and of which nothing else is known: in a new worker, and when sessions had
// no room to note them.
void find_prepared();

// Takes over the hints that sessions have noted.
void collect_prepared(shared_database* d);

// Returns when to look again whether the transactions are over, by steady_now(); never: there is none.
int64 next_look_at_prepared();

// Looks which transactions are over, and calls hint(channel_id) for these; channel_id 0 means all channels. Call it
// within a transaction that has a snapshot.
void end_prepared(void (*hint)(int32 channel_id));

}  // namespace pgpubsub
