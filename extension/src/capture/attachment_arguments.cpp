#include "capture/attachment_arguments.hpp"

#include "capture/filter_clause.hpp"
#include "capture/row_key.hpp"
#include "channel/arguments.hpp"
#include "channel/channel_settings.hpp"
#include "pg/compat.hpp"

namespace pgpubsub {
namespace {

using at = attach_arguments;

// Returns the elements of a text[] argument, none of them null; empty if the argument is null.
std::span<const std::string_view> names_argument(FunctionCallInfo fcinfo, int index, const char* name,
                                                 const char* element) {
    if (PG_ARGISNULL(index))
        return {};
    Datum* values;
    bool* nulls;
    int count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(index), TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
    if (count == 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"%s\" names no %s", name, element));
    auto* const names = static_cast<std::string_view*>(palloc(count * sizeof(std::string_view)));
    for (int i = 0; i < count; ++i) {
        if (nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                    errmsg("argument \"%s\" must not contain null", name));
        names[i] = view_of(DatumGetTextPP(values[i]));
    }
    return {names, static_cast<std::size_t>(count)};
}

int16 events_argument(FunctionCallInfo fcinfo, Relation table) {
    int16 asked = 0;
    for (const std::string_view name : names_argument(fcinfo, at::events, "events", "event")) {
        int16 bit = 0;
        for (const auto& e : capture_events)
            if (name == e.name)
                bit = e.bit;
        if (bit == 0)
            ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("unrecognized event \"%s\"", c_string(name)),
                    errhint("The events are \"insert\", \"update\", \"delete\" and \"truncate\"."));
        asked |= bit;
    }
    if ((asked & TRIGGER_TYPE_TRUNCATE) != 0 && table->rd_rel->relkind == RELKIND_FOREIGN_TABLE &&
        !foreign_tables_have_truncate_triggers)
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot capture \"truncate\" of \"%s\": it is a foreign table", RelationGetRelationName(table)),
                errdetail("PostgreSQL has no TRUNCATE triggers on foreign tables before version 16."));
    return asked == 0 ? row_events : asked;
}

// Returns the numbers of the columns that an argument names; NIL if it is null.
List* columns_argument(FunctionCallInfo fcinfo, int index, const char* name, Relation table) {
    List* numbers = NIL;
    for (const std::string_view column : names_argument(fcinfo, index, name, "column")) {
        char* const text = c_string(column);
        // get_attnum() leaves out the internal names of dropped columns, for which nobody would ask.
        const AttrNumber number = get_attnum(RelationGetRelid(table), text);
        if (number == InvalidAttrNumber)
            ereport(ERROR, errcode(ERRCODE_UNDEFINED_COLUMN),
                    errmsg("column \"%s\" of table \"%s\" does not exist", text, RelationGetRelationName(table)),
                    errcontext("argument \"%s\" of pgpubsub.attach()", name));
        if (number < 0)
            ereport(ERROR, errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
                    errmsg("column \"%s\" of table \"%s\" is a system column", text, RelationGetRelationName(table)),
                    errcontext("argument \"%s\" of pgpubsub.attach()", name));
        if (is_virtual(*TupleDescAttr(RelationGetDescr(table), number - 1)))
            ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("column \"%s\" of table \"%s\" is a virtual generated column", text,
                           RelationGetRelationName(table)),
                    errdetail("A row that is captured has no value of it."),
                    errhint("Name the columns that it is generated from, or use it in the condition."),
                    errcontext("argument \"%s\" of pgpubsub.attach()", name));
        if (list_member_int(numbers, number))
            ereport(ERROR, errcode(ERRCODE_DUPLICATE_COLUMN), errmsg("column \"%s\" is named more than once", text),
                    errcontext("argument \"%s\" of pgpubsub.attach()", name));
        numbers = lappend_int(numbers, number);
    }
    return numbers;
}

payload_choice payload_argument(FunctionCallInfo fcinfo) {
    if (PG_ARGISNULL(at::payload))
        return payload_choice::full;
    const std::string_view name = view_of(PG_GETARG_TEXT_PP(at::payload));
    if (payload_choice result; parse_payload(name, &result))
        return result;
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized payload \"%s\"", c_string(name)),
            errhint("The payloads are \"full\", \"new\", \"changed\" and \"key\"."));
}

bool wants_rows(FunctionCallInfo fcinfo) {
    const std::string_view name =
        PG_ARGISNULL(at::granularity) ? "statement" : view_of(PG_GETARG_TEXT_PP(at::granularity));
    if (name != "statement" && name != "row")
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("unrecognized granularity \"%s\"", c_string(name)),
                errhint("The granularities are \"statement\" and \"row\"."));
    return name == "row";
}

// Returns why statement-level triggers can't be used; null if they can.
const char* why_by_row(Relation table, bool is_always) {
    const FormData_pg_class& facts = *table->rd_rel;
    if (facts.relkind == RELKIND_PARTITIONED_TABLE)
        return "It is partitioned: a statement-level trigger would miss what is written into a partition by its own "
               "name.";
    if (facts.relispartition)
        return "It is a partition: a statement-level trigger would miss what is written into the partitioned table.";
    if (facts.relkind == RELKIND_FOREIGN_TABLE)
        return "It is a foreign table, for which PostgreSQL has no transition tables.";
    if (has_superclass(RelationGetRelid(table)))
        return "It inherits from another table: a statement-level trigger would miss what is written through that one.";
    if (facts.relhassubclass && find_inheritance_children(RelationGetRelid(table), NoLock) != NIL)
        return "Other tables inherit from it: a statement-level trigger would take their rows for its own.";
    if (is_always)
        return "With always => true, logical replication's changes are captured, and it fires row-level triggers only.";
    return nullptr;
}

// Checks that no argument is given that has no meaning for TRUNCATE.
void check_only_truncate(const attachment& a) {
    const char* const name = a.columns != NIL                    ? "columns"
                             : a.condition != nullptr            ? "condition"
                             : a.payload != payload_choice::full ? "payload"
                             : a.payload_columns != NIL          ? "payload_columns"
                             : a.key_columns != NIL              ? "key_columns"
                                                                 : nullptr;
    if (name != nullptr)
        contradicting_arguments(name, "events",
                                "The only event is truncate, whose notification has neither row nor key.");
}

void check_agreement(const attachment& a, Relation table) {
    if ((a.events & row_events) == 0)
        check_only_truncate(a);
    if (a.columns != NIL && (a.events & TRIGGER_TYPE_UPDATE) == 0)
        contradicting_arguments("columns", "events",
                                "The columns say which updates are captured, and update is not among the events.");
    if (a.payload == payload_choice::key && a.payload_columns != NIL)
        contradicting_arguments("payload_columns", "payload",
                                "With payload => 'key', the rows hold the key columns only.");
    if (a.payload == payload_choice::key && a.key_columns == NIL && default_key_columns(table).count == 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("argument \"payload\" is 'key', but table \"%s\" has no key", RelationGetRelationName(table)),
                errdetail("It has neither a primary key nor an index as its replica identity."),
                errhint("Name the columns of the key in \"key_columns\"."));
}

}  // namespace

attachment attachment_arguments(FunctionCallInfo fcinfo, Relation table, const char* channel) {
    attachment a{};
    a.channel = channel;
    a.events = events_argument(fcinfo, table);
    a.columns = columns_argument(fcinfo, at::columns, "columns", table);
    a.payload = payload_argument(fcinfo);
    a.payload_columns = columns_argument(fcinfo, at::payload_columns, "payload_columns", table);
    a.key_columns = columns_argument(fcinfo, at::key_columns, "key_columns", table);
    a.always = !PG_ARGISNULL(at::always) && PG_GETARG_BOOL(at::always);
    a.condition = PG_ARGISNULL(at::condition) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(at::condition));
    a.by_row = wants_rows(fcinfo);
    check_agreement(a, table);
    if (a.condition != nullptr)
        check_condition(table, a.condition);
    if (!a.by_row && (a.events & row_events) != 0) {
        a.why_by_row = why_by_row(table, a.always);
        a.by_row = a.why_by_row != nullptr;
    }
    return a;
}

}  // namespace pgpubsub
