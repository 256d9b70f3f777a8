// What shared memory knows of each database: its worker, what the worker is to look at, and what it has done.
//
// Only where the library is preloaded. An entry belongs to a database from its first use until the database is dropped,
// or turns out not to have the extension.
#pragma once

#include "pg/postgres.hpp"
#include "pure/retry.hpp"
#include "shmem/shared_memory.hpp"

namespace pgpubsub {

// What a worker is to look at besides the marks of channels.
namespace task {
enum : uint32 {
    all_channels = 1,  // some channel has a hint that found no room among the marks
    dead_session = 2,  // a session with leases has ended
    prepared = 4,      // a transaction with hints has been prepared
    extension = 8,     // the extension may be gone
};
}

// A transaction that is prepared, with a channel whose consumers are to be woken once it is committed.
struct prepared_hint {
    TransactionId xid;
    int32 channel_id;  // 0: all channels
};

struct shared_database {
    pg_atomic_uint32 database;   // its OID; 0: the entry is free
    pg_atomic_uint32 is_wanted;  // whether it shall have a worker
    pg_atomic_uint32
        worker;  // the number of the worker's process and 1, from when it is connected until it ends; 0: none
    pg_atomic_uint32 has_extension;  // a session or a worker has found it there
    pg_atomic_uint32 lacks_worker;   // it is wanted, but can't be started
    pg_atomic_uint32 holds;          // how many sessions want that it has no worker just now
    pg_atomic_uint32 first_mark;     // of the list of marked channels (marks.hpp): place and 1; 0: empty
    pg_atomic_uint32 tasks;

    pg_atomic_uint64 hints;      // marks that were set while somebody listened or waited
    pg_atomic_uint64 coalesced;  // of these, those that another one stood for
    pg_atomic_uint64 notifies;   // NOTIFYs that were sent
    pg_atomic_uint64 woken;      // waiting sessions that were woken
    pg_atomic_uint64 latest_id;  // of a notification that was drawn, about; by any session

    pg_atomic_uint32 shall_leave;    // the worker is to make room for another database's
    pg_atomic_uint32 left_in_order;  // the last one did so, and has left nothing undone but what is marked here
    pg_atomic_uint64 worked_at;      // when the worker last did something, by steady_now()

    pg_atomic_uint32 storage_job;        // wanted or running (enum storage_job); 0: none
    pg_atomic_uint32 storage_jobs_done;  // how many have come to their end
    pg_atomic_uint64 storage_job_took;   // the last of these, in microseconds

    slock_t lock;        // for what follows
    int64 retry_at;      // no worker is started before; by steady_now()
    retry starts;        // of the worker: one that ends before it is at work has failed
    int64 needed_at;     // while it has no worker: when there will be something to do, by steady_now(), but for
    TimestampTz due_at;  // what is due at a time of day
    TimestampTz started_at;
    int worker_pid;
    TimestampTz failed_at;  // 0: never
    char last_error[256];
    int prepared_count;
    bool prepared_overflow;
    prepared_hint prepared[128];
};

extern const shared_part databases_part;

// The entry of this session's database; null without shared memory, and where there are too many databases.
shared_database* our_database();
// The entry of any database, made if there is none; null where there are too many.
shared_database* database_entry(Oid database);
// The same, but null if there is none.
shared_database* known_database_entry(Oid database);
// The entries, for the launcher; null after the last one.
shared_database* database_at(int place);
int place_of(const shared_database* d);
// The database is gone, or has not the extension: forgets it, with its marks.
void free_database(shared_database* d);
// The same by its worker, which leaves, unless somebody has asked for one again.
void free_database_unless_wanted(shared_database* d);

// Whether a worker looks after this database.
inline bool has_worker(shared_database* d) { return pg_atomic_read_u32(&d->worker) != 0; }
// Whether it has one or will soon: so that what is left to the worker need not be done in another way.
bool expects_worker(shared_database* d);
// Sets the latch of the database's worker, or else of the launcher, so that there will be one. Can't fail.
void wake_worker(shared_database* d);
void wake_launcher();
// Adds to what the worker is to look at, and wakes it. Can't fail.
void add_task(shared_database* d, uint32 what);
// Asks for a worker for this database, whose extension the session has just found.
void ask_for_worker();

// Without a worker, the database needs one at these times; in any case when something is marked for it.
void need_worker_at(shared_database* d, int64 needed_at, TimestampTz due_at);
// When it next needs one, by steady_now().
int64 next_need(shared_database* d);

// There is a new database, or one takes connections that did not. Can't fail.
void note_change_of_databases();
// Whether there was such a change since the last call.
bool databases_have_changed();

// What the background processes do after an ERROR.
constexpr retry::pauses pauses_after_errors = {.first = USECS_PER_SEC, .longest = USECS_PER_MINUTE};

// The launcher's process and 1, or 0.
void note_launcher(uint32 process);
bool has_launcher();

// Notes an error for the view stat_wakeup.
void note_error(shared_database* d, const char* message);

// The number of this process among all, and what it takes to set its latch.
inline uint32 our_process() { return static_cast<uint32>(MyProc - ProcGlobal->allProcs); }
inline void set_latch_of(uint32 process) { SetLatch(&ProcGlobal->allProcs[process].procLatch); }

}  // namespace pgpubsub
