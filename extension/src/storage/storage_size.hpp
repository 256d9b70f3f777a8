// How large the storage of the notification table is, and how much of it its rows need.
//
// Estimates, from what VACUUM has written down (free space, numbers of entries): cheap enough to ask every few seconds,
// however large the table is, and good enough to tell twofold from tenfold.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct storage_size {
    BlockNumber pages;
    BlockNumber needed_pages;
    // What is not worth a thought: a queue that is nearly empty takes that much.
    BlockNumber free_pages;

    bool is_bloated() const { return pages > free_pages && pages / 3 >= needed_pages; }
};

// Of a table or a TOAST table. The relation must be locked.
storage_size size_of_heap(Relation heap);

// Of an index. The relation must be locked. `growth`: that of its table.
storage_size size_of_index(Relation index, int64 growth);

// How many row versions the table has that it had not when it was vacuumed last, or that could not be removed then:
// they have entries in the indexes too.
int64 growth_of(Relation heap);

// Rows of the table that were removed or replaced and not yet vacuumed, and those that are there, as the cumulative
// statistics count them.
int64 dead_rows(Oid table);
int64 live_rows(Oid table);

}  // namespace pgpubsub
