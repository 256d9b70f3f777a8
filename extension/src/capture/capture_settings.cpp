#include "capture/capture_settings.hpp"

#include "capture/filter_columns.hpp"
#include "channel/catalog.hpp"
#include "pg/compat.hpp"

namespace pgpubsub {
namespace {

constexpr struct {
    payload_choice choice;
    const char* name;
} payloads[] = {{payload_choice::full, "full"},
                {payload_choice::newest, "new"},
                {payload_choice::changed, "changed"},
                {payload_choice::key, "key"}};

constexpr std::string_view payload_prefix = "payload=";

bool read_payload(std::string_view argument, payload_choice* result) {
    if (!argument.starts_with(payload_prefix))
        return false;
    argument.remove_prefix(payload_prefix.size());
    return parse_payload(argument, result);
}

bool is_null_constant(const Node* node) {
    return IsA(node, Const) && reinterpret_cast<const Const*>(node)->constisnull;
}

// Reads ROW(NEW.a, NEW.b) as the numbers of a and b. Null stands for a list that is not given.
bool read_columns(Node* argument, List** result) {
    if (is_null_constant(argument))
        return true;
    if (!IsA(argument, RowExpr))
        return false;
    ListCell* cell;
    foreach (cell, castNode(RowExpr, argument)->args) {
        const auto* const var = static_cast<const Var*>(lfirst(cell));
        if (!IsA(var, Var) || var->varattno <= 0 || list_member_int(*result, var->varattno))
            return false;
        *result = lappend_int(*result, var->varattno);
    }
    return *result != NIL;
}

bool find_system_column(Node* node, void* found) {
    if (node == nullptr)
        return false;
    if (IsA(node, Var) && castNode(Var, node)->varattno < 0) {
        *static_cast<AttrNumber*>(found) = castNode(Var, node)->varattno;
        return true;
    }
    return walk_expression(node, find_system_column, found);
}

// Null is a condition too; it is never true.
bool read_condition(Node* argument, Node** result) {
    if (exprType(argument) != BOOLOID || system_column_in(argument) != InvalidAttrNumber)
        return false;
    *result = argument;
    return true;
}

bool is_false_constant(const Node* node) {
    if (!IsA(node, Const))
        return false;
    const auto& c = *reinterpret_cast<const Const*>(node);
    return c.consttype == BOOLOID && !c.constisnull && !DatumGetBool(c.constvalue);
}

// Reads the arguments of capture_filter(), positional or by name.
bool read_arguments(List* arguments, capture_filter* result) {
    int position = 0;
    ListCell* cell;
    foreach (cell, arguments) {
        auto* argument = static_cast<Node*>(lfirst(cell));
        int number = position++;
        if (IsA(argument, NamedArgExpr)) {
            number = castNode(NamedArgExpr, argument)->argnumber;
            argument = reinterpret_cast<Node*>(castNode(NamedArgExpr, argument)->arg);
        }
        const bool is_read = number == 0   ? read_condition(argument, &result->condition)
                             : number == 1 ? read_columns(argument, &result->columns)
                             : number == 2 ? read_columns(argument, &result->payload_columns)
                             : number == 3 ? read_columns(argument, &result->key_columns)
                                           : false;
        if (!is_read)
            return false;
    }
    return true;
}

// A column can't be dropped without its trigger, but the numbers of a list are used as array indexes, so they are
// checked.
bool are_columns_of(const List* columns, TupleDesc desc) {
    const ListCell* cell;
    foreach (cell, columns)
        if (lfirst_int(cell) > desc->natts || TupleDescAttr(desc, lfirst_int(cell) - 1)->attisdropped ||
            is_virtual(*TupleDescAttr(desc, lfirst_int(cell) - 1)))
            return false;
    return true;
}

bool is_filter_for(const Trigger& trigger, Oid capture, std::string_view channel, capture_settings* settings) {
    const char* problem;
    return trigger.tgfoid == capture &&
           read_settings({trigger.tgargs, static_cast<std::size_t>(trigger.tgnargs)}, settings, &problem) &&
           settings->is_filter && channel == settings->channel;
}

// Looking up columns may rebuild the relcache entry of the relation.
std::span<char* const> copy_of(std::span<char* const> arguments) {
    auto** const copy = static_cast<char**>(palloc(Max(arguments.size(), 1) * sizeof(char*)));
    for (std::size_t i = 0; i < arguments.size(); ++i)
        copy[i] = pstrdup(arguments[i]);
    return {copy, arguments.size()};
}

const char* not_taken(const char* argument) {
    return psprintf("pgpubsub.capture() does not take the argument \"%s\" here", argument);
}

}  // namespace

AttrNumber system_column_in(Node* expression) {
    AttrNumber found = InvalidAttrNumber;
    find_system_column(expression, &found);
    return found;
}

bool parse_payload(std::string_view name, payload_choice* result) {
    for (const auto& p : payloads)
        if (name == p.name) {
            *result = p.choice;
            return true;
        }
    return false;
}

const char* payload_name(payload_choice p) { return payloads[static_cast<int>(p)].name; }

bool read_settings(std::span<char* const> arguments, capture_settings* result, const char** problem) {
    *result = {};
    if (arguments.empty()) {
        *problem = "pgpubsub.capture() needs an argument, the channel";
        return false;
    }
    result->channel = arguments[0];
    if (arguments.size() > 1 && strcmp(arguments[1], "filter") == 0) {
        result->is_filter = true;
        result->columns = arguments.subspan(2);
        for (const char* const argument : result->columns)
            if (!is_column_argument(argument)) {
                *problem = not_taken(argument);
                return false;
            }
        return true;
    }
    bool has_payload = false;
    for (const std::string_view argument : arguments.subspan(1)) {
        bool is_known;
        if (argument == "filtered")
            is_known = !result->filtered && (result->filtered = true);
        else
            is_known = !has_payload && (has_payload = read_payload(argument, &result->payload));
        if (!is_known) {
            *problem = not_taken(argument.data());
            return false;
        }
    }
    return true;
}

capture_settings settings_of(const Trigger& trigger) {
    capture_settings settings;
    const char* problem;
    if (!read_settings({trigger.tgargs, static_cast<std::size_t>(trigger.tgnargs)}, &settings, &problem))
        elog(ERROR, "%s", problem);
    return settings;
}

bool read_filter(const char* when, capture_filter* result) {
    *result = {};
    const auto* const node = static_cast<const Node*>(stringToNode(when));
    if (node != nullptr && is_false_constant(node))
        return true;
    if (node == nullptr || !IsA(node, BooleanTest))
        return false;
    const auto& test = *reinterpret_cast<const BooleanTest*>(node);
    if (test.booltesttype != IS_TRUE || !IsA(test.arg, BoolExpr))
        return false;
    const auto& both = *reinterpret_cast<const BoolExpr*>(test.arg);
    if (both.boolop != AND_EXPR || list_length(both.args) != 2)
        return false;
    const auto* const first = static_cast<const Node*>(linitial(both.args));
    const auto* const second = static_cast<const Node*>(lsecond(both.args));
    if (!is_false_constant(first) || !IsA(second, FuncExpr))
        return false;
    const auto& call = *reinterpret_cast<const FuncExpr*>(second);
    return call.funcid == our_catalog().capture_filter_function && read_arguments(call.args, result);
}

bool find_filter(Relation table, const char* channel, capture_filter* result) {
    const Oid capture = capture_function();  // first, because a look-up may rebuild the table's relcache entry
    const TriggerDesc* const triggers = table->trigdesc;
    const TupleDesc columns = RelationGetDescr(table);
    for (int i = 0; triggers != nullptr && i < triggers->numtriggers; ++i) {
        const Trigger& t = triggers->triggers[i];
        capture_settings settings;
        if (t.tgqual != nullptr && is_filter_for(t, capture, channel, &settings) && read_filter(t.tgqual, result) &&
            are_columns_of(result->columns, columns) && are_columns_of(result->payload_columns, columns) &&
            are_columns_of(result->key_columns, columns)) {
            read_column_arguments(copy_of(settings.columns), RelationGetRelid(table), result);
            return true;
        }
    }
    *result = {};
    return false;
}

Oid capture_function() { return our_catalog().capture_function; }

}  // namespace pgpubsub

// This function stands only where it is never called: in the WHEN of a filter trigger.
PGPUBSUB_FUNCTION(pgpubsub_capture_filter) {
    ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("pgpubsub.capture_filter() was called"),
            errhint("It only holds the filter in a trigger that pgpubsub.attach() has made."));
}
