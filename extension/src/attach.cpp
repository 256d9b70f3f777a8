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

Relation open_own_table(Oid oid) {
    const Relation table = relation_open(oid, ShareRowExclusiveLock);
    const char kind = table->rd_rel->relkind;
    if (kind != RELKIND_RELATION && kind != RELKIND_PARTITIONED_TABLE && kind != RELKIND_FOREIGN_TABLE)
        ereport(ERROR, errcode(ERRCODE_WRONG_OBJECT_TYPE),
                errmsg("cannot capture changes of \"%s\": it is not a table", RelationGetRelationName(table)));
    if (!owns_relation(oid, GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, get_relkind_objtype(kind), RelationGetRelationName(table));
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

// pgpubsub_ and the channel's name, cut to the length of an identifier. Two channels whose names are cut to the same
// would share it; attach() looks for that.
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

// The trigger by which the table is attached to the channel; null where there is none.
const Trigger* find_trigger(Relation table, std::string_view channel_name) {
    List* const name = list_make2(makeString(pstrdup("pgpubsub")), makeString(pstrdup("capture")));
    const Oid capture = LookupFuncName(name, 0, nullptr, false);
    const TriggerDesc* const triggers = table->trigdesc;
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& t = triggers->triggers[i];
        if (t.tgfoid == capture && t.tgnargs == 1 && channel_name == t.tgargs[0])
            return &t;
    }
    return nullptr;
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
    if (!created)
        check_privilege(c, owner, privilege::publish);

    const Trigger* const existing = find_trigger(table, channel_name);
    const char* const name = existing == nullptr ? trigger_name(channel_name) : pstrdup(existing->tgname);
    const char* const command = psprintf(
        "CREATE OR REPLACE TRIGGER %s AFTER %s ON %s FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture(%s)",
        quote_identifier(name), events, qualified_name(table), quote_literal_cstr(c.name));
    relation_close(table, NoLock);
    run(command);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_detach) {
    require(fcinfo, 0, "table");
    const std::string_view channel_name = text_argument(fcinfo, 1, "channel");
    const Relation table = open_own_table(PG_GETARG_OID(0));
    const Trigger* const existing = find_trigger(table, channel_name);
    if (existing == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("table \"%s\" is not attached to channel \"%s\"", RelationGetRelationName(table),
                       c_string(channel_name)));
    const char* const command =
        psprintf("DROP TRIGGER %s ON %s", quote_identifier(existing->tgname), qualified_name(table));
    relation_close(table, NoLock);
    run(command);
    PG_RETURN_VOID();
}
