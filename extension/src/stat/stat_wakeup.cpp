// pgpubsub.wakeup_state(): what shared memory knows of this database's worker, for the view pgpubsub.stat_wakeup.
#include "pure/steady_clock.hpp"
#include "shmem/databases.hpp"
#include "shmem/sessions.hpp"
#include "wakeup/wakeup.hpp"
#include "worker/worker.hpp"

using namespace pgpubsub;

namespace {

const char* name_of(wakeup_mode mode) {
    switch (mode) {
        case wakeup_mode::automatic: return "auto";
        case wakeup_mode::worker: return "worker";
        case wakeup_mode::transaction: return "transaction";
        case wakeup_mode::off: return "off";
    }
    return "";
}

Datum pids_of_listeners() {
    const std::span<const interested_session> sessions = interested_sessions(MyDatabaseId);
    auto* const pids = static_cast<Datum*>(palloc(Max(sessions.size(), 1) * sizeof(Datum)));
    int count = 0;
    for (const interested_session& s : sessions)
        if (s.listens())
            pids[count++] = Int32GetDatum(s.pid);
    return PointerGetDatum(construct_array(pids, count, INT4OID, sizeof(int32), true, TYPALIGN_INT));
}

// Returns null if nothing prevents a worker, apart from what the launcher has noted.
const char* why_there_is_no_worker() {
    if (!has_shared_memory())
        return "the library is not preloaded: add pgpubsub to shared_preload_libraries and restart the server";
    if (our_database() == nullptr)
        return "there are too many databases with the extension";
    if (RecoveryInProgress())
        return "the server is a standby";
    if (!has_launcher())
        return "the process that starts workers is not running: raise max_worker_processes, or see the server's log";
    if (!may_have_worker(MyDatabaseId))
        return "the database is a template, or takes no connections";
    return nullptr;
}

}  // namespace

namespace {

// The columns of 0.2.0; those of 0.1.0 are the ones without `since_0_2`.
enum column {
    mode,
    worker_pid,
    started_at,
    hints,
    notifies,
    woken,
    coalesced,
    last_error,
    failed_at,
    listeners,
    unread_listener,
    unread_since,
    count
};
constexpr bool since_0_2(int column) {
    return column == coalesced || column == unread_listener || column == unread_since;
}

Datum wakeup_state(FunctionCallInfo fcinfo, bool is_of_0_1) {
    Datum values[count] = {};
    bool nulls[count];
    memset(nulls, true, sizeof nulls);
    const auto set = [&](int column, Datum value) {
        values[column] = value;
        nulls[column] = false;
    };
    set(mode, CStringGetTextDatum(name_of(effective_wakeup())));
    if (shared_database* const d = has_shared_memory() ? our_database() : nullptr) {
        SpinLockAcquire(&d->lock);
        const int pid = d->worker_pid;
        const TimestampTz since = d->started_at, error_at = d->failed_at;
        char error[sizeof d->last_error];
        strlcpy(error, d->last_error, sizeof error);
        SpinLockRelease(&d->lock);
        if (has_worker(d)) {
            set(worker_pid, Int32GetDatum(pid));
            set(started_at, TimestampTzGetDatum(since));
        }
        set(hints, Int64GetDatum(static_cast<int64>(pg_atomic_read_u64(&d->hints))));
        set(notifies, Int64GetDatum(static_cast<int64>(pg_atomic_read_u64(&d->notifies))));
        set(woken, Int64GetDatum(static_cast<int64>(pg_atomic_read_u64(&d->woken))));
        set(coalesced, Int64GetDatum(static_cast<int64>(pg_atomic_read_u64(&d->coalesced))));
        if (error_at != 0) {
            set(last_error, CStringGetTextDatum(error));
            set(failed_at, TimestampTzGetDatum(error_at));
        }
        set(listeners, pids_of_listeners());
        if (const late_reader late = latest_reader(MyDatabaseId); late.pid != 0) {
            set(unread_listener, Int32GetDatum(late.pid));
            set(unread_since, TimestampTzGetDatum(GetCurrentTimestamp() - (steady_now() - late.since)));
        }
    }
    if (const char* const why = why_there_is_no_worker(); why != nullptr && nulls[worker_pid])
        set(last_error, CStringGetTextDatum(why));

    if (is_of_0_1) {
        int kept = 0;
        for (int i = 0; i < count; ++i)
            if (!since_0_2(i)) {
                values[kept] = values[i];
                nulls[kept++] = nulls[i];
            }
    }
    TupleDesc columns;
    get_call_result_type(fcinfo, nullptr, &columns);
    return HeapTupleGetDatum(heap_form_tuple(columns, values, nulls));
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_wakeup_state) { return wakeup_state(fcinfo, true); }
PGPUBSUB_FUNCTION(pgpubsub_wakeup_state_0_2) { return wakeup_state(fcinfo, false); }
