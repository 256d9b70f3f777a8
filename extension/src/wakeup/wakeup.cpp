// The hints of a transaction: they are collected while it runs, and given when it has ended.
//
// Steps:
// 1. When a hint is asked for, it finds its mark in shared memory. Here it may still fail.
// 2. At commit, after the transaction is visible to others, the marks are set: no lock, no memory, no error.
// 3. If no worker is to be expected, the NOTIFYs are executed instead, just before the commit.
//
// A hint that belongs to a sub-transaction is dropped with it. PREPARE TRANSACTION executes no NOTIFY, which PostgreSQL
// would refuse. It leaves the hints to the worker, which looks when the transaction is over: the session that commits
// the transaction need not know of us.
#include "wakeup/wakeup.hpp"

#include "pg/hash_table.hpp"
#include "pure/steady_clock.hpp"
#include "shmem/marks.hpp"
#include "shmem/sessions.hpp"

namespace pgpubsub {
namespace {

// The event at which a hint is given.
enum class on : uint8 { commit, abort };

struct pending_hint {
    mark_place at;
    int32 channel_id;
    SubTransactionId asked_by;
    on when;
    audience who;
    const char* notifies;  // the name for which a NOTIFY is executed; null: none
    TimestampTz due_at;    // for a commit, the time of the hint; DT_NOBEGIN: at once
    int below;             // the index of the last one before it with the same key; -1: none
};

// The array is in TopTransactionContext, in the order of asking; so the hints of a sub-transaction are the last ones.
// Each sub-transaction has at most one hint of each key: memory grows with the channels, not with the rows.
pending_hint* hints = nullptr;
int hint_count = 0;
int hint_capacity = 0;

// Hints are alike if they have the same key. While there are few hints, the last one of a key is found by looking at
// all of them. Beyond that, this table finds it.
struct last_of_key {
    uint64 key;  // the hash key
    int index;
};
HTAB* last_by_key = nullptr;
constexpr int looked_through = 8;

uint64 key_of(const pending_hint& h) {
    return static_cast<uint64>(static_cast<uint32>(h.channel_id)) << 8 |
           static_cast<uint64>(h.notifies != nullptr) << 3 | static_cast<uint64>(h.when) << 2 |
           static_cast<uint64>(h.who) << 1 | static_cast<uint64>(h.due_at == DT_NOBEGIN);
}

int find_last(uint64 key) {
    if (last_by_key != nullptr) {
        const auto* const last = static_cast<last_of_key*>(hash_search(last_by_key, &key, HASH_FIND, nullptr));
        return last == nullptr ? -1 : last->index;
    }
    int i = hint_count - 1;
    while (i >= 0 && key_of(hints[i]) != key)
        --i;
    return i;
}

// Sets the last hint of a key. Needs memory only for a key that is not in the table.
void set_last(HTAB* by_key, uint64 key, int index) {
    if (by_key == nullptr)
        return;
    if (index < 0)
        hash_search(by_key, &key, HASH_REMOVE, nullptr);
    else
        static_cast<last_of_key*>(hash_search(by_key, &key, HASH_ENTER, nullptr))->index = index;
}

HTAB* index_hints() {
    HTAB* const by_key = make_hash_table<uint64, last_of_key>("pgpubsub hints", TopTransactionContext, 64);
    for (int i = 0; i < hint_count; ++i)
        set_last(by_key, key_of(hints[i]), i);
    return by_key;
}

// Returns whether the pending hint `there`, which is alike, also covers a new one. `there` belongs to this
// sub-transaction or an enclosing one, so it lives at least as long. That suffices for a commit. A hint for an abort
// must be given when its own sub-transaction aborts, so both must belong to the same one.
bool stands_for(const pending_hint& there, SubTransactionId asked_by) {
    return there.when == on::commit || there.asked_by == asked_by;
}

enum class way : uint8 { by_mark, by_notify };

void add_hint(const channel& c, on when, audience who, TimestampTz due_at, way by = way::by_mark) {
    pending_hint hint{{},     c.id, GetCurrentSubTransactionId(), when, who, by == way::by_notify ? c.name : nullptr,
                      due_at, -1};
    const uint64 key = key_of(hint);
    hint.below = find_last(key);
    if (hint.below >= 0 && stands_for(hints[hint.below], hint.asked_by)) {
        hints[hint.below].due_at = Min(hints[hint.below].due_at, due_at);
        return;
    }
    if (has_shared_memory())
        hint.at = find_mark(c.id, c.name);
    if (hint.notifies != nullptr)
        hint.notifies = MemoryContextStrdup(TopTransactionContext, c.name);
    if (hint_count == hint_capacity) {
        const int capacity = Max(2 * hint_capacity, 16);
        const Size bytes = capacity * sizeof(pending_hint);
        hints = static_cast<pending_hint*>(hints == nullptr ? MemoryContextAlloc(TopTransactionContext, bytes)
                                                            : repalloc_huge(hints, bytes));
        hint_capacity = capacity;
    }
    if (last_by_key == nullptr && hint_count == looked_through)
        last_by_key = index_hints();
    set_last(last_by_key, key, hint_count);
    hints[hint_count++] = hint;
}

// Whether the present transaction may remove the extension.
bool looks_at_extension = false;
// Whether the extension may exist after it.
bool asks_for_worker = false;
// Whether there may then be a database that takes connections, and did not before.
bool looks_at_databases = false;

void forget_hints() {
    looks_at_extension = asks_for_worker = looks_at_databases = false;
    hints = nullptr;
    last_by_key = nullptr;
    hint_count = hint_capacity = 0;
}

void give(shared_database* d, const pending_hint& hint) {
    if (hint.due_at == DT_NOBEGIN)
        set_mark(d, hint.at, hint.who);
    else
        set_due(d, hint.at, hint.due_at);
}

void give_hints(on when) {
    shared_database* const d = hint_count > 0 ? our_database() : nullptr;
    for (int i = 0; d != nullptr && i < hint_count; ++i)
        if (hints[i].when == when)
            give(d, hints[i]);
    if (looks_at_extension && when == on::commit)
        if (shared_database* const served = our_database(); served != nullptr && has_worker(served))
            add_task(served, task::extension);
    if (asks_for_worker && when == on::commit)
        ask_for_worker();
    if (looks_at_databases && when == on::commit)
        note_change_of_databases();
    // This is needed also if all hints were dropped: the memory goes with the transaction.
    forget_hints();
}

// Executes the NOTIFYs. This comes so late because the transaction may still turn out to be prepared. PostgreSQL drops
// duplicates.
void execute_notifies() {
    for (int i = 0; i < hint_count; ++i)
        if (hints[i].notifies != nullptr)
            Async_Notify(hints[i].notifies, "");
}

// Leaves to the worker what the prepared transaction would have done at commit.
void note_prepared(TransactionId xid) {
    shared_database* const d = hint_count > 0 ? our_database() : nullptr;
    if (d == nullptr)
        return forget_hints();
    SpinLockAcquire(&d->lock);
    for (int i = 0; i < hint_count; ++i) {
        if (d->prepared_count == lengthof(d->prepared)) {
            d->prepared_overflow = true;
            break;
        }
        d->prepared[d->prepared_count++] = {xid, hints[i].channel_id};
    }
    SpinLockRelease(&d->lock);
    add_task(d, task::prepared);
    forget_hints();
}

// The number of the transaction that is being prepared. Once it is prepared, it is no longer ours.
TransactionId preparing = InvalidTransactionId;

void at_transaction_end(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_COMMIT:
            give_hints(on::commit);
            unlisten_at_commit();
            note_read();
            break;
        case XACT_EVENT_ABORT:
            give_hints(on::abort);
            forget_unlisten();
            note_read();
            break;
        case XACT_EVENT_PRE_PREPARE: preparing = GetTopTransactionIdIfAny(); break;
        case XACT_EVENT_PREPARE: note_prepared(preparing); break;
        case XACT_EVENT_PRE_COMMIT: execute_notifies(); break;
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_PARALLEL_ABORT: break;
    }
}

// Hands the hints of a committed sub-transaction, from `first` on, to the enclosing one. That one may already have a
// hint that is alike.
void hand_hints_to(SubTransactionId parent, int first) {
    int kept = first;
    for (int i = first; i < hint_count; ++i) {
        pending_hint hint = hints[i];
        const bool is_double = hint.below >= 0 && hints[hint.below].asked_by == parent;
        set_last(last_by_key, key_of(hint), is_double ? hint.below : kept);
        if (is_double)
            continue;
        hint.asked_by = parent;
        hints[kept++] = hint;
    }
    hint_count = kept;
}

// Drops the hints of a sub-transaction that was rolled back, and gives its hints for an abort.
void drop_hints(int first) {
    shared_database* const d = first < hint_count ? our_database() : nullptr;
    for (int i = first; i < hint_count; ++i) {
        if (d != nullptr && hints[i].when == on::abort)
            give(d, hints[i]);
        set_last(last_by_key, key_of(hints[i]), hints[i].below);
        if (hints[i].notifies != nullptr)
            pfree(const_cast<char*>(hints[i].notifies));
    }
    hint_count = first;
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId ended, SubTransactionId parent, void*) {
    if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
        return;
    if (event == SUBXACT_EVENT_ABORT_SUB)
        forget_unlisten();
    int first = hint_count;
    while (first > 0 && hints[first - 1].asked_by == ended)
        --first;
    if (event == SUBXACT_EVENT_COMMIT_SUB)
        hand_hints_to(parent, first);
    else
        drop_hints(first);
}

}  // namespace

void watch_wakeups() {
    RegisterXactCallback(at_transaction_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

wakeup_mode effective_wakeup() {
    const wakeup_mode mode = wakeup();
    if (mode == wakeup_mode::transaction || mode == wakeup_mode::off)
        return mode;
    shared_database* const d = has_shared_memory() ? our_database() : nullptr;
    if (d == nullptr)
        return wakeup_mode::transaction;
    if (mode == wakeup_mode::worker)
        return wakeup_mode::worker;
    if (!has_worker(d))
        ask_for_worker();
    return expects_worker(d) ? wakeup_mode::worker : wakeup_mode::transaction;
}

void wake_consumers(const channel& c) {
    switch (effective_wakeup()) {
        case wakeup_mode::worker: add_hint(c, on::commit, audience::all, DT_NOBEGIN); break;
        case wakeup_mode::transaction:
            // NOTIFY does not reach a session that is in pgpubsub.wait().
            add_hint(c, on::commit, audience::waiting, DT_NOBEGIN, way::by_notify);
            break;
        case wakeup_mode::automatic:
        case wakeup_mode::off: break;
    }
}

void wake_consumers_at(const channel& c, TimestampTz due_at) {
    if (has_shared_memory() && wakeup() != wakeup_mode::off && !TIMESTAMP_NOT_FINITE(due_at))
        add_hint(c, on::commit, audience::all, due_at);
}

void wake_consumers_on_abort(const channel& c) {
    if (has_shared_memory() && wakeup() != wakeup_mode::off)
        add_hint(c, on::abort, audience::all, DT_NOBEGIN);
}

void look_at_extension_at_commit() { looks_at_extension = true; }
void ask_for_worker_at_commit() { asks_for_worker = true; }
void look_at_databases_at_commit() { looks_at_databases = true; }

void tell_worker_of_dead_session() {
    if (shared_database* const d = has_shared_memory() ? our_database() : nullptr)
        add_task(d, task::dead_session);
}

void note_claim_begun(const channel& c) {
    // A claim with an older snapshot says nothing about what is there now.
    if (!has_shared_memory() || IsolationUsesXactSnapshot())
        return;
    const TimestampTz began_at = ActivePortal == nullptr
                                     ? GetCurrentStatementStartTimestamp()
                                     : Min(GetCurrentStatementStartTimestamp(), ActivePortal->creation_time);
    // The order matters: if time passes between the two looks, the claim is noted as one that began earlier.
    const int64 now = steady_now();
    note_claim(find_mark(c.id, c.name), now - Max(GetCurrentTimestamp() - began_at, 0));
}

bool may_spread(const channel& c) { return has_shared_memory() && may_spread(find_mark(c.id, c.name)); }

void spread_hint(const channel& c) {
    if (shared_database* const d = our_database())
        set_spread(d, find_mark(c.id, c.name));
}

}  // namespace pgpubsub
