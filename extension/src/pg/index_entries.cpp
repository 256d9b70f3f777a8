#include "pg/index_entries.hpp"

#include "pg/compat.hpp"
#include "pg/guc_scope.hpp"

namespace pgpubsub {
namespace {

template <typename F>
void as_owner(Oid owner, F f) {
    static_assert(survives_longjmp<F>);
    Oid caller;
    int context;
    GetUserIdAndSecContext(&caller, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_RESTRICTED_OPERATION);
    with_settings(safe_search_path, [&f] {
        f();
        return true;
    });
    SetUserIdAndSecContext(caller, context);
}

// Returns whether the index evaluates anything that may not be PostgreSQL's own. A predicate on nulls, as our indexes
// have, is PostgreSQL's own.
bool evaluates_others(const IndexInfo& index) {
    if (index.ii_Expressions != NIL)
        return true;
    const ListCell* cell;
    foreach (cell, index.ii_Predicate)
        if (!IsA(lfirst(cell), NullTest))
            return true;
    return false;
}

}  // namespace

index_entries index_entries::open(Relation table) {
    index_entries entries{};
    entries.owner_ = table->rd_rel->relowner;
    entries.estate_ = CreateExecutorState();
    entries.target_ = with_context(entries.estate_->es_query_cxt, [table] {
        ResultRelInfo* const info = makeNode(ResultRelInfo);
        InitResultRelInfo(info, table, 0, nullptr, 0);
        ExecOpenIndices(info, false);
        return info;
    });
    for (int i = 0; i < entries.target_->ri_NumIndices; ++i)
        entries.evaluates_ |= evaluates_others(*entries.target_->ri_IndexRelationInfo[i]);
    return entries;
}

void index_entries::insert(TupleTableSlot* slot, bool only_summarizing) {
    if (target_->ri_NumIndices == 0)
        return;
    if (evaluates_)
        as_owner(owner_, [&] { executor_insert_index_entries(target_, slot, estate_, only_summarizing); });
    else
        executor_insert_index_entries(target_, slot, estate_, only_summarizing);
    ResetPerTupleExprContext(estate_);
}

void index_entries::close() {
    ExecCloseIndices(target_);
    FreeExecutorState(estate_);
}

}  // namespace pgpubsub
