// The marks: shared memory says for each (database, channel) whether its consumers are to be woken.
//
// Guarantees: setting a mark needs no lock, allocates nothing and can't fail. A hint may wake too many consumers, but
// never too few.
//
// Steps:
// 1. A session that commits a notification sets the mark of its channel, and puts it into the list of its database.
// 2. The worker takes the whole list at once.
//
// When the table is full, the database's task all_channels stands for the channels that found no room: such a hint may
// wake too many.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

extern const shared_part marks_part;

struct channel_mark;

// What a session keeps to set a mark later. By then the entry may have been given to another channel, so `channel` is
// compared.
struct mark_place {
    channel_mark* mark;  // null: the table had no room
    uint64 channel;
};

// Returns the mark of a channel of this database, and makes it if there is none.
mark_place find_mark(int32 channel_id, const char* name);

// The consumers that a hint is for. `waiting` is for when a NOTIFY may already have been sent to those that listen.
enum class audience : uint8 { all, waiting };

// Wakes consumers: sets the mark if any session listens or waits, and wakes the worker if necessary. Can't fail.
void set_mark(shared_database* d, const mark_place& at, audience who);
// Returns whether a claim that leaves something should wake other consumers. It should not if there are no others, or
// if others are about to be woken.
bool may_spread(const mark_place& at);
// Has the worker wake some consumers, because a claim leaves something. Can't fail.
void set_spread(shared_database* d, const mark_place& at);
// Notes that the worker now wakes them: from here on, a claim that leaves something reports it again.
void begin_spread(channel_mark* mark);
// Has consumers woken at that time, too. Can't fail.
void set_due(shared_database* d, const mark_place& at, TimestampTz due_at);

// Notes that a claim of the channel has begun, in a statement that began at that time of steady_now().
void note_claim(const mark_place& at, int64 statement_start);

// A mark as the worker takes it from the list.
struct taken_mark {
    channel_mark* mark;
    int32 channel_id;
    bool has_hint;
    bool has_hint_for_waiting;
    bool has_spread;
    TimestampTz due_at;  // the earliest time that was asked for since the mark was last taken; DT_NOEND: none
};

// For the worker: takes the list, to go through it. A mark that is set while the worker looks at it comes into the list
// again.
uint32 take_marks(shared_database* d);
// Returns the mark at position `place` (plus 1), and moves `place` to the next mark; false at the end (0).
bool next_mark(uint32* place, taken_mark* taken);
int64 last_claim(const channel_mark* mark);
// Frees the mark of a channel that is gone, so that another channel can have its entry.
void free_mark(channel_mark* mark, int32 channel_id);
// The first returns whether little room is left, so that marks of channels that are gone should be looked for.
// next_mark_of_ours() returns the next mark of this database from *place on, and moves *place behind it; false at the
// end.
bool marks_are_scarce();
bool marks_are_full();
bool next_mark_of_ours(uint32* place, channel_mark** mark, int32* channel_id);
// Frees all marks of a database, and empties its list.
void free_marks_of(shared_database* d);

// Returns the hash of a channel's name in a database. Listeners are found by it.
uint32 name_hash(Oid database, const char* name);

}  // namespace pgpubsub
