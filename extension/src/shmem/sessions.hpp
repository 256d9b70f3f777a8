// The sessions that listen, and the sessions that wait: a hint may be for them. They are in shared memory.
//
// Guarantee: a session that executes LISTEN is noted before it listens, and is not forgotten before it has stopped. So
// a transaction that finds no session here can spare the hint. (utility_hook.cpp notices LISTEN where utility commands
// are executed.)
//
// Names are kept as bits of a map, so there may be any number of them. Two names may share a bit, which at times costs
// a hint in vain.
#pragma once

#include "shmem/databases.hpp"

namespace pgpubsub {

extern const shared_part sessions_part;

// Return how many sessions may listen to, or wait for, a channel with that hash (marks.hpp): never fewer than really
// do.
uint32 count_interested(uint32 hash);
uint32 count_waiting(uint32 hash);
// Returns whether any session listens or waits at all, in any database.
bool is_anybody_there();

// Notes that this session is about to listen to that name.
void note_listen(const char* name);
// note_unlisten() notes that the transaction has given up listening to that name (null: to all names). This holds from
// the commit on (unlisten_at_commit()), unless it is taken back before (forget_unlisten()).
void note_unlisten(const char* name);
void unlisten_at_commit();
void forget_unlisten();

// Begins a wait of this session for channels with these hashes. It lasts until end_wait().
void begin_wait(std::span<const uint32> hashes);
// Returns whether the session was woken since begin_wait() or wait_again(), and therefore no longer counts as waiting.
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
    uint32 process;  // the process number
    int pid;
    bool is_waiting;  // for the names in `awaited`, and not woken yet
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

// Returns the sessions that listen or wait in a database at present, as an array in the current memory context.
std::span<const interested_session> interested_sessions(Oid database);

// Notes that a listening session has ended a transaction. Before the next one the session reads all NOTIFYs, and each
// NOTIFY that it reads is a transaction, too. So a session that has ended no transaction since a NOTIFY was sent to it
// has not read that NOTIFY. Can't fail.
void note_read();
// Notes that a NOTIFY is now sent to the sessions that listen in the database.
void note_sent(std::span<const interested_session> sessions, int64 now);

struct late_reader {
    int pid;      // 0: none
    int64 since;  // by steady_now()
};
// Returns the session that has left a NOTIFY of the worker unread for the longest time, if that is a second or more.
late_reader latest_reader(Oid database);

// Wakes a session that waits; false if it does not wait, or was woken already.
bool wake_waiting(const interested_session& who);

}  // namespace pgpubsub
