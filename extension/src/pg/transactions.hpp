// What became of transactions, by their numbers. A number is kept with its epoch, so that one from long ago is not
// taken for one to come.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// The number that the next transaction will get.
uint64 next_transaction();
// The number of a transaction that has one, by its 32 bits. `next` was read after it got them.
uint64 whole_number(TransactionId xid, uint64 next);
// Whether it is the present transaction, or a part of it that was not rolled back.
inline bool is_present_transaction(uint64 transaction) {
    return TransactionIdIsCurrentTransactionId(static_cast<TransactionId>(transaction));
}
// Of the present sub-transaction, which gets one if it has none.
uint64 own_transaction();

// No lower one runs any more in any database, by this snapshot, but perhaps our own.
uint64 oldest_running(Snapshot snapshot, uint64 next);

// By this snapshot; a transaction of ours runs until it is rolled back, if only to a savepoint. Unknown: it is too long
// ago.
enum class transaction_state { running, committed, aborted, unknown };
transaction_state state_of_transaction(uint64 transaction, Snapshot snapshot, uint64 next);

}  // namespace pgpubsub
