// Writes index entries by the executor, for rows of our tables that the library writes without SQL.
//
// Guarantee: only PostgreSQL's own code runs with the rights of the session that writes the row. An index that somebody
// has added may have an expression or a predicate, which may call functions of the table's owner. But the row is
// written by any publisher, perhaps a superuser, or by the worker. So such expressions and predicates are evaluated as
// PostgreSQL 17 evaluates them in maintenance:
// - as the table's owner;
// - in a security-restricted operation;
// - with search_path set to pg_catalog, pg_temp.
//
// The owner's functions get no rights of the caller. The caller can't lead them astray by settings that resolve names.
// An index that runs only PostgreSQL's own code needs none of this, and is written directly.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

class index_entries {
public:
    // The table must stay open and locked.
    static index_entries open(Relation table);
    // Makes the entries of the row in the slot. The row must be stored already. only_summarizing: makes only those of
    // indexes that summarize many rows.
    void insert(TupleTableSlot* slot, bool only_summarizing = false);
    void close();

private:
    EState* estate_;
    ResultRelInfo* target_;
    bool evaluates_;
    Oid owner_;
};
static_assert(survives_longjmp<index_entries>);

}  // namespace pgpubsub
