// pgpubsub.attachment_list(): describes the capture triggers of the database, for the view pgpubsub.attachments. There
// is one row for each table and channel, and one more if triggers were made by hand. Triggers that a partition has from
// its table have no row. The list has only tables that the current user owns, and tables of channels that the user may
// use.
//
// The triggers are read from pg_trigger, so that nobody is waited for. Only the condition of a filter needs the table's
// columns, and so its lock.
#include "capture/attachment_triggers.hpp"
#include "capture/filter_columns.hpp"
#include "channel/channel.hpp"
#include "channel/table_columns.hpp"
#include "pg/compat.hpp"

using namespace pgpubsub;

namespace {

struct seen_trigger {
    Oid table;
    const char* name;
    int16 type;
    char enabled;
    bool is_by_hand;
    bool has_known_settings;
    capture_settings settings;
    const char* when;  // null: none
};

struct seen_triggers {
    int count;
    seen_trigger* items;
};

// Returns the strings of pg_trigger.tgargs, each of which ends with a zero byte.
std::span<char* const> arguments_of(const bytea* stored, int count) {
    char* const bytes = VARDATA_ANY(stored);
    const char* const end = bytes + VARSIZE_ANY_EXHDR(stored);
    auto** const arguments = static_cast<char**>(palloc(Max(count, 1) * sizeof(char*)));
    int found = 0;
    for (char* at = bytes; found < count && at < end; at += strlen(at) + 1)
        arguments[found++] = at;
    return {arguments, static_cast<std::size_t>(found)};
}

bool read_trigger(HeapTuple tuple, TupleDesc columns, Oid capture, seen_trigger* result) {
    const auto& facts = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
    if (facts.tgfoid != capture || OidIsValid(facts.tgparentid) || facts.tgnargs == 0)
        return false;
    bool null;
    const Datum stored = heap_getattr(tuple, Anum_pg_trigger_tgargs, columns, &null);
    const char* problem;
    *result = {.table = facts.tgrelid,
               .name = pstrdup(NameStr(facts.tgname)),
               .type = facts.tgtype,
               .enabled = facts.tgenabled};
    result->has_known_settings =
        read_settings(arguments_of(DatumGetByteaPCopy(stored), facts.tgnargs), &result->settings, &problem);
    result->is_by_hand = !is_attachment_trigger(result->name, result->settings.channel);
    const Datum when = heap_getattr(tuple, Anum_pg_trigger_tgqual, columns, &null);
    if (!null)
        result->when = TextDatumGetCString(when);
    return true;
}

// Returns all capture triggers, by table and name.
seen_triggers read_triggers() {
    const Oid capture = capture_function();
    int capacity = 64;
    seen_triggers seen = {0, static_cast<seen_trigger*>(palloc(capacity * sizeof(seen_trigger)))};
    const Relation catalog_table = table_open(TriggerRelationId, AccessShareLock);
    const Relation index = index_open(TriggerRelidNameIndexId, AccessShareLock);
    const SysScanDesc scan = systable_beginscan_ordered(catalog_table, index, nullptr, 0, nullptr);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext_ordered(scan, ForwardScanDirection))) {
        if (seen.count == capacity)
            seen.items = static_cast<seen_trigger*>(repalloc(seen.items, (capacity *= 2) * sizeof(seen_trigger)));
        if (read_trigger(tuple, RelationGetDescr(catalog_table), capture, &seen.items[seen.count]))
            ++seen.count;
    }
    systable_endscan_ordered(scan);
    index_close(index, AccessShareLock);
    table_close(catalog_table, AccessShareLock);
    return seen;
}

Datum array_of_names(const List* names) {
    auto* const values = static_cast<Datum*>(palloc(Max(list_length(names), 1) * sizeof(Datum)));
    for (int i = 0; i < list_length(names); ++i)
        values[i] = DirectFunctionCall1(namein, CStringGetDatum(static_cast<char*>(list_nth(names, i))));
    return PointerGetDatum(construct_array(values, list_length(names), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
}

Datum array_of_events(int16 events) {
    Datum values[lengthof(capture_events)];
    int count = 0;
    for (const auto& e : capture_events)
        if ((events & e.bit) != 0)
            values[count++] = CStringGetTextDatum(e.name);
    return PointerGetDatum(construct_array(values, count, TEXTOID, -1, false, TYPALIGN_INT));
}

// The deparser can resolve two tables: that of the innermost query, and that of the enclosing query.
bool place_old_and_new(Node* node, void* none) {
    if (node == nullptr)
        return false;
    if (IsA(node, Var)) {
        auto* const var = castNode(Var, node);
        var->varlevelsup = var->varno == PRS2_NEW_VARNO ? 1 : 0;
        var->varno = 1;
        var->varnosyn = 0;
    }
    return walk_expression(node, place_old_and_new, none);
}

// Returns false if the table is gone.
bool deparse_condition(Oid table, Node* condition, Datum* result) {
    const Relation rel = try_relation_open(table, AccessShareLock);
    if (rel == nullptr)
        return false;
    List* const names = list_concat(deparse_context_for("old", table), deparse_context_for("new", table));
    place_old_and_new(condition, nullptr);
    *result = CStringGetTextDatum(deparse_expression(condition, names, true, false));
    relation_close(rel, AccessShareLock);
    return true;
}

// The columns of the SQL function.
namespace column {
enum {
    table,
    channel,
    events,
    granularity,
    payload,
    columns,
    condition,
    payload_columns,
    key_columns,
    always,
    enabled,
    filter_lost,
    triggers,
    count
};
}

struct attachment_row {
    Datum values[column::count];
    bool nulls[column::count];

    void set(int c, Datum value) {
        values[c] = value;
        nulls[c] = false;
    }
    void set_columns(int c, Oid table, const List* numbers) {
        List* names = NIL;
        const ListCell* cell;
        foreach (cell, numbers)
            if (char* const name = get_attname(table, lfirst_int(cell), true))
                names = lappend(names, name);
        if (names != NIL)
            set(c, array_of_names(names));
    }
};

void add_filter(attachment_row* row, Oid table, const capture_filter& filter) {
    row->set_columns(column::columns, table, filter.columns);
    row->set_columns(column::payload_columns, table, filter.payload_columns);
    row->set_columns(column::key_columns, table, filter.key_columns);
    Datum text;
    if (filter.condition != nullptr && deparse_condition(table, filter.condition, &text))
        row->set(column::condition, text);
}

// Triggers that attach() has made and triggers that were made by hand are kept apart: the filter belongs to the former.
bool belong_together(const seen_trigger& a, const seen_trigger& b) {
    return a.table == b.table && a.is_by_hand == b.is_by_hand && strcmp(a.settings.channel, b.settings.channel) == 0;
}

// Describes the attachment of the first given trigger and of the triggers that belong together with it.
attachment_row describe(std::span<const seen_trigger> triggers) {
    const seen_trigger& first = triggers[0];
    attachment_row row;
    for (bool& null : row.nulls)
        null = true;
    int16 events = 0;
    bool by_row = false;
    bool always = true;
    bool enabled = true;
    bool captures = false;
    bool filtered = false;
    bool has_filter = false;
    List* names = NIL;
    capture_filter filter{};
    for (const seen_trigger& t : triggers) {
        if (t.table != first.table)
            break;
        if (!belong_together(t, first))
            continue;
        names = lappend(names, const_cast<char*>(t.name));
        if (t.settings.is_filter) {
            has_filter = t.when != nullptr && read_filter(t.when, &filter);
            if (has_filter)
                read_column_arguments(t.settings.columns, t.table, &filter);
            continue;
        }
        captures = true;
        filtered |= t.settings.filtered;
        events |= t.type & (row_events | TRIGGER_TYPE_TRUNCATE);
        by_row |= TRIGGER_FOR_ROW(t.type);
        always &= t.enabled == TRIGGER_FIRES_ALWAYS;
        enabled &= t.enabled == TRIGGER_FIRES_ALWAYS || t.enabled == TRIGGER_FIRES_ON_ORIGIN;
        if (t.has_known_settings)
            row.set(column::payload, CStringGetTextDatum(payload_name(t.settings.payload)));
    }
    row.set(column::table, ObjectIdGetDatum(first.table));
    row.set(column::channel, CStringGetTextDatum(first.settings.channel));
    row.set(column::events, array_of_events(events));
    row.set(column::granularity, CStringGetTextDatum(by_row ? "row" : "statement"));
    row.set(column::always, BoolGetDatum(captures && always));
    row.set(column::enabled, BoolGetDatum(captures && enabled));
    row.set(column::triggers, array_of_names(names));
    row.set(column::filter_lost, BoolGetDatum(filtered && (!has_filter || filter.lost)));
    if (filtered && has_filter)
        add_filter(&row, first.table, filter);
    return row;
}

// A table's owner sees its attachments even while its channel does not exist yet.
bool may_see(const seen_trigger& t) {
    const HeapTuple tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(t.table));
    if (!HeapTupleIsValid(tuple))
        return false;
    const Oid owner = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple))->relowner;
    ReleaseSysCache(tuple);
    const Oid role = GetUserId();
    const std::string_view name = t.settings.channel;
    channel c;
    // A trigger may have an argument that can't be the name of a channel.
    return has_privs_of_role(role, owner) ||
           (!name.empty() && name.size() <= max_channel_bytes && find_channel(name, &c) &&
            (has_privilege(c.id, role, privilege::publish) || has_privilege(c.id, role, privilege::consume)));
}

// Returns whether no earlier trigger belongs together with it.
bool is_first(const seen_triggers& seen, int i) {
    for (int j = i - 1; j >= 0 && seen.items[j].table == seen.items[i].table; --j)
        if (belong_together(seen.items[j], seen.items[i]))
            return false;
    return true;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_attachment_list) {
    InitMaterializedSRF(fcinfo, 0);
    auto* const result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    const seen_triggers seen = read_triggers();
    for (int i = 0; i < seen.count; ++i)
        if (is_first(seen, i) && may_see(seen.items[i])) {
            attachment_row row = describe({seen.items + i, static_cast<std::size_t>(seen.count - i)});
            tuplestore_putvalues(result->setResult, result->setDesc, row.values, row.nulls);
        }
    return Datum{0};
}
