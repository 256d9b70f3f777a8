#include "claim/key_order.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "pg/compat.hpp"
#include "pg/hash_table.hpp"

namespace pgpubsub {
namespace {

// Returns how many keys a transaction may lock: twice its fair share of the lock table, since most transactions use
// less than theirs. The rest of the table is for all other transactions.
int key_limit() { return 2 * max_locks_per_xact; }

// Number of keys that this transaction has locked, by nesting level of the subtransaction that locked them: a
// subtransaction that rolls back releases its locks. Only levels with locked keys are listed, so there are never more
// levels than keys. The deepest level is the last.
struct level_locks {
    int level;
    int keys;
};
level_locks* levels;  // of the session; allocated when a key is first locked
int level_count;
int locked_by_transaction;

void count_locked() {
    const int level = GetCurrentTransactionNestLevel();
    if (level_count == 0 || levels[level_count - 1].level < level)
        levels[level_count++] = {level, 0};
    ++levels[level_count - 1].keys;
    ++locked_by_transaction;
}

// Counts one key less at the present level.
void count_unlocked() {
    --locked_by_transaction;
    if (--levels[level_count - 1].keys == 0)
        --level_count;
}

void forget_at_end(XactEvent event, void*) {
    if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
        level_count = locked_by_transaction = 0;
}

void follow_subtransaction(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    const bool commits = event == SUBXACT_EVENT_COMMIT_SUB;
    const int level = GetCurrentTransactionNestLevel();
    if ((!commits && event != SUBXACT_EVENT_ABORT_SUB) || level_count == 0 || levels[level_count - 1].level != level)
        return;
    level_locks& ended = levels[level_count - 1];
    if (!commits) {
        locked_by_transaction -= ended.keys;
        --level_count;
    } else if (level_count > 1 && levels[level_count - 2].level == level - 1) {
        levels[level_count - 2].keys += ended.keys;
        --level_count;
    } else {
        ended.level = level - 1;
    }
}

enum class lock_outcome { refused, locked, had_it };

constexpr int64 before_all = PG_INT64_MIN;
constexpr int64 none = PG_INT64_MAX;

void release(const LOCKTAG& tag) {
    with_transaction_owner([&tag] { return LockRelease(&tag, ExclusiveLock, false); });
}

// Locks a key for the transaction without waiting. The lock is refused if another transaction has it, or if this
// transaction holds as many as it may.
lock_outcome lock_key(int32 subscription_id, int64 order_key) {
    const LOCKTAG tag = key_lock(subscription_id, order_key);
    if (levels == nullptr)
        levels = static_cast<level_locks*>(MemoryContextAlloc(TopMemoryContext, key_limit() * sizeof(level_locks)));
    if (!key_order::has_room() && !holds_lock(&tag, ExclusiveLock))
        return lock_outcome::refused;
    switch (with_transaction_owner([&tag] { return acquire_lock_if_free(&tag, ExclusiveLock); })) {
        case LOCKACQUIRE_OK: count_locked(); return lock_outcome::locked;
        case LOCKACQUIRE_ALREADY_HELD:
        case LOCKACQUIRE_ALREADY_CLEAR:
            // The key is now locked twice; once is enough.
            release(tag);
            return lock_outcome::had_it;
        case LOCKACQUIRE_NOT_AVAIL: break;
    }
    return lock_outcome::refused;
}

void unlock_key(int32 subscription_id, int64 order_key) {
    release(key_lock(subscription_id, order_key));
    count_unlocked();
}

}  // namespace

LOCKTAG key_lock(int32 subscription_id, int64 order_key) {
    const uint64 place =
        hash_combine64(static_cast<uint64>(order_key), murmurhash32(static_cast<uint32>(subscription_id)));
    return lock_tag(lock_class::key, place);
}

struct key_order::key_state {
    int64 order_key;  // the hash key
    bool is_locked;
    bool was_locked_here;  // and this transaction had not locked it before
    bool was_handed_out;
    bool is_blocked;
    int64 next_held;    // the first held row behind the last passed row, when it was last looked up
    int64 passed_over;  // the first row that was refused; no row behind it may be admitted: the walk does not return
};

void watch_key_locks() {
    RegisterXactCallback(forget_at_end, nullptr);
    RegisterSubXactCallback(follow_subtransaction, nullptr);
}

bool has_follower(const notification_table& table, int32 subscription_id, int64 order_key, int64 id) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id), equals_int8(2, order_key), above_int8(3, id)};
    return has_row(table, our_catalog().notification_ordered, keys);
}

key_order key_order::begin(const notification_table& table, int32 subscription_id, claim_mode mode) {
    key_order order{};
    order.table_ = &table;
    order.context_ = CurrentMemoryContext;
    order.subscription_id_ = subscription_id;
    order.mode_ = mode;
    order.reader_ = entry_reader::begin(table.heap());
    order.keys_ = make_hash_table<int64, key_state>("pgpubsub keys", CurrentMemoryContext, 256);
    return order;
}

void key_order::end() {
    in_flight_.end();
    held_.end();
    reader_.end();
    HASH_SEQ_STATUS walk;
    hash_seq_init(&walk, keys_);
    while (auto* const state = static_cast<key_state*>(hash_seq_search(&walk)))
        unlock(state);
    hash_destroy(keys_);
}

key_order::key_state* key_order::state_of(int64 order_key) {
    bool found;
    auto* const state = static_cast<key_state*>(hash_search(keys_, &order_key, HASH_ENTER, &found));
    if (!found)
        *state = {.order_key = order_key, .next_held = none, .passed_over = none};
    return state;
}

bool key_order::has_room() { return locked_by_transaction < key_limit(); }

bool key_order::is_blocked(int64 order_key) const {
    const auto* const state = static_cast<key_state*>(hash_search(keys_, &order_key, HASH_FIND, nullptr));
    return state != nullptr && state->is_blocked;
}

bool key_order::admits(int64 order_key, int64 id) {
    key_state* const state = state_of(order_key);
    if (state->is_blocked || id > state->passed_over)
        return false;
    const bool is_open = id <= state->next_held && (state->is_locked || lock_and_look(state));
    if (is_open && id <= state->next_held)
        return true;
    state->passed_over = id;
    unlock(state);  // until the walk meets the held row
    return false;
}

// Locks the key and reads the state of its rows. Returns false if the key is leased, or if another transaction has it.
bool key_order::lock_and_look(key_state* state) {
    const lock_outcome outcome = lock_key(subscription_id_, state->order_key);
    state->is_locked = outcome != lock_outcome::refused;
    state->was_locked_here = outcome == lock_outcome::locked;
    has_met_locks_ = has_met_locks_ || outcome == lock_outcome::refused;
    // A leased row is held too. Mostly nothing is held, so one look-up is enough.
    state->next_held = state->is_locked ? next_held(state->order_key, before_all) : none;
    state->is_blocked = !state->is_locked || (state->next_held != none && is_in_flight(state->order_key));
    if (state->is_blocked)
        unlock(state);
    return !state->is_blocked;
}

// Releases the lock, unless a row of the key is in our hands.
void key_order::unlock(key_state* state) {
    if (state->was_handed_out && mode_ != claim_mode::look)
        return;
    if (state->is_locked && state->was_locked_here)
        unlock_key(subscription_id_, state->order_key);
    state->is_locked = state->was_locked_here = false;
}

void key_order::passed(int64 order_key, int64 id) {
    key_state* const state = state_of(order_key);
    if (id == state->next_held)
        state->next_held = next_held(order_key, id);
}

void key_order::handed_out(int64 order_key, int64 id) {
    passed(order_key, id);
    key_state* const state = state_of(order_key);
    state->was_handed_out = true;
    state->is_blocked = mode_ != claim_mode::take;
}

void key_order::block(int64 order_key) { state_of(order_key)->is_blocked = true; }

// Uses a dirty snapshot, which sees the changes of running transactions: a lease whose end another transaction is
// moving is not over. Such a transaction counts as having the key, because if it rolls back, the lease is over.
bool key_order::is_in_flight(int64 order_key) {
    const auto open = [&](Snapshot snapshot) -> notification_scan& {
        ScanKeyData keys[] = {equals_int4(1, subscription_id_), equals_int8(2, order_key)};
        return in_flight_.begin(*table_, our_catalog().notification_in_flight, snapshot, keys);
    };
    const auto matches = [&](TupleTableSlot* slot) {
        bool null;
        return DatumGetInt32(slot_getattr(slot, column::subscription_id, &null)) == subscription_id_ &&
               DatumGetInt64(slot_getattr(slot, column::order_key, &null)) == order_key && !null &&
               !slot_attisnull(slot, column::lease_token);
    };
    struct lease {
        bool is_busy;
        bool is_running;
    };
    const TimestampTz now = GetCurrentTimestamp();
    const auto add = [now](lease* found, TupleTableSlot* slot, const SnapshotData& dirty) {
        bool null;
        found->is_busy = TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax);
        found->is_running = DatumGetTimestampTz(slot_getattr(slot, column::due_at, &null)) > now;
        return found->is_busy || found->is_running;
    };
    const lease found = with_context(context_, [&] {
        return look_at_rows<lease>(key_name_of(table_->heap(), key_index::held, subscription_id_, order_key), &reader_,
                                   open, matches, add);
    });
    has_met_locks_ = has_met_locks_ || found.is_busy;
    return found.is_busy || found.is_running;
}

int64 key_order::next_held(int64 order_key, int64 after) {
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    key_start start = key_start::recall(key_name_of(table_->heap(), key_index::held, subscription_id_, order_key),
                                        after == before_all ? before_all : after + 1);
    const int64 id =
        start.first() == none ? none : with_context(context_, [&] { return first_held(&start, order_key, snapshot); });
    UnregisterSnapshot(snapshot);
    return id;
}

int64 key_order::first_held(key_start* start, int64 order_key, Snapshot snapshot) {
    int64 id = none;
    for (bool begins_again = true; begins_again;) {
        begins_again = false;
        ScanKeyData keys[] = {equals_int4(1, subscription_id_), equals_int8(2, order_key),
                              from_int8(3, start->first())};
        notification_scan& held =
            held_.begin(*table_, our_catalog().notification_held, snapshot, keys, notification_scan::with_keys);
        while (id == none && !begins_again && held.next_entry()) {
            CHECK_FOR_INTERRUPTS();
            const int64 at = DatumGetInt64(held.entry_key(3));
            if (held.fetch())
                id = at;
            else
                begins_again = start->passed(held, at, &reader_);
        }
    }
    start->came_to(id);
    return id;
}

}  // namespace pgpubsub
