// Announcements: the numbers that are drawn and not yet stored. They are ids of notifications, and times at which rows
// are to be due.
//
// An id is drawn a moment before its row is stored. The clock is read a moment before a due_at is stored. Meanwhile
// other sessions draw and store higher numbers. A walk that must know that nothing will be stored below a number
// (place.hpp) must know of these moments. So each session announces them, in shared memory where the library is
// preloaded:
// 1. Before it draws, it announces the lowest number that it may get.
// 2. When everything is in the table and its indexes, it withdraws the announcement.
#pragma once

#include "shmem/shared_memory.hpp"

namespace pgpubsub {

// Announces that ids of notifications of this channel are about to be drawn and stored. False: an outer caller has
// announced that already. Otherwise the caller must call ids_are_stored() when the rows are stored. An ERROR withdraws
// the announcement.
bool announce_ids(int32 channel_id);
void ids_are_stored();
// Draws an id. If the id is for a row of the table, it must have been announced.
int64 draw_id();

// Announces that the clock is about to be read, for a due_at that is stored next, and returns the time.
// notification_table stores the row, and then calls due_is_stored().
TimestampTz announce_due();
void due_is_stored();

// All numbers below these that were ever drawn are stored, or were given up. An index that is read after the call has
// the stored ones.
struct stored_below {
    int64 id;
    TimestampTz due_at;
    int64 next_id;  // the sequence gives no lower id any more
};
// Returns the numbers for all sessions. Without shared memory, the announcements of others are not known: then the
// result holds for this session alone.
stored_below all_stored_below(int32 channel_id, TimestampTz now);

// Registers the callbacks. Called once, when the library is loaded.
void watch_unstored();

extern const shared_part unstored_part;

}  // namespace pgpubsub
