#include "queue/notification.hpp"

#include "pg/settings.hpp"
#include "place/unstored.hpp"
#include "queue/stat_count.hpp"

namespace pgpubsub {

bool passes(Datum payload, const Jsonb* filter) {
    return filter == nullptr || DatumGetBool(DirectFunctionCall2(jsonb_contains, payload, JsonbPGetDatum(filter)));
}

row_values new_row(const channel& c, const subscription& s, int64 id, const new_notification& n) {
    row_values row = row_values::empty();
    row.set(column::id, Int64GetDatum(id));
    row.set(column::created_at, TimestampTzGetDatum(GetCurrentTransactionStartTimestamp()));
    row.set(column::subscription_id, Int32GetDatum(s.id));
    row.set(column::priority, Int16GetDatum(n.priority));
    row.set(column::attempts, Int16GetDatum(0));
    row.set(column::payload, JsonbPGetDatum(n.payload));
    if (n.key != nullptr)
        row.set(column::key, PointerGetDatum(n.key));
    set_order_key(&row, c);
    if (n.headers != nullptr)
        row.set(column::headers, JsonbPGetDatum(n.headers));
    if (const optional_int version = db_version(); version.has_value)
        row.set(column::db_version, Int32GetDatum(version.value));
    if (n.has_deliver_at) {
        row.set(column::deliver_at, TimestampTzGetDatum(n.deliver_at));
        if (n.deliver_at > GetCurrentTimestamp())
            set_due(&row, n.deliver_at);
    }
    if (n.dedup_key != nullptr)
        row.set(column::dedup_key, PointerGetDatum(n.dedup_key));
    return row;
}

void store_for(notification_table& table, const channel& c, const subscription& s, int64 id,
               const new_notification& n) {
    table.insert(new_row(c, s, id, n));
    count_published(s.id);
}

int64 store(notification_table& table, const channel& c, std::span<const subscription> subscriptions,
            const new_notification& n) {
    const bool announced = announce_ids(c.id);
    const int64 id = draw_id();
    for (const subscription& s : subscriptions)
        if (passes(JsonbPGetDatum(n.payload), s.filter))
            store_for(table, c, s, id, n);
    if (announced)
        ids_are_stored();
    return id;
}

}  // namespace pgpubsub
