// The marks: for each (database, channel) in shared memory, whether its consumers are to be woken.
//
// Whoever commits a notification sets its channel's mark and puts it into the list of its database; the worker takes
// the whole list at once. Setting a mark needs no lock, allocates nothing and can't fail. Where the table is full, the
// database's task all_channels stands for the channels that found no room: a hint may then wake too many, and never too
// few.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

extern const shared_part marks_part;

struct channel_mark;

// What a session keeps to set a mark later: the place may be another channel's by then, and is compared.
struct mark_place {
    channel_mark* mark;  // null: there was no room
    uint64 channel;
};

// The mark of a channel of this database, made if there is none.
mark_place find_mark(int32 channel_id, const char* name);

// Whom a hint is for: somebody else may have sent a NOTIFY to those who listen.
enum class audience : uint8 { all, waiting };

// Wakes consumers: sets the mark if anybody listens or waits, and wakes the worker if it has to be. Can't fail.
void set_mark(shared_database* d, const mark_place& at, audience who);
// Whether a claim that leaves something should wake others: not if nobody else is there, or others are about to be
// woken.
bool may_spread(const mark_place& at);
// It leaves something: has the worker wake some. Can't fail.
void set_spread(shared_database* d, const mark_place& at);
// The worker wakes them now: from here on a claim that leaves something says so again.
void begin_spread(channel_mark* mark);
// Has consumers woken at that time too. Can't fail.
void set_due(shared_database* d, const mark_place& at, TimestampTz due_at);

// That a claim of the channel has begun, with a statement that came at that time, which is one of steady_now().
void note_claim(const mark_place& at, int64 statement_start);

// What the worker takes from the list.
struct taken_mark {
    channel_mark* mark;
    int32 channel_id;
    bool has_hint;
    bool has_hint_for_waiting;
    bool has_spread;
    TimestampTz due_at;  // the earliest that was asked for since the last time; DT_NOEND: none
};

// The worker: takes the list, and goes through it. A mark that is set while it is looked at comes into the list again.
uint32 take_marks(shared_database* d);
// Gives the mark at `place` (and 1), and moves `place` to the next one; false at the end (0).
bool next_mark(uint32* place, taken_mark* taken);
int64 last_claim(const channel_mark* mark);
// The channel is gone: its place is free for another one.
void free_mark(channel_mark* mark, int32 channel_id);
// Whether there is little room left, so that places of channels that are gone should be looked for; the next place of
// this database from *place on, which moves behind it: false at the end.
bool marks_are_scarce();
bool marks_are_full();
bool next_mark_of_ours(uint32* place, channel_mark** mark, int32* channel_id);
// Frees all of a database, and empties its list.
void free_marks_of(shared_database* d);

// The hash of a channel's name in a database, by which listeners are found.
uint32 name_hash(Oid database, const char* name);

}  // namespace pgpubsub
