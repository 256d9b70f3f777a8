// The hints of prepared transactions, given by the worker once it finds that the transaction is over.
#pragma once

#include "pure/steady_clock.hpp"
#include "shmem/databases.hpp"

#include <span>

namespace pgpubsub {

// Finds all transactions that are prepared, of which nothing else is known: in a new worker, and when sessions had no
// room.
void find_prepared();

// Takes over what sessions have noted.
void collect_prepared(shared_database* d);

// When to look again whether they are over, by steady_now(); never: there is none.
int64 next_look_at_prepared();

// Looks, within a transaction that has a snapshot, and calls hint(channel_id), 0 for all channels, for those that are
// over.
void end_prepared(void (*hint)(int32 channel_id));

}  // namespace pgpubsub
