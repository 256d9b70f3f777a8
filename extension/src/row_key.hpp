// The key of a table's row: what identifies it among the rows of its table.
#pragma once

#include "pg.hpp"

namespace pgpubsub {

// The primary key of the row, or its replica identity index where there is no primary key, as text: of one column its value,
// of several a JSON array; both as to_jsonb() writes values, whatever DateStyle and the like are set to. Null where
// the table has neither.
const text* row_key(Relation table, HeapTuple row);

}  // namespace pgpubsub
