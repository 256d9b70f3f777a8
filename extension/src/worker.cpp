// The worker of a database: gives the hints, and does the maintenance.
//
// What it can't do now it does later: an error is noted (view pgpubsub.stat_wakeup), logged, and tried again after a pause. It
// ends when the extension is gone from the database.
#include "worker.hpp"

#include "background_process.hpp"
#include "catalog.hpp"
#include "channel_request.hpp"
#include "databases.hpp"
#include "maintenance.hpp"
#include "notifier.hpp"
#include "settings.hpp"
#include "storage_upkeep.hpp"

extern "C" PGDLLEXPORT void pgpubsub_worker_main(Datum);

namespace pgpubsub {
namespace {

// Twice as long after each error in a row.
constexpr int64 pause_after_error = USECS_PER_SEC;
constexpr int most_doublings = 6;
// How often to look whether the extension is still there when there is nothing to do.
constexpr int64 longest_sleep = 60 * USECS_PER_SEC;

shared_database* served = nullptr;
bool frees_entry = false;  // at its end
bool looks_at_extension = false;
TimestampTz next_maintenance = DT_NOBEGIN;
TimestampTz next_storage_upkeep = DT_NOBEGIN;

void end_worker(int, Datum) {
    abandon_hints(served);
    pg_atomic_write_u32(&served->worker, 0);
    if (frees_entry)
        free_database(served);
    wake_launcher();
}

void end_if_asked_to() {
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending)
        proc_exit(0);
}

// A database may have settings that are not made for this process.
void set_own_settings() {
    constexpr const char* settings[][2] = {
        {"search_path", "pg_catalog, pg_temp"},
        {"synchronous_commit", "off"},  // a hint that a crash of the server loses is found by the sweep
        {"lock_timeout", "100ms"},
        {"statement_timeout", "0"},
        {"idle_in_transaction_session_timeout", "0"},
#if PG_VERSION_NUM >= 170000
        {"transaction_timeout", "0"},
#endif
        {"default_transaction_isolation", "read committed"},
        {"default_transaction_read_only", "off"},
        {"pgpubsub.wakeup", "worker"},
    };
    for (const auto& [name, value] : settings)
        SetConfigOption(name, value, PGC_SUSET, PGC_S_OVERRIDE);
}

// The extension; InvalidOid where it is not installed, or the database is a template: nobody could copy it.
Oid extension_to_serve() {
    StartTransactionCommand();
    const Oid extension = may_have_worker(MyDatabaseId) ? our_extension() : InvalidOid;
    CommitTransactionCommand();
    return extension;
}

// The extension is not there, or not the one that was.
[[noreturn]] void leave(Oid extension) {
    frees_entry = !OidIsValid(extension);
    pg_atomic_write_u32(&served->is_wanted, OidIsValid(extension) ? 1 : 0);
    proc_exit(0);
}

void reload_settings() {
    if (!ConfigReloadPending)
        return;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
    next_storage_upkeep = DT_NOBEGIN;
}

// Without the latch for at most as long as a hint may be put off.
void sleep_until(TimestampTz until, bool wakes_by_latch) {
    constexpr long longest_ms = 100;
    for (;;) {
        const TimestampTz now = GetCurrentTimestamp();
        if (until <= now)
            return;
        const long left = TimestampDifferenceMilliseconds(now, until);
        (void)WaitLatch(MyLatch, (wakes_by_latch ? WL_LATCH_SET : 0) | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                        wakes_by_latch ? left : Min(left, longest_ms), PG_WAIT_EXTENSION);
        if (wakes_by_latch)
            return;
        end_if_asked_to();
    }
}

// One round: what is marked, then what is due in maintenance.
void work() {
    looks_at_extension = collect_hints(served) || looks_at_extension;
    if (looks_at_extension)
        return;
    make_requested_channels();
    if (next_sending() <= GetCurrentTimestamp())
        send_hints(served);
    const TimestampTz now = GetCurrentTimestamp();
    next_maintenance = maintain(now);
    if (now >= next_storage_upkeep)
        next_storage_upkeep = keep_storage_small(now);
}

// What may fail, outside of any transaction. Returns whether it did not.
bool try_to(void (*f)()) {
    const MemoryContext context = CurrentMemoryContext;
    volatile bool ok = true;
    ends_at_once = true;
    PG_TRY();
    {
        f();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        ErrorData* const error = CopyErrorData();
        EmitErrorReport();
        FlushErrorState();
        AbortCurrentTransaction();
        LWLockReleaseAll();
        note_error(served, error->message);
        FreeErrorData(error);
        ok = false;
    }
    PG_END_TRY();
    ends_at_once = false;
    MemoryContextSwitchTo(context);
    return ok;
}

void begin() {
    start_notifier();
    begin_maintenance();
}

}  // namespace
}  // namespace pgpubsub

using namespace pgpubsub;

void pgpubsub_worker_main(Datum place) {
    served = database_at(DatumGetInt32(place));
    Oid database;
    memcpy(&database, MyBgworkerEntry->bgw_extra, sizeof database);
    pqsignal(SIGTERM, end_on_signal);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    ends_at_once = true;
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
    set_own_settings();
    const Oid extension = extension_to_serve();

    const TimestampTz now = GetCurrentTimestamp();
    SpinLockAcquire(&served->lock);
    const bool is_the_only_one = !has_worker(served) && pg_atomic_read_u32(&served->database) == database;
    if (is_the_only_one) {
        served->worker_pid = MyProcPid;
        served->started_at = now;
        served->failures = 0;
        pg_atomic_write_u32(&served->worker, our_process() + 1);
    }
    SpinLockRelease(&served->lock);
    if (!is_the_only_one)
        proc_exit(0);
    before_shmem_exit(end_worker, 0);
    // Who wants to be without a worker looks for one after saying so.
    pg_memory_barrier();
    if (!OidIsValid(extension) || pg_atomic_read_u32(&served->holds) != 0)
        leave(extension);
    pgstat_report_appname("pgpubsub worker");
    if (!try_to(begin))
        proc_exit(1);

    TimestampTz looked_at = now;
    int errors = 0;
    for (;;) {
        ResetLatch(MyLatch);
        end_if_asked_to();
        reload_settings();
        if (!try_to(work)) {
            pgstat_report_activity(STATE_IDLE, nullptr);
            sleep_until(GetCurrentTimestamp() + (pause_after_error << Min(errors, most_doublings)), false);
            ++errors;
            looks_at_extension = true;
            continue;
        }
        errors = 0;
        const TimestampTz worked_until = GetCurrentTimestamp();
        if (looks_at_extension || worked_until - looked_at > longest_sleep || worked_until < looked_at) {
            looks_at_extension = false;
            looked_at = worked_until;
            if (const Oid extension_now = extension_to_serve(); extension_now != extension)
                leave(extension_now);
            continue;
        }
        // After hints were sent, the next ones gather for a while.
        sleep_until(next_sending_allowed(), false);
        sleep_until(Min(Min(next_sending(), Min(next_maintenance, next_storage_upkeep)), worked_until + longest_sleep), true);
    }
}
