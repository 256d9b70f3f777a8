// The hints of a transaction: collected while it runs, given when it has ended.
//
// Steps: a hint finds its mark in shared memory when it is asked for, where it may still fail. At commit, after the transaction is
// visible to others, the marks are set: no lock, no memory, no error. Where no worker is to be expected, the NOTIFYs are executed
// just before the commit. A hint that belongs to a sub-transaction is dropped with it. PREPARE TRANSACTION executes no NOTIFY, which
// PostgreSQL would refuse, and leaves the hints to the worker, which looks when the transaction is over: the session that
// commits it need not know of us.
#include "wakeup.hpp"

#include "marks.hpp"
#include "sessions.hpp"
#include "steady_clock.hpp"

namespace pgpubsub {
namespace {

// When a hint is given.
enum class on : uint8 { commit, abort };

struct pending_hint {
    mark_place at;
    int32 channel_id;
    SubTransactionId asked_by;
    on when;
    audience who;
    const char* notifies;  // the name that a NOTIFY is executed for; null: none
    TimestampTz due_at;  // commit: a hint at that time; DT_NOBEGIN: at once
};

// In TopTransactionContext.
pending_hint* hints = nullptr;
int hint_count = 0;
int hint_capacity = 0;

// How many of the last hints are compared with a new one; a double one does no harm.
constexpr int compared = 8;

// Whether `there` stands for the new one too. What is there was asked for by this sub-transaction or one around it: it is dropped no
// sooner, which is right for a commit; and not given as early as it should be, which for an abort would be wrong.
bool stands_for(const pending_hint& there, const pending_hint& hint) {
    return there.channel_id == hint.channel_id && there.when == hint.when && there.who == hint.who &&
           (there.notifies == nullptr) == (hint.notifies == nullptr) &&
           (there.when == on::commit || there.asked_by == hint.asked_by) &&
           (there.due_at == DT_NOBEGIN) == (hint.due_at == DT_NOBEGIN);
}

enum class way : uint8 { by_mark, by_notify };

void add_hint(const channel& c, on when, audience who, TimestampTz due_at, way by = way::by_mark) {
    pending_hint hint{{}, c.id, GetCurrentSubTransactionId(), when, who, by == way::by_notify ? c.name : nullptr, due_at};
    for (int i = hint_count; i-- > Max(0, hint_count - compared);)
        if (stands_for(hints[i], hint)) {
            hints[i].due_at = Min(hints[i].due_at, due_at);
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
    hints[hint_count++] = hint;
}

// Whether the extension may be gone with the present transaction.
bool looks_at_extension = false;
// Whether it may be there from then on.
bool asks_for_worker = false;
// Whether there may then be a database that takes connections, and did not before.
bool looks_at_databases = false;

void forget_hints() {
    looks_at_extension = asks_for_worker = looks_at_databases = false;
    hints = nullptr;
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
    // Also where all were dropped: the memory goes with the transaction.
    forget_hints();
}

// So late, since it may yet turn out that the transaction is prepared. PostgreSQL drops the doubles.
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

// The number of the transaction that is being prepared; it is no longer ours once it is.
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
        case XACT_EVENT_PRE_PREPARE:
            preparing = GetTopTransactionIdIfAny();
            break;
        case XACT_EVENT_PREPARE:
            note_prepared(preparing);
            break;
        case XACT_EVENT_PRE_COMMIT:
            execute_notifies();
            break;
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_PARALLEL_ABORT:
            break;
    }
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId ended, SubTransactionId parent, void*) {
    if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB)
        return;
    if (event == SUBXACT_EVENT_ABORT_SUB)
        forget_unlisten();
    // Its hints are the last ones.
    int first = hint_count;
    while (first > 0 && hints[first - 1].asked_by == ended)
        --first;
    if (first == hint_count)
        return;
    if (event == SUBXACT_EVENT_COMMIT_SUB) {
        for (int i = first; i < hint_count; ++i)
            hints[i].asked_by = parent;
        return;
    }
    shared_database* const d = our_database();
    for (int i = first; d != nullptr && i < hint_count; ++i)
        if (hints[i].when == on::abort)
            give(d, hints[i]);
    hint_count = first;
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
        case wakeup_mode::worker:
            add_hint(c, on::commit, audience::all, DT_NOBEGIN);
            break;
        case wakeup_mode::transaction:
            // NOTIFY does not reach who is in pgpubsub.wait().
            add_hint(c, on::commit, audience::waiting, DT_NOBEGIN, way::by_notify);
            break;
        case wakeup_mode::automatic:
        case wakeup_mode::off:
            break;
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
    // An older snapshot says nothing about what is there now.
    if (!has_shared_memory() || IsolationUsesXactSnapshot())
        return;
    const TimestampTz began_at = ActivePortal == nullptr
                                     ? GetCurrentStatementStartTimestamp()
                                     : Min(GetCurrentStatementStartTimestamp(), ActivePortal->creation_time);
    // In this order: if anything comes between the two looks, it is noted as one that began earlier.
    const int64 now = steady_now();
    note_claim(find_mark(c.id, c.name), now - Max(GetCurrentTimestamp() - began_at, 0));
}

bool may_spread(const channel& c) { return has_shared_memory() && may_spread(find_mark(c.id, c.name)); }

void spread_hint(const channel& c) {
    if (shared_database* const d = our_database())
        set_spread(d, find_mark(c.id, c.name));
}

}  // namespace pgpubsub
