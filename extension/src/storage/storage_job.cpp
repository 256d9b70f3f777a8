// The process that vacuums and packs the storage of the notifications, and then ends.
//
// Guarantee: publishers and consumers never wait for it longer than some tens of milliseconds. It takes a lock that
// blocks them only if it gets the lock within lock_patience, and only for a bounded step. If it holds a lock for
// longer, a command that waits for the lock, such as drop_channel() or ALTER TABLE, has the process cancelled after
// deadlock_timeout. The process may be ended at any moment.
//
// Steps: VACUUM, as any superuser may run it, beside everybody's work. Then, if the files are still far larger than
// needed:
//   1. Cut off the empty end of the table and of its TOAST table, a step at a time. While rows stand in the way, move
//      them to the front and vacuum again.
//   2. If the table is small by now, VACUUM FULL: all of it is rewritten, in one short transaction that older snapshots
//      survive.
//   3. If the table is larger and has bloated indexes, REINDEX CONCURRENTLY. It locks out nobody, but may have to wait
//      for old transactions; here it does not wait for long. The leftovers of a failed one are dropped, now or by the
//      next such process.
#include "channel/arguments.hpp"
#include "channel/catalog.hpp"
#include "pg/background_process.hpp"
#include "pg/locks.hpp"
#include "shmem/databases.hpp"
#include "storage/left_over_index.hpp"
#include "storage/storage_pack.hpp"
#include "storage/storage_size.hpp"
#include "storage/storage_upkeep.hpp"

using namespace pgpubsub;

namespace {

// Time that it waits for a lock behind which others queue up.
constexpr const char* lock_patience = "50ms";
// Time that it waits for a transaction if nobody else has to wait because of that.
constexpr const char* reindex_patience = "2s";

// Pages that are rewritten at once. This bounds the time for which the table is locked.
constexpr BlockNumber rewritten_pages = 2048;

// Rest between two locks, in which other sessions have their turn, in milliseconds; twice as long after each failure.
constexpr long rest_ms = 50;
constexpr int lock_attempts = 6;
constexpr int rounds = 10;

// Lives as long as the process.
MemoryContext job_context;
// The next transaction id at the time when the process began.
TransactionId begun_at;

void set_lock_timeout(const char* value) { set_own_setting("lock_timeout", value); }

// Makes PostgreSQL treat the process like an autovacuum worker: a session that has waited for its lock for
// deadlock_timeout cancels its command, and DROP DATABASE ends it.
void give_way_to_others() {
    LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
    MyProc->statusFlags |= PROC_IS_AUTOVACUUM;
    ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
    LWLockRelease(ProcArrayLock);
}

// Runs f in a transaction. Returns false if the transaction was rolled back because a lock was not free in time. If
// other sessions want the table, the process ends: they may be going to drop it.
template <typename F>
bool attempt(F f) {
    static_assert(survives_longjmp<F>);
    volatile bool done = false;
    PG_TRY();
    {
        StartTransactionCommand();
        f();
        CommitTransactionCommand();
        done = true;
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(job_context);
        const int code = geterrcode();
        const bool is_in_the_way = code == ERRCODE_QUERY_CANCELED || code == ERRCODE_T_R_DEADLOCK_DETECTED;
        if (code != ERRCODE_LOCK_NOT_AVAILABLE && !is_in_the_way)
            PG_RE_THROW();
        FlushErrorState();
        AbortCurrentTransaction();
        if (is_in_the_way)
            proc_exit(0);
    }
    PG_END_TRY();
    MemoryContextSwitchTo(job_context);
    return done;
}

void rest(long ms) {
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    // A late cancel request is void: its sender has the lock by now.
    QueryCancelPending = false;
    CHECK_FOR_INTERRUPTS();
}

// Returns whether a transaction has locked the table and still has after `ms` milliseconds. Waiting for it would hold
// up others for nothing.
bool has_long_holder(Oid table, long ms) {
    LOCKTAG tag;
    SET_LOCKTAG_RELATION(tag, MyDatabaseId, table);
    int count;
    const VirtualTransactionId* const before = GetLockConflicts(&tag, AccessExclusiveLock, &count);
    rest(ms);
    int count_after;
    const VirtualTransactionId* const after = GetLockConflicts(&tag, AccessExclusiveLock, &count_after);
    for (int i = 0; i < count; ++i)
        for (int j = 0; j < count_after; ++j)
            if (VirtualTransactionIdEquals(before[i], after[j]))
                return true;
    return false;
}

// Rests, then runs f, which locks the table and returns whether it could. Repeats that after ever longer rests.
template <typename F>
bool attempt_often(Oid table, F f) {
    set_lock_timeout(lock_patience);
    for (int i = 0; i < lock_attempts; ++i)
        if (!has_long_holder(table, rest_ms << i) && f())
            return true;
    return false;
}

// Runs a command that begins and ends its own transactions.
bool run(const char* command) {
    pgstat_report_activity(STATE_RUNNING, command);
    const bool done = attempt([command] {
        PushActiveSnapshot(GetTransactionSnapshot());
        with_context(job_context, [command] {
            PlannedStmt* const statement = makeNode(PlannedStmt);
            statement->commandType = CMD_UTILITY;
            statement->canSetTag = true;
            statement->utilityStmt = linitial_node(RawStmt, raw_parser(command, RAW_PARSE_DEFAULT))->stmt;
            ProcessUtility(statement, command, false, PROCESS_UTILITY_TOPLEVEL, nullptr, nullptr, None_Receiver,
                           nullptr);
        });
        if (ActiveSnapshotSet())
            PopActiveSnapshot();
    });
    pgstat_report_activity(STATE_RUNNING, "");
    return done;
}

struct index_to_build {
    NameData name;
    bool is_bloated;
};

struct sizes {
    storage_size heap;
    storage_size toast;
    Oid table;
    NameData schema;
    NameData name;
    Oid toast_table;
    uint64 index_pages;
    int index_count;
    index_to_build indexes[32];
    int left_over_count;
    left_over_index left_over[32];

    // Returns the qualified name, for commands.
    const char* in_schema(const NameData& of) const { return quote_qualified_identifier(NameStr(schema), NameStr(of)); }
    const char* table_name() const { return in_schema(name); }

    bool has_bloated_index() const {
        for (int i = 0; i < index_count; ++i)
            if (indexes[i].is_bloated)
                return true;
        return false;
    }
};

// Measures the tables and indexes. Returns false if the extension is gone.
bool measure(sizes* found) {
    *found = {};
    attempt([found] {
        if (!is_installed())
            return;
        const Relation heap = try_table_open(our_catalog().notification, AccessShareLock);
        if (heap == nullptr)
            return;
        found->table = RelationGetRelid(heap);
        namestrcpy(&found->schema, get_namespace_name(RelationGetNamespace(heap)));
        found->name = heap->rd_rel->relname;
        found->heap = size_of_heap(heap);
        found->toast_table = heap->rd_rel->reltoastrelid;
        if (OidIsValid(found->toast_table)) {
            const Relation toast = table_open(found->toast_table, AccessShareLock);
            found->toast = size_of_heap(toast);
            table_close(toast, AccessShareLock);
        }
        const int64 growth = growth_of(heap);
        ListCell* cell;
        foreach (cell, RelationGetIndexList(heap)) {
            if (found->index_count == lengthof(found->indexes))
                break;
            const Relation index = index_open(lfirst_oid(cell), AccessShareLock);
            found->index_pages += RelationGetNumberOfBlocks(index);
            found->indexes[found->index_count++] = {index->rd_rel->relname, size_of_index(index, growth).is_bloated()};
            index_close(index, AccessShareLock);
        }
        found->left_over_count = find_left_over_indexes(found->left_over);
        table_close(heap, AccessShareLock);
    });
    return OidIsValid(found->table);
}

// Drops left-over indexes until none is left. Returns false if a table is locked for too long.
bool drop_left_over() {
    sizes size;
    while (measure(&size) && size.left_over_count > 0)
        for (const left_over_index& index : std::span(size.left_over, size.left_over_count))
            if (!attempt_often(index.table, [&] {
                    return run(psprintf("DROP INDEX IF EXISTS %s",
                                        quote_qualified_identifier(NameStr(index.schema), NameStr(index.name))));
                }))
                return false;
    return true;
}

// By default, VACUUM skips the indexes if few pages have dead rows, and then keeps the line pointers of these rows in
// the table. A page with a line pointer is not empty, and can't be cut off.
void vacuum(const sizes& size, storage_job what) {
    const char* const cleans_indexes = what == storage_job::vacuum_and_pack ? ", INDEX_CLEANUP on" : "";
    run(psprintf("VACUUM (SKIP_LOCKED%s, TRUNCATE off, PARALLEL 0) %s", cleans_indexes, size.table_name()));
}

// Cuts until no more pages come off, or the table is locked for too long.
void cut_off(Oid table) {
    BlockNumber cut = 0;
    while (attempt_often(table, [table, &cut] { return attempt([table, &cut] { cut = cut_off_end(table); }); }) &&
           cut > 0) {}
}

// Moves rows until none is left to move. Returns false if the table is locked for too long.
bool move_rows(Oid table) {
    int64 moved = 0;
    do {
        if (!attempt_often(table, [&moved] { return attempt([&moved] { moved = move_rows_off_end(); }); }))
            return false;
    } while (moved > 0);
    return true;
}

bool is_small(const sizes& size) {
    return size.heap.pages <= rewritten_pages && size.toast.needed_pages <= rewritten_pages;
}

// Returns whether a transaction or a snapshot from before this process began still exists: a REINDEX CONCURRENTLY would
// wait for it.
bool has_old_transaction(Oid table) {
    bool found = false;
    attempt([table, &found] {
        const Relation heap = try_table_open(table, AccessShareLock);
        if (heap == nullptr)
            return;
        found = TransactionIdPrecedes(GetOldestNonRemovableTransactionId(heap), begun_at);
        table_close(heap, AccessShareLock);
    });
    return found;
}

void reindex(const sizes& size) {
    if (has_old_transaction(size.table))
        return;
    set_lock_timeout(reindex_patience);
    // In a deadlock with another session, this process is to fail, not the other.
    SetConfigOption("deadlock_timeout", "10ms", PGC_SUSET, PGC_S_OVERRIDE);
    for (int i = 0; i < size.index_count; ++i)
        if (size.indexes[i].is_bloated &&
            !run(psprintf("REINDEX INDEX CONCURRENTLY %s", size.in_schema(size.indexes[i].name))))
            break;
    drop_left_over();
}

uint64 kilobytes(const sizes& size) {
    return (uint64{size.heap.pages} + size.toast.pages + size.index_pages) * (BLCKSZ / 1024);
}

void pack() {
    static sizes size;
    for (int i = 0; i < rounds && measure(&size) && (size.heap.is_bloated() || size.toast.is_bloated()); ++i) {
        pgstat_report_activity(STATE_RUNNING, "cutting off the end of pgpubsub.notification");
        if (OidIsValid(size.toast_table) && size.toast.is_bloated())
            cut_off(size.toast_table);
        if (size.heap.is_bloated())
            cut_off(size.table);
        if (!measure(&size) || is_small(size) || !size.heap.is_bloated())
            break;
        pgstat_report_activity(STATE_RUNNING, "moving rows to the front of pgpubsub.notification");
        if (!move_rows(size.table))
            return;
        vacuum(size, storage_job::vacuum_and_pack);
    }
    // Otherwise each further attempt would leave one more index behind.
    if (!drop_left_over() || !measure(&size))
        return;
    if (!size.heap.is_bloated() && !size.toast.is_bloated() && !size.has_bloated_index())
        return;
    if (is_small(size)) {
        attempt_often(size.table, [] { return run(psprintf("VACUUM (FULL) %s", size.table_name())); });
    } else {
        reindex(size);
    }
}

// Returns whether this is the only such process in the database.
bool is_alone() {
    const LOCKTAG tag = lock_tag(lock_class::storage, 0);
    constexpr bool for_session = true;
    constexpr bool dont_wait = true;
    return LockAcquire(&tag, ExclusiveLock, for_session, dont_wait) != LOCKACQUIRE_NOT_AVAIL;
}

// Returns false if other sessions are in the way.
bool do_job(storage_job what) {
    if (!is_alone())
        return false;
    sizes size;
    if (!measure(&size))
        return false;
    vacuum(size, what);
    if (what == storage_job::vacuum)
        return true;
    pack();
    const uint64 before = kilobytes(size);
    if (measure(&size))
        ereport(LOG, errmsg("storage of pgpubsub.notification: " UINT64_FORMAT " kB before packing, " UINT64_FORMAT
                            " kB after",
                            before, kilobytes(size)));
    return true;
}

// An ERROR ends the process; before that, the error is noted where the worker's errors are.
void do_job_or_note_error(storage_job what) {
    shared_database* const d = has_shared_memory() ? our_database() : nullptr;
    const int64 began_at = steady_now();
    volatile bool done = false;
    PG_TRY();
    { done = do_job(what); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(job_context);
        ErrorData* const error = CopyErrorData();
        if (d != nullptr)
            note_error(d, error->message);
        FreeErrorData(error);
        PG_RE_THROW();
    }
    PG_END_TRY();
    if (!done || d == nullptr)
        return;
    pg_atomic_write_u64(&d->storage_job_took, static_cast<uint64>(steady_now() - began_at));
    pg_atomic_fetch_add_u32(&d->storage_jobs_done, 1);
}

}  // namespace

extern "C" {
PGDLLEXPORT void pgpubsub_storage_main(Datum database);
}

void pgpubsub_storage_main(Datum database) {
    pqsignal(SIGTERM, die);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
    give_way_to_others();
    job_context = AllocSetContextCreate(TopMemoryContext, "pgpubsub storage", ALLOCSET_DEFAULT_SIZES);
    MemoryContextSwitchTo(job_context);
    // VACUUM and REINDEX keep here what outlives their transactions.
    PortalContext = job_context;
    set_own_settings();
    set_own_setting("vacuum_cost_delay", "0");
    set_lock_timeout(lock_patience);
    begun_at = ReadNextTransactionId();
    do_job_or_note_error(static_cast<storage_job>(MyBgworkerEntry->bgw_extra[0]));
}

PGPUBSUB_FUNCTION(pgpubsub_compact) {
    PreventCommandIfReadOnly("pgpubsub.compact()");
    BackgroundWorker job = storage_process(MyDatabaseId, storage_job::vacuum_and_pack);
    PG_RETURN_BOOL(RegisterDynamicBackgroundWorker(&job, nullptr));
}
