// How long the text of a value can be, looked at before it is made: a few bytes may stand for a text that no memory
// could hold, such as the number 1e100000, or rows in rows in a range, whose quotes double at each level.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// A bound for the text of a value, by its output function; exact but for quotes. What exceeds max_jsonb_bytes is not
// looked at to the end.
uint64 text_size(Datum value, Oid type);

// The length of the text of a jsonb value; what exceeds the limit is not looked at to the end.
uint64 json_text_size(const Jsonb* json, uint64 limit);

// A bound for it that does not look into strings, which takes a small part of the time.
uint64 longest_json_text(const Jsonb* json, uint64 limit);

// The same of parts of one: a string with its quotes, and a numeric, given what follows its length word.
uint64 json_text_size(std::string_view string);
uint64 numeric_text_size(const char* bytes);

// Whether the text of such a value may be longer by far than what it is stored as.
bool has_text_of_any_size(Oid base_type);

}  // namespace pgpubsub
