// The session's memory of channels, and the reading of the tables behind it.
//
// Steps of a look-up: the memory, if it is still valid; else the tables by their indexes, with the newest snapshot
// (as a system catalog would be read, so that a channel made by another session is seen at once, even in a transaction
// that has an older snapshot). What isn't found isn't remembered.
#include "channel/channel.hpp"

#include "channel/catalog.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/interval.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

struct grant {
    Oid grantee;
    privilege what;
};

struct remembered {
    int32 id;  // the hash key
    channel what;
    int grant_count;
    grant* grants;
    int subscription_count;
    subscription* subscriptions;  // their filters are in the memory of channels
};
static_assert(survives_longjmp<remembered>);

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
const remembered* last_found = nullptr;  // by_id: most often it is asked for again

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

    HASHCTL ctl{};
    ctl.hcxt = memory;
    ctl.keysize = sizeof(int32);
    ctl.entrysize = sizeof(remembered);
    by_id = hash_create("pgpubsub channels by id", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    ctl.entrysize = sizeof(channel_of_subscription);
    by_subscription = hash_create("pgpubsub channels by subscription", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    ctl.keysize = NAMEDATALEN;
    ctl.entrysize = sizeof(id_of_name);
    by_name = hash_create("pgpubsub channels by name", 64, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
    memory_is_valid = true;
}

// As GetLatestSnapshot(), but also while a query runs in parallel.
Snapshot newest_snapshot(Relation rel) { return GetCatalogSnapshot(RelationGetRelid(rel)); }

int32 id_in(HeapTuple tuple, Relation table, AttrNumber column) {
    const table_row row{tuple, RelationGetDescr(table)};
    return DatumGetInt32(row.get(column));
}

privilege stored_privilege(std::string_view name) {
    return name == "owner" ? privilege::owner : name == "publish" ? privilege::publish : privilege::consume;
}

// Appends to an array in the memory of channels, which grows by doubling.
template <typename T>
void append(T*& items, int& count, const T& item) {
    const bool is_full = (count & (count - 1)) == 0;  // at 0, 1, 2, 4, ...
    if (is_full) {
        const Size bytes = Max(count * 2, 1) * sizeof(T);
        items = static_cast<T*>(items == nullptr ? MemoryContextAlloc(memory, bytes) : repalloc(items, bytes));
    }
    items[count++] = item;
}

void read_grants(remembered* entry, Relation rights, Snapshot snapshot) {
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

void read_subscriptions(remembered* entry, Relation subscriptions, Snapshot snapshot) {
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

// Reads a channel, the rights on it and its subscriptions; false where there is none. The key by value: the scan
// changes it.
bool read_tables(Oid catalog::*index, ScanKeyData key, remembered* result) {
    const Relation channels = open_our_table(our_catalog().channel, AccessShareLock, channel_column::count);
    const Relation rights = open_our_table(our_catalog().channel_privilege, AccessShareLock, privilege_column::count);
    const Relation subscriptions = open_our_table(our_catalog().subscription, AccessShareLock, subscription_column::count);
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
        c.retention =
            row.is_null(channel_column::retention) ? 0 : row.get_microseconds(channel_column::retention);
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

// Reads a channel into the memory; null where there is none. If a change was told of while it was read, what was read may be
// from before the change, and nothing would tell of it again: so it serves this look-up, as if that had come first, but is not
// found by the next one, which reads anew.
const remembered* read_channel(Oid catalog::*index, const ScanKeyData& key) {
    remembered read;
    start_memory();
    if (!read_tables(index, key, &read))
        return nullptr;
    if (!memory_is_valid)
        return static_cast<remembered*>(memcpy(MemoryContextAlloc(memory, sizeof read), &read, sizeof read));
    auto* const entry = static_cast<remembered*>(hash_search(by_id, &read.id, HASH_ENTER, nullptr));
    *entry = read;
    auto* const named = static_cast<id_of_name*>(hash_search(by_name, read.what.name, HASH_ENTER, nullptr));
    named->id = read.id;
    for (int i = 0; i < read.subscription_count; ++i) {
        const int32 id = read.subscriptions[i].id;
        static_cast<channel_of_subscription*>(hash_search(by_subscription, &id, HASH_ENTER, nullptr))->channel_id = read.id;
    }
    return entry;
}

bool is_last_found(int32 id) { return last_found != nullptr && last_found->id == id; }
bool is_last_found(std::string_view name) { return last_found != nullptr && name == last_found->what.name; }

const remembered* look_up(int32 id) {
    if (memory_is_valid) {
        if (!is_last_found(id))
            last_found = static_cast<remembered*>(hash_search(by_id, &id, HASH_FIND, nullptr));
        if (last_found != nullptr)
            return last_found;
    }
    return read_channel(&catalog::channel_pkey, equals_int4(channel_column::id, id));
}

const remembered* look_up(std::string_view name) {
    if (memory_is_valid && is_last_found(name))
        return last_found;
    char padded[NAMEDATALEN] = {};
    memcpy(padded, name.data(), name.size());
    if (memory_is_valid)
        if (void* const found = hash_search(by_name, padded, HASH_FIND, nullptr))
            return look_up(static_cast<id_of_name*>(found)->id);
    ScanKeyData key;
    ScanKeyInit(&key, channel_column::name, BTEqualStrategyNumber, F_TEXTEQ,
                PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size()))));
    return read_channel(&catalog::channel_name_key, key);
}

// The channel of a subscription, from the table; false where there is none.
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

// A copy that does not depend on the memory of channels.
subscription copy_of(const subscription& s) {
    subscription copy = s;
    if (s.filter != nullptr)
        copy.filter = static_cast<const Jsonb*>(memcpy(palloc(VARSIZE(s.filter)), s.filter, VARSIZE(s.filter)));
    return copy;
}

}  // namespace

void watch_channels() { CacheRegisterRelcacheCallback(forget_on_change, 0); }

uint64 channels_generation() { return generation; }

problem problem_of_name(std::string_view name, const char* what) {
    if (name.empty())
        return {ERRCODE_INVALID_PARAMETER_VALUE, psprintf("%s name is empty", what), nullptr,
                psprintf("A %s name has 1 to %d bytes.", what, NAMEDATALEN - 1)};
    if (name.size() > max_channel_bytes)
        return {ERRCODE_NAME_TOO_LONG, psprintf("%s name \"%s\" is too long", what, c_string(name)),
                psprintf("It has %d bytes; the limit is %d bytes.", static_cast<int>(name.size()), NAMEDATALEN - 1), nullptr};
    return {};
}

void check_name(std::string_view name, const char* what) {
    if (const problem p = problem_of_name(name, what); p.exists())
        raise(p);
}

bool find_channel(std::string_view name, channel* result) {
    check_name(name, "channel");
    const remembered* const entry = look_up(name);
    if (entry != nullptr)
        *result = entry->what;
    return entry != nullptr;
}

bool find_channel(int32 id, channel* result) {
    const remembered* const entry = look_up(id);
    if (entry != nullptr)
        *result = entry->what;
    return entry != nullptr;
}

namespace {

// The ids of all channels, in their order.
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

// Those of them for which wanted(id). Looking a right up may read the table again, so the ids are there first.
template <typename Wanted>
std::span<const channel> select_channels(Wanted wanted) {
    const std::span<const int32> ids = all_channel_ids();
    auto* const result = static_cast<channel*>(palloc(Max(ids.size(), std::size_t{1}) * sizeof(channel)));
    std::size_t found = 0;
    for (const int32 id : ids)
        if (wanted(id) && find_channel(id, &result[found]))
            ++found;
    pfree(const_cast<int32*>(ids.data()));
    return {result, found};
}

std::span<const channel> all_channels() {
    return select_channels([](int32) { return true; });
}

// The most similar name of a channel that the user may know of; null where none is similar.
const char* similar_name(std::string_view name) {
    const Oid role = GetUserId();
    int best_distance = Min(3, static_cast<int>(name.size()) / 2) + 1;
    const char* best = nullptr;
    for (const channel& c : all_channels()) {
        const int distance =
            varstr_levenshtein_less_equal(c.name, static_cast<int>(strlen(c.name)), name.data(), static_cast<int>(name.size()), 1,
                                          1, 1, best_distance, true);
        if (distance < best_distance && (has_privilege(c.id, role, privilege::publish) || has_privilege(c.id, role, privilege::consume))) {
            best_distance = distance;
            best = pstrdup(c.name);
        }
    }
    return best;
}

[[noreturn]] void no_such_channel(std::string_view name, if_missing advice) {
    char* const text = c_string(name);
    const char* const similar = advice == if_missing::look_for_another ? similar_name(name) : nullptr;
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("channel \"%s\" does not exist", text),
            advice == if_missing::make_it
                ? errhint("SELECT name FROM pgpubsub.channels lists those that there are; SELECT pgpubsub.create_channel(%s) makes "
                          "this one, and so does a capture trigger when it first fires.",
                          quote_literal_cstr(text))
            : similar != nullptr ? errhint("Perhaps you meant channel \"%s\".", similar)
                                 : errhint("SELECT name FROM pgpubsub.channels lists those that there are."));
}

}  // namespace

channel get_channel(std::string_view name, if_missing advice) {
    channel found;
    if (!find_channel(name, &found))
        no_such_channel(name, advice);
    return found;
}

channel get_queue_channel(std::string_view name, if_missing advice) {
    const channel c = get_channel(name, advice);
    if (c.kind != channel_kind::queue)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("channel \"%s\" is a broadcast channel", c.name),
                errdetail("Broadcasts are not stored for consumers to claim."),
                errhint("Use LISTEN to receive them, or a queue channel."));
    return c;
}

Oid owner_of(const channel& c) {
    const remembered* const entry = look_up(c.id);
    for (int i = 0; entry != nullptr && i < entry->grant_count; ++i)
        if (entry->grants[i].what == privilege::owner)
            return entry->grants[i].grantee;
    return InvalidOid;
}

bool find_subscription(const channel& c, std::string_view name, subscription* result) {
    const remembered* const entry = look_up(c.id);
    for (int i = 0; entry != nullptr && i < entry->subscription_count; ++i)
        if (name == entry->subscriptions[i].name) {
            *result = copy_of(entry->subscriptions[i]);
            return true;
        }
    return false;
}

bool find_subscription(int32 id, subscription* result) {
    int32 channel_id;
    const auto* const known = memory_is_valid
                                  ? static_cast<channel_of_subscription*>(hash_search(by_subscription, &id, HASH_FIND, nullptr))
                                  : nullptr;
    if (known != nullptr)
        channel_id = known->channel_id;
    else if (!read_channel_id(id, &channel_id))
        return false;
    const remembered* const entry = look_up(channel_id);
    for (int i = 0; entry != nullptr && i < entry->subscription_count; ++i)
        if (id == entry->subscriptions[i].id) {
            *result = copy_of(entry->subscriptions[i]);
            return true;
        }
    return false;
}

subscription get_subscription(const channel& c, std::string_view name) {
    subscription found;
    if (!find_subscription(c, name, &found)) {
        char* const text = c_string(name);
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("subscription \"%s\" of channel \"%s\" does not exist", text, c.name),
                errhint("SELECT channel, subscription FROM pgpubsub.subscriptions lists those that there are; "
                        "SELECT pgpubsub.subscribe(%s, %s) makes this one.",
                        quote_literal_cstr(c.name), quote_literal_cstr(text)));
    }
    return found;
}

std::span<const subscription> subscriptions_of(const channel& c) {
    const remembered* const entry = look_up(c.id);
    if (entry == nullptr || entry->subscription_count == 0)
        return {};
    auto* const result = static_cast<subscription*>(palloc(entry->subscription_count * sizeof(subscription)));
    for (int i = 0; i < entry->subscription_count; ++i)
        result[i] = copy_of(entry->subscriptions[i]);
    return {result, static_cast<std::size_t>(entry->subscription_count)};
}

bool has_privilege(int32 channel_id, Oid role, privilege wanted) {
    if (superuser_arg(role))
        return true;
    const remembered* const entry = look_up(channel_id);
    if (entry == nullptr)
        return false;
    // The look-ups of roles below may deliver an invalidation, but only the next look_up acts on it.
    for (int i = 0; i < entry->grant_count; ++i) {
        const grant& g = entry->grants[i];
        if ((g.what == wanted || g.what == privilege::owner) && has_privs_of_role(role, g.grantee))
            return true;
    }
    return false;
}

void check_privilege(const channel& c, Oid role, privilege wanted) {
    if (has_privilege(c.id, role, wanted))
        return;
    const char* const role_name = GetUserNameFromId(role, true);
    const char* const shown = role_name == nullptr ? "?" : role_name;
    if (wanted == privilege::owner)
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be owner of channel \"%s\"", c.name),
                errdetail("Role \"%s\" does not own it.", shown));
    ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("permission denied for channel \"%s\"", c.name),
            errdetail("Role \"%s\" has no %s privilege on it.", shown, privilege_name(wanted)),
            errhint("The channel's owner can run SELECT pgpubsub.grant_channel(%s, %s, '%s').",
                    quote_literal_cstr(c.name), quote_literal_cstr(quote_identifier(shown)), privilege_name(wanted)));
}

std::span<const channel> channels_with(Oid role, privilege wanted) {
    return select_channels([role, wanted](int32 id) { return has_privilege(id, role, wanted); });
}

std::span<const channel> consumable_channels(Oid role) { return channels_with(role, privilege::consume); }

std::span<const subscription> consumable_subscriptions(Oid role) {
    const std::span<const channel> channels = consumable_channels(role);
    subscription* result = nullptr;
    std::size_t count = 0;
    for (const channel& c : channels) {
        const std::span<const subscription> more = subscriptions_of(c);
        if (more.empty())
            continue;
        const Size bytes = (count + more.size()) * sizeof(subscription);
        result = static_cast<subscription*>(result == nullptr ? palloc(bytes) : repalloc(result, bytes));
        memcpy(result + count, more.data(), more.size_bytes());
        count += more.size();
    }
    return {result, count};
}

privilege parse_privilege(std::string_view name) {
    if (name == "publish")
        return privilege::publish;
    if (name == "consume")
        return privilege::consume;
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("unrecognized channel privilege \"%s\"", c_string(name)),
            errhint("The privileges are \"publish\" and \"consume\"."));
}

const char* privilege_name(privilege p) {
    return p == privilege::owner ? "owner" : p == privilege::publish ? "publish" : "consume";
}

}  // namespace pgpubsub
