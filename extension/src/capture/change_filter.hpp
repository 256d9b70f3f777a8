// Which changes of a table are captured: an update only if one of the given columns changed, and any change only if a
// condition holds.
#pragma once

#include "capture/capture_settings.hpp"
#include "capture/row_change.hpp"

namespace pgpubsub {

// Returns whether the value of a column differs between two rows in any byte. A value that only lies at another place
// (TOAST) is the same.
bool differs(const row_change& change, Form_pg_attribute column);

// A filter as a plan keeps it, in the memory context that was current when it was made. It is parsed and planned. It is
// also ready to run if it calls only PostgreSQL's own functions written in C, on values of types for which these call
// no others. (For example, the equality of rows is PostgreSQL's own, and calls the equality of each column.)
//
// The state of any other function must not outlive the statement, for two reasons. An ERROR may stop the function
// half-way, and a later call that continues from there would use freed memory. And the function may change the table,
// so that this same filter is called inside itself. Therefore, for such a filter, for_firing() makes the running part
// anew. It runs with search_path = pg_catalog, pg_temp, so that no user can choose by search_path what its functions
// do.
class change_filter {
public:
    // Makes a filter. `columns` are those of the table. They, and all that `source` refers to, must live as long as the
    // filter.
    static change_filter* make(Relation table, TupleDesc columns, const capture_filter& source);

    // Returns the filter to use in one firing of the trigger, in the current memory context; close() it.
    // Errors: insufficient_privilege (42501) if the current user may not execute a function of the condition.
    change_filter* for_firing();
    void close();

    // Returns whether the change passes. Errors: those that the condition reports.
    bool passes(const row_change& change);

private:
    struct watched_column {
        Form_pg_attribute attribute;
        Oid equality;  // InvalidOid: none
        FmgrInfo function;
    };

    void make_ready_to_run();
    bool is_distinct(const row_change& change, watched_column* watched);
    bool any_column_changed(const row_change& change);
    bool condition_holds(const row_change& change);
    bool decide(const row_change& change);

    TupleDesc format_;
    std::span<watched_column> columns_;
    Expr* planned_;  // the condition; null: none
    bool is_self_contained_;
    // The running part:
    ExprState* condition_;
    ExprContext* expression_context_;
    TupleTableSlot* null_row_;
};
static_assert(survives_longjmp<change_filter>);

}  // namespace pgpubsub
