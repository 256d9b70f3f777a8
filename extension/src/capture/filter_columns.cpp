#include "capture/filter_columns.hpp"

#include "capture/capture_settings.hpp"
#include "channel/catalog.hpp"
#include "pg/compat.hpp"

namespace pgpubsub {
namespace {

constexpr std::string_view kinds[] = {watched_column, payload_column, key_column};

struct listed_column {
    std::string_view kind;
    Oid table;
    AttrNumber number;
    std::string_view name;
};

// Reads digits up to the end character. Returns false if there are none.
bool read_number(std::string_view* text, char end, uint64 most, uint64* result) {
    *result = 0;
    std::size_t i = 0;
    for (; i < text->size() && (*text)[i] >= '0' && (*text)[i] <= '9'; ++i)
        if ((*result = *result * 10 + static_cast<uint64>((*text)[i] - '0')) > most)
            return false;
    if (i == 0 || i == text->size() || (*text)[i] != end)
        return false;
    text->remove_prefix(i + 1);
    return true;
}

bool parse(std::string_view text, listed_column* result) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos)
        return false;
    result->kind = text.substr(0, colon);
    bool is_known = false;
    for (const std::string_view kind : kinds)
        is_known |= kind == result->kind;
    text.remove_prefix(colon + 1);
    uint64 table, number;
    if (!is_known || !read_number(&text, '.', PG_UINT32_MAX, &table) ||
        !read_number(&text, '=', MaxHeapAttributeNumber, &number) || text.empty())
        return false;
    result->table = static_cast<Oid>(table);
    result->number = static_cast<AttrNumber>(number);
    result->name = text;
    return true;
}

enum class place { there, gone, unknown };

place by_name(const listed_column& c, Oid table, AttrNumber* number) {
    *number = get_attnum(table, c_string(c.name));
    return *number > 0 ? place::there : place::unknown;
}

place find(const listed_column& c, Oid table, AttrNumber* number) {
    const HeapTuple row =
        c.table != table ? nullptr : SearchSysCache2(ATTNUM, ObjectIdGetDatum(table), Int16GetDatum(c.number));
    if (!HeapTupleIsValid(row))
        return by_name(c, table, number);
    const auto& facts = *reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row));
    const bool is_dropped = facts.attisdropped;
    const bool has_name = c.name == NameStr(facts.attname);
    ReleaseSysCache(row);
    *number = c.number;
    if (is_dropped)
        return place::gone;
    // A column with another name was renamed. But if another column has the listed name now, nothing shows which one
    // was meant.
    AttrNumber other;
    return has_name || by_name(c, table, &other) == place::unknown ? place::there : place::unknown;
}

bool is_virtual_column(Oid table, AttrNumber number) {
    const HeapTuple row = SearchSysCache2(ATTNUM, ObjectIdGetDatum(table), Int16GetDatum(number));
    if (!HeapTupleIsValid(row))
        return true;
    const bool result = is_virtual(*reinterpret_cast<Form_pg_attribute>(GETSTRUCT(row)));
    ReleaseSysCache(row);
    return result;
}

char* argument_text(std::string_view kind, Oid table, AttrNumber number, const char* name) {
    return psprintf("%s:%u.%d=%s", c_string(kind), table, number, name);
}

// A change to a table: a column has a new name, or (without names) triggers were made whose arguments count by name.
struct table_change {
    const char* old_name;
    const char* new_name;

    bool is_rename() const { return old_name != nullptr; }
};

// Returns the argument as it must be now; the same text if nothing changes. A partition has arguments that are about
// its parent: in these, only the name shows which column is meant.
const char* updated(const char* argument, Oid table, const table_change& change) {
    listed_column c;
    AttrNumber number;
    if (!parse(argument, &c))
        return argument;
    if (change.is_rename() && c.table != table && c.name == change.old_name)
        c.name = change.new_name;
    if ((change.is_rename() ? find(c, table, &number) : by_name(c, table, &number)) != place::there)
        return argument;
    return argument_text(c.kind, table, number, get_attname(table, number, false));
}

// Returns null if nothing changes.
bytea* updated_arguments(const bytea* stored, int count, Oid table, const table_change& change) {
    StringInfoData text;
    initStringInfo(&text);
    bool differs = false;
    const char* at = VARDATA_ANY(stored);
    for (int i = 0; i < count; ++i, at += strlen(at) + 1) {
        const char* const now = updated(at, table, change);
        differs |= strcmp(now, at) != 0;
        appendBinaryStringInfo(&text, now, static_cast<int>(strlen(now)) + 1);
    }
    if (!differs)
        return nullptr;
    auto* const result = static_cast<bytea*>(palloc(VARHDRSZ + text.len));
    SET_VARSIZE(result, VARHDRSZ + text.len);
    memcpy(VARDATA(result), text.data, text.len);
    return result;
}

void update_arguments_of(Oid table, Oid capture, const table_change& change) {
    bool has_changed = false;
    const Relation triggers = table_open(TriggerRelationId, RowExclusiveLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
    const SysScanDesc scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, nullptr, 1, &key);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const auto& facts = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
        if (facts.tgfoid != capture || facts.tgnargs < 3)
            continue;
        bool null;
        const Datum stored = heap_getattr(tuple, Anum_pg_trigger_tgargs, RelationGetDescr(triggers), &null);
        bytea* const now = updated_arguments(DatumGetByteaPCopy(stored), facts.tgnargs, table, change);
        if (now == nullptr)
            continue;
        Datum values[Natts_pg_trigger] = {};
        bool nulls[Natts_pg_trigger] = {}, replaced[Natts_pg_trigger] = {};
        values[Anum_pg_trigger_tgargs - 1] = PointerGetDatum(now);
        replaced[Anum_pg_trigger_tgargs - 1] = true;
        const HeapTuple changed = heap_modify_tuple(tuple, RelationGetDescr(triggers), values, nulls, replaced);
        CatalogTupleUpdate(triggers, &tuple->t_self, changed);
        has_changed = true;
    }
    systable_endscan(scan);
    table_close(triggers, RowExclusiveLock);
    if (has_changed) {
        CacheInvalidateRelcacheByRelid(table);
        CommandCounterIncrement();
    }
}

}  // namespace

List* append_column_arguments(List* arguments, const char* kind, Relation table, const List* columns) {
    const ListCell* cell;
    foreach (cell, columns) {
        const auto number = static_cast<AttrNumber>(lfirst_int(cell));
        const char* const name = NameStr(TupleDescAttr(RelationGetDescr(table), number - 1)->attname);
        arguments = lappend(arguments, argument_text(kind, RelationGetRelid(table), number, name));
    }
    return arguments;
}

bool is_column_argument(std::string_view text) {
    listed_column c;
    return parse(text, &c);
}

void read_column_arguments(std::span<char* const> arguments, Oid table, capture_filter* filter) {
    bool is_given[lengthof(kinds)] = {};
    List** const lists[] = {&filter->columns, &filter->payload_columns, &filter->key_columns};
    for (const char* const argument : arguments) {
        listed_column c;
        if (!parse(argument, &c))
            continue;
        for (std::size_t i = 0; i < lengthof(kinds); ++i) {
            if (kinds[i] != c.kind)
                continue;
            is_given[i] = true;
            AttrNumber number;
            const place found = find(c, table, &number);
            if (found == place::there && !is_virtual_column(table, number) && !list_member_int(*lists[i], number))
                *lists[i] = lappend_int(*lists[i], number);
            else if (found != place::gone)
                filter->lost = true;
        }
    }
    for (std::size_t i = 0; i < lengthof(kinds); ++i)
        if (is_given[i] && *lists[i] == NIL)
            filter->lost = true;
    filter->has_no_payload_columns = is_given[1] && filter->payload_columns == NIL;
}

bool same_column_argument(const char* stored, const char* wanted, Oid table) {
    listed_column a, b;
    if (strcmp(stored, wanted) == 0)
        return true;
    AttrNumber number;
    return parse(stored, &a) && parse(wanted, &b) && a.kind == b.kind && a.table != table &&
           find(a, table, &number) == place::there && number == b.number;
}

void update_column_arguments_after(const Node* command) {
    const RangeVar* table = nullptr;
    table_change change{};
    if (IsA(command, CreateTrigStmt)) {
        table = reinterpret_cast<const CreateTrigStmt*>(command)->relation;
    } else if (IsA(command, RenameStmt)) {
        const auto& rename = *reinterpret_cast<const RenameStmt*>(command);
        table = rename.renameType == OBJECT_COLUMN ? rename.relation : nullptr;
        change = {rename.subname, rename.newname};
    }
    if (table == nullptr || creating_extension || !is_installed())
        return;
    CommandCounterIncrement();
    const Oid oid = RangeVarGetRelid(table, NoLock, true);
    if (!OidIsValid(oid))
        return;
    const ListCell* cell;
    foreach (cell, find_all_inheritors(oid, NoLock, nullptr))
        update_arguments_of(lfirst_oid(cell), capture_function(), change);
}

}  // namespace pgpubsub
