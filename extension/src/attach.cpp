// pgpubsub.attach() and detach(): the capture trigger of a table, made and dropped by name of table and channel.
//
// Both run plain CREATE TRIGGER and DROP TRIGGER as the caller, so PostgreSQL's own rules apply; the trigger is dumped and
// restored with its table. Which trigger belongs to which channel is read from its function and argument, not from its name.
#include "arguments.hpp"
#include "channel.hpp"

using namespace pgpubsub;

namespace {

constexpr struct {
    const char* name;
    const char* keyword;
} events_known[] = {{"insert", "INSERT"}, {"update", "UPDATE"}, {"delete", "DELETE"}};

[[noreturn]] void no_such_table(Oid oid) {
    ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", oid));
}

// Opens a table of the caller's. Its owner is looked at before the lock is asked for, so that nobody else can hold up
// its writers by waiting for it.
Relation open_own_table(Oid oid) {
    const char* const name = get_rel_name(oid);
    if (name == nullptr)
        no_such_table(oid);
    const char kind = get_rel_relkind(oid);
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
                errmsg("cannot capture changes of \"%s\": it is not a table", name));
    if (!owns_relation(oid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), name);
    const Relation table = try_relation_open(oid, ShareRowExclusiveLock);
    if (table == nullptr)
        no_such_table(oid);
    if (!owns_relation(oid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), name);
    return table;
}

const char* qualified_name(Relation table) {
    return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)), RelationGetRelationName(table));
}

// INSERT OR UPDATE OR DELETE, as the array of event names asks.
const char* event_clause(ArrayType* events) {
    Datum* names;
    bool* nulls;
    int count;
    deconstruct_array(events, TEXTOID, -1, false, TYPALIGN_INT, &names, &nulls, &count);
    bool wanted[lengthof(events_known)] = {};
    for (int i = 0; i < count; ++i) {
        const std::string_view name = nulls[i] ? "null" : view_of(DatumGetTextPP(names[i]));
        bool known = false;
        for (std::size_t e = 0; e < lengthof(events_known); ++e)
            if (name == events_known[e].name)
                known = wanted[e] = true;
        if (!known)
            ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized event \"%s\"", c_string(name)),
                    errhint("The events are \"insert\", \"update\" and \"delete\"."));
    }
    StringInfoData clause;
    initStringInfo(&clause);
    for (std::size_t e = 0; e < lengthof(events_known); ++e)
        if (wanted[e])
            appendStringInfo(&clause, "%s%s", clause.len == 0 ? "" : " OR ", events_known[e].keyword);
    if (clause.len == 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"events\" names no event"));
    return clause.data;
}

// pgpubsub_ and the channel's name; what is too long for an identifier is cut, with a hash of the whole in its place.
const char* trigger_name(std::string_view channel_name) {
    char* const name = psprintf("pgpubsub_%s", c_string(channel_name));
    const int length = pg_mbcliplen(name, static_cast<int>(strlen(name)), NAMEDATALEN - 1);
    if (name[length] == '\0')
        return name;
    const uint32 hash = DatumGetUInt32(hash_any(reinterpret_cast<const unsigned char*>(channel_name.data()),
                                                static_cast<int>(channel_name.size())));
    constexpr int suffix = 9;
    name[pg_mbcliplen(name, length, NAMEDATALEN - 1 - suffix)] = '\0';
    return psprintf("%s_%08x", name, hash);
}

// The names of the triggers by which the table is attached to the channel; there may be several, made by hand.
List* find_triggers(Relation table, std::string_view channel_name) {
    List* const name = list_make2(makeString(pstrdup("pgpubsub")), makeString(pstrdup("capture")));
    const Oid capture = LookupFuncName(name, 0, nullptr, false);
    const TriggerDesc* const triggers = table->trigdesc;
    List* found = NIL;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& t = triggers->triggers[i];
        if (t.tgfoid != capture || t.tgnargs != 1 || channel_name != t.tgargs[0])
            continue;
        if (t.tgisclone)
            ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("table \"%s\" is attached to channel \"%s\" as a partition of another table",
                           RelationGetRelationName(table), t.tgargs[0]),
                    errhint("Attach or detach the partitioned table."));
        found = lappend(found, pstrdup(t.tgname));
    }
    return found;
}

const char* drop_command(const char* trigger, const char* table) {
    return psprintf("DROP TRIGGER %s ON %s", quote_identifier(trigger), table);
}

void run(const char* command) {
    SPI_connect();
    if (SPI_execute(command, false, 0) < 0)
        elog(ERROR, "could not run \"%s\"", command);
    SPI_finish();
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_attach) {
    require(fcinfo, 0, "table");
    const std::string_view channel_name = text_argument(fcinfo, 1, "channel");
    require(fcinfo, 2, "events");
    const Relation table = open_own_table(PG_GETARG_OID(0));
    const char* const events = event_clause(PG_GETARG_ARRAYTYPE_P(2));

    bool created;
    const Oid owner = table->rd_rel->relowner;
    const channel c = get_or_create_channel(channel_name, owner, &created);
    if (created)
        ereport(NOTICE, errmsg("channel \"%s\" was created", c.name));
    else
        check_privilege(c, owner, privilege::publish);

    const List* const existing = find_triggers(table, channel_name);
    const char* const table_name = qualified_name(table);
    relation_close(table, NoLock);

    // The first one is replaced. Where there is none, a trigger of the same name is somebody else's, and an error.
    const char* const name =
        existing == NIL ? trigger_name(channel_name) : static_cast<const char*>(linitial(existing));
    for (int i = 1; i < list_length(existing); ++i)
        run(drop_command(static_cast<const char*>(list_nth(existing, i)), table_name));
    run(psprintf("CREATE %sTRIGGER %s AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture(%s)",
                 existing == NIL ? "" : "OR REPLACE ", quote_identifier(name), events, table_name,
                 quote_literal_cstr(c.name)));
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_detach) {
    require(fcinfo, 0, "table");
    const std::string_view channel_name = text_argument(fcinfo, 1, "channel");
    const Relation table = open_own_table(PG_GETARG_OID(0));
    const List* const existing = find_triggers(table, channel_name);
    if (existing == NIL)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("table \"%s\" is not attached to channel \"%s\"", RelationGetRelationName(table),
                       c_string(channel_name)));
    const char* const table_name = qualified_name(table);
    relation_close(table, NoLock);
    for (int i = 0; i < list_length(existing); ++i)
        run(drop_command(static_cast<const char*>(list_nth(existing, i)), table_name));
    PG_RETURN_VOID();
}
