// The session's memory of channels, and the reading of the tables behind it.
//
// Steps of a look-up:
// 1. The channel is looked for in the memory, if that is still valid.
// 2. Otherwise the tables are read by their indexes, with the newest snapshot. So would a system catalog be read. A
//    channel that another session made is seen at once, even in a transaction that has an older snapshot.
//
// A channel that isn't found isn't remembered.
#include "channel/channel_cache.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/hash_table.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

struct channel_of_subscription {
    int32 id;  // the hash key
    int32 channel_id;
};

struct id_of_name {
    char name[NAMEDATALEN];  // the hash key
    int32 id;
};

MemoryContext memory = nullptr;
HTAB* by_id = nullptr;
HTAB* by_name = nullptr;
HTAB* by_subscription = nullptr;
bool memory_is_valid = false;
uint64 generation = 0;
const remembered_channel* last_found = nullptr;  // an entry of by_id: most often the same one is asked for again

void forget_on_change(Datum, Oid relation) {
    if (forget_catalog(relation)) {
        memory_is_valid = false;
        ++generation;
    }
}

void start_memory() {
    if (memory_is_valid)
        return;
    if (memory == nullptr)
        memory = AllocSetContextCreate(CacheMemoryContext, "pgpubsub channels", ALLOCSET_SMALL_SIZES);
    by_id = by_name = by_subscription = nullptr;
    last_found = nullptr;
    MemoryContextReset(memory);

    by_id = make_hash_table<int32, remembered_channel>("pgpubsub channels by id", memory, 64);
    by_subscription = make_hash_table<int32, channel_of_subscription>("pgpubsub channels by subscription", memory, 64);
    HASHCTL ctl{};
    ctl.hcxt = memory;
    ctl.keysize = NAMEDATALEN;
    ctl.entrysize = sizeof(id_of_name);
    by_name = hash_create("pgpubsub channels by name", 64, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
    memory_is_valid = true;
}

// Returns a snapshot as GetLatestSnapshot() does, but also while a query runs in parallel.
Snapshot newest_snapshot(Relation rel) { return GetCatalogSnapshot(RelationGetRelid(rel)); }

int32 id_in(HeapTuple tuple, Relation table, AttrNumber column) {
    const table_row row{tuple, RelationGetDescr(table)};
    return DatumGetInt32(row.get(column));
}

privilege stored_privilege(std::string_view name) {
    return name == "owner" ? privilege::owner : name == "publish" ? privilege::publish : privilege::consume;
}

// Appends to an array in the memory of channels. The array grows by doubling.
template <typename T>
void append(T*& items, int& count, const T& item) {
    const bool is_full = (count & (count - 1)) == 0;  // at 0, 1, 2, 4, ...
    if (is_full) {
        const Size bytes = Max(count * 2, 1) * sizeof(T);
        items = static_cast<T*>(items == nullptr ? MemoryContextAlloc(memory, bytes) : repalloc(items, bytes));
    }
    items[count++] = item;
}

void read_grants(remembered_channel* entry, Relation rights, Snapshot snapshot) {
    ScanKeyData key = equals_int4(privilege_column::channel_id, entry->id);
    const SysScanDesc scan = systable_beginscan(rights, our_catalog().channel_privilege_pkey, true, snapshot, 1, &key);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const table_row row{tuple, RelationGetDescr(rights)};
        append(entry->grants, entry->grant_count,
               {DatumGetObjectId(row.get(privilege_column::grantee)),
                stored_privilege(row.get_text(privilege_column::privilege))});
    }
    systable_endscan(scan);
}

subscription subscription_in(const table_row& row) {
    subscription s{};
    s.id = DatumGetInt32(row.get(subscription_column::id));
    s.channel_id = DatumGetInt32(row.get(subscription_column::channel_id));
    row.copy_name(subscription_column::name, s.name);
    s.paused = DatumGetBool(row.get(subscription_column::paused));
    s.max_attempts = DatumGetInt32(row.get(subscription_column::max_attempts));
    s.back_off = {.base = row.get_microseconds(subscription_column::backoff_base),
                  .factor = DatumGetFloat8(row.get(subscription_column::backoff_factor)),
                  .max = row.get_microseconds(subscription_column::backoff_max),
                  .jitter = DatumGetFloat8(row.get(subscription_column::backoff_jitter))};
    s.history = row.get_microseconds(subscription_column::history);
    if (!row.is_null(subscription_column::filter))
        s.filter = with_context(memory, [&row] { return DatumGetJsonbPCopy(row.get(subscription_column::filter)); });
    return s;
}

void read_subscriptions(remembered_channel* entry, Relation subscriptions, Snapshot snapshot) {
    ScanKeyData key = equals_int4(subscription_column::channel_id, entry->id);
    const SysScanDesc scan =
        systable_beginscan(subscriptions, our_catalog().subscription_name_key, true, snapshot, 1, &key);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan)))
        append(entry->subscriptions, entry->subscription_count,
               subscription_in(table_row{tuple, RelationGetDescr(subscriptions)}));
    systable_endscan(scan);
    if (entry->subscription_count > 1)
        qsort(entry->subscriptions, entry->subscription_count, sizeof(subscription), [](const void* a, const void* b) {
            const int32 left = static_cast<const subscription*>(a)->id;
            const int32 right = static_cast<const subscription*>(b)->id;
            return left < right ? -1 : left > right;
        });
}

// Reads a channel, the rights on it and its subscriptions; false if there is no such channel. The key is passed by
// value, because the scan changes it.
bool read_tables(Oid catalog::*index, ScanKeyData key, remembered_channel* result) {
    const Relation channels = open_our_table(our_catalog().channel, AccessShareLock, channel_column::count);
    const Relation rights = open_our_table(our_catalog().channel_privilege, AccessShareLock, privilege_column::count);
    const Relation subscriptions =
        open_our_table(our_catalog().subscription, AccessShareLock, subscription_column::count);
    const Snapshot snapshot = RegisterSnapshot(newest_snapshot(channels));
    const SysScanDesc scan = systable_beginscan(channels, our_catalog().*index, true, snapshot, 1, &key);
    const HeapTuple tuple = systable_getnext(scan);
    *result = {};
    if (HeapTupleIsValid(tuple)) {
        const table_row row{tuple, RelationGetDescr(channels)};
        channel& c = result->what;
        result->id = c.id = DatumGetInt32(row.get(channel_column::id));
        row.copy_name(channel_column::name, c.name);
        c.kind = row.get_text(channel_column::kind) == "broadcast" ? channel_kind::broadcast : channel_kind::queue;
        c.ordered = DatumGetBool(row.get(channel_column::ordered));
        c.retention = row.is_null(channel_column::retention) ? 0 : row.get_microseconds(channel_column::retention);
        read_grants(result, rights, snapshot);
        read_subscriptions(result, subscriptions, snapshot);
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(subscriptions, AccessShareLock);
    table_close(rights, AccessShareLock);
    table_close(channels, AccessShareLock);
    return HeapTupleIsValid(tuple);
}

// Reads a channel into the memory; null if there is none. If an invalidation arrives while the channel is being read,
// the result may be from before the change, and no further invalidation will come. Such a result serves this look-up,
// as if the look-up had come first. But the next look-up does not find it, and reads anew.
const remembered_channel* read_channel(Oid catalog::*index, const ScanKeyData& key) {
    remembered_channel read;
    start_memory();
    if (!read_tables(index, key, &read))
        return nullptr;
    if (!memory_is_valid)
        return static_cast<remembered_channel*>(memcpy(MemoryContextAlloc(memory, sizeof read), &read, sizeof read));
    auto* const entry = static_cast<remembered_channel*>(hash_search(by_id, &read.id, HASH_ENTER, nullptr));
    *entry = read;
    auto* const named = static_cast<id_of_name*>(hash_search(by_name, read.what.name, HASH_ENTER, nullptr));
    named->id = read.id;
    for (int i = 0; i < read.subscription_count; ++i) {
        const int32 id = read.subscriptions[i].id;
        static_cast<channel_of_subscription*>(hash_search(by_subscription, &id, HASH_ENTER, nullptr))->channel_id =
            read.id;
    }
    return entry;
}

bool is_last_found(int32 id) { return last_found != nullptr && last_found->id == id; }
bool is_last_found(std::string_view name) { return last_found != nullptr && name == last_found->what.name; }

// Reads the channel of a subscription from the table; false if there is none.
bool read_channel_id(int32 subscription_id, int32* channel_id) {
    ScanKeyData key = equals_int4(subscription_column::id, subscription_id);
    const Relation rel = open_our_table(our_catalog().subscription, AccessShareLock, subscription_column::count);
    const Snapshot snapshot = RegisterSnapshot(newest_snapshot(rel));
    const SysScanDesc scan = systable_beginscan(rel, our_catalog().subscription_pkey, true, snapshot, 1, &key);
    const HeapTuple tuple = systable_getnext(scan);
    const bool found = HeapTupleIsValid(tuple);
    if (found)
        *channel_id = id_in(tuple, rel, subscription_column::channel_id);
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(rel, AccessShareLock);
    return found;
}

}  // namespace

void watch_channels() { CacheRegisterRelcacheCallback(forget_on_change, 0); }

uint64 channels_generation() { return generation; }

const remembered_channel* look_up_channel(int32 id) {
    if (memory_is_valid) {
        if (!is_last_found(id))
            last_found = static_cast<remembered_channel*>(hash_search(by_id, &id, HASH_FIND, nullptr));
        if (last_found != nullptr)
            return last_found;
    }
    return read_channel(&catalog::channel_pkey, equals_int4(channel_column::id, id));
}

const remembered_channel* look_up_channel(std::string_view name) {
    if (memory_is_valid && is_last_found(name))
        return last_found;
    char padded[NAMEDATALEN] = {};
    memcpy(padded, name.data(), name.size());
    if (memory_is_valid)
        if (void* const found = hash_search(by_name, padded, HASH_FIND, nullptr))
            return look_up_channel(static_cast<id_of_name*>(found)->id);
    ScanKeyData key;
    ScanKeyInit(&key, channel_column::name, BTEqualStrategyNumber, F_TEXTEQ,
                PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size()))));
    return read_channel(&catalog::channel_name_key, key);
}

bool find_channel_id(int32 subscription_id, int32* channel_id) {
    const auto* const known =
        memory_is_valid
            ? static_cast<channel_of_subscription*>(hash_search(by_subscription, &subscription_id, HASH_FIND, nullptr))
            : nullptr;
    if (known == nullptr)
        return read_channel_id(subscription_id, channel_id);
    *channel_id = known->channel_id;
    return true;
}

std::span<const int32> all_channel_ids() {
    int count = 0;
    int capacity = 64;
    auto* ids = static_cast<int32*>(palloc(capacity * sizeof(int32)));
    const Relation rel = open_our_table(our_catalog().channel, AccessShareLock, channel_column::count);
    const SysScanDesc scan = systable_beginscan(rel, our_catalog().channel_pkey, true, GetActiveSnapshot(), 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        if (count == capacity)
            ids = static_cast<int32*>(repalloc(ids, (capacity *= 2) * sizeof(int32)));
        ids[count++] = id_in(tuple, rel, channel_column::id);
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);
    return {ids, static_cast<std::size_t>(count)};
}

}  // namespace pgpubsub
