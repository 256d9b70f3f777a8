#include "storage/left_over_index.hpp"

#include "channel/catalog.hpp"

namespace pgpubsub {
namespace {

constexpr Oid catalog::*tables[] = {&catalog::channel,      &catalog::channel_privilege, &catalog::subscription,
                                    &catalog::notification, &catalog::dead_letter,       &catalog::processed,
                                    &catalog::broadcast,    &catalog::stat_count};

// The properties that make two indexes of a table the same; an operator class belongs to one access method.
constexpr AttrNumber definition[] = {Anum_pg_index_indkey,    Anum_pg_index_indnkeyatts,  Anum_pg_index_indclass,
                                     Anum_pg_index_indoption, Anum_pg_index_indcollation, Anum_pg_index_indisunique,
                                     Anum_pg_index_indpred,   Anum_pg_index_indexprs};

// Returns the name of the index from which an index of the given name was copied: the name without "_ccnew" or
// "_ccold", and without a number behind that suffix, which PostgreSQL adds if the name was taken. Empty: the name is
// not that of a copy.
std::string_view name_of_original(std::string_view name) {
    name.remove_suffix(name.size() - 1 - name.find_last_not_of("0123456789"));
    constexpr std::size_t length = std::string_view("_ccnew").size();
    return name.ends_with("_ccnew") || name.ends_with("_ccold") ? name.substr(0, name.size() - length)
                                                                : std::string_view();
}

Form_pg_index facts_of(HeapTuple index) { return reinterpret_cast<Form_pg_index>(GETSTRUCT(index)); }
const char* name_of(HeapTuple index) { return get_rel_name(facts_of(index)->indexrelid); }

bool has_same(HeapTuple a, HeapTuple b, TupleDesc columns, AttrNumber column) {
    bool a_is_null, b_is_null;
    const Datum left = heap_getattr(a, column, columns, &a_is_null);
    const Datum right = heap_getattr(b, column, columns, &b_is_null);
    if (a_is_null || b_is_null)
        return a_is_null == b_is_null;
    // The texts of two trees may differ by the positions of their parts in the command.
    if (column == Anum_pg_index_indpred || column == Anum_pg_index_indexprs)
        return equal(stringToNode(TextDatumGetCString(left)), stringToNode(TextDatumGetCString(right)));
    const Form_pg_attribute type = TupleDescAttr(columns, column - 1);
    return datumIsEqual(left, right, type->attbyval, type->attlen);
}

bool is_same(HeapTuple a, HeapTuple b, TupleDesc columns) {
    for (const AttrNumber column : definition)
        if (!has_same(a, b, columns, column))
            return false;
    return true;
}

HeapTuple find_valid(List* indexes, std::string_view wanted) {
    const ListCell* cell;
    foreach (cell, indexes) {
        auto* const index = static_cast<HeapTuple>(lfirst(cell));
        const char* const name = facts_of(index)->indisvalid ? name_of(index) : nullptr;
        if (name != nullptr && wanted == name)
            return index;
    }
    return nullptr;
}

// Returns whether the original of the copy exists. For a copy of a copy, the first copy may be gone and the original
// still exist.
bool is_copy_of_one(HeapTuple index, std::string_view name, List* all, TupleDesc columns) {
    while (!(name = name_of_original(name)).empty())
        if (const HeapTuple original = find_valid(all, name); original != nullptr && is_same(index, original, columns))
            return true;
    return false;
}

// Returns the table's indexes from pg_index: the relation cache's list lacks indexes that were about to be dropped.
List* indexes_of(Oid table, Relation indexes) {
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
    const SysScanDesc scan = systable_beginscan(indexes, IndexIndrelidIndexId, true, nullptr, 1, &key);
    List* found = NIL;
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan)))
        found = lappend(found, heap_copytuple(tuple));
    systable_endscan(scan);
    return found;
}

std::size_t find_of_table(Oid table, bool is_toast, Relation indexes, std::span<left_over_index> found) {
    List* const all = indexes_of(table, indexes);
    std::size_t count = 0;
    const ListCell* cell;
    foreach (cell, all) {
        auto* const index = static_cast<HeapTuple>(lfirst(cell));
        const char* const name = count < found.size() ? name_of(index) : nullptr;
        if (name == nullptr || name_of_original(name).empty())
            continue;
        // PostgreSQL lets nobody make an index of a TOAST table valid, nor drop it when it is valid.
        if (facts_of(index)->indisvalid && (is_toast || !is_copy_of_one(index, name, all, RelationGetDescr(indexes))))
            continue;
        const char* const schema = get_namespace_name(get_rel_namespace(facts_of(index)->indexrelid));
        if (schema == nullptr)  // the index is just being dropped
            continue;
        left_over_index& next = found[count++];
        next.table = table;
        namestrcpy(&next.schema, schema);
        namestrcpy(&next.name, name);
    }
    return count;
}

Oid toast_table_of(Oid table) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
    if (!HeapTupleIsValid(tuple))
        return InvalidOid;
    const Oid toast = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->reltoastrelid;
    ReleaseSysCache(tuple);
    return toast;
}

}  // namespace

int find_left_over_indexes(std::span<left_over_index> found) {
    const catalog& ours = our_catalog();
    const Relation indexes = table_open(IndexRelationId, AccessShareLock);
    std::size_t count = 0;
    for (const auto table : tables) {
        count += find_of_table(ours.*table, false, indexes, found.subspan(count));
        if (const Oid toast = toast_table_of(ours.*table); OidIsValid(toast))
            count += find_of_table(toast, true, indexes, found.subspan(count));
    }
    table_close(indexes, AccessShareLock);
    return static_cast<int>(count);
}

}  // namespace pgpubsub
