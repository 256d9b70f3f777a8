// The lists of columns of a filter, as arguments of the filter trigger: one for each column, such as
//   payload_column:16385.3=price
// with the table, the number of the column there, and its name. Nothing depends on them, so a column may change its
// type, and one that is dropped takes nothing else along. The number follows what is renamed. In a database that was
// restored from a dump the table is another one, and the columns may have other numbers: there the name counts, which a
// rename brings up to date as far as the library is loaded then.
#pragma once

#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

struct capture_filter;

// The arguments, appended to the list, for columns of the table.
List* append_column_arguments(List* arguments, const char* kind, Relation table, const List* columns);

// The kinds, as they are spelled there.
inline constexpr const char* watched_column = "column";
inline constexpr const char* payload_column = "payload_column";
inline constexpr const char* key_column = "key_column";

// Whether the text has the form of such an argument.
bool is_column_argument(std::string_view text);

// Adds what the arguments say to the filter. A column that was dropped is left out; `lost` is set where one can't be
// found any more, and where nothing is left of a list.
void read_column_arguments(std::span<char* const> arguments, Oid table, capture_filter* filter);

// Whether both say the same; where they are about this table, with the same names.
bool same_column_argument(const char* stored, const char* wanted, Oid table);

// After a column was renamed, or a trigger was made: brings the arguments of the table's filter triggers up to date.
void update_column_arguments_after(const Node* command);

}  // namespace pgpubsub
