// pgpubsub.next_due(): how long a consumer that found nothing may sleep.
#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "claim/next_due.hpp"
#include "pg/bounded_scan.hpp"
#include "place/place.hpp"

using namespace pgpubsub;

namespace {

// Finds a row that could be claimed now, if nobody else is at it, and gives the time since when it is there. Where the
// search took too long, or another transaction has a key of an ordered channel, there may be one.
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

// So many entries are looked at for the next wait: a few milliseconds. Most may be of leases that were acked.
constexpr int64 entry_limit = 10'000;

// When the next wait of the subscription ends that has not ended yet, or a time before which none does; false when none
// waits.
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
    // In a transaction that has all its locks already, nothing else would have a pause, or a setting, seen that others
    // have committed.
    AcceptInvalidationMessages();
    TimestampTz at;
    if (!find_next_due(request_arguments<next_due_arguments>(fcinfo, channel_use::looks, 1), busy_rows::count, &at))
        PG_RETURN_NULL();
    PG_RETURN_TIMESTAMPTZ(at);
}
