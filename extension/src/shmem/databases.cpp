#include "shmem/databases.hpp"

#include "pg/background_process.hpp"
#include "shmem/marks.hpp"

#include <array>

namespace pgpubsub {
namespace {

constexpr int max_databases = 256;

struct shared_databases {
    slock_t lock;  // for giving out entries
    pg_atomic_uint32 launcher;
    pg_atomic_uint32 have_changed;
    shared_database entries[max_databases];
};

shared_databases* all = nullptr;
shared_database* ours = nullptr;

constexpr auto numbers = [](shared_database& d) {
    return std::to_array({&d.is_wanted, &d.has_extension, &d.lacks_worker, &d.worker, &d.shall_leave, &d.left_in_order,
                          &d.first_mark, &d.tasks, &d.storage_job, &d.storage_jobs_done});
};
constexpr auto long_numbers = [](shared_database& d) {
    return std::to_array(
        {&d.worked_at, &d.storage_job_took, &d.hints, &d.coalesced, &d.notifies, &d.woken, &d.latest_id});
};

void clear(shared_database* d) {
    for (pg_atomic_uint32* a : numbers(*d))
        pg_atomic_write_u32(a, 0);
    for (pg_atomic_uint64* a : long_numbers(*d))
        pg_atomic_write_u64(a, 0);
    d->retry_at = d->needed_at = at_once;
    d->due_at = DT_NOEND;
    d->starts = retry(pauses_after_errors);
    d->started_at = d->failed_at = 0;
    d->worker_pid = 0;
    d->last_error[0] = '\0';
    d->prepared_count = 0;
    d->prepared_overflow = false;
}

void attach(void* memory, bool is_new) {
    all = static_cast<shared_databases*>(memory);
    if (!is_new)
        return;
    SpinLockInit(&all->lock);
    pg_atomic_init_u32(&all->launcher, 0);
    pg_atomic_init_u32(&all->have_changed, 0);
    for (shared_database& d : all->entries) {
        pg_atomic_init_u32(&d.database, 0);
        pg_atomic_init_u32(&d.holds, 0);
        for (pg_atomic_uint32* a : numbers(d))
            pg_atomic_init_u32(a, 0);
        for (pg_atomic_uint64* a : long_numbers(d))
            pg_atomic_init_u64(a, 0);
        SpinLockInit(&d.lock);
        clear(&d);
    }
}

shared_database* find(Oid database) {
    for (shared_database& d : all->entries)
        if (pg_atomic_read_u32(&d.database) == database)
            return &d;
    return nullptr;
}

// Returns a free entry. An entry that a session still holds is not free; the session lets go of it later.
shared_database* find_free() {
    for (shared_database& d : all->entries)
        if (pg_atomic_read_u32(&d.database) == InvalidOid && pg_atomic_read_u32(&d.holds) == 0)
            return &d;
    return nullptr;
}

}  // namespace

const shared_part databases_part = {"pgpubsub databases", [] { return sizeof(shared_databases); }, attach};

shared_database* database_entry(Oid database) {
    if (all == nullptr || !OidIsValid(database))
        return nullptr;
    if (shared_database* const known = find(database))
        return known;
    SpinLockAcquire(&all->lock);
    shared_database* d = find(database);
    if (d == nullptr && (d = find_free()) != nullptr) {
        clear(d);
        pg_write_barrier();
        pg_atomic_write_u32(&d->database, database);
    }
    SpinLockRelease(&all->lock);
    return d;
}

shared_database* known_database_entry(Oid database) {
    return all == nullptr || !OidIsValid(database) ? nullptr : find(database);
}

shared_database* our_database() {
    // If the extension was dropped, the entry may have become another database's.
    if (ours == nullptr || pg_atomic_read_u32(&ours->database) != MyDatabaseId)
        ours = database_entry(MyDatabaseId);
    return ours;
}

shared_database* database_at(int place) { return place < max_databases ? &all->entries[place] : nullptr; }
int place_of(const shared_database* d) { return static_cast<int>(d - all->entries); }

void free_database(shared_database* d) {
    free_marks_of(d);
    SpinLockAcquire(&all->lock);
    pg_atomic_write_u32(&d->database, InvalidOid);
    SpinLockRelease(&all->lock);
}

// A session that asks for a worker writes is_wanted first, and then looks whether the entry still belongs to its
// database. This function does these two in the opposite order.
void free_database_unless_wanted(shared_database* d) {
    if (pg_atomic_read_u32(&d->is_wanted) != 0)
        return;
    const Oid database = pg_atomic_read_u32(&d->database);
    free_database(d);
    pg_memory_barrier();
    if (pg_atomic_read_u32(&d->is_wanted) != 0)
        if (shared_database* const again = database_entry(database)) {
            pg_atomic_write_u32(&again->has_extension, 1);
            pg_atomic_write_u32(&again->is_wanted, 1);
        }
}

void note_launcher(uint32 process) { pg_atomic_write_u32(&all->launcher, process); }

bool has_launcher() { return pg_atomic_read_u32(&all->launcher) != 0; }

void wake_launcher() {
    if (const uint32 launcher = pg_atomic_read_u32(&all->launcher); launcher != 0)
        set_latch_of(launcher - 1);
}

bool expects_worker(shared_database* d) {
    // A worker that has failed more often is not started again soon.
    constexpr int few_failures = 2;
    return has_worker(d) ||
           (has_launcher() && pg_atomic_read_u32(&d->lacks_worker) == 0 && d->starts.failures() <= few_failures);
}

void wake_worker(shared_database* d) {
    if (const uint32 worker = pg_atomic_read_u32(&d->worker); worker != 0) {
        set_latch_of(worker - 1);
    } else {
        pg_atomic_exchange_u32(&d->is_wanted, 1);
        wake_launcher();
    }
}

void need_worker_at(shared_database* d, int64 needed_at, TimestampTz due_at) {
    SpinLockAcquire(&d->lock);
    d->needed_at = needed_at;
    d->due_at = due_at;
    SpinLockRelease(&d->lock);
}

int64 next_need(shared_database* d) {
    if (pg_atomic_read_u32(&d->first_mark) != 0 || pg_atomic_read_u32(&d->tasks) != 0)
        return at_once;
    SpinLockAcquire(&d->lock);
    const int64 needed_at = d->needed_at;
    const TimestampTz due_at = d->due_at;
    SpinLockRelease(&d->lock);
    return Min(needed_at, steady_time_of(due_at));
}

void note_change_of_databases() {
    pg_atomic_exchange_u32(&all->have_changed, 1);
    wake_launcher();
}

bool databases_have_changed() { return pg_atomic_exchange_u32(&all->have_changed, 0) != 0; }

void add_task(shared_database* d, uint32 what) {
    pg_atomic_fetch_or_u32(&d->tasks, what);
    wake_worker(d);
}

void ask_for_worker() {
    for (;;) {
        shared_database* const d = our_database();
        if (d == nullptr)
            return;
        const bool is_news = pg_atomic_exchange_u32(&d->has_extension, 1) == 0;
        if (pg_atomic_exchange_u32(&d->is_wanted, 1) == 0 || is_news)
            wake_launcher();
        if (pg_atomic_read_u32(&d->database) == MyDatabaseId)
            return;
    }
}

void note_error(shared_database* d, const char* message) {
    const TimestampTz now = GetCurrentTimestamp();
    const char* const text = message == nullptr ? "" : message;
    const int bytes = pg_mbcliplen(text, static_cast<int>(strlen(text)), sizeof d->last_error - 1);
    SpinLockAcquire(&d->lock);
    d->failed_at = now;
    memcpy(d->last_error, text, bytes);
    d->last_error[bytes] = '\0';
    SpinLockRelease(&d->lock);
}

}  // namespace pgpubsub
