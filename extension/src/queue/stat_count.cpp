// The counts of a session: how they come together, and how they become rows of pgpubsub.stat_count.
//
// Guarantee: counting never makes a transaction of the user fail or wait. The price is that the rates are estimates:
// counts may be late or lost, never invented.
//
// - A transaction's counts join the session's when it commits or is prepared, and are dropped when it aborts.
// - A transaction that counted something stores all of the session's counts while it commits, as a row for each
//   subscription. The first such transaction of a session does so, so that short sessions are seen too; then at most
//   one a second does. Counts that come after that wait in the session's memory for its next such transaction. After a
//   minute they are dropped, because they say nothing any more about the last minute.
// - The rows go to the table directly, below the executor, in a sub-transaction. An error ends the sub-transaction and
//   goes to the server's log, and the session doesn't try again for a minute. If another session holds a lock that
//   excludes this one, the counts wait for the next time.
// - A session that stores a subscription's counts also removes a few of its rows that nobody needs any more. It leaves
//   rows that another transaction has locked or is changing.
#include "queue/stat_count.hpp"

#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/plain_table.hpp"
#include "channel/table_columns.hpp"
#include "pg/hash_table.hpp"
#include "pg/scan_keys.hpp"
#include "pg/sub_transaction.hpp"

namespace pgpubsub {
namespace {

constexpr int64 write_interval = USECS_PER_SEC;
constexpr int64 retry_interval = USECS_PER_MINUTE;
constexpr int64 useful_for = USECS_PER_MINUTE;
constexpr int64 kept_for = 5 * USECS_PER_MINUTE;
constexpr int removed_at_once = 8;
// Old rows may already be removed by others and still have index entries: so many entries are looked at in all.
constexpr int64 entries_looked_at = 64;
// A session that has met more subscriptions than this begins its list anew once everything is stored.
constexpr int remembered_entries = 1024;

struct tally {
    int64 published;
    int64 processed;
    int64 failed;

    bool is_zero() const { return published == 0 && processed == 0 && failed == 0; }
    tally plus(const tally& t) const { return {published + t.published, processed + t.processed, failed + t.failed}; }
};

struct entry {
    int32 subscription_id;  // the hash key
    bool is_touched;
    tally transaction;  // counts of the present transaction
    tally session;      // counts of earlier transactions that are not stored yet
    entry* next_touched;
    entry* next;
};
static_assert(survives_longjmp<entry>);

HTAB* by_subscription = nullptr;
entry* entries = nullptr;
entry* touched = nullptr;  // by the present transaction
entry* last_used = nullptr;

TimestampTz next_write = 0;
TimestampTz last_join = 0;
bool is_written = false;  // by the present transaction, if it commits

entry* find_or_make(int32 subscription_id) {
    if (by_subscription == nullptr) {
        by_subscription = make_hash_table<int32, entry>("pgpubsub counts", TopMemoryContext, 16);
    }
    bool found;
    auto* const e = static_cast<entry*>(hash_search(by_subscription, &subscription_id, HASH_ENTER, &found));
    if (!found) {
        *e = {.subscription_id = subscription_id, .next = entries};
        entries = e;
    }
    return e;
}

tally& counts_of(int32 subscription_id) {
    if (last_used == nullptr || last_used->subscription_id != subscription_id)
        last_used = find_or_make(subscription_id);
    if (!last_used->is_touched) {
        last_used->is_touched = true;
        last_used->next_touched = touched;
        touched = last_used;
    }
    return last_used->transaction;
}

// Ends the present transaction's counts. `join`: they become the session's.
void end_transaction_counts(bool join) {
    for (; touched != nullptr; touched = touched->next_touched) {
        if (join)
            touched->session = touched->session.plus(touched->transaction);
        touched->transaction = {};
        touched->is_touched = false;
    }
    is_written = false;
}

void forget_session_counts() {
    for (entry* e = entries; e != nullptr; e = e->next)
        e->session = {};
}

void forget_all() {
    end_transaction_counts(false);
    forget_session_counts();
    if (by_subscription != nullptr && hash_get_num_entries(by_subscription) > remembered_entries) {
        hash_destroy(by_subscription);
        by_subscription = nullptr;
        entries = last_used = nullptr;
    }
}

// --- storing -------------------------------------------------------------------------------------------

void insert_counts(Relation table, int32 subscription_id, TimestampTz now, const tally& t) {
    Datum values[] = {Int32GetDatum(subscription_id), TimestampTzGetDatum(now), Int64GetDatum(t.published),
                      Int64GetDatum(t.processed), Int64GetDatum(t.failed)};
    bool nulls[stat_count_column::count] = {};
    const HeapTuple tuple = form_row(RelationGetDescr(table), values, nulls);
    CatalogTupleInsert(table, tuple);
    heap_freetuple(tuple);
}

// Opens the table. False: it can't be had now, or is not as the extension makes it.
bool open_without_waiting(Relation* table) {
    const Oid oid = our_catalog().stat_count;
    if (!ConditionalLockRelationOid(oid, RowExclusiveLock))
        return false;
    *table = try_table_open(oid, NoLock);
    if (*table == nullptr)
        return false;
    // An index that somebody has added may wait, or run that user's code.
    List* const indexes = RelationGetIndexList(*table);
    const bool is_ours = has_our_form(*table, stat_count_column::count) && list_length(indexes) == 1;
    list_free(indexes);
    if (!is_ours)
        table_close(*table, NoLock);
    return is_ours;
}

bool write_rows(TimestampTz now) {
    Relation table;
    if (!open_without_waiting(&table))
        return false;
    PushActiveSnapshot(GetTransactionSnapshot());
    for (const entry* e = entries; e != nullptr; e = e->next) {
        const tally sum = e->session.plus(e->transaction);
        // Counts for a subscription that is gone would stay in the table for ever.
        if (subscription s; sum.is_zero() || !find_subscription(e->subscription_id, &s))
            continue;
        insert_counts(table, e->subscription_id, now, sum);
        sweep_rows(table, index_of_counts(), e->subscription_id, now - kept_for, {removed_at_once, entries_looked_at});
    }
    PopActiveSnapshot();
    table_close(table, NoLock);
    return true;
}

bool log_failure(const ErrorData& error) {
    ereport(LOG, errcode(error.sqlerrcode), errmsg("could not store the counts for pgpubsub.stat_channels"),
            errdetail_internal("%s", error.message));
    next_write = GetCurrentTimestamp() + retry_interval;
    return true;
}

// Writes the rows in a sub-transaction of its own, so that an error costs only them.
bool try_to_write_rows(TimestampTz now) {
    return in_sub_transaction([now] { return write_rows(now); }, log_failure);
}

void before_commit() {
    if (touched == nullptr)
        return;
    const TimestampTz now = GetCurrentTimestamp();
    if (now < next_write && now > next_write - retry_interval)  // the clock may have been set back
        return;
    // The transaction may have become read-only after it counted, or may have dropped the extension.
    if (XactReadOnly || IsInParallelMode() || !is_installed())
        return;
    next_write = now + write_interval;
    if (now - last_join > useful_for)
        forget_session_counts();
    is_written = try_to_write_rows(now);
}

void at_transaction_end(XactEvent event, void*) {
    switch (event) {
        case XACT_EVENT_PRE_COMMIT: before_commit(); break;
        case XACT_EVENT_COMMIT:
        case XACT_EVENT_PREPARE:
            if (is_written) {
                forget_all();
            } else if (touched != nullptr) {
                end_transaction_counts(true);
                last_join = GetCurrentTransactionStopTimestamp();
            }
            break;
        case XACT_EVENT_ABORT: end_transaction_counts(false); break;
        case XACT_EVENT_PRE_PREPARE:  // a prepared transaction that stays open would keep its rows from being seen
        case XACT_EVENT_PARALLEL_PRE_COMMIT:
        case XACT_EVENT_PARALLEL_COMMIT:
        case XACT_EVENT_PARALLEL_ABORT: break;
    }
}

}  // namespace

void watch_counts() { RegisterXactCallback(at_transaction_end, nullptr); }

void count_published(int32 subscription_id, int64 n) { counts_of(subscription_id).published += n; }
void count_processed(int32 subscription_id, int64 n) { counts_of(subscription_id).processed += n; }
void count_failed(int32 subscription_id, int64 n) { counts_of(subscription_id).failed += n; }

void sweep_counts(int32 subscription_id, sweep_limits limits, TimestampTz* from) {
    const Relation table = open_our_table(our_catalog().stat_count, RowExclusiveLock, stat_count_column::count);
    sweep_rows(table, index_of_counts(), subscription_id, GetCurrentTimestamp() - kept_for, limits, from);
    table_close(table, NoLock);
}

// No SQL is used: a DELETE would be refused while there is a publication of all tables.
void remove_counts(int32 subscription_id) {
    const Relation table = open_our_table(our_catalog().stat_count, RowExclusiveLock, stat_count_column::count);
    sweep_rows(table, index_of_counts(), subscription_id, DT_NOEND, {PG_INT64_MAX, PG_INT64_MAX});
    table_close(table, NoLock);
}

}  // namespace pgpubsub
