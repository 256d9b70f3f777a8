// The worker of a database: gives the hints, and does the maintenance.
//
// Work that fails is done later: the ERROR is recorded (view pgpubsub.stat_wakeup) and logged, and the failed work is
// retried after a pause, which grows, while the rest continues. It is retried at once when a table of the extension has
// changed, because that may have mended the cause. The worker ends when the extension is gone from the database.
#include "worker/worker.hpp"

#include "channel/catalog.hpp"
#include "channel/channel_request.hpp"
#include "pg/background_process.hpp"
#include "pg/settings.hpp"
#include "shmem/databases.hpp"
#include "storage/storage_upkeep.hpp"
#include "worker/maintenance.hpp"
#include "worker/notifier.hpp"
#include "worker/prepared_hints.hpp"

extern "C" PGDLLEXPORT void pgpubsub_worker_main(Datum);

namespace pgpubsub {
namespace {

// longest_sleep: the time between two looks whether the extension still exists, when there is nothing to do.
// longest_sleep_after_error: the time between two looks whether a failure was mended.
constexpr int64 longest_sleep = 60 * USECS_PER_SEC;
constexpr int64 longest_sleep_after_error = USECS_PER_SEC;
// If a lock was not free, the cause passes by itself.
constexpr int64 longest_pause_for_lock = 8 * USECS_PER_SEC;

shared_database* served = nullptr;
Oid extension = InvalidOid;
// What end_worker() has to do.
bool frees_entry = false;
bool leaves_in_order = false;

// Times are those of steady_now().
int64 extension_looked_at = 0;
int64 next_maintenance = at_once;
int64 next_storage_upkeep = at_once;

bool looks_at_extension = false;
retry looking(pauses_after_errors);
retry collecting(pauses_after_errors);
retry making(pauses_after_errors);
retry sending(pauses_after_errors);
retry storage_upkeep(pauses_after_errors);

bool is_failing() {
    return looking.is_failing() || collecting.is_failing() || making.is_failing() || sending.is_failing() ||
           storage_upkeep.is_failing() || maintenance_is_failing();
}

bool was_mended = false;
void note_change(Datum, Oid relation) { was_mended = was_mended || was_in_catalog(relation); }

void end_worker(int, Datum) {
    if (!leaves_in_order) {
        abandon_hints(served);
        need_worker_at(served, at_once, DT_NOEND);
    }
    pg_atomic_write_u32(&served->worker, 0);
    if (frees_entry)
        free_database_unless_wanted(served);
    wake_launcher();
}

void end_if_asked_to() {
    CHECK_FOR_INTERRUPTS();
    if (ShutdownRequestPending)
        proc_exit(0);
}

// Returns the extension. Returns InvalidOid if it is not installed, or if the database is a template: nobody could copy
// the template while a worker is connected.
Oid extension_to_serve() {
    StartTransactionCommand();
    const Oid found = may_have_worker(MyDatabaseId) ? our_extension() : InvalidOid;
    CommitTransactionCommand();
    return found;
}

// Leaves: the extension is gone, or another one than before.
[[noreturn]] void leave(Oid extension_now) {
    if (!OidIsValid(extension_now)) {
        pg_atomic_write_u32(&served->is_wanted, 0);
        pg_memory_barrier();
        extension_now = extension_to_serve();  // a session that has just recreated it asked for a worker in vain
    }
    if (OidIsValid(extension_now))
        pg_atomic_write_u32(&served->is_wanted, 1);
    else
        frees_entry = true;
    proc_exit(0);
}

void reload_settings() {
    if (!ConfigReloadPending)
        return;
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
    next_storage_upkeep = at_once;
}

// Sleeps. Without the latch, it wakes after at most as long as a hint may be put off.
void sleep_until(int64 until, bool wakes_by_latch) {
    constexpr long longest_ms = 100;
    for (;;) {
        const int64 now = steady_now();
        if (until <= now)
            return;
        const long left = static_cast<long>((until - now) / 1000 + 1);
        (void)WaitLatch(MyLatch, (wakes_by_latch ? WL_LATCH_SET : 0) | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                        wakes_by_latch ? left : Min(left, longest_ms), PG_WAIT_EXTENSION);
        if (wakes_by_latch)
            return;
        end_if_asked_to();
    }
}

// Leaves if the extension is gone, or is another one than before.
bool look_at_extension() {
    if (const Oid extension_now = extension_to_serve(); extension_now != extension)
        leave(extension_now);
    StartTransactionCommand();
    (void)our_catalog();
    CommitTransactionCommand();
    looks_at_extension = false;
    extension_looked_at = steady_now();
    return true;
}

// Does one round: first the hints of marked channels, then the maintenance that is due.
void work() {
    const int64 now = steady_now();
    if (next_sending() <= now || next_maintenance <= now)
        pg_atomic_write_u64(&served->worked_at, static_cast<uint64>(now));
    collecting.attempt(now, [] {
        looks_at_extension = collect_hints(served) || looks_at_extension;
        return true;
    });
    if (looks_at_extension || now - extension_looked_at > longest_sleep)
        looking.attempt(now, look_at_extension);
    // If that fails, all later steps would fail as well.
    if (looking.is_failing())
        return;
    making.attempt(now, [] {
        make_requested_channels();
        return true;
    });
    if (next_sending() <= now)
        sending.attempt(now, [] { return send_hints(served); });
    next_maintenance = maintain(now);
    if (now >= next_storage_upkeep)
        storage_upkeep.attempt(now, [now] {
            next_storage_upkeep = keep_storage_small(served, now);
            return true;
        });
}

// Returns when there is something to do.
int64 next_work() {
    if (looking.is_failing())
        return looking.not_before();
    return Min(Min(Max(next_sending(), sending.not_before()), Max(next_storage_upkeep, storage_upkeep.not_before())),
               next_maintenance);
}

void look_whether_mended() {
    AcceptInvalidationMessages();
    if (was_mended && is_failing()) {
        for (retry* r : {&looking, &collecting, &making, &sending, &storage_upkeep})
            r->try_at_once();
        retry_maintenance();
    }
    was_mended = false;
}

// Leaves because another database needs the place. Later hints, and planned work, bring a worker back.
void make_room() {
    constexpr int64 patience = 5 * USECS_PER_SEC;
    static int64 asked_at = never;
    const int64 now = steady_now();
    asked_at = Min(asked_at, now);
    if (!maintenance_is_planned() && now - asked_at < patience)
        return;
    const bool is_known = maintenance_is_planned() && !is_failing() && notifier_is_quiet();
    const int64 next = Min(next_upkeep(), next_look_at_prepared());
    need_worker_at(served, is_known ? next : Max(next, now + USECS_PER_SEC), next_due_time());
    if (!is_known)
        pg_atomic_fetch_or_u32(&served->tasks, task::all_channels);
    pg_atomic_write_u32(&served->left_in_order, is_known);
    leaves_in_order = true;
    if (!is_known)
        abandon_hints(served);
    proc_exit(0);
}

// Returns whether the extension is gone, or another one than the one that is served. Returns false if that can't be
// found out now.
bool extension_is_another(Oid* extension_now) {
    volatile bool is_another = false;
    PG_TRY();
    {
        *extension_now = extension_to_serve();
        is_another = *extension_now != extension;
    }
    PG_CATCH();
    {
        FlushErrorState();
        AbortCurrentTransaction();
    }
    PG_END_TRY();
    return is_another;
}

void log_error(ErrorData* error) {
    PG_TRY();
    { ReThrowError(error); }
    PG_CATCH();
    {
        EmitErrorReport();
        FlushErrorState();
    }
    PG_END_TRY();
}

// Runs f, which may fail, outside of any transaction. Returns whether it succeeded. Leaves silently if f failed because
// the extension has been dropped.
bool try_to(void (*f)()) {
    const MemoryContext context = CurrentMemoryContext;
    ErrorData* volatile error = nullptr;
    ends_at_once = true;
    PG_TRY();
    { f(); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(context);
        error = CopyErrorData();
        FlushErrorState();
        AbortCurrentTransaction();
        LWLockReleaseAll();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(context);
    if (error) {
        if (Oid extension_now; extension_is_another(&extension_now))
            leave(extension_now);
        MemoryContextSwitchTo(context);
        log_error(error);
        MemoryContextSwitchTo(context);
        note_error(served, error->message);
        if (error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE)
            for (retry* r : {&looking, &collecting, &making, &sending, &storage_upkeep})
                r->wait_no_longer_than(steady_now(), longest_pause_for_lock);
        FreeErrorData(error);
        looks_at_extension = true;
    }
    ends_at_once = false;
    return error == nullptr;
}

void begin() {
    start_notifier(pg_atomic_exchange_u32(&served->left_in_order, 0) == 0);
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
    set_own_setting("lock_timeout", "100ms");
    set_own_setting("pgpubsub.wakeup", "worker");
    extension = extension_to_serve();

    const TimestampTz started_at = GetCurrentTimestamp();
    SpinLockAcquire(&served->lock);
    const bool is_the_only_one = !has_worker(served) && pg_atomic_read_u32(&served->database) == database;
    if (is_the_only_one) {
        served->worker_pid = MyProcPid;
        served->started_at = started_at;
        pg_atomic_write_u32(&served->worker, our_process() + 1);
    }
    SpinLockRelease(&served->lock);
    if (!is_the_only_one)
        proc_exit(0);
    before_shmem_exit(end_worker, 0);
    // A process that wants no worker here first says so, and then looks for a worker.
    pg_memory_barrier();
    if (!OidIsValid(extension) || pg_atomic_read_u32(&served->holds) != 0)
        leave(extension);
    pg_atomic_write_u32(&served->has_extension, 1);
    pgstat_report_appname("pgpubsub worker");
    CacheRegisterRelcacheCallback(note_change, Datum{0});
    if (!try_to(begin))
        proc_exit(1);
    SpinLockAcquire(&served->lock);
    served->starts.succeed();
    SpinLockRelease(&served->lock);
    extension_looked_at = steady_now();

    for (;;) {
        ResetLatch(MyLatch);
        end_if_asked_to();
        reload_settings();
        if (!try_to(work)) {
            was_mended = false;
            // What was planned is unknown; each failed part knows when it may be retried.
            pgstat_report_activity(STATE_IDLE, nullptr);
            next_maintenance = at_once;
            continue;
        }
        if (pg_atomic_read_u32(&served->shall_leave) != 0)
            make_room();
        const int64 now = steady_now();
        // After hints were sent, the next hints gather for a while.
        sleep_until(next_sending_allowed(), false);
        sleep_until(Min(next_work(), now + (is_failing() ? longest_sleep_after_error : longest_sleep)), true);
        if (is_failing())
            look_whether_mended();
    }
}
