#include "storage/storage_upkeep.hpp"

#include "channel/catalog.hpp"
#include "pg/background_process.hpp"
#include "pg/settings.hpp"
#include "shmem/databases.hpp"
#include "storage/left_over_index.hpp"
#include "storage/storage_size.hpp"

namespace pgpubsub {
namespace {

// Removed rows are left to autovacuum while they are fewer than this number, or fewer than half of the live rows.
constexpr int64 few_dead_rows = 2000;

// Packing is tried again after at most this many intervals.
constexpr int longest_pause = 30;

// Rest after a process has ended, as a multiple of the time that it took.
constexpr int rest_after_work = 4;

// State of this process. Times are those of steady_now().
bool has_job = false;
uint32 done_before_job = 0;
TransactionId horizon_of_job = InvalidTransactionId;
int64 not_before = at_once;
TransactionId vacuumed_up_to = InvalidTransactionId;
int64 packed_at = at_once;
int64 pack_pause = 0;
retry jobs(pauses_after_errors);

struct findings {
    bool needs_vacuum;
    bool needs_packing;
    TransactionId horizon;
};

bool any_is_left_over() {
    left_over_index found;
    return find_left_over_indexes({&found, 1}) > 0;
}

bool any_index_is_bloated(Relation heap) {
    const int64 growth = growth_of(heap);
    List* const indexes = RelationGetIndexList(heap);
    bool found = false;
    ListCell* cell;
    foreach (cell, indexes) {
        const Oid oid = lfirst_oid(cell);
        if (found || !ConditionalLockRelationOid(oid, AccessShareLock))
            continue;
        const Relation index = index_open(oid, NoLock);
        found = size_of_index(index, growth).is_bloated();
        index_close(index, NoLock);
    }
    list_free(indexes);
    return found;
}

bool toast_is_bloated(Oid toast) {
    if (!OidIsValid(toast) || !ConditionalLockRelationOid(toast, AccessShareLock))
        return false;
    const Relation rel = table_open(toast, NoLock);
    const bool found = size_of_heap(rel).is_bloated();
    table_close(rel, NoLock);
    return found;
}

// Finds nothing if it would have to wait for a lock.
findings look() {
    findings found{};
    const Oid table = our_catalog().notification;
    if (!ConditionalLockRelationOid(table, AccessShareLock))
        return found;
    const Relation heap = try_table_open(table, NoLock);
    if (heap == nullptr)
        return found;
    const int64 dead = dead_rows(table);
    found.horizon = GetOldestNonRemovableTransactionId(heap);
    // While an old snapshot sees the removed rows, vacuuming would find the same rows again and again.
    const bool could_remove =
        !TransactionIdIsValid(vacuumed_up_to) || TransactionIdFollows(found.horizon, vacuumed_up_to);
    found.needs_vacuum = could_remove && dead > few_dead_rows && dead > live_rows(table) / 2;
    found.needs_packing = size_of_heap(heap).is_bloated() || toast_is_bloated(heap->rd_rel->reltoastrelid) ||
                          any_is_left_over() || any_index_is_bloated(heap);
    table_close(heap, NoLock);
    return found;
}

// A queue that grows again at once is packed ever less often.
bool may_pack(int64 now, int64 interval) {
    if (pack_pause == 0)
        pack_pause = interval;
    if (packed_at != at_once && now < packed_at + pack_pause)
        return false;
    if (packed_at != at_once)
        pack_pause = now < packed_at + 4 * pack_pause ? Min(2 * pack_pause, longest_pause * interval)
                                                      : Max(pack_pause / 2, interval);
    packed_at = now;
    return true;
}

}  // namespace

int64 keep_storage_small(shared_database* d, int64 now) {
    const int64 interval = storage_interval() * INT64CONST(1000);
    if (interval == 0)
        return never;  // until the settings are read again
    if (pg_atomic_read_u32(&d->storage_job) != 0 || RecoveryInProgress())
        return now + interval;
    if (has_job) {
        has_job = false;
        // A process that ended without reporting that it is done has failed.
        if (pg_atomic_read_u32(&d->storage_jobs_done) != done_before_job) {
            jobs.succeed();
            vacuumed_up_to = horizon_of_job;
            not_before =
                now + rest_after_work * static_cast<int64>(pg_atomic_read_u64(&d->storage_job_took)) - interval;
        } else {
            jobs.fail(now);
        }
    }
    const int64 earliest = Max(not_before, jobs.not_before());
    if (now < earliest)
        return Min(now + interval, earliest);

    StartTransactionCommand();
    const findings found = look();
    CommitTransactionCommand();

    const bool packs = found.needs_packing && may_pack(now, interval);
    if (!packs && !found.needs_vacuum)
        return now + interval;
    done_before_job = pg_atomic_read_u32(&d->storage_jobs_done);
    horizon_of_job = found.horizon;
    has_job = true;
    pg_atomic_write_u32(&d->storage_job,
                        static_cast<uint32>(packs ? storage_job::vacuum_and_pack : storage_job::vacuum));
    wake_launcher();
    return now + interval;
}

BackgroundWorker storage_process(Oid database, storage_job what) {
    BackgroundWorker process = background_process("pgpubsub storage", "pgpubsub_storage_main");
    process.bgw_main_arg = ObjectIdGetDatum(database);
    process.bgw_extra[0] = static_cast<char>(what);
    process.bgw_notify_pid = MyProcPid;
    return process;
}

}  // namespace pgpubsub
