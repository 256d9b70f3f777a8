// The indexes that a failed REINDEX CONCURRENTLY has left behind on the extension's tables.
//
// Such an index is a copy of another index, and has its name with "_ccnew" or "_ccold" behind it. At first it is not
// valid. That does not last: REINDEX TABLE, REINDEX SCHEMA and VACUUM FULL make it valid. Then each write must maintain
// it, and the next REINDEX TABLE CONCURRENTLY copies it once more. Therefore a valid leftover is recognised by its
// name, and by being the same as the index from which its name is made. Indexes that users made for their own queries
// are not leftovers.
#pragma once

#include <span>

#include "pg/postgres.hpp"

namespace pgpubsub {

// A left-over index, by names, for use in a command. For the index of a TOAST table, the schema differs from the
// table's.
struct left_over_index {
    Oid table;
    NameData schema;
    NameData name;
};

// Finds as many as fit into `found`, and returns how many.
int find_left_over_indexes(std::span<left_over_index> found);

}  // namespace pgpubsub
