// The launcher: sees to it that each database with the extension has a worker.
//
// It starts with the server, or when a standby is promoted, and looks into each database by means of a worker, which ends at once where it
// finds no extension. Later a database is looked at when a session of it has found the extension. A worker that failed is
// started again after a pause.
#include "background_process.hpp"
#include "databases.hpp"
#include "worker.hpp"

extern "C" PGDLLEXPORT void pgpubsub_launcher_main(Datum);

namespace pgpubsub {
namespace {

constexpr int64 pause_after_failure = USECS_PER_SEC;
constexpr int64 pause_without_room = 5 * USECS_PER_SEC;
constexpr int most_doublings = 6;
constexpr int restart_after_crash_seconds = 1;

bool is_open(const FormData_pg_database& database) {
    // -2: DROP DATABASE was interrupted.
    return database.datallowconn && !database.datistemplate && database.datconnlimit != -2;
}

enum class database_state { gone, closed, open };

database_state state_of(Oid database) {
    StartTransactionCommand();
    const database_state state = !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database)) ? database_state::gone
                                 : may_have_worker(database)                                     ? database_state::open
                                                                                                 : database_state::closed;
    CommitTransactionCommand();
    return state;
}

// Asks for a worker for each database that takes connections.
void want_workers_everywhere() {
    StartTransactionCommand();
    const Relation databases = table_open(DatabaseRelationId, AccessShareLock);
    const TableScanDesc scan = table_beginscan_catalog(databases, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = heap_getnext(scan, ForwardScanDirection))) {
        const auto* const database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
        if (is_open(*database))
            if (shared_database* const d = database_entry(database->oid))
                pg_atomic_write_u32(&d->is_wanted, 1);
    }
    table_endscan(scan);
    table_close(databases, AccessShareLock);
    CommitTransactionCommand();
}

void set_retry(shared_database* d, int64 pause) {
    const int64 now = steady_now();
    SpinLockAcquire(&d->lock);
    // Twice as long for each worker in a row that did not get to work.
    d->retry_at = now + (pause << Min(d->failures, most_doublings));
    ++d->failures;
    SpinLockRelease(&d->lock);
}

int64 retry_time(shared_database* d) {
    SpinLockAcquire(&d->lock);
    const int64 time = d->retry_at;
    SpinLockRelease(&d->lock);
    return time;
}

void start_worker(shared_database* d) {
    BackgroundWorker worker = background_process("pgpubsub worker", "pgpubsub_worker_main");
    snprintf(worker.bgw_name, sizeof worker.bgw_name, "pgpubsub worker of database %u", pg_atomic_read_u32(&d->database));
    worker.bgw_main_arg = Int32GetDatum(place_of(d));
    worker.bgw_notify_pid = MyProcPid;
    const Oid database = pg_atomic_read_u32(&d->database);
    memcpy(worker.bgw_extra, &database, sizeof database);
    // It puts the failures back to 0 when it is at work.
    set_retry(d, pause_after_failure);

    BackgroundWorkerHandle* handle = nullptr;
    pid_t pid;
    if (!RegisterDynamicBackgroundWorker(&worker, &handle)) {
        SpinLockAcquire(&d->lock);
        d->failures = 0;
        SpinLockRelease(&d->lock);
        set_retry(d, pause_without_room);
        note_error(d, "no background worker could be started: raise max_worker_processes");
        pg_atomic_write_u32(&d->lacks_worker, 1);
        return;
    }
    pg_atomic_write_u32(&d->lacks_worker, 0);
    // So workers are started one after the other.
    if (WaitForBackgroundWorkerStartup(handle, &pid) == BGWH_POSTMASTER_DIED)
        proc_exit(1);
    pfree(handle);
}

// Starts what is missing, and returns when to look again.
int64 start_workers() {
    int64 next = never;
    int place = 0;
    while (shared_database* const d = database_at(place++)) {
        const Oid database = pg_atomic_read_u32(&d->database);
        if (!OidIsValid(database) || has_worker(d) || pg_atomic_read_u32(&d->is_wanted) == 0 ||
            pg_atomic_read_u32(&d->holds) != 0)
            continue;
        const int64 retry_at = retry_time(d);
        if (retry_at > steady_now()) {
            next = Min(next, retry_at);
            continue;
        }
        CHECK_FOR_INTERRUPTS();
        switch (state_of(database)) {
            case database_state::gone:
                free_database(d);
                continue;
            case database_state::closed:
                pg_atomic_write_u32(&d->lacks_worker, 1);
                set_retry(d, pause_after_failure);
                break;
            case database_state::open:
                start_worker(d);
                break;
        }
        // There need not be a worker now, and nobody else would wake the launcher for it.
        next = Min(next, retry_time(d));
    }
    return next;
}

void forget_launcher(int, Datum) { note_launcher(0); }

}  // namespace

bool may_have_worker(Oid database) {
    const HeapTuple tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
    if (!HeapTupleIsValid(tuple))
        return false;
    const bool may = is_open(*reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple)));
    ReleaseSysCache(tuple);
    return may;
}

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
    before_shmem_exit(forget_launcher, 0);
    note_launcher(our_process() + 1);
    want_workers_everywhere();
    for (;;) {
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (ConfigReloadPending) {
            ConfigReloadPending = false;
            ProcessConfigFile(PGC_SIGHUP);
        }
        const int64 next = start_workers();
        const long timeout = next == never ? -1 : static_cast<long>(Max(next - steady_now(), 0) / 1000 + 1);
        ends_at_once = false;
        WaitLatch(MyLatch, WL_LATCH_SET | WL_EXIT_ON_PM_DEATH | (timeout < 0 ? 0 : WL_TIMEOUT), timeout, PG_WAIT_EXTENSION);
        ends_at_once = true;
        // Not 0: then it would not be started again, where only this process was to end.
        if (ShutdownRequestPending)
            proc_exit(1);
    }
}
