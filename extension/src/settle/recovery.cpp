#include "settle/recovery.hpp"

#include "channel/catalog.hpp"
#include "channel/channel_lock.hpp"
#include "channel/table_columns.hpp"
#include "claim/lease_owner.hpp"
#include "pg/bounded_scan.hpp"
#include "queue/broadcast.hpp"
#include "queue/failure.hpp"
#include "settle/later_wake_up.hpp"
#include "wakeup/wakeup.hpp"

namespace pgpubsub {
namespace {

// Ends the lease of a row, or the wait of a row whose attempts are used up: the row becomes ready or a dead letter.
// Returns false if another transaction has locked or is changing the row.
bool end_wait(notification_table& table, ItemPointer tid, row_values row, const subscription& s, const char* error) {
    if (is_used_up(row, s))
        return bury(table, tid, row, error_if_leased(row, error)) == TM_Ok;
    make_ready(&row);
    constexpr bool wait = false;
    return table.update(tid, row, wait) == TM_Ok;
}

bool contains(std::span<const channel> channels, int32 id) {
    return bsearch(&id, channels.data(), channels.size(), sizeof(channel), [](const void* key, const void* element) {
               const int32 wanted = *static_cast<const int32*>(key);
               const int32 found = static_cast<const channel*>(element)->id;
               return (wanted > found) - (wanted < found);
           }) != nullptr;
}

// Finds leases that may have to be ended, and why.
class lost_lease_finder {
public:
    explicit lost_lease_finder(const lease_pass& pass) : pass_(pass) {}

    // Returns why the lease of the row must be ended; null if it must not.
    const char* reason_to_end(const row_values& row) {
        if (DatumGetTimestampTz(row.get(column::due_at)) <= now_)  // claims find it where it is
            return pass_.buries ? find_home(row) && is_used_up(row, home) ? lease_is_over : nullptr : nullptr;
        if (row.is_null(column::lease_owner) || is_alive(DatumGetInt64(row.get(column::lease_owner))))
            return nullptr;
        return find_home(row) ? owner_is_gone : nullptr;
    }
    subscription home;  // of the row that was found

private:
    // If another transaction is dropping the channel, or changing how its rows are stored, the row is left to that
    // transaction.
    bool find_home(const row_values& row) {
        const int32 id = DatumGetInt32(row.get(column::subscription_id));
        if (!find_subscription(id, &home) || (!pass_.among.empty() && !contains(pass_.among, home.channel_id)))
            return false;
        channel c;
        return find_channel(home.channel_id, &c) && use_channel_if_free(&c) && find_subscription(id, &home);
    }
    // The sessions are read after the first owner has been read.
    bool is_alive(int64 owner) {
        if (!sessions_are_read_) {
            sessions_ = with_context(context_, living_sessions::read);
            sessions_are_read_ = true;
        }
        return sessions_.has(owner);
    }

    const lease_pass& pass_;
    const TimestampTz now_ = GetCurrentTimestamp();
    const MemoryContext context_ = CurrentMemoryContext;
    living_sessions sessions_{};
    bool sessions_are_read_ = false;
};
static_assert(survives_longjmp<lost_lease_finder>);

// Begins a scan of the rows that may have a wait to end: the due rows; in an ordered channel, the leased rows. There a
// delay that is over needs no end, whatever the attempts: the row stays among the held ones, and claims find it.
notification_scan begin_waits(const notification_table& table, const channel& c, const subscription& s,
                              TimestampTz from, TimestampTz now, Snapshot snapshot) {
    ScanKeyData keys[] = {equals_int4(1, s.id), from_time(2, from), until_time(2, now)};
    return c.ordered ? notification_scan::begin(table, our_catalog().notification_in_flight, snapshot, {keys, 1})
                     : notification_scan::begin(table, our_catalog().notification_due, snapshot, keys);
}

// Makes dead letters of rows whose wait is over and whose attempts are used up, beginning at *from, at most `limit`
// rows. Returns how many, and moves *from to where it ended. A row with attempts left stays as it is: claims find it
// there, and until one does, the receipt of a lease is good.
int64 bury_used_up(notification_table& table, const channel& c, const subscription& s, int64 limit, TimestampTz* from) {
    int64 ended = 0;
    const TimestampTz now = GetCurrentTimestamp();
    const MemoryContext per_row =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub recover", ALLOCSET_DEFAULT_SIZES);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    notification_scan waits = begin_waits(table, c, s, *from, now, snapshot);
    while (ended < limit && waits.next()) {
        CHECK_FOR_INTERRUPTS();
        const row_values row = waits.values();
        // A row with a dedup_key is not moved, so that publishers always find it; claims find it where it is.
        const TimestampTz due_at = DatumGetTimestampTz(row.get(column::due_at));
        if (due_at > now || !row.is_null(column::dedup_key))
            continue;
        if (!c.ordered)
            *from = due_at;
        if (is_used_up(row, s))
            ended += with_context(per_row, [&] { return end_wait(table, waits.tid(), row, s, lease_is_over); });
        MemoryContextReset(per_row);
    }
    waits.end();
    UnregisterSnapshot(snapshot);
    MemoryContextDelete(per_row);
    return ended;
}

// Changes the due time of the row to the present clock. Returns false if another transaction has locked or is changing
// the row.
bool shorten_wait(notification_table& table, ItemPointer tid, row_values* row) {
    const int64 pause = DatumGetTimestampTz(row->get(column::due_at)) - given_back_at(*row);
    const TimestampTz deliver_at =
        row->is_null(column::deliver_at) ? DT_NOBEGIN : DatumGetTimestampTz(row->get(column::deliver_at));
    make_ready(row);
    set_due(row, Max(given_back_at(*row) + pause, deliver_at));
    constexpr bool wait = false;
    return table.update(tid, *row, wait) == TM_Ok;
}

bool has_ready(const notification_table& table, const subscription& s) {
    CommandCounterIncrement();
    ScanKeyData keys[] = {equals_int4(1, s.id), until_time(2, GetCurrentTimestamp())};
    return has_row(table, our_catalog().notification_ready, {keys, 1}) ||
           has_row(table, our_catalog().notification_due, keys);
}

}  // namespace

progress end_lost_leases(notification_table& table, lease_pass* pass, sweep_limits limits) {
    int64 ended = 0;
    int32 woken = 0;  // the last channel whose consumers were woken
    const MemoryContext per_row =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub leases", ALLOCSET_DEFAULT_SIZES);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    lost_lease_finder finder(*pass);
    ScanKeyData keys[] = {from_int8(1, pass->from_id)};
    bounded_scan leases = bounded_scan::begin(table.heap(), our_catalog().notification_leased, snapshot, keys,
                                              limits.entries, bounded_scan::with_keys);
    const Oid file = table.heap()->rd_rel->relfilenode;
    if (pass->from_file == file)
        leases.skip(pass->from_id, pass->from_tid);
    const auto reach = [&] {
        pass->from_id = DatumGetInt64(leases.key(1));
        pass->from_tid = leases.place();
        pass->from_file = file;
    };
    while (ended < limits.rows && leases.next()) {
        reach();
        const row_values row = row_values::of(leases.row());
        with_context(per_row, [&] {
            const char* const reason = finder.reason_to_end(row);
            if (reason == nullptr || !end_wait(table, &leases.row()->tts_tid, row, finder.home, reason))
                return;
            ++ended;
            channel c;
            if (finder.home.channel_id != woken && find_channel(finder.home.channel_id, &c)) {
                wake_consumers(c);
                woken = c.id;
            }
        });
        MemoryContextReset(per_row);
    }
    const bool has_more = ended == limits.rows || leases.was_cut();
    if (leases.was_cut())
        reach();
    leases.end();
    UnregisterSnapshot(snapshot);
    MemoryContextDelete(per_row);
    return {ended, has_more};
}

progress shorten_waits(notification_table& table, channel c, wait_position* at, sweep_limits limits) {
    if (!OidIsValid(our_catalog().notification_waiting) || !use_channel_if_free(&c))
        return {};
    if (limits.rows <= 0)
        return {0, true};
    int64 shortened = 0;
    bool has_more = false;
    later_wake_up wakes{};
    const MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub waits", ALLOCSET_DEFAULT_SIZES);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    for (const subscription& s : subscriptions_of(c)) {  // in the order of their ids
        if (s.id < at->subscription_id)
            continue;
        if (s.id > at->subscription_id)
            *at = {s.id, PG_INT64_MIN};
        ScanKeyData keys[] = {equals_int4(1, s.id), from_int8(2, at->id)};
        bounded_scan waiting = bounded_scan::begin(table.heap(), our_catalog().notification_waiting, snapshot, keys,
                                                   limits.entries, bounded_scan::with_keys);
        while (shortened < limits.rows && waiting.next()) {
            row_values row = row_values::of(waiting.row());
            if (given_back_at(row) <= GetCurrentTimestamp())
                continue;
            with_context(per_row, [&] {
                if (!shorten_wait(table, &waiting.row()->tts_tid, &row))
                    return;
                ++shortened;
                wakes.add(c, DatumGetTimestampTz(row.get(column::due_at)));
            });
            MemoryContextReset(per_row);
        }
        has_more = shortened == limits.rows || waiting.was_cut();
        if (has_more)
            at->id = Max(DatumGetInt64(waiting.key(2)), at->id + 1);
        waiting.end();
        if (has_more)
            break;
        at->id = PG_INT64_MAX;
    }
    wakes.flush();
    UnregisterSnapshot(snapshot);
    MemoryContextDelete(per_row);
    return {shortened, has_more};
}

progress recover_channel(channel c, int64 limit, position* at) {
    if (!use_channel_if_free(&c))
        return {};
    notification_table table = notification_table::open();
    const sweep_limits sweep = {limit, PG_INT64_MAX};
    const progress shortened = shorten_waits(table, c, &at->wait, {limit, limit});
    int64 ended = 0;
    bool has_more = false;
    bool wakes = false;
    for (const subscription& s : subscriptions_of(c)) {  // in the order of their ids
        if (s.id < at->subscription_id)
            continue;
        if (s.id > at->subscription_id)
            *at = {.subscription_id = s.id, .wait = at->wait};
        ended += bury_used_up(table, c, s, limit - ended, &at->due_at);
        sweep_processed(s, sweep, &at->history);
        wakes = wakes || (!s.paused && has_ready(table, s));
        has_more = ended >= limit || at->history != DT_NOEND;
        if (has_more)
            break;
    }
    if (c.kind == channel_kind::broadcast) {
        sweep_broadcasts(c, sweep, &at->broadcasts);
        has_more = at->broadcasts != DT_NOEND;
    }
    if (wakes)
        wake_consumers(c);
    table.close();
    return {shortened.ended + ended, shortened.has_more || has_more};
}

}  // namespace pgpubsub
