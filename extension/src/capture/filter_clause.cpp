#include "capture/filter_clause.hpp"

#include "channel/catalog.hpp"

namespace pgpubsub {
namespace {

// Makes the parser's errors show the condition, and not the command that called attach().
void tell_of_condition(void* condition) {
    const int position = geterrposition();
    if (position > 0) {
        errposition(0);
        internalerrposition(position);
        internalerrquery(static_cast<const char*>(condition));
    }
    if (geterrcode() == ERRCODE_AMBIGUOUS_COLUMN)
        errhint("Write OLD.column or NEW.column.");
    errcontext("argument \"condition\" of pgpubsub.attach()");
}

// Runs f, and reports its errors as errors of the condition. After an ERROR, the handler that catches it restores the
// stack of callbacks.
template <typename F>
void as_condition(const char* condition, F f) {
    ErrorContextCallback callback = {error_context_stack, tell_of_condition, const_cast<char*>(condition)};
    error_context_stack = &callback;
    f();
    error_context_stack = callback.previous;
}

// Returns the expression of "SELECT expression"; null if the text is anything else, or empty.
Node* only_expression(const char* text) {
    const List* const parsed = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);
    const auto* const select = castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt);
    const bool has_clauses = select->distinctClause != NIL || select->intoClause != nullptr ||
                             select->fromClause != NIL || select->whereClause != nullptr ||
                             select->groupClause != NIL || select->havingClause != nullptr ||
                             select->windowClause != NIL || select->valuesLists != NIL || select->sortClause != NIL ||
                             select->limitOffset != nullptr || select->limitCount != nullptr ||
                             select->lockingClause != NIL || select->withClause != nullptr || select->op != SETOP_NONE;
    if (has_clauses || list_length(select->targetList) != 1)
        return nullptr;
    const auto* const target = linitial_node(ResTarget, select->targetList);
    const bool is_star =
        IsA(target->val, ColumnRef) && IsA(linitial(reinterpret_cast<const ColumnRef*>(target->val)->fields), A_Star);
    return target->name != nullptr || target->indirection != NIL || is_star ? nullptr : target->val;
}

// Does the same as CreateTrigger().
Node* transform(Relation table, Node* expression, const char* text, const char* what) {
    ParseState* const state = make_parsestate(nullptr);
    state->p_sourcetext = text;
    for (const char* const name : {"old", "new"}) {
        ParseNamespaceItem* const row =
            addRangeTableEntryForRelation(state, table, AccessShareLock, makeAlias(name, NIL), false, false);
        addNSItemToQuery(state, row, false, true, true);
    }
    Node* const result = transformWhereClause(state, expression, EXPR_KIND_TRIGGER_WHEN, what);
    assign_expr_collations(state, result);
    free_parsestate(state);
    return result;
}

}  // namespace

void check_condition(Relation table, const char* condition) {
    as_condition(condition, [&] {
        Node* const expression = only_expression(condition);
        if (expression == nullptr)
            ereport(ERROR, errcode(ERRCODE_SYNTAX_ERROR), errmsg("argument \"condition\" is not one expression"),
                    errdetail("It is \"%s\".", condition),
                    errhint("Pass a boolean expression over OLD and NEW, as in NEW.price > OLD.price."));
        const AttrNumber system_column = system_column_in(transform(table, expression, condition, "condition"));
        if (system_column != InvalidAttrNumber)
            ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("argument \"condition\" refers to a system column"),
                    errdetail("A capture sees just the columns of a row, and not its \"%s\".",
                              NameStr(SystemAttributeDefinition(system_column)->attname)));
    });
}

// The line break ends a comment at the end of the condition.
const char* filter_clause(const attachment& a) {
    if (a.condition == nullptr)
        return "false";
    return psprintf("(false AND %s(condition => (%s\n))) IS TRUE",
                    qualified_function_name(our_catalog().capture_filter_function), a.condition);
}

Node* parse_filter_clause(Relation table, const char* clause) {
    return transform(table, only_expression(clause), clause, "WHEN");
}

}  // namespace pgpubsub
