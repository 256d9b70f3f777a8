// The session counts its leases. A lease that it gets is added; a lease that it ends is subtracted when the transaction
// commits. With its first lease, the session registers an exit callback: a session that ends with leases in hand tells
// the worker.
//
// The count may be too high: a claim was rolled back, or another session acked a lease of this one. That costs a
// useless look. The count is never too low; therefore a lease that a subtransaction ends is not subtracted at all.
//
// A prepared transaction no longer belongs to a session. Its leases get no owner, so that they are not released when
// the session that prepared it ends before COMMIT PREPARED.
#include "claim/lease_owner.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "pg/compat.hpp"
#include "pg/settings.hpp"
#include "wakeup/wakeup.hpp"

namespace pgpubsub {
namespace {

int64 leases_in_hand = 0;
int64 got_in_transaction = 0;
// The ids of the leased notifications, if they are wanted. In TopTransactionContext, which goes away with the
// transaction.
int64* leased_ids = nullptr;
int64 leased_ids_capacity = 0;
int64 ended_in_transaction = 0;
bool tells_at_exit = false;

int64 owner_of(int32 process_id, TimestampTz started_at) {
    const uint64 hash =
        DatumGetUInt64(hash_any_extended(reinterpret_cast<const unsigned char*>(&started_at), sizeof started_at, 0));
    return static_cast<int64>(hash << 32 | static_cast<uint32>(process_id));
}

int64 this_session() {
    static int64 owner = 0;
    static int owner_process = 0;
    if (owner_process != MyProcPid) {
        owner = owner_of(MyProcPid, MyStartTimestamp);
        owner_process = MyProcPid;
    }
    return owner;
}

int by_value(const void* a, const void* b) {
    const int64 left = *static_cast<const int64*>(a);
    const int64 right = *static_cast<const int64*>(b);
    return (left > right) - (left < right);
}

// Called when the session is no longer shown as alive.
void at_exit(int, Datum) {
    if (leases_in_hand + got_in_transaction > 0)
        tell_worker_of_dead_session();
}

// Remembers the id of a notification that the transaction has leased. Only disown() reads the ids, and never does so if
// no transaction can be prepared.
void remember_lease(int64 id) {
    if (max_prepared_xacts == 0)
        return;
    if (got_in_transaction >= leased_ids_capacity) {
        const int64 capacity = leased_ids_capacity == 0 ? 64 : leased_ids_capacity * 2;
        const Size bytes = capacity * sizeof(int64);
        leased_ids = static_cast<int64*>(leased_ids == nullptr ? MemoryContextAllocHuge(TopTransactionContext, bytes)
                                                               : repalloc_huge(leased_ids, bytes));
        leased_ids_capacity = capacity;
    }
    leased_ids[got_in_transaction] = id;
}

void forget_transaction() {
    got_in_transaction = ended_in_transaction = 0;
    leased_ids = nullptr;
    leased_ids_capacity = 0;
}

void disown(notification_table& table, int64 id, Snapshot snapshot) {
    ScanKeyData keys[] = {equals_int8(1, id)};
    notification_scan scan = notification_scan::begin(table, our_catalog().notification_leased, snapshot, keys);
    while (scan.next()) {
        CHECK_FOR_INTERRUPTS();
        row_values row = scan.values();
        if (!is_own_lease(row) || !is_of_this_transaction(scan.slot()))
            continue;
        row.set_null(column::lease_owner);
        constexpr bool wait = true;  // there is nothing to wait for: no other transaction sees the row
        table.update(scan.tid(), row, wait);
    }
    scan.end();
}

// Removes the owner from the leases that this transaction got. Each is looked up by id, since the database may have
// many more leases.
void disown_all() {
    notification_table table = notification_table::open();
    CommandCounterIncrement();
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    PushActiveSnapshot(snapshot);
    qsort(leased_ids, got_in_transaction, sizeof(int64), by_value);
    for (int64 i = 0; i < got_in_transaction; ++i)
        if (i == 0 || leased_ids[i] != leased_ids[i - 1])
            disown(table, leased_ids[i], snapshot);
    PopActiveSnapshot();
    UnregisterSnapshot(snapshot);
    table.close();
}

void at_transaction_end(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_PRE_PREPARE:
            if (got_in_transaction > 0 && leased_ids != nullptr &&
                is_installed())  // the extension may have been dropped
                disown_all();
            break;
        case XACT_EVENT_COMMIT:
            leases_in_hand = Max(leases_in_hand + got_in_transaction - ended_in_transaction, 0);
            forget_transaction();
            break;
        case XACT_EVENT_PREPARE:
        case XACT_EVENT_ABORT: forget_transaction(); break;
        case XACT_EVENT_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_PARALLEL_ABORT: break;
    }
}

}  // namespace

void watch_leases() { RegisterXactCallback(at_transaction_end, nullptr); }

void set_lease_owner(row_values* row) {
    if (lease_scope() == lease_scope_mode::session)
        row->set(column::lease_owner, Int64GetDatum(this_session()));
    else
        row->set_null(column::lease_owner);
}

void count_lease(int64 id) {
    if (lease_scope() != lease_scope_mode::session)
        return;
    remember_lease(id);
    ++got_in_transaction;
    if (!tells_at_exit) {
        on_proc_exit(at_exit, Datum{0});
        tells_at_exit = true;
    }
}

bool is_own_lease(const row_values& row) {
    return has_owner(row) && DatumGetInt64(row.get(column::lease_owner)) == this_session();
}

void count_end_of_lease() {
    if (GetCurrentTransactionNestLevel() == 1)
        ++ended_in_transaction;
}

living_sessions living_sessions::read() {
    // Discards what the transaction may have read of the sessions before.
    pgstat_clear_backend_activity_snapshot();
    const int count = pgstat_fetch_stat_numbackends();
    living_sessions sessions{};
    sessions.owners_ = static_cast<int64*>(palloc(Max(count, 1) * sizeof(int64)));
    for (int i = 1; i <= count; ++i) {
        const PgBackendStatus& status = backend_status(i);
        if (status.st_procpid > 0)
            sessions.owners_[sessions.count_++] = owner_of(status.st_procpid, status.st_proc_start_timestamp);
    }
    qsort(sessions.owners_, sessions.count_, sizeof(int64), by_value);
    return sessions;
}

bool living_sessions::has(int64 owner) const {
    return bsearch(&owner, owners_, count_, sizeof owner, by_value) != nullptr;
}

int32 process_id_of(int64 owner) { return static_cast<int32>(static_cast<uint32>(owner)); }

}  // namespace pgpubsub
