#include "capture/attachment_triggers.hpp"

#include "capture/filter_clause.hpp"
#include "capture/filter_columns.hpp"
#include "channel/catalog.hpp"

namespace pgpubsub {
namespace {

constexpr const char* suffixes[] = {"insert", "update", "delete", "row", "truncate", "filter"};
constexpr int longest_suffix = 9;  // "_truncate"

struct wanted_trigger {
    const char* name;
    int16 type;             // as pg_trigger.tgtype
    const char* old_table;  // null: none
    const char* new_table;
    List* arguments;   // of char*
    const char* when;  // null: none
    char state;        // as pg_trigger.tgenabled
};

constexpr int most_wanted = 5;
struct wanted_triggers {
    int count;
    wanted_trigger items[most_wanted];

    std::span<const wanted_trigger> all() const { return {items, static_cast<std::size_t>(count)}; }
    bool has(std::string_view name) const {
        for (const wanted_trigger& w : all())
            if (name == w.name)
                return true;
        return false;
    }
};

wanted_triggers triggers_for(Relation table, const attachment& a) {
    List* arguments = list_make1(const_cast<char*>(a.channel));
    if (a.payload != payload_choice::full)
        arguments = lappend(arguments, psprintf("payload=%s", payload_name(a.payload)));
    if (a.is_filtered())
        arguments = lappend(arguments, const_cast<char*>("filtered"));
    const char state = a.always ? TRIGGER_FIRES_ALWAYS : TRIGGER_FIRES_ON_ORIGIN;
    wanted_triggers wanted{};
    const auto add = [&](const char* suffix, int16 type) -> wanted_trigger& {
        wanted_trigger& w = wanted.items[wanted.count++];
        w = {.name = attachment_trigger_name(a.channel, suffix), .type = type, .arguments = arguments, .state = state};
        return w;
    };
    if (a.by_row && (a.events & row_events) != 0)
        add("row", TRIGGER_TYPE_AFTER | TRIGGER_TYPE_ROW | (a.events & row_events));
    if (!a.by_row && (a.events & TRIGGER_TYPE_INSERT) != 0)
        add("insert", TRIGGER_TYPE_INSERT).new_table = "new_rows";
    if (!a.by_row && (a.events & TRIGGER_TYPE_UPDATE) != 0) {
        wanted_trigger& w = add("update", TRIGGER_TYPE_UPDATE);
        w.old_table = "old_rows";
        w.new_table = "new_rows";
    }
    if (!a.by_row && (a.events & TRIGGER_TYPE_DELETE) != 0)
        add("delete", TRIGGER_TYPE_DELETE).old_table = "old_rows";
    if ((a.events & TRIGGER_TYPE_TRUNCATE) != 0)
        add("truncate", TRIGGER_TYPE_TRUNCATE);
    if (a.is_filtered()) {
        wanted_trigger& w = add("filter", TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE);
        w.arguments = list_make2(const_cast<char*>(a.channel), const_cast<char*>("filter"));
        w.arguments = append_column_arguments(w.arguments, watched_column, table, a.columns);
        w.arguments = append_column_arguments(w.arguments, payload_column, table, a.payload_columns);
        w.arguments = append_column_arguments(w.arguments, key_column, table, a.key_columns);
        w.when = filter_clause(a);
        w.state = TRIGGER_DISABLED;
    }
    return wanted;
}

bool same_text(const char* a, const char* b) { return a == nullptr || b == nullptr ? a == b : strcmp(a, b) == 0; }

bool same_arguments(Relation table, const Trigger& t, const List* arguments) {
    if (t.tgnargs != list_length(arguments))
        return false;
    for (int i = 0; i < t.tgnargs; ++i)
        if (const auto* const wanted = static_cast<const char*>(list_nth(arguments, i));
            !same_column_argument(t.tgargs[i], wanted, RelationGetRelid(table)))
            return false;
    return true;
}

bool same_when(Relation table, const Trigger& t, const char* when) {
    if (t.tgqual == nullptr || when == nullptr)
        return t.tgqual == nullptr && when == nullptr;
    return equal(stringToNode(t.tgqual), parse_filter_clause(table, when));
}

// A constraint trigger can't be replaced by an ordinary trigger.
bool is_constraint(const Trigger& t) { return OidIsValid(t.tgconstraint); }

bool is_as_wanted(Relation table, const Trigger& t, const wanted_trigger& w) {
    return t.tgtype == w.type && t.tgnattr == 0 && same_text(t.tgoldtable, w.old_table) &&
           same_text(t.tgnewtable, w.new_table) && same_arguments(table, t, w.arguments) && same_when(table, t, w.when);
}

const char* qualified_name(Relation table) {
    return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(table)), RelationGetRelationName(table));
}

const char* create_command(const wanted_trigger& w, const char* table, bool replace) {
    StringInfoData command;
    initStringInfo(&command);
    appendStringInfo(&command, "CREATE %sTRIGGER %s AFTER", replace ? "OR REPLACE " : "", quote_identifier(w.name));
    const char* separator = " ";
    for (const auto& e : capture_events)
        if ((w.type & e.bit) != 0) {
            appendStringInfo(&command, "%s%s", separator, e.keyword);
            separator = " OR ";
        }
    appendStringInfo(&command, " ON %s", table);
    if (w.old_table != nullptr || w.new_table != nullptr)
        appendStringInfoString(&command, " REFERENCING");
    if (w.old_table != nullptr)
        appendStringInfo(&command, " OLD TABLE AS %s", w.old_table);
    if (w.new_table != nullptr)
        appendStringInfo(&command, " NEW TABLE AS %s", w.new_table);
    appendStringInfo(&command, " FOR EACH %s", TRIGGER_FOR_ROW(w.type) ? "ROW" : "STATEMENT");
    if (w.when != nullptr)
        appendStringInfo(&command, " WHEN (%s)", w.when);
    appendStringInfo(&command, " EXECUTE FUNCTION %s(", qualified_function_name(capture_function()));
    const ListCell* cell;
    separator = "";
    foreach (cell, w.arguments) {
        appendStringInfo(&command, "%s%s", separator, quote_literal_cstr(static_cast<const char*>(lfirst(cell))));
        separator = ", ";
    }
    appendStringInfoChar(&command, ')');
    return command.data;
}

const char* state_command(const wanted_trigger& w, const char* table) {
    const char* const what = w.state == TRIGGER_DISABLED       ? "DISABLE"
                             : w.state == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS"
                                                               : "ENABLE";
    return psprintf("ALTER TABLE %s %s TRIGGER %s", table, what, quote_identifier(w.name));
}

void add_drop(attachment_plan* plan, const char* trigger, const char* table) {
    plan->commands = lappend(plan->commands, psprintf("DROP TRIGGER %s ON %s", quote_identifier(trigger), table));
    plan->has_drop = true;
}

// Returns the table's triggers, as a copy.
std::span<const Trigger> triggers_of(Relation table) {
    const TriggerDesc* const all = CopyTriggerDesc(table->trigdesc);
    if (all == nullptr)
        return {};
    return {all->triggers, static_cast<std::size_t>(all->numtriggers)};
}

bool captures_into(const Trigger& t, Oid capture, std::string_view channel) {
    return t.tgfoid == capture && t.tgnargs > 0 && channel == t.tgargs[0];
}

[[noreturn]] void captured_with_its_parent(Relation table, std::string_view channel) {
    ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("table \"%s\" is attached to channel \"%s\" as a partition of another table",
                   RelationGetRelationName(table), c_string(channel)),
            errhint("Attach or detach the partitioned table."));
}

// Refuses triggers that attach() has not made and that stand in its way.
void check_others(Relation table, std::span<const Trigger> triggers, const attachment& a,
                  const wanted_triggers& wanted) {
    const Oid capture = capture_function();
    for (const Trigger& t : triggers)
        if (t.tgisclone && captures_into(t, capture, a.channel))
            captured_with_its_parent(table, a.channel);
    for (const Trigger& t : triggers) {
        const bool captures = captures_into(t, capture, a.channel);
        if (captures && !is_attachment_trigger(t.tgname, a.channel))
            ereport(
                ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
                errmsg("trigger \"%s\" of table \"%s\" captures into channel \"%s\" already", t.tgname,
                       RelationGetRelationName(table), a.channel),
                errdetail("It was not made by pgpubsub.attach(), or has been renamed since; "
                          "changes would be captured twice."),
                errhint("Remove it first: DROP TRIGGER %s ON %s.", quote_identifier(t.tgname), qualified_name(table)));
        if (!captures && wanted.has(t.tgname))
            ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
                    errmsg("trigger \"%s\" of table \"%s\" is not a capture into channel \"%s\"", t.tgname,
                           RelationGetRelationName(table), a.channel),
                    errhint("Rename it: the name is needed for a trigger of pgpubsub."));
    }
}

// Returns the names of the channels to which attach() has attached the table; null: none.
const char* attached_channels(Relation table) {
    const Oid capture = capture_function();
    List* channels = NIL;
    StringInfoData names;
    initStringInfo(&names);
    for (const Trigger& t : triggers_of(table)) {
        if (t.tgfoid != capture || t.tgisclone || t.tgnargs == 0 || !is_attachment_trigger(t.tgname, t.tgargs[0]))
            continue;
        bool is_known = false;
        const ListCell* cell;
        foreach (cell, channels)
            is_known |= strcmp(static_cast<const char*>(lfirst(cell)), t.tgargs[0]) == 0;
        if (is_known)
            continue;
        channels = lappend(channels, t.tgargs[0]);
        appendStringInfo(&names, "%s\"%s\"", names.len == 0 ? "" : ", ", t.tgargs[0]);
    }
    return names.len == 0 ? nullptr : names.data;
}

const Trigger* find_trigger(std::span<const Trigger> triggers, std::string_view name) {
    for (const Trigger& t : triggers)
        if (name == t.tgname)
            return &t;
    return nullptr;
}

// Returns whether f(partition, its triggers) is true for one of the table's partitions, at all levels.
template <typename F>
bool any_partition(Relation table, F f) {
    if (table->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
        return false;
    bool is_found = false;
    const List* const tree = find_all_inheritors(RelationGetRelid(table), NoLock, nullptr);  // with the table itself
    for (int i = 0; i < list_length(tree) && !is_found; ++i) {
        if (list_nth_oid(tree, i) == RelationGetRelid(table))
            continue;
        const Relation partition = try_relation_open(list_nth_oid(tree, i), AccessShareLock);
        if (partition == nullptr)
            continue;
        is_found = f(partition, triggers_of(partition));
        relation_close(partition, AccessShareLock);
    }
    return is_found;
}

// Refuses a table of which a partition is captured by itself.
void check_partitions(Relation table, std::string_view channel) {
    const Oid capture = capture_function();
    any_partition(table, [&](Relation partition, std::span<const Trigger> triggers) {
        for (const Trigger& t : triggers)
            if (!t.tgisclone && captures_into(t, capture, channel) && (t.tgtype & row_events) != 0)
                ereport(
                    ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("partition \"%s\" captures into channel \"%s\" already", RelationGetRelationName(partition),
                           c_string(channel)),
                    errdetail("Trigger \"%s\" does; its changes would be captured twice.", t.tgname),
                    is_attachment_trigger(t.tgname, channel)
                        ? errhint("Detach it first: SELECT pgpubsub.detach(%s, %s).",
                                  quote_literal_cstr(qualified_name(partition)), quote_literal_cstr(c_string(channel)))
                        : errhint("Remove it first: DROP TRIGGER %s ON %s.", quote_identifier(t.tgname),
                                  qualified_name(partition)));
        return false;
    });
}

// Returns whether the trigger of a partition has another state than the table's trigger must have.
bool has_partition_in_other_state(Relation table, const wanted_trigger& w) {
    return TRIGGER_FOR_ROW(w.type) && any_partition(table, [&w](Relation, std::span<const Trigger> triggers) {
               const Trigger* const clone = find_trigger(triggers, w.name);
               return clone != nullptr && clone->tgisclone && clone->tgenabled != w.state;
           });
}

}  // namespace

const char* attachment_trigger_name(std::string_view channel, const char* suffix) {
    constexpr int most = NAMEDATALEN - 1 - longest_suffix;
    char* const name = psprintf("pgpubsub_%s", c_string(channel));
    const int length = static_cast<int>(strlen(name));
    if (length <= most)
        return psprintf("%s_%s", name, suffix);
    const uint32 hash = DatumGetUInt32(
        hash_any(reinterpret_cast<const unsigned char*>(channel.data()), static_cast<int>(channel.size())));
    constexpr int hash_length = 9;
    name[pg_mbcliplen(name, length, most - hash_length)] = '\0';
    return psprintf("%s_%08x_%s", name, hash, suffix);
}

bool is_attachment_trigger(const char* name, std::string_view channel) {
    for (const char* const suffix : suffixes)
        if (strcmp(name, attachment_trigger_name(channel, suffix)) == 0)
            return true;
    return false;
}

attachment_plan plan_attach(Relation table, const attachment& a) {
    const std::span<const Trigger> triggers = triggers_of(table);
    const wanted_triggers wanted = triggers_for(table, a);
    check_others(table, triggers, a, wanted);
    if ((a.events & row_events) != 0)
        check_partitions(table, a.channel);

    attachment_plan plan{};
    const char* const table_name = qualified_name(table);
    const Oid capture = capture_function();
    for (const Trigger& t : triggers)
        if (captures_into(t, capture, a.channel) && !wanted.has(t.tgname))
            add_drop(&plan, t.tgname, table_name);
    for (const wanted_trigger& w : wanted.all()) {
        const Trigger* existing = find_trigger(triggers, w.name);
        if (existing != nullptr && is_constraint(*existing)) {
            add_drop(&plan, w.name, table_name);
            existing = nullptr;
        }
        const bool stays = existing != nullptr && is_as_wanted(table, *existing, w);
        if (!stays)
            plan.commands =
                lappend(plan.commands, const_cast<char*>(create_command(w, table_name, existing != nullptr)));
        // A trigger that is made or replaced fires in ordinary sessions.
        const char state = stays ? existing->tgenabled : TRIGGER_FIRES_ON_ORIGIN;
        if (state != w.state || (stays && has_partition_in_other_state(table, w)))
            plan.commands = lappend(plan.commands, const_cast<char*>(state_command(w, table_name)));
    }
    return plan;
}

attachment_plan plan_detach(Relation table, std::string_view channel) {
    const Oid capture = capture_function();
    attachment_plan plan{};
    const char* const table_name = qualified_name(table);
    bool has_clone = false;
    for (const Trigger& t : triggers_of(table)) {
        if (!captures_into(t, capture, channel))
            continue;
        if (t.tgisclone)
            has_clone = true;
        else if (is_attachment_trigger(t.tgname, channel))
            add_drop(&plan, t.tgname, table_name);
        else
            plan.other_trigger = t.tgname;
    }
    if (plan.commands != NIL)
        return plan;
    if (has_clone)
        captured_with_its_parent(table, channel);
    const char* const what =
        psprintf("table \"%s\" is not attached to channel \"%s\"", RelationGetRelationName(table), c_string(channel));
    if (const char* const others = attached_channels(table); plan.other_trigger == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("%s", what),
                others == nullptr ? errdetail("It is attached to no channel.")
                                  : errdetail("It is attached to %s.", others));
    ereport(
        ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("%s", what),
        errdetail("Trigger \"%s\" captures into it, but was not made by pgpubsub.attach(), or has been renamed since.",
                  plan.other_trigger),
        errhint("Remove it by DROP TRIGGER %s ON %s.", quote_identifier(plan.other_trigger), table_name));
}

}  // namespace pgpubsub
