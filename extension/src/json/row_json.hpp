// Rows as JSON: the same as to_jsonb(row) gives, but for what to_jsonb refuses.
//
// A value of the type json that jsonb can't hold (see json_text.hpp) becomes a JSON string of its text, and what would
// make the whole too large becomes null, so that no INSERT of a user fails for it. What calls may need in between is
// left in the current memory context, which the caller empties now and then.
#pragma once

#include "json/jsonb_writer.hpp"
#include "json/type_facts.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// Adds the row as an object, with those of the columns only that are chosen (null: with all). Values, nulls and chosen
// are indexed by attribute number - 1.
void add_row(jsonb_writer& json, const row_columns& columns, const Datum* values, const bool* nulls,
             const bool* chosen);

// Adds a value by itself.
void add_value(jsonb_writer& json, Datum value, bool null, type_facts& type);

}  // namespace pgpubsub
