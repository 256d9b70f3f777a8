// Which changes of a table are captured: an update only if one of some columns changed, and any change only if a
// condition holds.
#pragma once

#include "capture/capture_settings.hpp"
#include "capture/row_change.hpp"

namespace pgpubsub {

// Whether the value of a column differs between two rows to the last byte; what only lies elsewhere (TOAST) is the
// same.
bool differs(const row_change& change, Form_pg_attribute column);

// A filter as a plan keeps it, in the memory context that was current when it was made: parsed and planned, and ready
// to run if all that it calls are PostgreSQL's own functions written in C, on values of types for which these call no
// others: the equality of rows, for one, is PostgreSQL's own, and calls that of each column.
//
// What any other function leaves behind must not outlive the statement: an ERROR may stop it half-way, and a call that
// goes on from there would use what is gone; and it may change the table, so that this same filter is asked inside of
// itself. So for such a filter for_firing() makes what runs anew. It runs with search_path = pg_catalog, pg_temp, so
// that nobody decides by their own search_path what its functions do.
class change_filter {
public:
    // columns: of the table; they, and what source refers to, must live as long as the filter.
    static change_filter* make(Relation table, TupleDesc columns, const capture_filter& source);

    // The filter to ask in one firing of the trigger, in the current memory context; close() it.
    // Errors: insufficient_privilege (42501) if the current user may not execute a function of the condition.
    change_filter* for_firing();
    void close();

    // Errors: what the condition reports.
    bool passes(const row_change& change);

private:
    struct watched_column {
        Form_pg_attribute attribute;
        Oid equality;  // InvalidOid: there is none
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
    // Of what runs:
    ExprState* condition_;
    ExprContext* expression_context_;
    TupleTableSlot* null_row_;
};
static_assert(survives_longjmp<change_filter>);

}  // namespace pgpubsub
