// Publishing once, by a dedup_key.
//
// Guarantees:
// - A consumer that handles a notification sees what was done by all transactions that were given its id. So the
//   notification is not handed out before these transactions have ended, nor to a consumer whose snapshot is older than
//   that.
// - Of the notifications with one dedup_key that have not been handed out yet, at most two wait, and mostly one.
//
// Why two: publishers whose transactions overlap could go on joining the waiting notification for ever, so that no
// consumer could get it. So a notification that has waited for pgpubsub.max_join_time, and has been joined, is closed.
// The next publisher stores a second one beside it. All later publishers join the second one, however long it waits,
// until a consumer has got the first one. So a consumer gets one of the two once that time, and the transactions that
// have joined that one, are over. These are open, too:
// - a notification that was never joined: it has been free for consumers all the time;
// - a notification that waits for its deliver_at: no consumer is kept from it;
// - a notification that this transaction has stored or joined already: to join it costs no consumer anything.
//
// A consumer with a snapshot of its whole transaction (REPEATABLE READ) may publish as well. It may not see a
// transaction that has joined a row that it could take. Then it does not join the row, since its own lock would take
// the place of the other one's: it stores a row of its own.
//
// Steps, as PostgreSQL itself enforces a unique index:
// 1. Look for rows with the key, including rows of transactions that are still running.
// 2. If a running transaction has stored such a row, wait for its end, and look again.
// 3. Otherwise join the newest row, or store one.
//
// A lock on the key makes sure that only one session at a time does this. It is given back at once, so that a
// transaction may use any number of keys. A row that a consumer has locked or is removing is not waited for: it counts
// as handed out.
#include "queue/dedup.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "pg/settings.hpp"
#include "place/unstored.hpp"
#include "queue/key_look_up.hpp"

namespace pgpubsub {
namespace {

struct waiting_rows {
    int count;
    ItemPointerData newest;
    int64 newest_id;           // 0: no row waits
    bool newest_is_ours;       // stored by this transaction
    TimestampTz newest_since;  // the time from which the newest row could be handed out
    TransactionId busy;        // a running transaction that has stored a row; then the other rows don't matter
};

// Returns whether the row in the slot waits, with that key.
bool has_key(TupleTableSlot* slot, int32 subscription_id, const text* dedup_key) {
    bool null;
    if (DatumGetInt32(slot_getattr(slot, column::subscription_id, &null)) != subscription_id)
        return false;
    const Datum key = slot_getattr(slot, column::dedup_key, &null);
    return !null && view_of(DatumGetTextPP(key)) == view_of(dedup_key);
}

// Adds a row to what was found. True: the other rows don't matter.
bool add_waiting(waiting_rows* found, TupleTableSlot* slot, const SnapshotData& dirty) {
    found->busy = dirty.xmin;
    if (TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax))
        return TransactionIdIsValid(dirty.xmin);  // with an xmax, a consumer has it, or it has a newer version
    ++found->count;
    const row_values row = row_values::of(slot);
    const int64 id = DatumGetInt64(row.get(column::id));
    if (id < found->newest_id)
        return false;
    found->newest = slot->tts_tid;
    found->newest_id = id;
    found->newest_is_ours = is_of_this_transaction(slot);
    const TimestampTz created_at = DatumGetTimestampTz(row.get(column::created_at));
    found->newest_since =
        row.is_null(column::due_at) ? created_at : Max(created_at, DatumGetTimestampTz(row.get(column::due_at)));
    return false;
}

waiting_rows find_waiting(const notification_table& table, const subscription& s, const text* dedup_key) {
    ScanKeyData keys[] = {equals_int4(1, s.id), equals_text(2, dedup_key)};
    repeated_scan scan{};
    entry_reader reader = entry_reader::begin(table.heap());
    const auto open = [&](Snapshot snapshot) -> notification_scan& {
        return scan.begin(table, our_catalog().notification_dedup, snapshot, keys);
    };
    const auto matches = [&](TupleTableSlot* slot) { return has_key(slot, s.id, dedup_key); };
    const auto found =
        look_at_rows<waiting_rows>(key_name_of(table.heap(), s.id, dedup_key), &reader, open, matches, add_waiting);
    scan.end();
    reader.end();
    return found;
}

bool is_visible(const notification_table& table, ItemPointer tid, Snapshot snapshot) {
    TupleTableSlot* const slot = table_slot_create(table.heap(), nullptr);
    const bool visible = table_tuple_fetch_row_version(table.heap(), tid, snapshot, slot);
    ExecDropSingleTupleTableSlot(slot);
    return visible;
}

// Returns whether the newest waiting row may be joined; see above.
bool is_open(const notification_table& table, waiting_rows* found) {
    if (found->newest_is_ours)
        return true;
    const joiners others = joiners_of(table.heap(), &found->newest, GetActiveSnapshot());
    if (IsolationUsesXactSnapshot() && others.unseen && is_visible(table, &found->newest, GetActiveSnapshot()))
        return false;
    return found->count > 1 || !others.any || others.ours || max_join_time() < 0 ||
           GetCurrentTimestamp() - found->newest_since <= int64{max_join_time()} * 1000;
}

// Locks the row so that consumers leave it alone until this transaction ends. The locks of transactions that joined it
// before are no hindrance.
TM_Result join(notification_table& table, ItemPointer tid, const new_notification& n, bool replace) {
    TupleTableSlot* const slot = table_slot_create(table.heap(), nullptr);
    TM_FailureData failure;
    TM_Result outcome =
        table_tuple_lock(table.heap(), tid, GetActiveSnapshot(), slot, GetCurrentCommandId(true),
                         replace ? LockTupleNoKeyExclusive : LockTupleKeyShare, LockWaitSkip, 0, &failure);
    if (outcome == TM_Ok && replace) {
        row_values row = row_values::of(slot);
        row.set(column::payload, JsonbPGetDatum(n.payload));
        outcome = table.update(tid, row, true);  // update() need not wait, for the row is locked
    }
    ExecDropSingleTupleTableSlot(slot);
    return outcome;
}

enum class attempt { joined, none_waits, changed };

// Joins the newest waiting row, unless it is closed. `found` receives what was found.
attempt try_to_join(notification_table& table, const subscription& s, const new_notification& n, bool replace,
                    waiting_rows* found) {
    *found = find_waiting(table, s, n.dedup_key);
    if (TransactionIdIsValid(found->busy))
        return attempt::changed;
    if (found->count == 0 || !is_open(table, found))
        return attempt::none_waits;
    const TM_Result outcome = join(table, &found->newest, n, replace);
    if (outcome == TM_Ok)
        return attempt::joined;
    return outcome == TM_Updated || outcome == TM_Deleted ? attempt::changed : attempt::none_waits;
}

// The id of the rows that are stored. It is drawn when it is first needed.
struct own_id {
    int64 id;  // 0: not drawn
    bool has_announced;

    // Returns the id. Of two rows that wait, the one that was stored later must have the higher id.
    int64 get(const channel& c, int64 above) {
        if (id <= above) {
            has_announced = announce_ids(c.id) || has_announced;
            id = draw_id();
        }
        return id;
    }
};

// For one subscription: joins the waiting row and sets *waiting_id; or stores a row with an id of its own.
void join_or_store(notification_table& table, const channel& c, const subscription& s, const new_notification& n,
                   bool replace, own_id* own, int64* waiting_id) {
    momentary_lock lock;
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        waiting_rows found;
        lock.acquire(dedup_lock(s.id, n.dedup_key));
        const attempt outcome = try_to_join(table, s, n, replace, &found);
        if (outcome == attempt::none_waits)
            store_for(table, c, s, own->get(c, found.newest_id), n);
        lock.release();
        if (outcome == attempt::joined)
            *waiting_id = found.newest_id;
        if (outcome != attempt::changed)
            return;
        if (TransactionIdIsValid(found.busy))
            XactLockTableWait(found.busy, nullptr, nullptr, XLTW_None);
    }
}

}  // namespace

LOCKTAG dedup_lock(int32 subscription_id, const text* dedup_key) {
    const std::string_view bytes = view_of(dedup_key);
    const uint64 place =
        DatumGetUInt64(hash_any_extended(reinterpret_cast<const unsigned char*>(bytes.data()),
                                         static_cast<int>(bytes.size()), static_cast<uint64>(subscription_id)));
    return lock_tag(lock_class::dedup, place);
}

int64 store_once(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
                 const new_notification& n, bool replace) {
    // What this statement has published before must be found, too.
    CommandCounterIncrement();
    own_id own{};
    int64 waiting_id = 0;
    for (const subscription& s : subscriptions)
        if (passes(JsonbPGetDatum(n.payload), s.filter))
            join_or_store(table, c, s, n, replace, &own, &waiting_id);
    if (own.id == 0 && waiting_id == 0)
        own.get(c, 0);
    if (own.has_announced)
        ids_are_stored();
    return own.id != 0 ? own.id : waiting_id;
}

}  // namespace pgpubsub
