// The transactions that have joined a row by its dedup_key (dedup.hpp).
//
// A joiner locks the row. PostgreSQL leaves in the row the number of the last transaction that locked it, or of all
// that held a lock at the same time, even when they have ended. So one look at the row tells.
//
// A number is only replaced when no transaction for which it stands runs any more. So a snapshot that sees the end of
// the named transactions has seen the end of all earlier ones. (A VACUUM FREEZE, or a VACUUM that a wraparound forces,
// may forget the members of a group that have ended.)
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct joiners {
    bool any;     // there is one, though it may have ended, or be a consumer that was rolled back
    bool ours;    // this transaction is one
    bool unseen;  // there is one that isn't ours, and whose end the snapshot does not see
};

joiners joiners_of(Relation heap, ItemPointer tid, Snapshot snapshot);

}  // namespace pgpubsub
