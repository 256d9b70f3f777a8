// The key of a table's row: what identifies it among the rows of its table.
#pragma once

#include "pg.hpp"
#include "type_facts.hpp"

#include <span>

namespace pgpubsub {

struct key_columns {
    AttrNumber columns[INDEX_MAX_KEYS];
    int count;

    operator std::span<const AttrNumber>() const { return {columns, static_cast<std::size_t>(count)}; }
};

// The columns of the primary key, or of the replica identity index where there is no primary key; none where the table has
// neither.
key_columns default_key_columns(Relation table);

// A column of a key, as a plan keeps it.
struct key_part {
    AttrNumber column;
    type_facts type;
};
static_assert(survives_longjmp<key_part>);

// In the current memory context.
std::span<key_part> describe_key(TupleDesc desc, std::span<const AttrNumber> columns);

// The row's values in the key's columns as text: of one its value, null where the value is null or longer than jsonb could be; of
// several a JSON array, null where that is longer than 64 MB; both as to_jsonb() writes values, whatever DateStyle and the like
// are set to. Null without columns. Values and nulls are indexed by attribute number - 1; the result may be part of the row.
const text* key_text(std::span<key_part> key, const Datum* values, const bool* nulls);

}  // namespace pgpubsub
