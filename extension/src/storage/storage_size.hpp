// How large the storage of the notification table is, and how much of it its rows need.
//
// The numbers are estimates from what VACUUM has recorded (free space, numbers of entries). They are cheap enough to
// ask for every few seconds, however large the table is, and good enough to tell twofold from tenfold.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

struct storage_size {
    BlockNumber pages;
    BlockNumber needed_pages;
    // Pages that are not worth packing: a nearly empty queue takes that many.
    BlockNumber free_pages;

    bool is_bloated() const { return pages > free_pages && pages / 3 >= needed_pages; }
};

// Returns the size of a table or a TOAST table. The relation must be locked.
storage_size size_of_heap(Relation heap);

// Returns the size of an index. The relation must be locked. `growth` is that of its table.
storage_size size_of_index(Relation index, int64 growth);

// Returns the number of row versions that were added since the last vacuum, or that it could not remove: they have
// index entries too.
int64 growth_of(Relation heap);

// dead_rows() returns the number of rows that were removed or replaced and not yet vacuumed; live_rows() the number of
// rows that exist. Both as the cumulative statistics count them.
int64 dead_rows(Oid table);
int64 live_rows(Oid table);

}  // namespace pgpubsub
