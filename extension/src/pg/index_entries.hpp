// The executor's way into the indexes of one of our tables, for rows that the library writes without SQL.
//
// Guarantee: what runs nobody's code but PostgreSQL's runs as it is. An index that somebody has added may have an
// expression or a predicate, and so call functions of the table's owner, while whoever publishes, a superuser among
// them, or the worker, writes the row. So these are evaluated as PostgreSQL 17 does it in maintenance: as the table's
// owner, in a security-restricted operation, with search_path set to pg_catalog, pg_temp. The owner's functions get no
// rights of the caller's; and the caller can lead none of them astray by settings of names.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

class index_entries {
public:
    // The table must stay open and locked.
    static index_entries open(Relation table);
    // Makes the entries of the row in the slot, which is stored. only_summarizing: those of indexes that sum up many
    // rows.
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
