// The lists of columns of a filter, as arguments of the filter trigger: one argument for each column, such as
//   payload_column:16385.3=price
// with the table, the number of the column there, and its name. Nothing depends on the columns, so a column may change
// its type, and dropping a column drops nothing else. The number follows renames. In a database that was restored from
// a dump, the table has another OID, and the columns may have other numbers: there the name counts. A rename updates
// the name, if the library is loaded then.
#pragma once

#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

struct capture_filter;

// Appends the arguments for columns of the table to the list, and returns the list.
List* append_column_arguments(List* arguments, const char* kind, Relation table, const List* columns);

// The kinds of lists, as the arguments spell them.
inline constexpr const char* watched_column = "column";
inline constexpr const char* payload_column = "payload_column";
inline constexpr const char* key_column = "key_column";

// Returns whether the text has the form of such an argument.
bool is_column_argument(std::string_view text);

// Adds the columns of the arguments to the filter. A dropped column is left out. `lost` is set if a column can't be
// found any more, and if nothing is left of a list.
void read_column_arguments(std::span<char* const> arguments, Oid table, capture_filter* filter);

// Returns whether both arguments say the same; if they are about this table, with the same names.
bool same_column_argument(const char* stored, const char* wanted, Oid table);

// Called after a command that renamed a column or made a trigger. Updates the arguments of the table's filter triggers.
void update_column_arguments_after(const Node* command);

}  // namespace pgpubsub
