// pgpubsub.stat_rates(): what the sessions have counted in the last minute, for the view pgpubsub.stat_channels.
#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/bounded_scan.hpp"
#include "pg/scan_keys.hpp"
#include "queue/stat_count.hpp"
#include "stat/stat_rights.hpp"

using namespace pgpubsub;

namespace {

constexpr int seconds_looked_at = 60;

struct sums {
    int64 published;
    int64 processed;
    int64 failed;
};

// Reads with a snapshot that takes no predicate locks: otherwise a monitor in SERIALIZABLE transactions would make the
// transactions of publishers and consumers fail.
sums read_sums(Relation table, int32 subscription_id, TimestampTz now) {
    ScanKeyData keys[] = {equals_int4(1, subscription_id), after_time(2, now - seconds_looked_at * USECS_PER_SEC)};
    sums s{};
    bounded_scan scan = bounded_scan::begin(table, index_of_counts(), SnapshotSelf, keys, PG_INT64_MAX);
    while (scan.next()) {
        const auto column = [&scan](AttrNumber c) {
            bool null;
            return DatumGetInt64(slot_getattr(scan.row(), c, &null));
        };
        s.published += column(stat_count_column::published);
        s.processed += column(stat_count_column::processed);
        s.failed += column(stat_count_column::failed);
    }
    scan.end();
    return s;
}

Datum per_second(int64 n) { return Float8GetDatum(double(Max(n, 0)) / seconds_looked_at); }

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_stat_rates) {
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const TimestampTz now = GetCurrentTimestamp();
    const Relation table = open_our_table(our_catalog().stat_count, AccessShareLock, stat_count_column::count);
    for (const subscription& s : consumable_subscriptions(role_for_statistics())) {
        const sums counted = read_sums(table, s.id, now);
        const Datum values[] = {Int32GetDatum(s.id), per_second(counted.published), per_second(counted.processed),
                                per_second(counted.failed)};
        const bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum*>(values), const_cast<bool*>(nulls));
    }
    table_close(table, AccessShareLock);
    return Datum{0};
}
