// Rows as JSON: the same as to_jsonb(row) gives, but for what to_jsonb refuses.
//
// A value of the type json that jsonb can't hold (see json_text.hpp) becomes a JSON string of its text, so that no
// INSERT of a user fails for it. What is known of a type or a row type is remembered for the session, until an
// invalidation says that something has changed.
#pragma once

#include "jsonb_builder.hpp"
#include "pg.hpp"

namespace pgpubsub {

// Registers the callbacks that keep what is remembered up to date. Called once, when the library is loaded.
void watch_row_facts();

// Adds the row as a JSON object, a member for each column that isn't dropped.
void add_row(jsonb_builder& json, HeapTuple tuple, TupleDesc columns);

// Adds the value of one column alone.
void add_column(jsonb_builder& json, HeapTuple tuple, TupleDesc columns, AttrNumber column);

}  // namespace pgpubsub
