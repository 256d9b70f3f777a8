#include "queue/readable.hpp"

#include "channel/table_columns.hpp"
#include "pg/text_size.hpp"

namespace pgpubsub {
namespace {

constexpr uint64 max_text = 1000 * 1024 * 1024;  // a little below what PostgreSQL can allocate
constexpr uint64 longest_of_a_byte = 12 * 1024;  // a numeric in jsonb, with all the zeros that it can have

uint64 stored_size(const NullableDatum& value) { return value.isnull ? 0 : toast_raw_datum_size(value.value); }

using json_size = uint64 (*)(const Jsonb*, uint64);

// Returns the size of the value as text, or as it is stored if that is more.
uint64 sent_size(const NullableDatum& json, json_size text_size) {
    if (json.isnull)
        return 0;
    const Jsonb* const value = DatumGetJsonbP(json.value);
    return Max(uint64{VARSIZE(value)}, text_size(value, max_text));
}

}  // namespace

sent_values sent_values::of(const row_values& row) {
    const auto value = [&row](AttrNumber c) { return NullableDatum{row.get(c), row.is_null(c)}; };
    return {value(column::payload), value(column::headers), value(column::key)};
}

sent_values sent_values::of(const new_notification& n) {
    const auto value = [](const void* pointer) { return NullableDatum{PointerGetDatum(pointer), pointer == nullptr}; };
    return {value(n.payload), value(n.headers), value(n.key)};
}

bool is_readable(const sent_values& v) {
    const uint64 json = stored_size(v.payload) + stored_size(v.headers);
    const uint64 key = stored_size(v.key);
    if (json <= max_text / longest_of_a_byte && key <= max_text / 2)
        return true;
    const auto is_below = [&](json_size text_size) {
        return key + sent_size(v.payload, text_size) + sent_size(v.headers, text_size) <= max_text;
    };
    return is_below(longest_json_text) || is_below(json_text_size);
}

}  // namespace pgpubsub
