#include "capture/capture_right.hpp"

#include "capture/capture_settings.hpp"
#include "channel/catalog.hpp"

namespace pgpubsub {
namespace {

// Returns the channels into which a table captures by triggers of its own, as a list of char*. Only the first string of
// tgargs is read.
List* channels_of(Oid table, Oid capture) {
    List* channels = NIL;
    const Relation triggers = table_open(TriggerRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
    const SysScanDesc scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, nullptr, 1, &key);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const auto& facts = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
        if (facts.tgfoid != capture || OidIsValid(facts.tgparentid) || facts.tgnargs == 0)
            continue;
        bool null;
        const Datum stored = heap_getattr(tuple, Anum_pg_trigger_tgargs, RelationGetDescr(triggers), &null);
        char* const name = VARDATA_ANY(DatumGetByteaPCopy(stored));
        bool is_known = false;
        const ListCell* cell;
        foreach (cell, channels)
            is_known |= strcmp(static_cast<const char*>(lfirst(cell)), name) == 0;
        if (!is_known)
            channels = lappend(channels, name);
    }
    systable_endscan(scan);
    table_close(triggers, AccessShareLock);
    return channels;
}

// A trigger may have an argument that can't be the name of a channel.
bool find_named(std::string_view name, channel* result) {
    return !name.empty() && name.size() <= max_channel_bytes && find_channel(name, result);
}

void check_table(Oid table, const List* channels) {
    const Oid owner = owner_of_relation(table);
    const char* const name = get_rel_name(table);
    const char* const schema = get_namespace_name(get_rel_namespace(table));
    if (!OidIsValid(owner) || name == nullptr || schema == nullptr)
        return;
    const ListCell* cell;
    foreach (cell, channels)
        if (channel c;
            find_named(static_cast<const char*>(lfirst(cell)), &c) && !has_privilege(c.id, owner, privilege::publish))
            warn_of_missing_right(schema, name, c, owner);
}

// Returns all tables that capture by triggers of their own, each once.
List* capturing_tables(Oid capture) {
    List* tables = NIL;
    const Relation triggers = table_open(TriggerRelationId, AccessShareLock);
    const SysScanDesc scan = systable_beginscan(triggers, InvalidOid, false, nullptr, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const auto& facts = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
        if (facts.tgfoid == capture && !OidIsValid(facts.tgparentid))
            tables = lappend_oid(tables, facts.tgrelid);
    }
    systable_endscan(scan);
    table_close(triggers, AccessShareLock);
    list_sort(tables, list_oid_cmp);
    list_deduplicate_oid(tables);
    return tables;
}

struct capture_with_right {
    Oid table;
    const char* channel;
};

bool changes_owner(const AlterTableStmt& alter) {
    const ListCell* cell;
    foreach (cell, alter.cmds)
        if (lfirst_node(AlterTableCmd, cell)->subtype == AT_ChangeOwner)
            return true;
    return false;
}

// Returns the table to which the command has given a new owner or a trigger; null: it did neither.
const RangeVar* concerned_table(const Node* command) {
    if (IsA(command, AlterTableStmt)) {
        const auto& alter = *reinterpret_cast<const AlterTableStmt*>(command);
        return changes_owner(alter) ? alter.relation : nullptr;
    }
    return IsA(command, CreateTrigStmt) ? reinterpret_cast<const CreateTrigStmt*>(command)->relation : nullptr;
}

}  // namespace

Oid owner_of_relation(Oid relation) {
    const HeapTuple row = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
    if (!HeapTupleIsValid(row))
        return InvalidOid;
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(row))->relowner;
    ReleaseSysCache(row);
    return owner;
}

void warn_of_missing_right(const char* schema, const char* table, const channel& c, Oid owner) {
    const char* const name = GetUserNameFromId(owner, true);
    const char* const shown = name == nullptr ? "?" : name;
    ereport(WARNING, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
            errmsg("changes of table \"%s.%s\" are not captured into channel \"%s\": its owner may not publish there",
                   schema, table, c.name),
            errdetail("Role \"%s\" has no publish privilege on it.", shown),
            errhint("The channel's owner can run SELECT pgpubsub.grant_channel(%s, %s, 'publish').",
                    quote_literal_cstr(c.name), quote_literal_cstr(quote_identifier(shown))));
}

void check_capture_rights_after(const Node* command) {
    const RangeVar* const table = concerned_table(command);
    if (table == nullptr || creating_extension || !is_installed())
        return;
    CommandCounterIncrement();
    if (const Oid oid = RangeVarGetRelid(table, NoLock, true); OidIsValid(oid))
        check_table(oid, channels_of(oid, capture_function()));
}

List* captures_with_right(const channel* into) {
    const Oid capture = capture_function();
    List* found = NIL;
    const ListCell* table;
    foreach (table, capturing_tables(capture)) {
        CHECK_FOR_INTERRUPTS();
        const Oid owner = owner_of_relation(lfirst_oid(table));
        const ListCell* cell;
        foreach (cell, channels_of(lfirst_oid(table), capture)) {
            const auto* const name = static_cast<const char*>(lfirst(cell));
            channel c;
            if ((into != nullptr && strcmp(into->name, name) != 0) || !OidIsValid(owner) || !find_named(name, &c) ||
                !has_privilege(c.id, owner, privilege::publish))
                continue;
            auto* const item = static_cast<capture_with_right*>(palloc(sizeof(capture_with_right)));
            *item = {lfirst_oid(table), name};
            found = lappend(found, item);
        }
    }
    return found;
}

void warn_of_lost_rights(const List* captures) {
    if (captures == NIL || !is_installed())
        return;
    CommandCounterIncrement();
    const ListCell* cell;
    foreach (cell, captures) {
        const auto& item = *static_cast<const capture_with_right*>(lfirst(cell));
        check_table(item.table, list_make1(const_cast<char*>(item.channel)));
    }
}

List* captures_that_may_lose_right(const Node* command) {
    const bool may_take_rights = IsA(command, DropOwnedStmt) || IsA(command, ReassignOwnedStmt) ||
                                 IsA(command, GrantRoleStmt) || IsA(command, AlterRoleStmt) ||
                                 IsA(command, DropRoleStmt);
    return may_take_rights && !creating_extension && is_installed() ? captures_with_right() : NIL;
}

}  // namespace pgpubsub
