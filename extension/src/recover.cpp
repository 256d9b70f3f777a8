// pgpubsub.recover() and next_due(): what became of the rows that wait for a time.
#include "arguments.hpp"
#include "catalog.hpp"
#include "notification.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

namespace {

// Makes the channel's rows ready whose lease or delay is over, and returns how many. A row that somebody else is
// at is left to them.
int64 end_waits(notification_table& table, const channel& c) {
    int64 ended = 0;
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    ScanKeyData keys[] = {channel_key(c.id), due_key(GetCurrentTimestamp())};
    notification_scan due = notification_scan::begin(table, our_catalog().notification_due, snapshot, keys, 2);
    while (due.next()) {
        CHECK_FOR_INTERRUPTS();
        row_values row = due.values();
        row.set_null(column::due_at);
        row.set_null(column::lease_token);
        if (table.update(due.tid(), row, false) == TM_Ok)
            ++ended;
    }
    due.end();
    UnregisterSnapshot(snapshot);
    return ended;
}

bool has_ready(const notification_table& table, const channel& c) {
    CommandCounterIncrement();
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    ScanKeyData key = channel_key(c.id);
    notification_scan ready = notification_scan::begin(table, our_catalog().notification_ready, snapshot, &key, 1);
    const bool found = ready.next();
    ready.end();
    UnregisterSnapshot(snapshot);
    return found;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_recover) {
    PreventCommandIfReadOnly("pgpubsub.recover()");
    notification_table table = notification_table::open();
    std::span<const channel> channels;
    channel named;
    if (PG_ARGISNULL(0)) {
        channels = consumable_channels(GetUserId());
    } else {
        named = get_channel(text_argument(fcinfo, 0, "channel"));
        check_privilege(named, GetUserId(), privilege::consume);
        channels = {&named, 1};
    }

    int64 ended = 0;
    for (const channel& c : channels) {
        ended += end_waits(table, c);
        if (has_ready(table, c))
            wake_consumers(c);
    }
    table.close();
    PG_RETURN_INT64(ended);
}

PGPUBSUB_FUNCTION(pgpubsub_next_due) {
    notification_table table = notification_table::open();
    const channel c = get_channel(text_argument(fcinfo, 0, "channel"));
    check_privilege(c, GetUserId(), privilege::consume);

    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    ScanKeyData key = channel_key(c.id);
    notification_scan due = notification_scan::begin(table, our_catalog().notification_due, snapshot, &key, 1);
    bool null = true;
    Datum due_at = 0;
    if (due.next())
        due_at = due.get(column::due_at, &null);
    due.end();
    UnregisterSnapshot(snapshot);
    table.close();
    if (null)
        PG_RETURN_NULL();
    PG_RETURN_DATUM(due_at);
}
