// Makes the files of the notifications shorter, in steps that lock the table for some milliseconds each.
//
// Guarantee: no row is lost or doubled, whatever ends a step in its middle, for each is one transaction; and snapshots
// that are older than a step see after it what they saw before, since rows are moved as any update moves them, or
// rewritten with the transactions that made them, and only pages without any row are cut off.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Each in a transaction of its own, with lock_timeout set: an ERROR lock_not_available says that nothing was done.

// Cuts empty pages off the end of the file: as many as it can look at within a step. Returns how many.
BlockNumber cut_off_end(Oid table);

// Moves some rows of the notification table from its last pages to its first, so that the end can be cut off once the
// table is vacuumed. Returns how many.
int64 move_rows_off_end();

}  // namespace pgpubsub
