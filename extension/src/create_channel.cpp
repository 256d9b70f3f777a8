// Making a channel on its first use, or by create_channel(): its row, its default subscription, its owner.
#include "catalog.hpp"
#include "channel.hpp"
#include "channel_tables.hpp"
#include "plain_table.hpp"

namespace pgpubsub {
namespace {

Datum text_of(std::string_view s) {
    return PointerGetDatum(cstring_to_text_with_len(s.data(), static_cast<int>(s.size())));
}

void create_channel(std::string_view name, Oid owner) {
    const catalog& tables = our_catalog();
    const int32 id = static_cast<int32>(nextval_internal(tables.channel_id_seq, false));
    const Datum row[] = {Int32GetDatum(id),
                         text_of(name),
                         CStringGetTextDatum("queue"),
                         BoolGetDatum(false),
                         Datum{0},
                         TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())};
    const bool row_nulls[] = {false, false, false, false, true, false};
    insert_row(tables.channel, row, row_nulls);
    const Datum right[] = {Int32GetDatum(id), ObjectIdGetDatum(owner), CStringGetTextDatum("owner")};
    const bool right_nulls[lengthof(right)] = {};
    insert_row(tables.channel_privilege, right, right_nulls);
    create_subscription(id, default_subscription);
}

}  // namespace

int32 create_subscription(int32 channel_id, std::string_view name) {
    const catalog& tables = our_catalog();
    const int32 id = static_cast<int32>(nextval_internal(tables.subscription_id_seq, false));
    const Datum row[] = {Int32GetDatum(id),
                         Int32GetDatum(channel_id),
                         text_of(name),
                         BoolGetDatum(false),
                         Int32GetDatum(default_max_attempts),
                         interval_of(default_backoff.base),
                         Float8GetDatum(default_backoff.factor),
                         interval_of(default_backoff.max),
                         Float8GetDatum(default_backoff.jitter),
                         interval_of(0),
                         Datum{0},
                         TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())};
    const bool nulls[] = {false, false, false, false, false, false, false, false, false, false, true, false};
    insert_row(tables.subscription, row, nulls);

    // If this transaction, or the sub-transaction, rolls back, this session must forget what it made; the message is
    // only delivered then for commands that are over, hence the increment.
    CacheInvalidateRelcacheByRelid(tables.channel);
    CommandCounterIncrement();
    return id;
}

channel get_or_create_channel(std::string_view name, Oid owner, bool* created) {
    channel found;
    *created = false;
    if (find_channel(name, &found))
        return found;
    const uint32 hash = DatumGetUInt32(
        hash_any(reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size())));
    LockDatabaseObject(our_catalog().channel, hash, 0, ShareUpdateExclusiveLock);
    if (find_channel(name, &found))
        return found;
    create_channel(name, owner);
    *created = true;
    return get_channel(name);
}

}  // namespace pgpubsub
