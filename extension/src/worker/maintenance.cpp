#include "worker/maintenance.hpp"

#include "admin/role_rights.hpp"
#include "capture/replication.hpp"
#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/background_process.hpp"
#include "pg/bounded_scan.hpp"
#include "queue/broadcast.hpp"
#include "queue/stat_count.hpp"
#include "settle/recovery.hpp"
#include "wakeup/wakeup.hpp"
#include "worker/due_times.hpp"

namespace pgpubsub {
namespace {

constexpr int64 usecs_per_msec = 1000;

// Time after which a step does not go on to the next channel.
constexpr int64 step_time = 3 * usecs_per_msec;
constexpr sweep_limits step_limits = {200, 5000};
// Index entries that are read to find a row, or the next due time.
constexpr int64 probe_limit = 1000;

// Shortest time between two wake-ups of a channel's consumers for due rows.
constexpr int64 tick = usecs_per_msec;
// `pause`: after a locked table, and before a retry of something that failed. `long_pause`: before a retry of something
// that failed in a step of its own.
constexpr int64 pause = 100 * usecs_per_msec;
constexpr int64 long_pause = 10 * USECS_PER_SEC;

constexpr int64 sweep_interval = USECS_PER_MINUTE;
// Pause after a step of a sweep, and after a pass over the leases, as a multiple of its length.
constexpr int64 pause_factor = 9;

// A session that reports its end may still be shown as alive for a moment; therefore there are further looks, after
// these pauses.
constexpr int64 dead_look_pauses[] = {20 * usecs_per_msec, 200 * usecs_per_msec};
constexpr int dead_looks = 1 + lengthof(dead_look_pauses);

// --- transactions --------------------------------------------------------------------------------------

int64 paused_until = at_once;

constexpr catalog none{};

// Runs step() in a transaction. If another session has locked one of the tables, pauses instead and returns false.
template <typename Step>
bool in_transaction(const char* activity, Step step) {
    pgstat_report_activity(STATE_RUNNING, activity);
    SetCurrentStatementStartTimestamp();
    StartTransactionCommand();
    const auto is_free = [](Oid table, LOCKMODE mode) { return ConditionalLockRelationOid(table, mode); };
    // If the extension has just been dropped, the worker will soon notice.
    const bool is_there = is_installed();
    const catalog& ours = is_there ? our_catalog() : none;
    const bool can_run = is_there && is_free(ours.notification, RowExclusiveLock) &&
                         is_free(ours.dead_letter, RowExclusiveLock) && is_free(ours.processed, RowExclusiveLock) &&
                         is_free(ours.broadcast, RowExclusiveLock) && is_free(ours.stat_count, RowExclusiveLock) &&
                         is_free(ours.channel, AccessShareLock) && is_free(ours.subscription, AccessShareLock) &&
                         is_free(ours.channel_privilege, AccessShareLock);
    if (can_run) {
        PushActiveSnapshot(GetTransactionSnapshot());
        step();
        PopActiveSnapshot();
    }
    CommitTransactionCommand();
    if (!can_run)
        paused_until = steady_now() + pause;
    pgstat_report_stat(false);
    pgstat_report_activity(STATE_IDLE, nullptr);
    return can_run;
}

bool is_over(int64 began_at) { return steady_now() - began_at > step_time; }

// --- lost leases ---------------------------------------------------------------------------------------

constexpr int64 no_lease_looked_at = PG_INT64_MIN;

lease_pass leases;
int64 look_at_leases_at = never;
int64 pass_began_at = 0;
int64 next_pass_from = at_once;
int looks_left = 0;
bool was_in_leases = false;

void look_at_leases(int looks) {
    looks_left = Max(looks_left, looks);
    if (leases.from_id == no_lease_looked_at)
        look_at_leases_at = Min(look_at_leases_at, next_pass_from);
}

void begin_lease_pass() {
    leases = {.among = {}, .buries = true, .from_id = no_lease_looked_at, .from_tid = {}, .from_file = InvalidOid};
}

bool end_leases(int64 now) {
    if (leases.from_id == no_lease_looked_at)
        pass_began_at = now;
    else if (was_in_leases) {  // an ERROR ended the last step: skip that row
        ++leases.from_id;
        leases.from_file = InvalidOid;
    }
    was_in_leases = true;
    progress done{.ended = 0, .has_more = true};
    const bool ran = in_transaction("pgpubsub: releasing leases of ended sessions", [&] {
        notification_table table = notification_table::open();
        done = end_lost_leases(table, &leases, step_limits);
        table.close();
    });
    was_in_leases = false;
    if (done.has_more)
        return ran;
    begin_lease_pass();
    const int64 ended_at = steady_now();
    next_pass_from = ended_at + pause_factor * (ended_at - pass_began_at);
    --looks_left;
    look_at_leases_at =
        looks_left > 0 ? Max(next_pass_from, now + dead_look_pauses[dead_looks - looks_left - 1]) : never;
    return true;
}

// --- what is due ---------------------------------------------------------------------------------------

due_times due;

// Returns the first due time of the subscription between `from` and `until`, or a time before which there is none;
// DT_NOEND: none at all.
TimestampTz first_due(const notification_table& table, int32 subscription_id, TimestampTz from, TimestampTz until) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id), from_time(2, from), until_time(2, until)};
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    bounded_scan scan = bounded_scan::begin(table.heap(), our_catalog().notification_due, snapshot, keys, probe_limit,
                                            bounded_scan::with_keys);
    const TimestampTz result = scan.next() || scan.was_cut() ? DatumGetTimestampTz(scan.key(2)) : DT_NOEND;
    scan.end();
    UnregisterSnapshot(snapshot);
    return result;
}

// Returns when something of the channel is due after `now`.
TimestampTz next_due(const notification_table& table, std::span<const subscription> subscriptions, TimestampTz now) {
    TimestampTz next = DT_NOEND;
    for (const subscription& s : subscriptions)
        next = Min(next, first_due(table, s.id, now + 1, DT_NOEND));
    return next;
}

// Wakes the consumers of the channel if something has become due since `from`. Returns when the next thing will be due.
TimestampTz wake_due(const notification_table& table, int32 channel_id, TimestampTz from, TimestampTz now) {
    channel c;
    if (!find_channel(channel_id, &c))
        return DT_NOEND;
    const std::span<const subscription> subscriptions = subscriptions_of(c);
    bool wakes = false;
    for (const subscription& s : subscriptions)
        if (first_due(table, s.id, from, now) != DT_NOEND) {
            wakes = wakes || !s.paused;
            look_at_leases(1);  // the row may be a lease whose attempts are used up
        }
    if (wakes)
        wake_consumers(c);
    return next_due(table, subscriptions, now);
}

// Most channels that a step looks at. After an ERROR it is few, so that one channel with a problem does not stop the
// others.
constexpr int largest_batch = 256;
int batch = largest_batch;

bool wake_for_due(int64 began_at) {
    const TimestampTz now = GetCurrentTimestamp();
    struct {
        int32 channel_id;
        TimestampTz next;
    } fired[largest_batch];
    int count = 0;
    const int limit = batch;
    batch = 1;  // stays if there is an ERROR
    const bool ran = in_transaction("pgpubsub: waking consumers of what is due", [&] {
        notification_table table = notification_table::open();
        due_times::entry* e;
        while (count < limit && (e = due.first()) != nullptr && e->fires_at <= now &&
               (count == 0 || !is_over(began_at))) {
            // The entry stays: nobody is woken before the transaction has committed.
            due.postpone(e, now + (limit == 1 ? long_pause : pause));
            fired[count].channel_id = e->channel_id;
            fired[count++].next = wake_due(table, e->channel_id, e->from, now);
        }
        table.close();
    });
    for (int i = 0; i < count; ++i)
        due.settle(fired[i].channel_id, fired[i].next, Max(fired[i].next, now + tick));
    batch = ran ? Min(2 * limit, largest_batch) : limit;
    return ran;
}

// --- the sweep -----------------------------------------------------------------------------------------

int64 sweep_at = never;
int64 sweep_began_at = 0;
int32 swept_channel = 0;  // the last channel that was swept
bool is_first_sweep = true;

// Where the next step of a sweep continues in a channel, by the times of what was looked at. An old snapshot keeps the
// index entries of all removed rows: if each step began with the first entry, the steps would get no further.
struct {
    int32 channel_id;  // 0: none
    int32 subscription_id;
    TimestampTz history;
    TimestampTz counts;
    TimestampTz broadcasts;
} sweep_from{};

// Begins a sweep at once, with the first channel.
void sweep_again() {
    swept_channel = 0;
    sweep_from = {};
    sweep_at = at_once;
    is_first_sweep = true;
}

// Returns the channel with the next id; 0: none.
int32 channel_behind(int32 id) {
    ScanKeyData key = above_int4(channel_column::id, id);
    const Relation rel = open_our_table(our_catalog().channel, AccessShareLock, channel_column::count);
    const Relation index = index_open(our_catalog().channel_pkey, AccessShareLock);
    const SysScanDesc scan = systable_beginscan_ordered(rel, index, GetActiveSnapshot(), 1, &key);
    const HeapTuple tuple = systable_getnext_ordered(scan, ForwardScanDirection);
    bool null;
    const int32 next = HeapTupleIsValid(tuple)
                           ? DatumGetInt32(heap_getattr(tuple, channel_column::id, RelationGetDescr(rel), &null))
                           : 0;
    systable_endscan_ordered(scan);
    index_close(index, AccessShareLock);
    table_close(rel, AccessShareLock);
    return next;
}

// Visits channel after channel, in the order of their ids, beginning behind *last, until the time of the step is over.
// visit(c) returns false if there is more to do in the channel; then the next step begins with it. Returns whether all
// channels were visited.
template <typename Visit>
bool visit_channels(int32* last, int64 began_at, Visit visit) {
    do {
        const int32 before = *last;
        const int32 next = channel_behind(before);
        if (next == 0)
            return true;
        *last = next;  // an ERROR in this channel must not keep the others waiting
        if (channel c; find_channel(next, &c) && !visit(c)) {
            *last = before;
            return false;
        }
    } while (!is_over(began_at));
    return false;
}

bool may_have_ready(const notification_table& table, const subscription& s, TimestampTz now) {
    ScanKeyData key = equals_int4(1, s.id);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    bounded_scan scan =
        bounded_scan::begin(table.heap(), our_catalog().notification_ready, snapshot, {&key, 1}, probe_limit);
    const bool found = scan.next() || scan.was_cut();
    scan.end();
    UnregisterSnapshot(snapshot);
    return found || first_due(table, s.id, DT_NOBEGIN, now) != DT_NOEND;
}

void wake_in_case(const notification_table& table, const channel& c, std::span<const subscription> subscriptions,
                  TimestampTz now) {
    bool wakes = false;
    for (const subscription& s : subscriptions)
        wakes = wakes || (!s.paused && may_have_ready(table, s, now));
    if (wakes)
        wake_consumers(c);
    if (const TimestampTz next = next_due(table, subscriptions, now); next != DT_NOEND)
        due.note(c.id, next);
}

// Does one step of the sweep of a channel. Returns false if there is more to remove.
bool sweep_channel(const notification_table& table, const channel& c, TimestampTz now) {
    const std::span<const subscription> subscriptions = subscriptions_of(c);
    if (sweep_from.channel_id != c.id) {
        sweep_from = {c.id, 0, DT_NOBEGIN, DT_NOBEGIN, DT_NOBEGIN};
        wake_in_case(table, c, subscriptions, now);
    }
    for (const subscription& s : subscriptions) {  // in the order of their ids
        if (s.id < sweep_from.subscription_id)
            continue;
        if (s.id > sweep_from.subscription_id)
            sweep_from = {c.id, s.id, DT_NOBEGIN, DT_NOBEGIN, sweep_from.broadcasts};
        sweep_processed(s, step_limits, &sweep_from.history);
        sweep_counts(s.id, step_limits, &sweep_from.counts);
        if (sweep_from.history != DT_NOEND || sweep_from.counts != DT_NOEND)
            return false;
    }
    if (c.kind == channel_kind::broadcast) {
        sweep_broadcasts(c, step_limits, &sweep_from.broadcasts);
        if (sweep_from.broadcasts != DT_NOEND)
            return false;
    }
    sweep_from = {};
    return true;
}

bool sweep(int64 now) {
    if (swept_channel == 0)
        sweep_began_at = now;
    bool is_done = false;
    const bool ran = in_transaction("pgpubsub: sweeping", [&] {
        notification_table table = notification_table::open();
        is_done = visit_channels(&swept_channel, now,
                                 [&table](const channel& c) { return sweep_channel(table, c, GetCurrentTimestamp()); });
        table.close();
    });
    const int64 ended_at = steady_now();
    if (!is_done) {
        sweep_at = is_first_sweep ? ended_at : ended_at + pause_factor * (ended_at - now);
        return ran;
    }
    look_at_leases(1);
    swept_channel = 0;
    sweep_from = {};
    is_first_sweep = false;
    sweep_at = sweep_began_at + sweep_interval;
    in_transaction("pgpubsub: looking at rights", tidy_rights);
    return true;
}

// --- a clock that was set back -------------------------------------------------------------------------

int64 shorten_at = never;
int32 shortened_channel = 0;  // the last channel whose waits were shortened
struct {
    int32 channel_id;
    wait_position at;  // in that channel, which may be gone at the next step
} shorten_from{};

// Begins at once, with the first channel.
void shorten_again() {
    shortened_channel = 0;
    shorten_from = {};
    shorten_at = at_once;
}

bool shorten(int64 now) {
    bool is_done = false;
    const bool ran = in_transaction("pgpubsub: looking at times of a clock that was set back", [&] {
        notification_table table = notification_table::open();
        is_done = visit_channels(&shortened_channel, now, [&table](const channel& c) {
            if (shorten_from.channel_id != c.id)
                shorten_from = {c.id, {}};
            return !shorten_waits(table, c, &shorten_from.at, step_limits).has_more;
        });
        table.close();
    });
    const int64 ended_at = steady_now();
    shorten_at = is_done ? never : ended_at + pause_factor * (ended_at - now);
    return ran;
}

// --- all of it -----------------------------------------------------------------------------------------

struct kind {
    int64 (*wanted_at)();
    bool (*step)(int64 now);  // false: impossible, because another session has locked a table
    retry again;
};

kind kinds[] = {
    {[] { return look_at_leases_at; }, end_leases, retry(pauses_after_errors)},
    {[] { return steady_time_of(due.first_time()); }, wake_for_due, retry(pauses_after_errors)},
    {[] { return sweep_at; }, sweep, retry(pauses_after_errors)},
    {[] { return shorten_at; }, shorten, retry(pauses_after_errors)},
};

// After the clock was set back, waiting rows would be late. The time of day is compared with the clock that nobody can
// set, because the last look may be long ago.
void look_at_clock() {
    constexpr int64 tolerance = 100 * usecs_per_msec;  // for the time between two readings
    static int64 difference = PG_INT64_MIN / 2;        // none yet
    const int64 before = steady_now();
    const TimestampTz now = GetCurrentTimestamp();
    if (now - before < difference - tolerance) {
        sweep_again();
        shorten_again();
    }
    difference = now - steady_now();
}

}  // namespace

void begin_maintenance() {
    StartTransactionCommand();
    if (is_installed())
        hide_from_decoding(false);
    CommitTransactionCommand();
    due.begin();
    batch = largest_batch;
    begin_lease_pass();
    look_at_leases_at = never;
    next_pass_from = at_once;
    looks_left = 0;
    was_in_leases = false;
    sweep_again();
    shorten_again();  // the clock may have been set back while there was no worker
    paused_until = at_once;
}

void note_due(int32 channel_id, TimestampTz due_at) {
    if (channel_id == 0)
        sweep_again();
    else
        due.note(channel_id, due_at);
}

void note_dead_session() { look_at_leases(dead_looks); }

bool maintenance_is_failing() {
    for (const kind& k : kinds)
        if (k.again.is_failing())
            return true;
    return false;
}

void retry_maintenance() {
    for (kind& k : kinds)
        k.again.try_at_once();
}

bool maintenance_is_planned() { return !is_first_sweep; }
TimestampTz next_due_time() { return due.first_time(); }
int64 next_upkeep() { return Max(Min(Min(look_at_leases_at, sweep_at), shorten_at), paused_until); }

int64 maintain(int64 now) {
    look_at_clock();
    // The tasks take turns, so that a long one does not keep the others waiting.
    static std::size_t turn = 0;
    for (std::size_t i = 0; i < lengthof(kinds) && now >= paused_until; ++i) {
        kind& k = kinds[(turn + i) % lengthof(kinds)];
        if (k.wanted_at() <= now && k.again.may_try(now)) {
            turn = (turn + i + 1) % lengthof(kinds);
            k.again.attempt(now, [&] { return k.step(now); });
            break;
        }
    }
    int64 next = never;
    for (const kind& k : kinds)
        next = Min(next, Max(k.wanted_at(), k.again.not_before()));
    return Max(next, paused_until);
}

}  // namespace pgpubsub
