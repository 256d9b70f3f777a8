// pgpubsub.stat_backlog(): how many notifications are in each state, for the view pgpubsub.stat_channels.
//
// Guarantee: it is cheap at any size. A small number is counted; a large number is estimated from a sample, and the
// result names such columns as estimates. It waits for no publisher or consumer, and writes nothing, so it works on a
// standby.
//
// Steps for each subscription: count the ready rows by their index; the rows that wait for a time by theirs, reading
// the state of each; the dead letters by theirs; find the age of the oldest ready row. At last, if a sample had to
// stand for the leases, count them by the index that has only leases: they are few beside a million delayed rows, and a
// sample would miss them.
#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/bounded_scan.hpp"
#include "queue/archive.hpp"
#include "queue/notification.hpp"
#include "stat/index_count.hpp"
#include "stat/stat_rights.hpp"

using namespace pgpubsub;

namespace {

enum state { ready, delayed, in_flight, retrying, dead, state_count };
constexpr const char* state_names[] = {"ready", "delayed", "in_flight", "retrying", "dead"};
static_assert(lengthof(state_names) == state_count);

namespace result_column {
enum { subscription_id, first_state, oldest_created_at = first_state + state_count, estimated, count };
}

// Beyond these limits there is too much to look at.
constexpr int64 leases_limit = 100'000;
constexpr int64 oldest_entries_limit = 2'000;
constexpr int priorities_limit = 16;

struct backlog {
    int32 subscription_id;
    double rows[state_count];
    bool estimated[state_count];
    bool has_oldest;
    TimestampTz oldest;

    // An infinite time, which can only have been written by hand, is no age.
    void note_ready(TimestampTz created_at) {
        if (TIMESTAMP_NOT_FINITE(created_at))
            return;
        oldest = has_oldest ? Min(oldest, created_at) : created_at;
        has_oldest = true;
    }
    void add(state s, const row_count& count) {
        rows[s] += count.rows;
        estimated[s] = estimated[s] || !count.exact;
    }
};
static_assert(survives_longjmp<backlog>);

// What all steps need: the tables, and the time of the look.
struct context {
    Relation notification;
    Relation dead_letter;
    Snapshot snapshot;
    TimestampTz now;
};

Datum value_of(TupleTableSlot* row, AttrNumber c) {
    bool null;
    return slot_getattr(row, c, &null);
}

TimestampTz created_at(TupleTableSlot* row) { return DatumGetTimestampTz(value_of(row, column::created_at)); }

// Returns the state of a row that has a due_at.
state state_of(TupleTableSlot* row, TimestampTz now) {
    if (DatumGetTimestampTz(value_of(row, column::due_at)) <= now)
        return ready;
    bool has_no_lease;
    slot_getattr(row, column::lease_token, &has_no_lease);
    if (!has_no_lease)
        return in_flight;
    return DatumGetInt16(value_of(row, column::attempts)) > 0 ? retrying : delayed;
}

// The waiting rows, in the order of due_at, in two parts: rows whose time has come, among them the entries of most rows
// that are gone; and rows whose time is to come.
enum class part { overdue, to_come };

// Counts the rows of a part one by one, by state. Returns false if the part is too long for that.
bool walk_waiting(const context& c, part which, backlog* b, double (&rows)[state_count]) {
    const bool overdue = which == part::overdue;
    ScanKeyData keys[] = {equals_int4(1, b->subscription_id), overdue ? until_time(2, c.now) : after_time(2, c.now)};
    bounded_scan scan =
        bounded_scan::begin(c.notification, our_catalog().notification_due, c.snapshot, keys, walked_entries_limit);
    int64 count = 0;
    for (; count <= exact_limit && scan.next(); ++count) {
        const state s = state_of(scan.row(), c.now);
        ++rows[s];
        if (s == ready)
            b->note_ready(created_at(scan.row()));
    }
    const bool complete = count <= exact_limit && !scan.was_cut();
    scan.end();
    return complete;
}

void count_waiting(const context& c, backlog* b) {
    const Oid index = our_catalog().notification_due;
    double counted[state_count] = {};
    double sampled[state_count] = {};
    auto visit = [&](TupleTableSlot* row, double stands_for) {
        const state s = state_of(row, c.now);
        sampled[s] += stands_for;
        if (s == ready)
            b->note_ready(created_at(row));
    };
    const auto sample = [&] { sample_rows(c.notification, index, b->subscription_id, c.snapshot, visit); };

    // If a sample shows that the part is long, it is not walked in vain.
    const bool sample_first = !is_short_range(index, b->subscription_id);
    if (sample_first)
        sample();
    const bool overdue_exact = sampled[ready] <= exact_limit && walk_waiting(c, part::overdue, b, counted);
    const bool to_come_exact = sampled[delayed] + sampled[in_flight] + sampled[retrying] <= exact_limit &&
                               walk_waiting(c, part::to_come, b, counted);
    if (!sample_first && !(overdue_exact && to_come_exact))
        sample();
    for (const state s : {ready, delayed, in_flight, retrying}) {
        const bool exact = s == ready ? overdue_exact : to_come_exact;
        b->add(s, {exact ? counted[s] : sampled[s], exact});
    }
}

// Finds the first row of each priority. Within a priority the ids rise with the age, except for transactions that ran
// at the same time. If there are very many priorities, the lowest are not looked at.
void find_oldest(const context& c, backlog* b) {
    ScanKeyData keys[] = {equals_int4(1, b->subscription_id), {}};
    int key_count = 1;
    for (int i = 0; i < priorities_limit; ++i) {
        bounded_scan scan = bounded_scan::begin(c.notification, our_catalog().notification_ready, c.snapshot,
                                                {keys, static_cast<std::size_t>(key_count)}, oldest_entries_limit);
        const bool found = scan.next();
        const bool cut = !found && scan.was_cut();
        int16 priority = 0;
        if (found) {
            b->note_ready(created_at(scan.row()));
            priority = DatumGetInt16(value_of(scan.row(), column::priority));
        }
        scan.end();
        if (cut) {  // behind very many removed rows: the oldest row of a sample is near enough
            auto visit = [b](TupleTableSlot* row, double) { b->note_ready(created_at(row)); };
            sample_rows(c.notification, our_catalog().notification_ready, b->subscription_id, c.snapshot, visit);
        }
        if (!found)
            return;
        ScanKeyInit(&keys[1], 2, BTLessStrategyNumber, F_INT2LT, Int16GetDatum(priority));
        key_count = 2;
    }
}

backlog read_backlog(const context& c, int32 subscription_id) {
    backlog b{.subscription_id = subscription_id};
    const catalog& tables = our_catalog();
    b.add(ready, count_rows(c.notification, tables.notification_ready, subscription_id, c.snapshot));
    count_waiting(c, &b);
    b.add(dead, count_rows(c.dead_letter, tables.dead_letter_id, subscription_id, c.snapshot));
    find_oldest(c, &b);
    return b;
}

int by_subscription_id(const void* a, const void* b) {
    const int32 left = static_cast<const backlog*>(a)->subscription_id;
    const int32 right = static_cast<const backlog*>(b)->subscription_id;
    return (left > right) - (left < right);
}

// Replaces the estimates by the exact number of leases, unless there are too many leases.
void count_leases(const context& c, std::span<backlog> all) {
    auto* const leases = static_cast<int64*>(palloc0(all.size() * sizeof(int64)));
    bounded_scan scan =
        bounded_scan::begin(c.notification, our_catalog().notification_leased, c.snapshot, {}, leases_limit);
    while (scan.next()) {
        if (DatumGetTimestampTz(value_of(scan.row(), column::due_at)) <= c.now)
            continue;
        const backlog key{.subscription_id = DatumGetInt32(value_of(scan.row(), column::subscription_id))};
        const void* const found = bsearch(&key, all.data(), all.size(), sizeof key, by_subscription_id);
        if (found != nullptr)
            ++leases[static_cast<const backlog*>(found) - all.data()];
    }
    const bool complete = !scan.was_cut();
    scan.end();
    for (std::size_t i = 0; complete && i < all.size(); ++i) {
        if (all[i].estimated[in_flight]) {
            all[i].rows[in_flight] = double(leases[i]);
            all[i].estimated[in_flight] = false;
        }
    }
    pfree(leases);
}

void put_result(ReturnSetInfo* result, const backlog& b) {
    Datum values[result_column::count];
    bool nulls[result_column::count] = {};
    Datum estimates[state_count];
    int estimate_count = 0;
    values[result_column::subscription_id] = Int32GetDatum(b.subscription_id);
    for (int s = 0; s < state_count; ++s) {
        values[result_column::first_state + s] = Int64GetDatum(static_cast<int64>(b.rows[s] + 0.5));
        if (b.estimated[s])
            estimates[estimate_count++] = CStringGetTextDatum(state_names[s]);
    }
    values[result_column::oldest_created_at] = TimestampTzGetDatum(b.oldest);
    nulls[result_column::oldest_created_at] = !b.has_oldest;
    values[result_column::estimated] =
        PointerGetDatum(construct_array(estimates, estimate_count, TEXTOID, -1, false, TYPALIGN_INT));
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_stat_backlog) {
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const std::span<const subscription> subscriptions = consumable_subscriptions(role_for_statistics());
    const std::span all{static_cast<backlog*>(palloc(Max(subscriptions.size(), std::size_t{1}) * sizeof(backlog))),
                        subscriptions.size()};
    const context c = {
        .notification = open_our_table(our_catalog().notification, AccessShareLock, column::count),
        .dead_letter = open_our_table(our_catalog().dead_letter, AccessShareLock, archive_column::dead_letter_count),
        .snapshot = snapshot_without_locks(),
        .now = GetCurrentTimestamp(),
    };

    bool leases_wanted = false;
    const MemoryContext per_subscription =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub backlog", ALLOCSET_DEFAULT_SIZES);
    for (std::size_t i = 0; i < all.size(); ++i) {
        all[i] = with_context(per_subscription, [&] { return read_backlog(c, subscriptions[i].id); });
        leases_wanted = leases_wanted || all[i].estimated[in_flight];
        MemoryContextReset(per_subscription);
    }
    MemoryContextDelete(per_subscription);
    if (leases_wanted) {
        qsort(all.data(), all.size(), sizeof(backlog), by_subscription_id);
        count_leases(c, all);
    }
    for (const backlog& b : all)
        put_result(result, b);
    table_close(c.dead_letter, AccessShareLock);
    table_close(c.notification, AccessShareLock);
    return Datum{0};
}
