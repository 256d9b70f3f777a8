#include "channel/channel_rows.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

plain_scan scan_channel(int32 id) {
    ScanKeyData keys[] = {equals_int4(channel_column::id, id)};
    return plain_scan::begin(our_catalog().channel, channel_column::count, our_catalog().channel_pkey, keys);
}

plain_scan scan_subscription(int32 id) {
    ScanKeyData keys[] = {equals_int4(subscription_column::id, id)};
    return plain_scan::begin(our_catalog().subscription, subscription_column::count, our_catalog().subscription_pkey,
                             keys);
}

plain_scan scan_subscriptions_of(int32 channel_id) {
    ScanKeyData keys[] = {equals_int4(subscription_column::channel_id, channel_id)};
    return plain_scan::begin(our_catalog().subscription, subscription_column::count,
                             our_catalog().subscription_name_key, keys);
}

plain_scan scan_rights(int32 channel_id) {
    ScanKeyData keys[] = {equals_int4(privilege_column::channel_id, channel_id)};
    return plain_scan::begin(our_catalog().channel_privilege, privilege_column::count,
                             our_catalog().channel_privilege_pkey, keys);
}

bool is_right(const plain_scan& scan, privilege what) {
    bool null;
    return view_of(DatumGetTextPP(scan.get(privilege_column::privilege, &null))) == privilege_name(what);
}

bool is_right_of(const plain_scan& scan, Oid role, privilege what) {
    bool null;
    return DatumGetObjectId(scan.get(privilege_column::grantee, &null)) == role && is_right(scan, what);
}

void update_rows(plain_scan scan, std::span<const column_value> changes) {
    while (scan.next())
        scan.update(changes);
    scan.end();
    tell_of_changed_channels();
}

void remove_and_tell(plain_scan scan) {
    remove_rows(scan, true);
    tell_of_changed_channels();
}

}  // namespace

void tell_of_changed_channels() {
    // If this transaction, or the sub-transaction, rolls back, this session must forget what it has read. The message
    // is then delivered only for commands that are over, hence the increment.
    CacheInvalidateRelcacheByRelid(our_catalog().channel);
    CommandCounterIncrement();
}

void update_channel(int32 id, std::span<const column_value> changes) { update_rows(scan_channel(id), changes); }
void update_subscription(int32 id, std::span<const column_value> changes) {
    update_rows(scan_subscription(id), changes);
}
void remove_subscription(int32 id) { remove_and_tell(scan_subscription(id)); }
void remove_subscriptions_of(int32 channel_id) { remove_and_tell(scan_subscriptions_of(channel_id)); }

void remove_channel(int32 id) {
    remove_rows(scan_subscriptions_of(id), true);
    remove_rows(scan_rights(id), true);
    remove_and_tell(scan_channel(id));
}

void add_right(int32 channel_id, Oid role, privilege what) {
    plain_scan scan = scan_rights(channel_id);
    bool has_it = false;
    while (!has_it && scan.next())
        has_it = is_right_of(scan, role, what);
    scan.end();
    if (has_it)
        return;
    const Datum row[] = {Int32GetDatum(channel_id), ObjectIdGetDatum(role), CStringGetTextDatum(privilege_name(what))};
    const bool nulls[lengthof(row)] = {};
    insert_row(our_catalog().channel_privilege, row, nulls);
    tell_of_changed_channels();
}

bool remove_right(int32 channel_id, Oid role, privilege what) {
    plain_scan scan = scan_rights(channel_id);
    bool had_it = false;
    while (scan.next())
        if (is_right_of(scan, role, what))
            had_it = scan.remove(true) || had_it;
    scan.end();
    tell_of_changed_channels();
    return had_it;
}

void remove_owners(int32 channel_id) {
    plain_scan scan = scan_rights(channel_id);
    while (scan.next())
        if (is_right(scan, privilege::owner))
            scan.remove(true);
    scan.end();
    tell_of_changed_channels();
}

}  // namespace pgpubsub
