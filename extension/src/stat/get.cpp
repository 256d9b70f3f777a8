// pgpubsub.get(): a notification by its id, in each of the subscriptions that have it, without taking it.
//
// Guarantee: it costs one look-up for each subscription and each priority in use there, however much is stored. It
// locks and writes nothing, so it works on a standby. A user who may only publish to a channel sees what has become of
// a notification, and nothing of its content.
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "queue/archive.hpp"
#include "queue/stored.hpp"

using namespace pgpubsub;

namespace {

// Looks for one id everywhere, and shows the rows of the channels that the current user may use.
class search_by_id {
public:
    search_by_id(ReturnSetInfo* result, int64 id)
        : result_(result),
          id_(id),
          table_(open_notifications()),
          dead_letters_(open_our_table(our_catalog().dead_letter, AccessShareLock, archive_column::dead_letter_count)),
          snapshot_(snapshot_without_locks()),
          now_(GetCurrentTimestamp()) {}

    void run() {
        const Oid waiting = our_catalog().notification_waiting;
        for (const int32 subscription_id : all_subscriptions()) {
            for_each_priority(table_, snapshot_, subscription_id, [&](Oid index, int16 priority) {
                ScanKeyData keys[] = {equals_int4(1, subscription_id), equals_int2(2, priority), equals_int8(3, id_)};
                show_notifications(index, keys);
            });
            ScanKeyData keys[] = {equals_int4(1, subscription_id), equals_int8(2, id_)};
            if (OidIsValid(waiting))
                show_notifications(waiting, keys);
            else
                show_notifications(our_catalog().notification_due, {keys, 1});
            show_dead_letters(keys);
        }
        if (OidIsValid(waiting)) {
            ScanKeyData keys[] = {equals_int8(1, id_)};
            show_notifications(our_catalog().notification_leased, keys);
        }
        table_close(dead_letters_, AccessShareLock);
        table_close(table_, AccessShareLock);
    }

private:
    // First reads all subscriptions, then the rows of each: finding the channel of a row reads this table as well.
    std::span<const int32> all_subscriptions() {
        std::size_t count = 0;
        std::size_t capacity = 64;
        auto* ids = static_cast<int32*>(palloc(capacity * sizeof(int32)));
        const Relation rel = open_our_table(our_catalog().subscription, AccessShareLock, subscription_column::count);
        bounded_scan scan = bounded_scan::begin(rel, our_catalog().subscription_pkey, snapshot_, {}, PG_INT64_MAX);
        while (scan.next()) {
            bool null;
            if (count == capacity)
                ids = static_cast<int32*>(repalloc(ids, (capacity *= 2) * sizeof(int32)));
            ids[count++] = DatumGetInt32(slot_getattr(scan.row(), subscription_column::id, &null));
        }
        scan.end();
        table_close(rel, AccessShareLock);
        return {ids, count};
    }

    void show_notifications(Oid index, std::span<ScanKeyData> keys) {
        bounded_scan scan = bounded_scan::begin(table_, index, snapshot_, keys, PG_INT64_MAX);
        while (scan.next()) {
            const row_values row = row_values::of(scan.row());
            if (DatumGetInt64(row.get(column::id)) == id_ && find_home(DatumGetInt32(row.get(column::subscription_id))))
                show(shown_notification(c_, s_, row, now_));
        }
        scan.end();
    }

    void show_dead_letters(std::span<ScanKeyData> keys) {
        const Oid index = our_catalog().dead_letter_id;
        bounded_scan scan = bounded_scan::begin(dead_letters_, index, snapshot_, keys, PG_INT64_MAX);
        while (scan.next()) {
            bool null;
            if (find_home(DatumGetInt32(slot_getattr(scan.row(), archive_column::subscription_id, &null))))
                show(shown_dead_letter(c_, s_, scan.row()));
        }
        scan.end();
    }

    // Finds the channel and the subscription of a row. Returns false if they are gone, or if the user has no right to
    // know of the row.
    bool find_home(int32 subscription_id) {
        if (!find_subscription(subscription_id, &s_) || !find_channel(s_.channel_id, &c_))
            return false;
        may_read_ = has_privilege(c_.id, GetUserId(), privilege::consume);
        return may_read_ || has_privilege(c_.id, GetUserId(), privilege::publish);
    }

    // A user who may only publish sees what has become of the notification, and nothing of its content: ids can be
    // guessed.
    void show(shown_row r) {
        for (const int hidden : {shown_column::payload, shown_column::key, shown_column::headers,
                                 shown_column::dedup_key, shown_column::last_error})
            r.nulls[hidden] = r.nulls[hidden] || !may_read_;
        put(result_, r);
    }

    ReturnSetInfo* result_;
    int64 id_;
    Relation table_;
    Relation dead_letters_;
    Snapshot snapshot_;
    TimestampTz now_;
    // For the present row: its channel, its subscription, and whether the user may read its content.
    channel c_;
    subscription s_;
    bool may_read_ = false;
};
static_assert(survives_longjmp<search_by_id>);

}  // namespace

struct get_arguments {
    enum : int { id };
};

PGPUBSUB_FUNCTION(pgpubsub_get) {
    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(get_arguments::id))
        return Datum{0};
    search_by_id(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), PG_GETARG_INT64(get_arguments::id)).run();
    return Datum{0};
}
