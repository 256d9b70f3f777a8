// Guarantee: of the notifications with one dedup_key, at most one waits that has not been handed out yet. It is not handed out
// before the transaction of everybody who was given its id has ended: so whoever handles it sees what they did.
//
// Steps, as PostgreSQL itself enforces a unique index: look for a row with the key, those of transactions that are still
// running included; if such a one has stored it, wait for its end and look again; else join the row or store one. A lock
// on the key makes sure that only one session at a time does this; it is given back at once, so that a transaction may use
// any number of keys. A row that a consumer is at is not waited for: it counts as handed out.
#include "dedup.hpp"

#include "catalog.hpp"
#include "locks.hpp"
#include "unstored.hpp"

namespace pgpubsub {
namespace {

LOCKTAG lock_of(const subscription& s, const text* dedup_key) {
    const std::string_view bytes = view_of(dedup_key);
    const uint64 place = DatumGetUInt64(hash_any_extended(reinterpret_cast<const unsigned char*>(bytes.data()),
                                                          static_cast<int>(bytes.size()), static_cast<uint64>(s.id)));
    return lock_tag(lock_class::dedup, place);
}

// Locks the row so that consumers leave it alone until this transaction ends. Those who joined it before are no hindrance.
TM_Result lock_row(const notification_table& table, ItemPointer tid, LockTupleMode mode) {
    TupleTableSlot* const slot = table_slot_create(table.heap(), nullptr);
    TM_FailureData failure;
    const TM_Result outcome = table_tuple_lock(table.heap(), tid, GetActiveSnapshot(), slot, GetCurrentCommandId(true), mode,
                                               LockWaitSkip, 0, &failure);
    ExecDropSingleTupleTableSlot(slot);
    return outcome;
}

TM_Result join(notification_table& table, ItemPointer tid, const row_values& waiting, const new_notification& n, bool replace) {
    if (!replace)
        return lock_row(table, tid, LockTupleKeyShare);
    const TM_Result locked = lock_row(table, tid, LockTupleNoKeyExclusive);
    if (locked != TM_Ok)
        return locked;
    row_values row = waiting;
    row.set(column::payload, JsonbPGetDatum(n.payload));
    return table.update(tid, row, true);  // which does not wait, for the row is locked
}

enum class attempt { joined, none_waits, changed };

// Joins the row that waits. Or, in *busy, the transaction that has stored one and is still running.
attempt try_to_join(notification_table& table, const subscription& s, const new_notification& n, bool replace, int64* id,
                    TransactionId* busy) {
    ScanKeyData keys[] = {equals_int4(1, s.id), equals_text(2, n.dedup_key)};
    SnapshotData dirty;
    InitDirtySnapshot(dirty);
    notification_scan scan = notification_scan::begin(table, our_catalog().notification_dedup, &dirty, keys);
    attempt result = attempt::none_waits;
    while (result == attempt::none_waits && scan.next()) {
        if (TransactionIdIsValid(dirty.xmin)) {
            *busy = dirty.xmin;
            result = attempt::changed;
        } else if (!TransactionIdIsValid(dirty.xmax)) {  // else a consumer is at it, or it has a newer version
            const row_values waiting = scan.values();
            *id = DatumGetInt64(waiting.get(column::id));
            const TM_Result outcome = join(table, scan.tid(), waiting, n, replace);
            if (outcome == TM_Ok)
                result = attempt::joined;
            else if (outcome == TM_Updated || outcome == TM_Deleted)
                result = attempt::changed;
        }
    }
    scan.end();
    return result;
}

// The id of what is stored, drawn when it is first needed.
struct own_id {
    int64 id;  // 0: not drawn
    bool has_announced;

    int64 get(const channel& c) {
        if (id == 0) {
            has_announced = announce_ids(c.id);
            id = draw_id();
        }
        return id;
    }
};

// For one subscription: joins the row that waits, and gives its id; or stores one with an id of its own.
void join_or_store(notification_table& table, const channel& c, const subscription& s, const new_notification& n, bool replace,
                   own_id* own, int64* waiting_id) {
    momentary_lock lock;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        TransactionId busy = InvalidTransactionId;
        lock.acquire(lock_of(s, n.dedup_key));
        const attempt outcome = try_to_join(table, s, n, replace, waiting_id, &busy);
        if (outcome == attempt::none_waits)
            store_for(table, c, s, own->get(c), n);
        lock.release();
        if (outcome != attempt::changed)
            return;
        if (TransactionIdIsValid(busy))
            XactLockTableWait(busy, nullptr, nullptr, XLTW_None);
    }
}

}  // namespace

int64 store_once(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
                 const new_notification& n, bool replace) {
    // What this statement has published before counts too.
    CommandCounterIncrement();
    own_id own{};
    int64 waiting_id = 0;
    for (const subscription& s : subscriptions)
        if (passes(JsonbPGetDatum(n.payload), s.filter))
            join_or_store(table, c, s, n, replace, &own, &waiting_id);
    if (own.id == 0 && waiting_id == 0)
        own.get(c);
    if (own.has_announced)
        ids_are_stored();
    return own.id != 0 ? own.id : waiting_id;
}

}  // namespace pgpubsub
