// What shared memory knows of each database: its worker, the tasks of the worker, and what the worker has done.
//
// It exists only where the library is preloaded. An entry belongs to a database from its first use. It is freed when
// the database is dropped, or turns out not to have the extension.
#pragma once

#include "pg/postgres.hpp"
#include "pure/retry.hpp"
#include "shmem/shared_memory.hpp"

namespace pgpubsub {

// What a worker must look at besides the marks of channels.
namespace task {
enum : uint32 {
    all_channels = 1,  // some channel has a hint that found no room among the marks
    dead_session = 2,  // a session with leases has ended
    prepared = 4,      // a transaction with hints has been prepared
    extension = 8,     // the extension may be gone
};
}

// A prepared transaction, and a channel whose consumers are to be woken once the transaction is committed.
struct prepared_hint {
    TransactionId xid;
    int32 channel_id;  // 0: all channels
};

struct shared_database {
    pg_atomic_uint32 database;   // its OID; 0: the entry is free
    pg_atomic_uint32 is_wanted;  // whether the database shall have a worker
    pg_atomic_uint32
        worker;  // the worker's process number plus 1, from the time when it is connected until it ends; 0: none
    pg_atomic_uint32 has_extension;  // a session or a worker has found the extension there
    pg_atomic_uint32 lacks_worker;   // a worker is wanted, but can't be started
    pg_atomic_uint32 holds;          // how many sessions want the database to have no worker just now
    pg_atomic_uint32 first_mark;     // of the list of marked channels (marks.hpp): its position plus 1; 0: empty
    pg_atomic_uint32 tasks;

    pg_atomic_uint64 hints;      // marks that were set while a session listened or waited
    pg_atomic_uint64 coalesced;  // of these, the marks that were set already
    pg_atomic_uint64 notifies;   // NOTIFYs that were sent
    pg_atomic_uint64 woken;      // waiting sessions that were woken
    pg_atomic_uint64 latest_id;  // about the latest id that any session has drawn for a notification

    pg_atomic_uint32 shall_leave;    // the worker must make room for another database's
    pg_atomic_uint32 left_in_order;  // the last worker made room, and left nothing undone but what is marked here
    pg_atomic_uint64 worked_at;      // when the worker last did something, by steady_now()

    pg_atomic_uint32 storage_job;        // wanted or running (enum storage_job); 0: none
    pg_atomic_uint32 storage_jobs_done;  // how many storage jobs have come to their end
    pg_atomic_uint64 storage_job_took;   // how long the last of these took, in microseconds

    slock_t lock;        // for the fields that follow
    int64 retry_at;      // no worker is started before this time, by steady_now()
    retry starts;        // starts of the worker; a worker that ends before it is at work has failed
    int64 needed_at;     // when a database without a worker will have work, by steady_now()
    TimestampTz due_at;  // the same for work that is due at a time of day
    TimestampTz started_at;
    int worker_pid;
    TimestampTz failed_at;  // 0: never
    char last_error[256];
    int prepared_count;
    bool prepared_overflow;
    prepared_hint prepared[128];
};

extern const shared_part databases_part;

// Returns the entry of this session's database; null without shared memory, and if there are too many databases.
shared_database* our_database();
// Returns the entry of any database, and makes it if there is none; null if there are too many.
shared_database* database_entry(Oid database);
// Returns the same entry, but null if there is none.
shared_database* known_database_entry(Oid database);
// Returns the entries one by one, for the launcher; null after the last one.
shared_database* database_at(int place);
int place_of(const shared_database* d);
// Forgets a database, with its marks. The database is gone, or does not have the extension.
void free_database(shared_database* d);
// Does the same, called by the database's worker, which leaves. Not if a session has asked for a worker again.
void free_database_unless_wanted(shared_database* d);

// Returns whether a worker looks after this database.
inline bool has_worker(shared_database* d) { return pg_atomic_read_u32(&d->worker) != 0; }
// Returns whether the database has a worker or will have one soon. If so, work that is left to the worker need not be
// done in another way.
bool expects_worker(shared_database* d);
// Sets the latch of the database's worker. Without one, sets the launcher's latch, so that there will be a worker.
// Can't fail.
void wake_worker(shared_database* d);
void wake_launcher();
// Adds to the tasks of the worker, and wakes it. Can't fail.
void add_task(shared_database* d, uint32 what);
// Asks for a worker for this database. The session has just found the extension there.
void ask_for_worker();

// Sets the times at which the database, without a worker, needs one. It also needs one as soon as something is marked
// for it.
void need_worker_at(shared_database* d, int64 needed_at, TimestampTz due_at);
// Returns when the database next needs a worker, by steady_now().
int64 next_need(shared_database* d);

// Notes that there is a new database, or that a database takes connections that took none before. Can't fail.
void note_change_of_databases();
// Returns whether there was such a change since the last call.
bool databases_have_changed();

// The pauses of the background processes after an ERROR.
constexpr retry::pauses pauses_after_errors = {.first = USECS_PER_SEC, .longest = USECS_PER_MINUTE};

// Notes the launcher's process number plus 1; 0: no launcher.
void note_launcher(uint32 process);
bool has_launcher();

// Notes an error for the view stat_wakeup.
void note_error(shared_database* d, const char* message);

// The number of this process among all processes, and how to set the latch of a process by its number.
inline uint32 our_process() { return static_cast<uint32>(MyProc - ProcGlobal->allProcs); }
inline void set_latch_of(uint32 process) { SetLatch(&ProcGlobal->allProcs[process].procLatch); }

}  // namespace pgpubsub
