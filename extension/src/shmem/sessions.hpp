// Who listens, and who waits: the sessions that a hint may be for, in shared memory.
//
// A session that executes LISTEN is noted before it listens, and not forgotten before it has stopped: so whoever finds
// nobody here can spare the hint. (LISTEN is noticed where utility commands are executed, see utility_hook.cpp.) Names
// are kept as bits of a map, so there may be any number of them; two names may share a bit, which costs a hint in vain
// at times.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

extern const shared_part sessions_part;

// How many sessions may listen to, or wait for, a channel with that hash (marks.hpp): at least as many as do.
uint32 count_interested(uint32 hash);
uint32 count_waiting(uint32 hash);
// Whether anybody listens or waits at all, in any database.
bool is_anybody_there();

// This session is about to listen to that name.
void note_listen(const char* name);
// It has asked not to listen to it any more (null: to none), which holds from commit on, unless that is taken back
// before.
void note_unlisten(const char* name);
void unlisten_at_commit();
void forget_unlisten();

// This session waits for channels with these hashes, until end_wait().
void begin_wait(std::span<const uint32> hashes);
// Whether it was woken since begin_wait() or wait_again(), and so does not count as waiting any more.
bool was_woken();
void wait_again();
void end_wait();

constexpr uint32 name_bits = 4096;

struct name_map {
    uint64 words[name_bits / 64];

    bool has(uint32 hash) const { return (words[hash % name_bits / 64] >> (hash % 64) & 1) != 0; }
    void set(uint32 hash) { words[hash % name_bits / 64] |= uint64{1} << (hash % 64); }
    void clear(uint32 hash) { words[hash % name_bits / 64] &= ~(uint64{1} << (hash % 64)); }
};

// A session as the worker sees it.
struct interested_session {
    uint32 process;  // number
    int pid;
    bool is_waiting;  // for those in `awaited`, and was not woken yet
    name_map awaited;
    name_map listened;

    bool waits_for(uint32 hash) const { return is_waiting && awaited.has(hash); }
    bool listens_to(uint32 hash) const { return listened.has(hash); }
    bool listens() const {
        for (const uint64 word : listened.words)
            if (word != 0)
                return true;
        return false;
    }
};

// The sessions that listen or wait in a database at present: an array in the current memory context.
std::span<const interested_session> interested_sessions(Oid database);

// A listening session has ended a transaction: before the next one it reads all NOTIFYs, and each NOTIFY that it reads
// is a transaction too. So a session that has ended none since a NOTIFY was sent to it has not read that. Can't fail.
void note_read();
// A NOTIFY is sent to those who listen in the database, now.
void note_sent(std::span<const interested_session> sessions, int64 now);

struct late_reader {
    int pid;      // 0: none
    int64 since;  // by steady_now()
};
// The session that has left a NOTIFY of the worker unread for the longest time, for a second or more.
late_reader latest_reader(Oid database);

// Wakes a session that waits; false if it does not, or was woken already.
bool wake_waiting(const interested_session& who);

}  // namespace pgpubsub
