#include "queue/notification_row.hpp"

#include "place/unstored.hpp"

namespace pgpubsub {

row_values row_values::of(TupleTableSlot* slot) {
    slot_getallattrs(slot);
    row_values row;
    memcpy(row.values, slot->tts_values, sizeof row.values);
    memcpy(row.nulls, slot->tts_isnull, sizeof row.nulls);
    return row;
}

void set_due(row_values* row, TimestampTz at) {
    row->set(column::due_at, TimestampTzGetDatum(Max(at, announce_due())));
}

void make_ready(row_values* row) {
    row->set_null(column::lease_token);
    set_due(row, DT_NOBEGIN);
    row->set(column::lease_owner, row->get(column::due_at));
}

TimestampTz given_back_at(const row_values& row) {
    const bool was_given_back = row.is_null(column::lease_token) && !row.is_null(column::lease_owner);
    return was_given_back ? DatumGetTimestampTz(row.get(column::lease_owner)) : DT_NOBEGIN;
}

int64 order_key_of(const text* key, int64 id) {
    const auto* const bytes = key == nullptr ? reinterpret_cast<const char*>(&id) : VARDATA_ANY(key);
    const std::size_t size = key == nullptr ? sizeof id : VARSIZE_ANY_EXHDR(key);
    return static_cast<int64>(DatumGetUInt64(
        hash_any_extended(reinterpret_cast<const unsigned char*>(bytes), static_cast<int>(size), key == nullptr)));
}

void set_order_key(row_values* row, const channel& c) {
    row->set_null(column::order_key);
    if (c.ordered) {
        const text* const key = row->is_null(column::key) ? nullptr : DatumGetTextPP(row->get(column::key));
        row->set(column::order_key, Int64GetDatum(order_key_of(key, DatumGetInt64(row->get(column::id)))));
    }
}

}  // namespace pgpubsub
