// pgpubsub.stat_leases(): which owner has which leases in hand, for the view pgpubsub.stat_consumers.
//
// Steps: count the leases by subscription and owner; then look which of the owners are alive. In this order, an owner
// that came meanwhile counts as alive.
#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "claim/lease_owner.hpp"
#include "pg/bounded_scan.hpp"
#include "pg/hash_table.hpp"
#include "queue/notification.hpp"
#include "stat/stat_rights.hpp"

using namespace pgpubsub;

namespace {

namespace result_column {
enum { subscription_id, pid, alive, leases, expired, oldest_created_at, first_end, last_end, count };
}

struct holder {
    int32 subscription_id;
    bool has_owner;
    int64 owner;
};

struct leases_of_holder {
    holder who;  // the hash key
    bool is_visible;
    int64 count;
    int64 expired;
    TimestampTz oldest_created_at;
    TimestampTz first_end;
    TimestampTz last_end;
};

HTAB* make_table() {
    return make_hash_table<holder, leases_of_holder>("pgpubsub holders of leases", CurrentMemoryContext, 64);
}

bool may_see(int32 subscription_id) {
    subscription s;
    return find_subscription(subscription_id, &s) &&
           has_privilege(s.channel_id, role_for_statistics(), privilege::consume);
}

void count_row(HTAB* holders, TupleTableSlot* row, TimestampTz now) {
    const auto value = [row](AttrNumber c, bool* null) { return slot_getattr(row, c, null); };
    bool null;
    holder who;
    memset(&who, 0, sizeof who);  // the padding is part of the hash key
    who.subscription_id = DatumGetInt32(value(column::subscription_id, &null));
    const Datum owner = value(column::lease_owner, &null);
    who.has_owner = !null;
    who.owner = null ? 0 : DatumGetInt64(owner);
    const TimestampTz created_at = DatumGetTimestampTz(value(column::created_at, &null));
    const TimestampTz end = DatumGetTimestampTz(value(column::due_at, &null));

    bool found;
    auto* const h = static_cast<leases_of_holder*>(hash_search(holders, &who, HASH_ENTER, &found));
    if (!found) {
        h->is_visible = may_see(who.subscription_id);
        h->count = h->expired = 0;
        h->oldest_created_at = h->first_end = DT_NOEND;
        h->last_end = DT_NOBEGIN;
    }
    ++h->count;
    h->expired += end <= now;
    h->oldest_created_at = Min(h->oldest_created_at, created_at);
    h->first_end = Min(h->first_end, end);
    h->last_end = Max(h->last_end, end);
}

HTAB* count_leases() {
    HTAB* const holders = make_table();
    const Relation table = open_our_table(our_catalog().notification, AccessShareLock, column::count);
    const TimestampTz now = GetCurrentTimestamp();
    bounded_scan leases =
        bounded_scan::begin(table, our_catalog().notification_leased, snapshot_without_locks(), {}, PG_INT64_MAX);
    while (leases.next())
        count_row(holders, leases.row(), now);
    leases.end();
    table_close(table, AccessShareLock);
    return holders;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_stat_leases) {
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    HTAB* const holders = count_leases();
    const living_sessions sessions = living_sessions::read();
    HASH_SEQ_STATUS walk;
    hash_seq_init(&walk, holders);
    while (const auto* const h = static_cast<leases_of_holder*>(hash_seq_search(&walk))) {
        if (!h->is_visible)
            continue;
        Datum values[result_column::count];
        bool nulls[result_column::count] = {};
        values[result_column::subscription_id] = Int32GetDatum(h->who.subscription_id);
        values[result_column::pid] = Int32GetDatum(process_id_of(h->who.owner));
        values[result_column::alive] = BoolGetDatum(sessions.has(h->who.owner));
        nulls[result_column::pid] = nulls[result_column::alive] = !h->who.has_owner;
        values[result_column::leases] = Int64GetDatum(h->count);
        values[result_column::expired] = Int64GetDatum(h->expired);
        values[result_column::oldest_created_at] = TimestampTzGetDatum(h->oldest_created_at);
        values[result_column::first_end] = TimestampTzGetDatum(h->first_end);
        values[result_column::last_end] = TimestampTzGetDatum(h->last_end);
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
    return Datum{0};
}
