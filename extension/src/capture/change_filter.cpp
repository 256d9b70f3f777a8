// The condition is evaluated as PostgreSQL evaluates the WHEN of a trigger (TriggerEnabled in trigger.c), with two
// differences: a row of nulls stands for a missing OLD or NEW, and the condition is planned once for a session instead
// of once for each statement.
#include "capture/change_filter.hpp"

#include "capture/equality.hpp"
#include "json/type_facts.hpp"
#include "pg/compat.hpp"
#include "pg/guc_scope.hpp"

namespace pgpubsub {
namespace {

// Returns whether a function may run code that is not PostgreSQL's own. Such code may keep a state, raise any error,
// and change this very table.
bool is_foreign(Oid function, void*) {
    const HeapTuple row = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(row))
        return true;
    const bool is_internal = reinterpret_cast<Form_pg_proc>(GETSTRUCT(row))->prolang == INTERNALlanguageId;
    ReleaseSysCache(row);
    return !is_internal || function >= FirstNormalObjectId;
}

bool has_foreign_operators(Oid type) {
    const TypeCacheEntry& known = *lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_CMP_PROC | TYPECACHE_HASH_PROC);
    return (OidIsValid(known.eq_opr) && is_foreign(get_opcode(known.eq_opr), nullptr)) ||
           (OidIsValid(known.cmp_proc) && is_foreign(known.cmp_proc, nullptr)) ||
           (OidIsValid(known.hash_proc) && is_foreign(known.hash_proc, nullptr));
}

// Returns whether a function of PostgreSQL's own may run other code for a value of this type: comparing, hashing or
// printing a row, an array or a range calls the functions of its parts. Among row types, only the table's own is looked
// into, because the plan is made anew when the table is changed.
bool may_run_foreign_code(Oid type, Relation table) {
    const Oid base = getBaseType(type);
    if (OidIsValid(base) && base == table->rd_rel->reltype) {
        const TupleDesc columns = RelationGetDescr(table);
        for (int i = 0; i < columns->natts; ++i)
            if (const Form_pg_attribute column = TupleDescAttr(columns, i);
                !column->attisdropped && may_run_foreign_code(column->atttypid, table))
                return true;
        return false;
    }
    if (const Oid element = get_element_type(base); OidIsValid(element))
        return may_run_foreign_code(element, table);
    const char kind = get_typtype(base);
    if (kind == TYPTYPE_ENUM)
        return false;
    const bool is_plain = kind == TYPTYPE_BASE || kind == TYPTYPE_RANGE || kind == TYPTYPE_MULTIRANGE;
    return base >= FirstNormalObjectId || !is_plain || has_foreign_operators(base);
}

// A domain may check values with any function.
bool has_foreign_code(Node* node, void* relation) {
    if (node == nullptr)
        return false;
    const auto table = static_cast<Relation>(relation);
    if (IsA(node, CoerceToDomain) || check_functions_in_node(node, is_foreign, nullptr))
        return true;
    if (!IsA(node, List) && !IsA(node, CaseWhen) && may_run_foreign_code(exprType(node), table))
        return true;
    // Only one value of the row is used.
    if (IsA(node, FieldSelect) && IsA(castNode(FieldSelect, node)->arg, Var))
        return false;
    return walk_expression(node, has_foreign_code, relation);
}

// The planner removes the check of a domain without constraints; therefore the types are watched.
bool watch_types(Node* node, void* none) {
    if (node == nullptr)
        return false;
    if (!IsA(node, List) && !IsA(node, CaseWhen))
        watch_type(exprType(node));
    return walk_expression(node, watch_types, none);
}

// Returns whether both values are at the same place in the TOAST table.
bool same_toast(Datum a, Datum b) {
    const auto* const left = DatumGetPointer(a);
    const auto* const right = DatumGetPointer(b);
    return VARATT_IS_EXTERNAL_ONDISK(left) && VARATT_IS_EXTERNAL_ONDISK(right) &&
           memcmp(left, right, VARSIZE_EXTERNAL(left)) == 0;
}

}  // namespace

bool differs(const row_change& change, Form_pg_attribute column) {
    const int i = column->attnum - 1;
    const bool was_null = change.old_row->tts_isnull[i];
    if (was_null || change.new_row->tts_isnull[i])
        return was_null != change.new_row->tts_isnull[i];
    const Datum before = change.old_row->tts_values[i];
    const Datum after = change.new_row->tts_values[i];
    if (column->attlen == -1 && same_toast(before, after))
        return false;
    return !datum_image_eq(before, after, column->attbyval, column->attlen);
}

change_filter* change_filter::make(Relation table, TupleDesc columns, const capture_filter& source) {
    auto* const filter = static_cast<change_filter*>(palloc0(sizeof(change_filter)));
    filter->format_ = columns;
    filter->is_self_contained_ = true;
    const auto count = static_cast<std::size_t>(list_length(source.columns));
    filter->columns_ = {static_cast<watched_column*>(palloc0(Max(count, 1) * sizeof(watched_column))), count};
    for (std::size_t i = 0; i < count; ++i) {
        watched_column& watched = filter->columns_[i];
        watched.attribute = TupleDescAttr(columns, list_nth_int(source.columns, static_cast<int>(i)) - 1);
        if (may_run_foreign_code(watched.attribute->atttypid, table))
            filter->is_self_contained_ = false;
    }
    if (source.condition != nullptr) {
        Node* const condition = prepared_trigger_condition(source.condition, table);
        ChangeVarNodes(condition, PRS2_OLD_VARNO, INNER_VAR, 0);
        ChangeVarNodes(condition, PRS2_NEW_VARNO, OUTER_VAR, 0);
        // A function that is not immutable may depend on search_path.
        watch_types(condition, nullptr);
        if (has_foreign_code(condition, table) || contain_mutable_functions(condition))
            filter->is_self_contained_ = false;
        // Planning reads the bodies of SQL functions.
        filter->planned_ = with_settings(
            safe_search_path, [condition] { return expression_planner(reinterpret_cast<Expr*>(condition)); });
    }
    if (filter->is_self_contained_)
        filter->make_ready_to_run();
    return filter;
}

void change_filter::make_ready_to_run() {
    // The equality is looked up anew each time if a type that is part of the column's type may have changed: no
    // invalidation reports that.
    for (watched_column& watched : columns_)
        if ((watched.equality = equality_of(watched.attribute->atttypid)); OidIsValid(watched.equality))
            fmgr_info(watched.equality, &watched.function);
    if (planned_ == nullptr)
        return;
    condition_ = ExecInitExpr(planned_, nullptr);
    expression_context_ = CreateStandaloneExprContext();
    null_row_ = MakeSingleTupleTableSlot(format_, &TTSOpsVirtual);
    ExecStoreAllNullTuple(null_row_);
}

change_filter* change_filter::for_firing() {
    if (is_self_contained_)
        return this;
    auto* const copy = static_cast<change_filter*>(palloc(sizeof(change_filter)));
    *copy = *this;
    copy->columns_ = {static_cast<watched_column*>(palloc(Max(columns_.size(), 1) * sizeof(watched_column))),
                      columns_.size()};
    memcpy(copy->columns_.data(), columns_.data(), columns_.size_bytes());
    copy->make_ready_to_run();
    return copy;
}

void change_filter::close() {
    if (!is_self_contained_ && expression_context_ != nullptr)
        FreeExprContext(expression_context_, true);
}

bool change_filter::is_distinct(const row_change& change, watched_column* watched) {
    if (!differs(change, watched->attribute))
        return false;
    const int i = watched->attribute->attnum - 1;
    if (!OidIsValid(watched->equality) || change.old_row->tts_isnull[i] || change.new_row->tts_isnull[i])
        return true;
    return !DatumGetBool(FunctionCall2Coll(&watched->function, watched->attribute->attcollation,
                                           change.old_row->tts_values[i], change.new_row->tts_values[i]));
}

bool change_filter::any_column_changed(const row_change& change) {
    for (watched_column& watched : columns_)
        if (is_distinct(change, &watched))
            return true;
    return false;
}

bool change_filter::condition_holds(const row_change& change) {
    expression_context_->ecxt_innertuple = change.old_row != nullptr ? change.old_row : null_row_;
    expression_context_->ecxt_outertuple = change.new_row != nullptr ? change.new_row : null_row_;
    bool is_null;
    const Datum holds = ExecEvalExprSwitchContext(condition_, expression_context_, &is_null);
    ResetExprContext(expression_context_);
    return !is_null && DatumGetBool(holds);
}

bool change_filter::decide(const row_change& change) {
    if (change.what == operation::update && !columns_.empty() && !any_column_changed(change))
        return false;
    return condition_ == nullptr || condition_holds(change);
}

bool change_filter::passes(const row_change& change) {
    return is_self_contained_ ? decide(change)
                              : with_settings(safe_search_path, [this, &change] { return decide(change); });
}

}  // namespace pgpubsub
