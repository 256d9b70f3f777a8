// The session's memory of channels, and the reading and writing of pgpubsub.channel.
//
// Steps of a look-up: the memory, if it is still valid; else the tables by their indexes, with the newest snapshot
// (as a system catalog would be read, so that a channel made by another session is seen at once, even in a transaction
// that has an older snapshot). What isn't found isn't remembered.
#include "channel.hpp"

#include "catalog.hpp"

namespace pgpubsub {
namespace {

struct grant {
    Oid grantee;
    privilege what;
};

struct remembered {
    int32 id;  // the hash key
    char name[NAMEDATALEN];
    int grant_count;
    grant* grants;
};
static_assert(survives_longjmp<remembered>);

struct id_of_name {
    char name[NAMEDATALEN];  // the hash key
    int32 id;
};

MemoryContext memory = nullptr;
HTAB* by_id = nullptr;
HTAB* by_name = nullptr;
bool memory_is_valid = false;

void forget_on_change(Datum, Oid relation) {
    if (forget_catalog(relation))
        memory_is_valid = false;
}

void start_memory() {
    if (memory_is_valid)
        return;
    if (memory == nullptr)
        memory = AllocSetContextCreate(CacheMemoryContext, "pgpubsub channels", ALLOCSET_SMALL_SIZES);
    by_id = by_name = nullptr;
    MemoryContextReset(memory);

    HASHCTL ctl{};
    ctl.hcxt = memory;
    ctl.keysize = sizeof(int32);
    ctl.entrysize = sizeof(remembered);
    by_id = hash_create("pgpubsub channels by id", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
    ctl.keysize = NAMEDATALEN;
    ctl.entrysize = sizeof(id_of_name);
    by_name = hash_create("pgpubsub channels by name", 64, &ctl, HASH_ELEM | HASH_STRINGS | HASH_CONTEXT);
    memory_is_valid = true;
}

namespace channel_column {
enum : AttrNumber { id = 1, name, created_at, count = created_at };
}
namespace privilege_column {
enum : AttrNumber { channel_id = 1, grantee, privilege, count = privilege };
}

privilege stored_privilege(std::string_view name) {
    return name == "owner" ? privilege::owner : name == "publish" ? privilege::publish : privilege::consume;
}

void read_grants(remembered* entry, Relation rights, Snapshot snapshot) {
    ScanKeyData key;
    ScanKeyInit(&key, privilege_column::channel_id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(entry->id));
    const SysScanDesc scan = systable_beginscan(rights, our_catalog().channel_privilege_pkey, true, snapshot, 1, &key);
    int capacity = 0;
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        if (entry->grant_count == capacity) {
            capacity = capacity == 0 ? 4 : capacity * 2;
            const Size bytes = capacity * sizeof(grant);
            entry->grants = static_cast<grant*>(entry->grants == nullptr ? MemoryContextAlloc(memory, bytes)
                                                                        : repalloc(entry->grants, bytes));
        }
        bool null;
        const Datum grantee = heap_getattr(tuple, privilege_column::grantee, RelationGetDescr(rights), &null);
        const Datum what = heap_getattr(tuple, privilege_column::privilege, RelationGetDescr(rights), &null);
        entry->grants[entry->grant_count++] = {DatumGetObjectId(grantee), stored_privilege(view_of(DatumGetTextPP(what)))};
    }
    systable_endscan(scan);
}

// Reads a channel and the rights on it; false where there is none. The key by value: the scan changes it.
bool read_tables(Oid catalog::*index, ScanKeyData key, remembered* result) {
    const Relation channels = open_our_table(our_catalog().channel, AccessShareLock, channel_column::count);
    const Relation rights = open_our_table(our_catalog().channel_privilege, AccessShareLock, privilege_column::count);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    const SysScanDesc scan = systable_beginscan(channels, our_catalog().*index, true, snapshot, 1, &key);
    const HeapTuple tuple = systable_getnext(scan);
    *result = {};
    if (HeapTupleIsValid(tuple)) {
        bool null;
        const Datum id = heap_getattr(tuple, channel_column::id, RelationGetDescr(channels), &null);
        const Datum name = heap_getattr(tuple, channel_column::name, RelationGetDescr(channels), &null);
        const std::string_view name_text = view_of(DatumGetTextPP(name));
        result->id = DatumGetInt32(id);
        memcpy(result->name, name_text.data(), Min(name_text.size(), max_channel_bytes));
        read_grants(result, rights, snapshot);
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(rights, AccessShareLock);
    table_close(channels, AccessShareLock);
    return HeapTupleIsValid(tuple);
}

// Reads a channel into the memory; null where there is none. If a change was told of while it was read, what was read
// may be from before the change, and nothing would tell of it again: so it is read once more.
remembered* read_channel(Oid catalog::*index, const ScanKeyData& key) {
    remembered read;
    bool found;
    do {
        CHECK_FOR_INTERRUPTS();
        start_memory();
        found = read_tables(index, key, &read);
    } while (!memory_is_valid);
    if (!found)
        return nullptr;
    auto* const entry = static_cast<remembered*>(hash_search(by_id, &read.id, HASH_ENTER, nullptr));
    *entry = read;
    auto* const named = static_cast<id_of_name*>(hash_search(by_name, read.name, HASH_ENTER, nullptr));
    named->id = read.id;
    return entry;
}

remembered* look_up(int32 id) {
    if (memory_is_valid)
        if (void* const entry = hash_search(by_id, &id, HASH_FIND, nullptr))
            return static_cast<remembered*>(entry);
    ScanKeyData key;
    ScanKeyInit(&key, channel_column::id, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(id));
    return read_channel(&catalog::channel_pkey, key);
}

remembered* look_up(std::string_view name) {
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

channel by_value(const remembered& entry) {
    channel c;
    c.id = entry.id;
    memcpy(c.name, entry.name, NAMEDATALEN);
    return c;
}

void insert_row(Oid relation, int columns, const Datum* values) {
    const bool nulls[Max(int{channel_column::count}, int{privilege_column::count})] = {};
    const Relation rel = open_our_table(relation, RowExclusiveLock, columns);
    const HeapTuple tuple = heap_form_tuple(RelationGetDescr(rel), const_cast<Datum*>(values), const_cast<bool*>(nulls));
    CatalogTupleInsert(rel, tuple);
    heap_freetuple(tuple);
    table_close(rel, RowExclusiveLock);
}

void create_channel(std::string_view name, Oid owner) {
    const catalog& tables = our_catalog();
    const int32 id = static_cast<int32>(nextval_internal(tables.channel_id_seq, false));
    const Datum row[] = {Int32GetDatum(id),
                         PointerGetDatum(cstring_to_text_with_len(name.data(), static_cast<int>(name.size()))),
                         TimestampTzGetDatum(GetCurrentTransactionStartTimestamp())};
    insert_row(tables.channel, channel_column::count, row);
    const Datum right[] = {Int32GetDatum(id), ObjectIdGetDatum(owner), CStringGetTextDatum("owner")};
    insert_row(tables.channel_privilege, privilege_column::count, right);

    // If this transaction, or the sub-transaction, rolls back, this session must forget the channel; the message
    // is only delivered then for commands that are over, hence the increment.
    CacheInvalidateRelcacheByRelid(tables.channel);
    CommandCounterIncrement();
}

}  // namespace

void watch_channels() { CacheRegisterRelcacheCallback(forget_on_change, 0); }

void check_channel_name(std::string_view name) {
    if (name.empty())
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("channel name is empty"),
                errhint("A channel name has 1 to %d bytes.", NAMEDATALEN - 1));
    if (name.size() > max_channel_bytes)
        ereport(ERROR, errcode(ERRCODE_NAME_TOO_LONG), errmsg("channel name \"%s\" is too long", c_string(name)),
                errdetail("It has %d bytes; the limit is %d bytes, that of LISTEN.", static_cast<int>(name.size()),
                          NAMEDATALEN - 1));
}

bool find_channel(std::string_view name, channel* result) {
    check_channel_name(name);
    const remembered* const entry = look_up(name);
    if (entry != nullptr)
        *result = by_value(*entry);
    return entry != nullptr;
}

bool find_channel(int32 id, channel* result) {
    const remembered* const entry = look_up(id);
    if (entry != nullptr)
        *result = by_value(*entry);
    return entry != nullptr;
}

channel get_channel(std::string_view name) {
    channel found;
    if (!find_channel(name, &found)) {
        char* const text = c_string(name);
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("channel \"%s\" does not exist", text),
                errhint("SELECT name FROM pgpubsub.channels lists those that there are; SELECT pgpubsub.create_channel(%s) makes "
                        "this one, and so does a capture trigger when it first fires.",
                        quote_literal_cstr(text)));
    }
    return found;
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

std::span<const channel> consumable_channels(Oid role) {
    // First the ids, then the rights: looking a right up may read this table again.
    int count = 0;
    int capacity = 64;
    auto* ids = static_cast<int32*>(palloc(capacity * sizeof(int32)));
    const Relation rel = open_our_table(our_catalog().channel, AccessShareLock, channel_column::count);
    const SysScanDesc scan = systable_beginscan(rel, our_catalog().channel_pkey, true, GetActiveSnapshot(), 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        if (count == capacity)
            ids = static_cast<int32*>(repalloc(ids, (capacity *= 2) * sizeof(int32)));
        bool null;
        ids[count++] = DatumGetInt32(heap_getattr(tuple, channel_column::id, RelationGetDescr(rel), &null));
    }
    systable_endscan(scan);
    table_close(rel, AccessShareLock);

    auto* const result = static_cast<channel*>(palloc(Max(count, 1) * sizeof(channel)));
    std::size_t found = 0;
    for (int i = 0; i < count; ++i)
        if (has_privilege(ids[i], role, privilege::consume) && find_channel(ids[i], &result[found]))
            ++found;
    pfree(ids);
    return {result, found};
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
