#include "capture/row_key.hpp"

#include "json/row_json.hpp"
#include "pg/compat.hpp"
#include "pg/text_size.hpp"

namespace pgpubsub {
namespace {

const text* text_of(std::string_view s) { return cstring_to_text_with_len(s.data(), static_cast<int>(s.size())); }

const text* text_of(int64 number) {
    char digits[MAXINT8LEN + 1];
    return text_of({digits, static_cast<std::size_t>(pg_lltoa(number, digits))});
}

// A key has no use for a longer text.
constexpr uint64 max_json_text = 64 * 1024 * 1024;
// Values of so few bytes can't have a text of that length, whatever they hold.
constexpr Size surely_short = 2048;

const text* json_text_of(const Jsonb* json) {
    if (VARSIZE(json) > surely_short && json_text_size(json, max_json_text) > max_json_text)
        return nullptr;
    return text_of(JsonbToCString(nullptr, const_cast<JsonbContainer*>(&json->root), static_cast<int>(VARSIZE(json))));
}

const text* text_of_scalar(const Jsonb* json) {
    const JsonbValue* const scalar = getIthJsonbValueFromContainer(const_cast<JsonbContainer*>(&json->root), 0);
    if (scalar->type == jbvNull)
        return nullptr;
    if (scalar->type == jbvString)
        return text_of({scalar->val.string.val, static_cast<std::size_t>(scalar->val.string.len)});
    return json_text_of(json);
}

const text* text_of_value(Datum value, type_facts& type) {
    if (type.form == json_form::unread)
        read_type(&type);
    switch (type.form) {
        case json_form::int2: return text_of(DatumGetInt16(value));
        case json_form::int4: return text_of(DatumGetInt32(value));
        case json_form::int8: return text_of(DatumGetInt64(value));
        case json_form::string:
            if (toast_raw_datum_size(value) <= max_jsonb_bytes)
                return DatumGetTextPP(value);
            return nullptr;
        default: break;
    }
    jsonb_writer json = jsonb_writer::make();
    json.want_whole();
    if (type.form == json_form::array || type.form == json_form::composite)
        json.limit_strings(max_json_text);
    add_value(json, value, false, type);
    const Jsonb* const result = json.finish();
    if (json.is_truncated())
        return nullptr;
    return JB_ROOT_IS_SCALAR(result) ? text_of_scalar(result) : json_text_of(result);
}

}  // namespace

key_columns default_key_columns(Relation table) {
    key_columns result{};
    Oid index = primary_key_index(table);
    if (!OidIsValid(index))
        index = RelationGetReplicaIndex(table);
    const HeapTuple row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(row))
        return result;
    const auto& facts = *reinterpret_cast<Form_pg_index>(GETSTRUCT(row));
    result.count = facts.indnkeyatts;
    for (int i = 0; i < result.count; ++i)
        result.columns[i] = facts.indkey.values[i];
    ReleaseSysCache(row);
    return result;
}

std::span<key_part> describe_key(TupleDesc desc, std::span<const AttrNumber> columns) {
    auto* const parts = static_cast<key_part*>(palloc(Max(columns.size(), 1) * sizeof(key_part)));
    type_graph* const graph = make_type_graph(true);
    for (std::size_t i = 0; i < columns.size(); ++i)
        parts[i] = {columns[i], unread_type(graph, TupleDescAttr(desc, columns[i] - 1)->atttypid)};
    return {parts, columns.size()};
}

const text* key_text(std::span<key_part> key, const Datum* values, const bool* nulls) {
    if (key.empty())
        return nullptr;
    if (key.size() == 1) {
        const int only = key[0].column - 1;
        return nulls[only] ? nullptr : text_of_value(values[only], key[0].type);
    }
    jsonb_writer json = jsonb_writer::make();
    json.want_whole();
    json.limit_strings(max_json_text);
    json.begin_array(static_cast<int>(key.size()));
    for (key_part& part : key)
        add_value(json, values[part.column - 1], nulls[part.column - 1], part.type);
    json.end();
    const Jsonb* const result = json.finish();
    return json.is_truncated() ? nullptr : json_text_of(result);
}

}  // namespace pgpubsub
