// The launcher: makes sure that each database with the extension has a worker when it needs one, and that the workers
// leave room for others.
//
// It starts with the server, or when a standby is promoted. It looks into each database by means of a worker, which
// ends at once if it finds no extension. Later, a database is looked at when it is new, when it accepts connections
// again, or when one of its sessions has found the extension.
//
// The workers and the storage processes (storage_job.cpp) together take at most pgpubsub.max_workers places of
// max_worker_processes; worker_places.hpp says how many are for which. While there are free places, each database keeps
// its worker. When all places are taken and another database needs a worker, because it has hints or something is due
// there, one worker makes room: the worker that has been idle for the longest time or, if none is idle, one that has
// had its time. A leaving worker records when its database needs a worker again.
#include "pg/background_process.hpp"
#include "pg/settings.hpp"
#include "pure/worker_places.hpp"
#include "shmem/databases.hpp"
#include "storage/storage_upkeep.hpp"
#include "worker/known_databases.hpp"
#include "worker/worker.hpp"

extern "C" PGDLLEXPORT void pgpubsub_launcher_main(Datum);

namespace pgpubsub {
namespace {

constexpr int64 pause_without_room = 5 * USECS_PER_SEC;
// A limit, because the time of day may be set, and not every change of a database is reported.
constexpr int64 longest_sleep = USECS_PER_MINUTE;
constexpr int restart_after_crash_seconds = 1;

// What the launcher knows of an entry of the shared memory, by the place of the entry.
struct served_database {
    Oid database;
    BackgroundWorkerHandle* worker;
    bool has_foreign_worker;  // a worker that an earlier launcher has started
    int64 worker_started_at;
    bool was_asked_to_leave;
    int64 waiting_since;  // never: it does not wait for a worker
    BackgroundWorkerHandle* storage;
    int64 storage_retry_at;
    bool lack_was_said, storage_lack_was_said;

    bool has_process() const { return worker != nullptr || has_foreign_worker; }
};
served_database* all = nullptr;
int count = 0;

int workers = 0;
int storage_jobs = 0;

bool has_ended(BackgroundWorkerHandle** handle) {
    pid_t pid;
    const BgwHandleStatus status = GetBackgroundWorkerPid(*handle, &pid);
    if (status == BGWH_STARTED || status == BGWH_NOT_YET_STARTED)
        return false;
    pfree(*handle);
    *handle = nullptr;
    return true;
}

void note_processes() {
    if (all == nullptr) {
        while (database_at(count) != nullptr)
            ++count;
        all = static_cast<served_database*>(MemoryContextAllocZero(TopMemoryContext, count * sizeof(served_database)));
        for (int i = 0; i < count; ++i) {
            all[i].has_foreign_worker = has_worker(database_at(i));
            all[i].waiting_since = never;
        }
    }
    workers = storage_jobs = 0;
    for (int i = 0; i < count; ++i) {
        served_database& s = all[i];
        shared_database* const d = database_at(i);
        if (s.worker != nullptr && has_ended(&s.worker))
            s.was_asked_to_leave = false;
        if (s.has_foreign_worker && !has_worker(d))
            s.has_foreign_worker = s.was_asked_to_leave = false;
        if (s.storage != nullptr && has_ended(&s.storage))
            pg_atomic_write_u32(&d->storage_job, 0);
        if (const Oid database = pg_atomic_read_u32(&d->database); database != s.database) {
            s.database = database;
            s.waiting_since = never;
            s.storage_retry_at = at_once;
            s.lack_was_said = s.storage_lack_was_said = false;
        }
        workers += s.has_process();
        storage_jobs += s.storage != nullptr;
    }
}

void set_retry(shared_database* d, int64 pause) {
    const int64 now = steady_now();
    SpinLockAcquire(&d->lock);
    d->retry_at = now + pause;
    SpinLockRelease(&d->lock);
}

// A worker counts as failed until it reports that it is at work: the next one is started after a pause, which doubles.
void count_failure(shared_database* d) {
    const int64 now = steady_now();
    SpinLockAcquire(&d->lock);
    d->starts.fail(now);
    d->retry_at = d->starts.not_before();
    SpinLockRelease(&d->lock);
}

int64 retry_time(shared_database* d) {
    SpinLockAcquire(&d->lock);
    const int64 time = d->retry_at;
    SpinLockRelease(&d->lock);
    return time;
}

// Reports a lack once for each database that is known to have the extension, and again if it returns after it was over.
void say_lack(bool* was_said, shared_database* d, const char* name, const char* what, const char* hint) {
    if (*was_said || pg_atomic_read_u32(&d->has_extension) == 0)
        return;
    *was_said = true;
    note_error(d, psprintf("%s: %s", what, hint));
    ereport(WARNING, errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED), errmsg("%s for database \"%s\"", what, name),
            errhint("%s.", hint));
}

BackgroundWorkerHandle* start(BackgroundWorker* process) {
    BackgroundWorkerHandle* handle = nullptr;
    with_context(TopMemoryContext, [&] { RegisterDynamicBackgroundWorker(process, &handle); });
    pid_t pid;
    // The processes are started one after the other.
    if (handle != nullptr && WaitForBackgroundWorkerStartup(handle, &pid) == BGWH_POSTMASTER_DIED)
        proc_exit(1);
    return handle;
}

// Returns false if there is no place.
bool start_worker(int place) {
    shared_database* const d = database_at(place);
    const Oid database = all[place].database;
    BackgroundWorker worker = background_process("pgpubsub worker", "pgpubsub_worker_main");
    snprintf(worker.bgw_name, sizeof worker.bgw_name, "pgpubsub worker of database %u", database);
    worker.bgw_main_arg = Int32GetDatum(place);
    worker.bgw_notify_pid = MyProcPid;
    memcpy(worker.bgw_extra, &database, sizeof database);
    pg_atomic_write_u32(&d->shall_leave, 0);
    all[place].worker_started_at = steady_now();
    all[place].worker = start(&worker);
    return all[place].worker != nullptr;
}

bool start_storage_job_of(int place) {
    BackgroundWorker job = storage_process(
        all[place].database, static_cast<storage_job>(pg_atomic_read_u32(&database_at(place)->storage_job)));
    all[place].storage = start(&job);
    return all[place].storage != nullptr;
}

// Asks one worker to make room, and returns 0 if more than one is wanted. Returns never if enough workers were asked
// and are about to leave. If no worker can be asked yet, returns when one will have had its time.
int64 make_room(int wanted) {
    const int64 now = steady_now();
    int best = -1;
    int64 best_worked_at = 0, next = never;
    for (int i = 0; i < count; ++i) {
        served_database& s = all[i];
        if (!s.has_process())
            continue;
        if (s.was_asked_to_leave) {
            if (--wanted <= 0)
                return never;
            continue;
        }
        const auto worked_at = static_cast<int64>(pg_atomic_read_u64(&database_at(i)->worked_at));
        const int64 from = may_be_replaced_from(s.worker_started_at, Max(worked_at, s.worker_started_at));
        if (from > now) {
            next = Min(next, from);
        } else if (best < 0 || worked_at < best_worked_at) {
            best = i;
            best_worked_at = worked_at;
        }
    }
    if (best < 0)
        return next;
    all[best].was_asked_to_leave = true;
    pg_atomic_write_u32(&database_at(best)->shall_leave, 1);
    wake_worker(database_at(best));
    return wanted > 1 ? at_once : never;
}

// Returns the database that has waited for the longest time among those that want something that they lack; -1: none.
template <typename F>
int first_waiting(F since) {
    int first = -1;
    for (int i = 0; i < count; ++i)
        if (since(i) != never && (first < 0 || since(i) < since(first)))
            first = i;
    return first;
}

// Returns whether the database wants a worker and has none.
bool lacks_worker(int place) {
    const served_database& s = all[place];
    shared_database* const d = database_at(place);
    return OidIsValid(s.database) && !s.has_process() && !has_worker(d) && pg_atomic_read_u32(&d->is_wanted) != 0 &&
           pg_atomic_read_u32(&d->holds) == 0;
}

void say_no_start(int place, const database_state& state) {
    say_lack(&all[place].lack_was_said, database_at(place), NameStr(state.name),
             "no background worker could be started", "Raise max_worker_processes");
}

// Puts off all databases without a worker: there is no place, and no worker that could make room.
void give_up_for_now() {
    for (int i = 0; i < count; ++i) {
        if (!lacks_worker(i))
            continue;
        pg_atomic_write_u32(&database_at(i)->lacks_worker, 1);
        set_retry(database_at(i), pause_without_room);
        all[i].waiting_since = never;
    }
}

// Reports the lack of a worker also for a database whose extension was found only later.
void say_who_lacks_worker() {
    for (int i = 0; i < count; ++i) {
        if (all[i].lack_was_said || !lacks_worker(i) || pg_atomic_read_u32(&database_at(i)->lacks_worker) == 0 ||
            pg_atomic_read_u32(&database_at(i)->has_extension) == 0)
            continue;
        if (const database_state state = state_of(all[i].database); state.is == database_state::open)
            say_no_start(i, state);
    }
}

// Starts what is missing. Returns when to look again.
int64 start_workers() {
    note_processes();
    const worker_places places = places_for(max_workers(), max_worker_processes);
    int64 next = never;
    int waiting = 0, wanted = 0;
    for (int i = 0; i < count; ++i) {
        served_database& s = all[i];
        shared_database* const d = database_at(i);
        const bool may_have = lacks_worker(i);
        wanted += s.has_process() || (OidIsValid(s.database) && pg_atomic_read_u32(&d->is_wanted) != 0);
        const int64 from = may_have ? Max(retry_time(d), Min(next_need(d), s.waiting_since)) : never;
        const int64 now = steady_now();
        if (from > now) {
            s.waiting_since = never;
            next = Min(next, from);
        } else {
            s.waiting_since = Min(s.waiting_since, now);
            ++waiting;
        }
    }
    const bool has_lack = wanted > places.workers;
    // Databases that need a worker come first, then those that only keep one ready.
    for (;;) {
        const bool is_needed = waiting > 0;
        const int i = first_waiting([&](int place) {
            if (is_needed)
                return all[place].waiting_since;
            return lacks_worker(place) && retry_time(database_at(place)) <= steady_now() ? int64{0} : never;
        });
        if (i < 0)
            break;
        served_database& s = all[i];
        shared_database* const d = database_at(i);
        CHECK_FOR_INTERRUPTS();
        const database_state state = state_of(s.database);
        if (state.is != database_state::open) {
            waiting -= is_needed;
            s.waiting_since = never;
            if (state.is == database_state::gone) {
                free_database(d);
                s.database = InvalidOid;
            } else {
                pg_atomic_write_u32(&d->lacks_worker, 1);
                set_retry(d, pauses_after_errors.first);
                next = Min(next, retry_time(d));
            }
            continue;
        }
        if (workers >= places.workers) {
            if (!is_needed)
                break;
            say_lack(
                &s.lack_was_said, d, NameStr(state.name), "there is no free background worker",
                "Raise pgpubsub.max_workers, and max_worker_processes with it; until then the databases take turns");
            next = Min(next, make_room(waiting));
            break;
        }
        if (!start_worker(i)) {
            if (workers > 0 && is_needed) {
                say_no_start(i, state);
                next = Min(next, make_room(waiting));
                next = Min(next, steady_now() + pause_without_room);
            } else {
                give_up_for_now();
                next = Min(next, steady_now() + pause_without_room);
            }
            break;
        }
        count_failure(d);
        pg_atomic_write_u32(&d->lacks_worker, 0);
        if (!has_lack)
            s.lack_was_said = false;
        s.waiting_since = never;
        waiting -= is_needed;
        ++workers;
    }
    return next;
}

int64 start_storage_jobs() {
    const worker_places places = places_for(max_workers(), max_worker_processes);
    int64 next = never;
    for (int i = 0; i < count && workers + storage_jobs < places.all; ++i) {
        served_database& s = all[i];
        shared_database* const d = database_at(i);
        if (!OidIsValid(s.database) || s.storage != nullptr || pg_atomic_read_u32(&d->storage_job) == 0 ||
            pg_atomic_read_u32(&d->holds) != 0)
            continue;
        if (s.storage_retry_at > steady_now()) {
            next = Min(next, s.storage_retry_at);
            continue;
        }
        const database_state state = state_of(s.database);
        if (state.is != database_state::open) {
            pg_atomic_write_u32(&d->storage_job, 0);
        } else if (start_storage_job_of(i)) {
            ++storage_jobs;
            s.storage_lack_was_said = false;
        } else {
            say_lack(&s.storage_lack_was_said, d, NameStr(state.name),
                     "no background worker could be started to pack the notifications", "Raise max_worker_processes");
            s.storage_retry_at = steady_now() + pause_without_room;
            next = Min(next, s.storage_retry_at);
        }
    }
    return next;
}

void forget_launcher(int, Datum) { note_launcher(0); }

}  // namespace

void define_launcher() {
    if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
        return;
    BackgroundWorker launcher = background_process("pgpubsub launcher", "pgpubsub_launcher_main");
    launcher.bgw_restart_time = restart_after_crash_seconds;
    RegisterBackgroundWorker(&launcher);
}

}  // namespace pgpubsub

using namespace pgpubsub;

void pgpubsub_launcher_main(Datum) {
    ends_at_once = true;
    pqsignal(SIGTERM, end_on_signal);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
    pgstat_report_appname("pgpubsub launcher");
    watch_databases();
    before_shmem_exit(forget_launcher, 0);
    note_launcher(our_process() + 1);
    const MemoryContext per_round =
        AllocSetContextCreate(TopMemoryContext, "pgpubsub launcher", ALLOCSET_DEFAULT_SIZES);
    for (;;) {
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        MemoryContextSwitchTo(per_round);
        MemoryContextReset(per_round);
        AcceptInvalidationMessages();
        look_at_databases_if_changed();
        int64 next = start_workers();
        say_who_lacks_worker();
        next = Min(Min(next, start_storage_jobs()), steady_now() + longest_sleep);
        const long timeout = next == at_once ? 0 : static_cast<long>(Max(next - steady_now(), 0) / 1000 + 1);
        ends_at_once = false;
        WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | WL_TIMEOUT, timeout, PG_WAIT_EXTENSION);
        ends_at_once = true;
        // Not 0: with status 0 the process would not be started again after a request that was meant for it alone.
        if (ShutdownRequestPending)
            proc_exit(1);
    }
}
