// pgpubsub.next_due(): how long a consumer that found nothing may sleep.
#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "claim/next_due.hpp"
#include "pg/bounded_scan.hpp"
#include "place/place.hpp"

using namespace pgpubsub;

namespace {

// Finds a row that could be claimed now and that no other transaction is changing, and the time since when it is there.
// Returns true as well if the search took too long, or if another transaction has a key of an ordered channel: then
// there may be such a row.
bool find_claimable(notification_table& table, const claim_request& request, busy_rows busy, Datum* since) {
    bool found = false;
    const auto look = [&](ItemPointer tid, const row_values& row) {
        if (busy == busy_rows::dont_count && !table.is_free(tid))
            return TM_BeingModified;
        found = true;
        *since = row.get(column::created_at);
        return TM_Ok;
    };
    claimer rows(table, request, claim_mode::look, look);
    const bool has_looked_at_all = rows.run() && !(busy == busy_rows::count && rows.passed_busy());
    if (!found && !has_looked_at_all)
        *since = TimestampTzGetDatum(GetCurrentStatementStartTimestamp());
    return found || !has_looked_at_all;
}

// Entries that are read to find the next due time, which takes a few milliseconds. Most may belong to leases that were
// acked.
constexpr int64 entry_limit = 10'000;

// Finds the next due time of the subscription that is still to come, or a time before which there is none. Returns
// false if no row waits.
bool find_waiting(const notification_table& table, int32 subscription_id, Datum* until) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id), after_time(2, GetCurrentTimestamp())};
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    bounded_scan waiting = bounded_scan::begin(table.heap(), our_catalog().notification_due, snapshot, keys,
                                               entry_limit, bounded_scan::with_keys);
    const bool found = waiting.next() || waiting.was_cut();
    if (found)
        *until = waiting.key(2);
    waiting.end();
    UnregisterSnapshot(snapshot);
    return found;
}

}  // namespace

bool pgpubsub::find_next_due(const claim_request& request, busy_rows busy, TimestampTz* at) {
    if (request.s.paused)
        return false;
    notification_table table = notification_table::open();
    Datum due;
    bool found = find_claimable(table, request, busy, &due);
    if (!found) {
        found = find_waiting(table, request.s.id, &due);
        const TimestampTz look = next_look(table.heap(), request.s.id);
        if (look != DT_NOEND && (!found || look < DatumGetTimestampTz(due))) {
            due = TimestampTzGetDatum(look);
            found = true;
        }
    }
    table.close();
    if (found)
        *at = DatumGetTimestampTz(due);
    return found;
}

struct next_due_arguments {
    enum : int { channel, subscription, filter };
};

PGPUBSUB_FUNCTION(pgpubsub_next_due) {
    PreventCommandIfReadOnly("pgpubsub.next_due()");
    // In a transaction that already has all its locks, nothing else would make committed pauses and settings of others
    // visible.
    AcceptInvalidationMessages();
    TimestampTz at;
    if (!find_next_due(request_arguments<next_due_arguments>(fcinfo, channel_use::looks, 1), busy_rows::count, &at))
        PG_RETURN_NULL();
    PG_RETURN_TIMESTAMPTZ(at);
}
