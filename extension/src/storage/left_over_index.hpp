// The indexes that a REINDEX CONCURRENTLY which failed has left behind on the extension's tables.
//
// Such an index is a copy of another one, and has its name with "_ccnew" or "_ccold" behind it. At first it is not
// valid. That does not last: REINDEX TABLE, REINDEX SCHEMA and VACUUM FULL make it a valid one, which each write must
// serve, and which the next REINDEX TABLE CONCURRENTLY copies once more. So one that is valid is known by its name, and
// by being the same as the index that its name is made of. What somebody made for their own queries is not.
#pragma once

#include <span>

#include "pg/postgres.hpp"

namespace pgpubsub {

// By names, for a command. The schema is another one than the table's for the index of a TOAST table.
struct left_over_index {
    Oid table;
    NameData schema;
    NameData name;
};

// As many as there is room for.
int find_left_over_indexes(std::span<left_over_index> found);

}  // namespace pgpubsub
