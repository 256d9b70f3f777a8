// The state of transactions, by their numbers. A number is kept with its epoch, so that a transaction of long ago is
// not taken for a future one.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns the number that the next transaction will get.
uint64 next_transaction();
// Returns the number of a transaction by its 32 bits. `next` was read after the transaction got them.
uint64 whole_number(TransactionId xid, uint64 next);
// Returns whether it is the present transaction, or a sub-transaction of it that was not rolled back.
inline bool is_present_transaction(uint64 transaction) {
    return TransactionIdIsCurrentTransactionId(static_cast<TransactionId>(transaction));
}
// Returns the number of the present sub-transaction, which gets one if it has none.
uint64 own_transaction();

// Returns the lowest number that may still run in any database, by this snapshot. Our own transaction may have a lower
// one.
uint64 oldest_running(Snapshot snapshot, uint64 next);

// The state by this snapshot. A (sub)transaction of ours counts as running until it is rolled back, if only to a
// savepoint. Unknown: it is too long ago.
enum class transaction_state { running, committed, aborted, unknown };
transaction_state state_of_transaction(uint64 transaction, Snapshot snapshot, uint64 next);

}  // namespace pgpubsub
