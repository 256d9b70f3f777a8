// How long the text of a value can be, computed before the text is made. A few bytes may stand for a text that no
// memory could hold, such as the number 1e100000, or rows in rows in a range, whose quotes double at each level.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns a bound for the length of a value's text, by its output function; it is exact but for quotes. Once the bound
// exceeds max_jsonb_bytes, the rest of the value is not looked at.
uint64 text_size(Datum value, Oid type);

// Returns the length of the text of a jsonb value. Once it exceeds the limit, the rest of the value is not looked at.
uint64 json_text_size(const Jsonb* json, uint64 limit);

// Returns a bound for that length without looking into strings, which takes a small part of the time.
uint64 longest_json_text(const Jsonb* json, uint64 limit);

// Returns the same for a part of a jsonb value: for a string with its quotes; for a numeric, given the bytes that
// follow its length word.
uint64 json_text_size(std::string_view string);
uint64 numeric_text_size(const char* bytes);

// Returns whether the text of a value of that type may be far longer than its stored form.
bool has_text_of_any_size(Oid base_type);

}  // namespace pgpubsub
