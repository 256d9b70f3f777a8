// pgpubsub.recover(): the sweep after which nothing waits that need not.
//
// Guarantee: it ends leases and delays whose time is over, makes dead letters of those whose attempts are used up, wakes the
// consumers of what is ready, and removes what is kept too long. It works in chunks: memory does not grow with the number
// of rows; the function does one chunk, and the procedure commits after each. What somebody else is at is left to them.
#include "archive.hpp"
#include "arguments.hpp"
#include "broadcast.hpp"
#include "catalog.hpp"
#include "failure.hpp"
#include "notification.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

namespace {

// Of the function.
constexpr int64 default_chunk = 10'000;

// Walks the rows that may have something to end: those that are due; in an ordered channel those that are leased, for there a delay
// that is over needs no end: the row stays among the held ones, and claims find it.
notification_scan begin_waits(const notification_table& table, const channel& c, const subscription& s, TimestampTz from,
                              TimestampTz now, Snapshot snapshot) {
    ScanKeyData keys[] = {equals_int4(1, s.id), from_time(2, from), until_time(2, now)};
    return c.ordered ? notification_scan::begin(table, our_catalog().notification_in_flight, snapshot, {keys, 1})
                     : notification_scan::begin(table, our_catalog().notification_due, snapshot, keys);
}

// How far the chunks of a channel have come: the subscription, and the due_at up to which its rows were looked at. So a chunk
// does not walk over what those before it have left behind in the index.
struct position {
    int32 subscription_id;
    TimestampTz due_at;
};

// Ends what is over, from *from on, at most `limit` rows, and returns how many. Moves *from to where it ended.
int64 end_waits(notification_table& table, const channel& c, const subscription& s, int64 limit, TimestampTz* from) {
    int64 ended = 0;
    const TimestampTz now = GetCurrentTimestamp();
    const MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "pgpubsub recover", ALLOCSET_DEFAULT_SIZES);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    notification_scan waits = begin_waits(table, c, s, *from, now, snapshot);
    while (ended < limit && waits.next()) {
        CHECK_FOR_INTERRUPTS();
        row_values row = waits.values();
        // One with a dedup_key is not moved, so that publishers always find it; claims find it where it is.
        const TimestampTz due_at = DatumGetTimestampTz(row.get(column::due_at));
        if (due_at > now || !row.is_null(column::dedup_key))
            continue;
        if (!c.ordered)
            *from = due_at;
        ended += with_context(per_row, [&] {
            if (is_used_up(row, s))
                return bury(table, waits.tid(), row) == TM_Ok;
            make_ready(&row);
            return table.update(waits.tid(), row, false) == TM_Ok;
        });
        MemoryContextReset(per_row);
    }
    waits.end();
    UnregisterSnapshot(snapshot);
    MemoryContextDelete(per_row);
    return ended;
}

bool has_ready(const notification_table& table, const subscription& s) {
    CommandCounterIncrement();
    ScanKeyData keys[] = {equals_int4(1, s.id), until_time(2, GetCurrentTimestamp())};
    return has_row(table, our_catalog().notification_ready, {keys, 1}) ||
           has_row(table, our_catalog().notification_due, keys);
}

struct progress {
    int64 ended;    // waits
    bool has_more;  // than fitted into the chunk
};

// One chunk of a channel, from *at on: at most `limit` rows of each kind.
progress recover_channel(const channel& c, int64 limit, position* at) {
    notification_table table = notification_table::open();
    const sweep_limits sweep = {limit, PG_INT64_MAX};
    int64 ended = 0;
    int64 swept = 0;
    bool wakes = false;
    for (const subscription& s : subscriptions_of(c)) {  // in the order of their ids
        if (s.id < at->subscription_id)
            continue;
        if (s.id > at->subscription_id)
            *at = {s.id, DT_NOBEGIN};
        ended += end_waits(table, c, s, limit - ended, &at->due_at);
        swept += sweep_processed(s, sweep);
        wakes = wakes || (!s.paused && has_ready(table, s));
        if (ended >= limit || swept >= limit)
            break;
    }
    if (c.kind == channel_kind::broadcast)
        swept = sweep_broadcasts(c, sweep);
    if (wakes)
        wake_consumers(c);
    table.close();
    return {ended, ended >= limit || swept >= limit};
}

// The channel that the argument names; null: all that the caller may consume.
std::span<const channel> channels_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(0))
        return consumable_channels(GetUserId());
    auto* const named = static_cast<channel*>(palloc(sizeof(channel)));
    *named = get_channel(text_argument(fcinfo, 0, "channel"));
    check_privilege(*named, GetUserId(), privilege::consume);
    return {named, 1};
}

// Runs f with a snapshot, which a procedure that may commit does not have.
template <typename F>
auto with_snapshot(F f) {
    PushActiveSnapshot(GetTransactionSnapshot());
    const auto result = f();
    PopActiveSnapshot();
    return result;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_recover) {
    PreventCommandIfReadOnly("pgpubsub.recover()");
    int64 ended = 0;
    for (const channel& c : channels_argument(fcinfo)) {
        position start{};
        ended += recover_channel(c, default_chunk - ended, &start).ended;
    }
    PG_RETURN_INT64(ended);
}

PGPUBSUB_FUNCTION(pgpubsub_recover_in_chunks) {
    PreventCommandIfReadOnly("pgpubsub.recover()");
    const int chunk = count_argument(fcinfo, 1, "chunk_size");
    const bool may_commit = fcinfo->context != nullptr && IsA(fcinfo->context, CallContext) &&
                            !reinterpret_cast<CallContext*>(fcinfo->context)->atomic;
    // This context outlives the transactions.
    const MemoryContext context = CurrentMemoryContext;
    SPI_connect_ext(may_commit ? SPI_OPT_NONATOMIC : 0);
    const std::span<const channel> channels =
        with_context(context, [&] { return with_snapshot([&] { return channels_argument(fcinfo); }); });

    int64 total = 0;
    for (const channel& c : channels) {
        progress done;
        position at{};
        do {
            CHECK_FOR_INTERRUPTS();
            channel still_there;
            done = with_snapshot([&] { return find_channel(c.id, &still_there) ? recover_channel(c, chunk, &at) : progress{}; });
            total += done.ended;
            if (may_commit)
                SPI_commit();
            else
                CommandCounterIncrement();
        } while (done.has_more);
    }
    SPI_finish();

    // The value of the argument INOUT is a row of one column.
    const TupleDesc columns = CreateTemplateTupleDesc(1);
    TupleDescInitEntry(columns, 1, "recovered", INT8OID, -1, 0);
    Datum value = Int64GetDatum(total);
    bool null = false;
    PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(columns), &value, &null)));
}
