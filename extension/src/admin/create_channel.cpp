// Makes a channel on its first use, or by create_channel(): its row, its default subscription, its owner.
#include "admin/rights.hpp"
#include "channel/catalog.hpp"
#include "channel/channel.hpp"
#include "channel/channel_request.hpp"
#include "channel/channel_rows.hpp"
#include "channel/plain_table.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/compat.hpp"
#include "pg/locks.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

Datum text_of(std::string_view s) {
    return PointerGetDatum(cstring_to_text_with_len(s.data(), static_cast<int>(s.size())));
}

// Returns the next id. A sequence begins again when it is used up, for instance by a loop of creating and rolling back;
// an id that is taken is skipped. An id that comes again was given up two thousand million ids ago: nothing remembers
// it.
int32 next_id(Oid catalog::*sequence, Oid catalog::*table, Oid catalog::*index, int columns) {
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        const auto id = static_cast<int32>(draw_number(our_catalog().*sequence));
        ScanKeyData keys[] = {equals_int4(1, id)};
        plain_scan scan = plain_scan::begin(our_catalog().*table, columns, our_catalog().*index, keys);
        const bool is_taken = scan.next();
        scan.end();
        if (!is_taken)
            return id;
    }
}

void create_channel(std::string_view name, Oid owner) {
    const catalog& tables = our_catalog();
    const int32 id =
        next_id(&catalog::channel_id_seq, &catalog::channel, &catalog::channel_pkey, channel_column::count);
    const Datum row[] = {
        Int32GetDatum(id),   text_of(name), CStringGetTextDatum("queue"),
        BoolGetDatum(false), Datum{0},      TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())};
    const bool row_nulls[] = {false, false, false, false, true, false};
    insert_row(tables.channel, row, row_nulls);
    make_owner(id, owner);
    create_subscription(id, default_subscription);
}

}  // namespace

int32 create_subscription(int32 channel_id, std::string_view name) {
    const catalog& tables = our_catalog();
    const int32 id = next_id(&catalog::subscription_id_seq, &catalog::subscription, &catalog::subscription_pkey,
                             subscription_column::count);
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
    tell_of_changed_channels();
    return id;
}

namespace {

LOCKTAG lock_of_name(std::string_view name) {
    const uint64 hash = DatumGetUInt64(
        hash_any_extended(reinterpret_cast<const unsigned char*>(name.data()), static_cast<int>(name.size()), 0));
    return lock_tag(lock_class::channel_name, hash);
}

}  // namespace

void create_channel_if_free(std::string_view name, Oid owner) {
    channel found;
    if (find_channel(name, &found))
        return;
    const bool is_free = with_transaction_owner([name] {
        const LOCKTAG tag = lock_of_name(name);
        return acquire_lock_if_free(&tag, ShareUpdateExclusiveLock) != LOCKACQUIRE_NOT_AVAIL;
    });
    AcceptInvalidationMessages();
    if (is_free && !find_channel(name, &found))
        create_channel(name, owner);
}

channel get_or_create_channel(std::string_view name, Oid owner, bool* created, made_by maker) {
    channel found;
    *created = false;
    if (find_channel(name, &found))
        return found;
    if (maker == made_by::worker) {
        ask_worker_for_channel(name, owner);
        if (find_channel(name, &found))
            return found;
    }
    with_transaction_owner([name] {
        const LOCKTAG tag = lock_of_name(name);
        return LockAcquire(&tag, ShareUpdateExclusiveLock, false, false);
    });
    AcceptInvalidationMessages();
    if (find_channel(name, &found))
        return found;
    create_channel(name, owner);
    *created = true;
    return get_channel(name);
}

}  // namespace pgpubsub
