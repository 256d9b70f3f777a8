// The key of a table's row: what identifies it among the rows of its table.
#pragma once

#include "json/type_facts.hpp"
#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

struct key_columns {
    AttrNumber columns[INDEX_MAX_KEYS];
    int count;

    operator std::span<const AttrNumber>() const { return {columns, static_cast<std::size_t>(count)}; }
};

// The columns of the primary key, or of the replica identity index where there is no primary key; none where the table
// has neither.
key_columns default_key_columns(Relation table);

// A column of a key, as a plan keeps it.
struct key_part {
    AttrNumber column;
    type_facts type;
};
static_assert(survives_longjmp<key_part>);

// In the current memory context.
std::span<key_part> describe_key(TupleDesc desc, std::span<const AttrNumber> columns);

// The row's values in the key's columns as text: of one its value, of several a JSON array. Null where the value of one
// is null, and where the text is too long: more than jsonb could hold, of JSON more than 64 MB. A key tells whether two
// changes are of one row, so its text is the same in every session, whatever TimeZone, DateStyle, search_path and the
// like are set to: otherwise it is what to_jsonb() gives. Null without columns. Values and nulls are indexed by
// attribute number - 1; the result may be part of the row.
const text* key_text(std::span<key_part> key, const Datum* values, const bool* nulls);

}  // namespace pgpubsub
