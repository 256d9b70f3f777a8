// What is drawn and not yet stored: ids of notifications, and times at which rows are to be due.
//
// An id is drawn a moment before its row is stored, and the clock is read a moment before a due_at is. Meanwhile others
// draw and store higher ones. Who wants to know that nothing will be stored below a number (place.hpp) must know of
// these moments. So a session announces them, in shared memory where the library is preloaded: before it draws, the
// lowest number that it may get; and when all is in the table and its indexes, that it is done.
#pragma once

#include "shmem/shared_memory.hpp"

namespace pgpubsub {

// Ids of notifications of this channel are about to be drawn, and stored. False where something further out has
// announced that; else the caller says so when they are stored, with ids_are_stored(). An ERROR takes the announcement
// back.
bool announce_ids(int32 channel_id);
void ids_are_stored();
// Draws one. If a row of the table gets it, it was announced.
int64 draw_id();

// The clock is about to be read, for a due_at that is stored next, by notification_table, which then calls
// due_is_stored(). Gives the time.
TimestampTz announce_due();
void due_is_stored();

// All numbers below these that were ever drawn are stored, or were given up. What is read from the indexes after the
// call has them.
struct stored_below {
    int64 id;
    TimestampTz due_at;
    int64 next_id;  // the sequence gives none below it
};
// Without shared memory, what others have announced is not known: then this says it of this session alone.
stored_below all_stored_below(int32 channel_id, TimestampTz now);

// Registers the callbacks. Called once, when the library is loaded.
void watch_unstored();

extern const shared_part unstored_part;

}  // namespace pgpubsub
