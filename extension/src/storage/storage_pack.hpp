// Makes the files of the notifications shorter, in steps that lock the table for some milliseconds each.
//
// Guarantee: no row is lost or doubled, even if a step is interrupted, because each step is one transaction. Snapshots
// older than a step see after it what they saw before: rows are moved as any update moves them, or rewritten with the
// transactions that made them, and only pages without any row are cut off.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Each function runs in a transaction of its own, with lock_timeout set. The ERROR lock_not_available means that
// nothing was done.

// Cuts empty pages off the end of the file, as many as it can look at within a step. Returns how many.
BlockNumber cut_off_end(Oid table);

// Moves some rows of the notification table from its last pages to its first, so that the end can be cut off after the
// next vacuum. Returns how many.
int64 move_rows_off_end();

}  // namespace pgpubsub
