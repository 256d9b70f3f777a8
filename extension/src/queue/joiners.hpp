// Who has joined a row by its dedup_key (dedup.hpp). A joiner locks the row, and PostgreSQL leaves the number of the
// last transaction that did so in it, or of all that held a lock at the same time, also when they have ended: so one
// look at the row tells.
//
// A number is only replaced when no transaction that it stands for runs any more. So who sees the end of those that are
// named has seen the end of all earlier ones. (A VACUUM FREEZE, or one that a wraparound forces, may forget those of a
// group that have ended.)
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct joiners {
    bool any;     // also one that has ended, or a consumer that was rolled back
    bool ours;    // this transaction is one
    bool unseen;  // one that the snapshot does not see the end of, if it isn't ours
};

joiners joiners_of(Relation heap, ItemPointer tid, Snapshot snapshot);

}  // namespace pgpubsub
