#include "channel/catalog.hpp"

#include "channel/table_columns.hpp"
#include "pg/compat.hpp"
#include "pg/extension_members.hpp"
#include "shmem/databases.hpp"

#include <span>

namespace pgpubsub {
namespace {

static_assert(sizeof(catalog) % sizeof(Oid) == 0);

catalog known;
bool known_is_valid = false;

// A member of the extension, with its name.
struct member {
    const char* name;
    Oid catalog::*place;
};

constexpr member relations[] = {
    {"channel", &catalog::channel},
    {"channel_id_seq", &catalog::channel_id_seq},
    {"channel_privilege", &catalog::channel_privilege},
    {"subscription", &catalog::subscription},
    {"subscription_id_seq", &catalog::subscription_id_seq},
    {"notification", &catalog::notification},
    {"notification_id_seq", &catalog::notification_id_seq},
    {"dead_letter", &catalog::dead_letter},
    {"processed", &catalog::processed},
    {"broadcast", &catalog::broadcast},
    {"stat_count", &catalog::stat_count},
};

constexpr member functions[] = {
    {"capture", &catalog::capture_function},
    {"capture_filter", &catalog::capture_filter_function},
};

// The types of a table's columns.
struct table_types {
    Oid catalog::*table;
    std::span<const Oid> types;
};

constexpr Oid channel_types[] = {INT4OID, TEXTOID, TEXTOID, BOOLOID, INTERVALOID, TIMESTAMPTZOID};
constexpr Oid privilege_types[] = {INT4OID, REGROLEOID, TEXTOID};
constexpr Oid subscription_types[] = {INT4OID,   INT4OID,     TEXTOID,   BOOLOID,     INT4OID,  INTERVALOID,
                                      FLOAT8OID, INTERVALOID, FLOAT8OID, INTERVALOID, JSONBOID, TIMESTAMPTZOID};
constexpr Oid notification_types[] = {INT8OID, TIMESTAMPTZOID, INT4OID, INT2OID,        INT2OID,        JSONBOID,
                                      TEXTOID, JSONBOID,       INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT8OID,
                                      INT8OID, INT8OID,        TEXTOID, TEXTOID};
constexpr Oid archive_types[] = {INT8OID, TIMESTAMPTZOID, INT4OID, INT2OID,        INT2OID,        JSONBOID,
                                 TEXTOID, JSONBOID,       INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID};
constexpr Oid broadcast_types[] = {INT4OID, INT8OID, JSONBOID, TIMESTAMPTZOID};
constexpr Oid stat_count_types[] = {INT4OID, TIMESTAMPTZOID, INT8OID, INT8OID, INT8OID};

static_assert(std::size(channel_types) == channel_column::count &&
              std::size(privilege_types) == privilege_column::count);
static_assert(std::size(subscription_types) == subscription_column::count &&
              std::size(notification_types) == column::count);
static_assert(std::size(archive_types) == archive_column::dead_letter_count);
static_assert(std::size(broadcast_types) == broadcast_column::count &&
              std::size(stat_count_types) == stat_count_column::count);

constexpr table_types types[] = {
    {&catalog::notification, notification_types},   {&catalog::channel, channel_types},
    {&catalog::channel_privilege, privilege_types}, {&catalog::subscription, subscription_types},
    {&catalog::dead_letter, archive_types},         {&catalog::processed, archive_types},
    {&catalog::broadcast, broadcast_types},         {&catalog::stat_count, stat_count_types},
};

constexpr int most_index_columns = 3;

struct table_index {
    Oid catalog::*table;
    const char* name;
    Oid catalog::*place;
    AttrNumber columns[most_index_columns];  // 0: no more
    AttrNumber descending = 0;               // the descending column; 0: none
};

namespace row = column;
namespace kept = archive_column;

constexpr table_index indexes[] = {
    {&catalog::channel, "channel_pkey", &catalog::channel_pkey, {channel_column::id}},
    {&catalog::channel, "channel_name_key", &catalog::channel_name_key, {channel_column::name}},
    {&catalog::channel_privilege,
     "channel_privilege_pkey",
     &catalog::channel_privilege_pkey,
     {privilege_column::channel_id, privilege_column::grantee, privilege_column::privilege}},
    {&catalog::subscription, "subscription_pkey", &catalog::subscription_pkey, {subscription_column::id}},
    {&catalog::subscription,
     "subscription_name_key",
     &catalog::subscription_name_key,
     {subscription_column::channel_id, subscription_column::name}},
    {&catalog::notification,
     "notification_ready",
     &catalog::notification_ready,
     {row::subscription_id, row::priority, row::id},
     row::priority},
    {&catalog::notification, "notification_due", &catalog::notification_due, {row::subscription_id, row::due_at}},
    {&catalog::notification, "notification_leased", &catalog::notification_leased, {row::id}},
    {&catalog::notification, "notification_waiting", &catalog::notification_waiting, {row::subscription_id, row::id}},
    {&catalog::notification,
     "notification_ordered",
     &catalog::notification_ordered,
     {row::subscription_id, row::order_key, row::id}},
    {&catalog::notification,
     "notification_held",
     &catalog::notification_held,
     {row::subscription_id, row::order_key, row::id}},
    {&catalog::notification,
     "notification_in_flight",
     &catalog::notification_in_flight,
     {row::subscription_id, row::order_key}},
    {&catalog::notification,
     "notification_dedup",
     &catalog::notification_dedup,
     {row::subscription_id, row::dedup_key}},
    {&catalog::dead_letter, "dead_letter_id", &catalog::dead_letter_id, {kept::subscription_id, kept::id}},
    {&catalog::processed, "processed_at", &catalog::processed_at, {kept::subscription_id, kept::archived_at}},
    {&catalog::broadcast, "broadcast_id", &catalog::broadcast_id, {broadcast_column::channel_id, broadcast_column::id}},
    {&catalog::broadcast,
     "broadcast_expires_at",
     &catalog::broadcast_expires_at,
     {broadcast_column::channel_id, broadcast_column::expires_at}},
    {&catalog::stat_count,
     "stat_count_at",
     &catalog::stat_count_at,
     {stat_count_column::subscription_id, stat_count_column::counted_at}},
};

template <std::size_t N>
void note(const member (&wanted)[N], const char* name, Oid oid, catalog* found) {
    for (const member& m : wanted)
        if (strcmp(m.name, name) == 0)
            found->*m.place = oid;
}

void note_relation(Oid oid, catalog* found) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple))
        return;
    note(relations, NameStr(reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relname), oid, found);
    ReleaseSysCache(tuple);
}

void note_function(Oid oid, catalog* found) {
    const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple))
        return;
    note(functions, NameStr(reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proname), oid, found);
    ReleaseSysCache(tuple);
}

void find_members(Oid extension, catalog* found) {
    for_each_member(extension, [found](Oid of_class, Oid object) {
        if (of_class == RelationRelationId)
            note_relation(object, found);
        else if (of_class == ProcedureRelationId)
            note_function(object, found);
    });
}

template <std::size_t N>
void check_found(const member (&wanted)[N], const catalog& found, const char* kind, int sqlstate) {
    for (const member& m : wanted)
        if (!OidIsValid(found.*m.place))
            ereport(ERROR, errcode(sqlstate),
                    errmsg("%s \"%s\" of extension \"pgpubsub\" does not exist", kind, m.name),
                    errdetail("The extension in this database is not of a version that this library knows, or was "
                              "changed by hand."),
                    errhint("Run ALTER EXTENSION pgpubsub UPDATE."));
}

bool is_btree(Oid index) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index));
    const bool result =
        HeapTupleIsValid(tuple) && reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relam == BTREE_AM_OID;
    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    return result;
}

// Returns whether the index is a B-tree of the wanted columns, in their order. An index of the notification table has a
// part of the rows, by its WHERE; an index of another table has all rows.
bool is_as_known(HeapTuple tuple, const table_index& wanted) {
    const auto& facts = *reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    if (facts.indnatts > most_index_columns || !is_btree(facts.indexrelid) ||
        heap_attisnull(tuple, Anum_pg_index_indpred, nullptr) != (wanted.table != &catalog::notification))
        return false;
    bool null;
    const Datum options = SysCacheGetAttr(INDEXRELID, tuple, Anum_pg_index_indoption, &null);
    for (int i = 0; i < most_index_columns; ++i) {
        const bool is_there = i < facts.indnatts;
        if ((is_there ? facts.indkey.values[i] : 0) != wanted.columns[i])
            return false;
        const int16 order = wanted.columns[i] == wanted.descending ? INDOPTION_DESC | INDOPTION_NULLS_FIRST : 0;
        if (is_there && reinterpret_cast<int2vector*>(DatumGetPointer(options))->values[i] != order)
            return false;
    }
    return true;
}

// Without the index of stat_count there are no rates, but nothing else is lost. The catalog of 0.1.0 has no
// notification_waiting.
bool can_be_without(const table_index& i) {
    return i.place == &catalog::stat_count_at || i.place == &catalog::notification_waiting;
}

// Reports an index that is not valid: it has only the rows that came since its creation began, so that the other rows
// would not be found.
[[noreturn]] void not_valid(Oid index) {
    const char* const name = get_rel_name(index);
    ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("index \"%s\" of extension \"pgpubsub\" is not valid", name),
            errdetail("A CREATE INDEX CONCURRENTLY has failed, or has not ended yet."),
            errhint("When it has failed, run REINDEX INDEX %s.",
                    quote_qualified_identifier(get_namespace_name(get_rel_namespace(index)), name)));
    pg_unreachable();
}

// Returns the index of that name; InvalidOid if the table has none. An index of that name on another table is none of
// ours.
Oid look_for_index(Oid table, const table_index& wanted) {
    const Oid found = get_relname_relid(wanted.name, get_rel_namespace(table));
    const HeapTuple tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(found));
    if (!HeapTupleIsValid(tuple))
        return InvalidOid;
    const auto& facts = *reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    const bool is_of_table = facts.indrelid == table && facts.indisready;
    const bool is_usable = is_as_known(tuple, wanted);
    const bool is_valid = facts.indisvalid;
    ReleaseSysCache(tuple);
    if (is_of_table && !is_usable)
        ereport(
            ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("index \"%s\" of extension \"pgpubsub\" is not of the form that this version of the library knows",
                   wanted.name),
            errdetail("It must be a B-tree of the same columns, in the same order, with the same WHERE."),
            errhint("Drop it, and make it again by CREATE INDEX as in the extension's script."));
    if (is_of_table && !is_valid && !can_be_without(wanted))
        not_valid(found);
    return is_of_table && is_valid ? found : InvalidOid;
}

[[noreturn]] void no_index(Oid table, const char* name) {
    ereport(
        ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("index \"%s\" of extension \"pgpubsub\" does not exist", name),
        errdetail("It belongs to table \"%s\". It was dropped or renamed by hand, or the library is newer than the "
                  "extension in this database.",
                  get_rel_name(table)),
        errhint(
            "Make it again, by CREATE INDEX as in the extension's script, or run ALTER EXTENSION pgpubsub UPDATE."));
}

[[noreturn]] void not_installed() {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_SCHEMA),
            errmsg("extension \"pgpubsub\" is not installed in this database"),
            errhint("Run CREATE EXTENSION pgpubsub."));
    pg_unreachable();
}

// Reports that the extension was dropped, by a transaction that has committed since this statement began. The extension
// may have been made anew since.
[[noreturn]] void was_dropped() {
    if (!is_installed())
        not_installed();
    ereport(ERROR, errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
            errmsg("extension \"pgpubsub\" was dropped and made anew while this statement waited"),
            errhint("Try again."));
    pg_unreachable();
}

// Returns the types of the columns of a table that was looked up before, as all tables that are opened were.
std::span<const Oid> types_of(Oid table) {
    for (const table_types& t : types)
        if (known.*t.table == table)
            return t.types;
    return {};
}

// The types varchar and text are the same in memory.
bool is_alike(Oid have, Oid wanted) { return have == wanted || (have == VARCHAROID && wanted == TEXTOID); }

// Returns what is wrong with the table for a library that knows so many of its columns; null: nothing.
const char* find_problem(Relation table, int columns) {
    const TupleDesc have = RelationGetDescr(table);
    const std::span<const Oid> known_types = types_of(RelationGetRelid(table));
    if (have->natts < columns)
        return psprintf("It has %d columns instead of %d.", have->natts, columns);
    for (int i = 0; i < have->natts; ++i) {
        const FormData_pg_attribute& c = *TupleDescAttr(have, i);
        if (i < columns && c.attisdropped)
            return psprintf("Its column number %d was dropped.", i + 1);
        if (i < columns && std::size_t(i) < known_types.size() && !is_alike(c.atttypid, known_types[i]))
            return psprintf("Its column \"%s\" is of type %s instead of %s.", NameStr(c.attname),
                            format_type_be(c.atttypid), format_type_be(known_types[i]));
        if (i >= columns && !c.attisdropped && c.attnotnull)
            return psprintf("Its column \"%s\" is not known, and must not be null.", NameStr(c.attname));
    }
    return nullptr;
}

}  // namespace

// get_extension_oid() won't do: from PostgreSQL 19 on it may still find, in a cache, an extension that another session
// is just dropping, and whose members are gone already.
Oid our_extension() {
    InvalidateCatalogSnapshot();
    const Relation extensions = table_open(ExtensionRelationId, AccessShareLock);
    ScanKeyData name;
    ScanKeyInit(&name, Anum_pg_extension_extname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum("pgpubsub"));
    const SysScanDesc scan = systable_beginscan(extensions, ExtensionNameIndexId, true, nullptr, 1, &name);
    const HeapTuple row = systable_getnext(scan);
    const Oid extension = HeapTupleIsValid(row) ? reinterpret_cast<Form_pg_extension>(GETSTRUCT(row))->oid : InvalidOid;
    systable_endscan(scan);
    table_close(extensions, AccessShareLock);
    return extension;
}

bool is_part_of_extension(Oid relation) {
    const Oid extension = our_extension();
    return OidIsValid(extension) && getExtensionOfObject(RelationRelationId, relation) == extension;
}

const catalog& our_catalog() {
    if (known_is_valid)
        return known;
    const Oid extension = our_extension();
    if (!OidIsValid(extension))
        not_installed();
    catalog found{};
    find_members(extension, &found);
    if (our_extension() != extension)
        was_dropped();
    check_found(relations, found, "table or sequence", ERRCODE_UNDEFINED_TABLE);
    check_found(functions, found, "function", ERRCODE_UNDEFINED_FUNCTION);
    for (const table_index& i : indexes) {
        found.*i.place = look_for_index(found.*i.table, i);
        if (!OidIsValid(found.*i.place) && !can_be_without(i))
            no_index(found.*i.table, i.name);
    }
    // A session that finds the extension in a database asks for a worker there.
    if (has_shared_memory())
        ask_for_worker();
    known = found;
    known_is_valid = true;
    return known;
}

Oid index_of_counts() {
    const catalog& ours = our_catalog();
    if (!OidIsValid(ours.stat_count_at))
        no_index(ours.stat_count, "stat_count_at");
    return ours.stat_count_at;
}

const char* our_schema_name() {
    return quote_identifier(get_namespace_name(get_func_namespace(our_catalog().capture_function)));
}

const char* qualified_function_name(Oid function) {
    return quote_qualified_identifier(get_namespace_name(get_func_namespace(function)), get_func_name(function));
}

Relation open_our_table(Oid table, LOCKMODE mode, int columns) {
    const Relation rel = try_table_open(table, mode);
    if (rel == nullptr)
        was_dropped();
    if (const char* const problem = find_problem(rel, columns))
        ereport(
            ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("table \"%s\" of extension \"pgpubsub\" is not of the form that this version of the library knows",
                   RelationGetRelationName(rel)),
            errdetail("%s", problem),
            errhint("A column whose type was changed by hand must get its own back; one that was added must be "
                    "nullable, or go again; one "
                    "that was dropped can't be put back: "
                    "dump the notifications, and restore them into an extension that was made anew."));
    return rel;
}

Relation open_our_sequence(Oid sequence, LOCKMODE mode) {
    const Relation rel = try_relation_open(sequence, mode);
    if (rel == nullptr)
        was_dropped();
    return rel;
}

int64 draw_number(Oid sequence) {
    // This locks the sequence once a transaction, as nextval_internal() does. But nextval_internal() has no error of
    // its own for a sequence that is gone.
    static struct {
        Oid sequence;
        LocalTransactionId transaction;
    } locked{InvalidOid, InvalidLocalTransactionId};
    if (locked.sequence != sequence || locked.transaction != local_transaction_id()) {
        relation_close(open_our_sequence(sequence, RowExclusiveLock), NoLock);
        locked = {sequence, local_transaction_id()};
    }
    return nextval_internal(sequence, false);
}

bool has_our_form(Relation table, int columns) { return find_problem(table, columns) == nullptr; }

bool was_in_catalog(Oid relation) {
    if (!OidIsValid(relation) || !OidIsValid(known.channel))
        return true;
    const Oid* const oids = reinterpret_cast<const Oid*>(&known);
    for (std::size_t i = 0; i < sizeof known / sizeof(Oid); ++i)
        if (oids[i] == relation)
            return true;
    return false;
}

bool forget_catalog(Oid relation) {
    if (!known_is_valid)
        return true;
    if (!was_in_catalog(relation))
        return false;
    known_is_valid = false;
    return true;
}

}  // namespace pgpubsub
