// Turns rows into JSON.
//
// Guarantees:
// - The result is that of to_jsonb(row), except for values that to_jsonb refuses.
// - No INSERT of a user fails because of such a value. A value of the type json that jsonb can't hold (see
//   json_text.hpp) becomes a JSON string of its text. A value that would make the whole too large becomes null.
//
// Temporary memory of the calls is left in the current memory context, which the caller empties now and then.
#pragma once

#include "json/jsonb_writer.hpp"
#include "json/type_facts.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// Adds the row as an object that has the chosen columns only (null: all). Values, nulls and chosen are indexed by
// attribute number - 1.
void add_row(jsonb_writer& json, const row_columns& columns, const Datum* values, const bool* nulls,
             const bool* chosen);

// Adds a value by itself.
void add_value(jsonb_writer& json, Datum value, bool null, type_facts& type);

}  // namespace pgpubsub
