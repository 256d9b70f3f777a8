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

// Returns the columns of the primary key, or of the replica identity index if there is no primary key; none if the
// table has neither.
key_columns default_key_columns(Relation table);

// A column of a key, as a plan keeps it.
struct key_part {
    AttrNumber column;
    type_facts type;
};
static_assert(survives_longjmp<key_part>);

// Returns the key's columns as a plan keeps them, in the current memory context.
std::span<key_part> describe_key(TupleDesc desc, std::span<const AttrNumber> columns);

// Returns the row's values in the key's columns as text: for one column its value, for several a JSON array. Returns
// null
// - if the key has no columns;
// - if the value of a single column is null;
// - if the text is too long: more than jsonb could hold, or more than 64 MB of JSON.
//
// A key shows whether two changes are of one row, so its text is the same in every session, whatever the settings of
// TimeZone, DateStyle, search_path and the like; apart from that it is the text that to_jsonb() gives. Values and nulls
// are indexed by attribute number - 1; the result may be part of the row.
const text* key_text(std::span<key_part> key, const Datum* values, const bool* nulls);

}  // namespace pgpubsub
