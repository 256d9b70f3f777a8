// Reads a row of the tables of channels, subscriptions and rights (table_columns.hpp).
#pragma once

#include "pg/interval.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

struct table_row {
    HeapTuple tuple;
    TupleDesc columns;

    Datum get(AttrNumber column) const {
        bool null;
        return heap_getattr(tuple, column, columns, &null);
    }
    bool is_null(AttrNumber column) const { return heap_attisnull(tuple, column, columns); }
    std::string_view get_text(AttrNumber column) const { return view_of(DatumGetTextPP(get(column))); }
    int64 get_microseconds(AttrNumber column) const { return microseconds_of(*DatumGetIntervalP(get(column))); }

    void copy_name(AttrNumber column, char (&to)[NAMEDATALEN]) const {
        const std::string_view name = get_text(column);
        const std::size_t bytes = Min(name.size(), sizeof to - 1);
        memcpy(to, name.data(), bytes);
        to[bytes] = '\0';
    }
};

}  // namespace pgpubsub
