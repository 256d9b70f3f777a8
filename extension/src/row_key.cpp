#include "row_key.hpp"

#include "row_json.hpp"

namespace pgpubsub {

const text* row_key(Relation table, HeapTuple row) {
    Oid index = primary_key_index(table);
    if (!OidIsValid(index))
        index = RelationGetReplicaIndex(table);
    if (!OidIsValid(index))
        return nullptr;

    const HeapTuple index_row = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(index));
    if (!HeapTupleIsValid(index_row))
        return nullptr;
    const auto& facts = *reinterpret_cast<Form_pg_index>(GETSTRUCT(index_row));
    const int columns = facts.indnkeyatts;
    jsonb_builder json;
    json.begin_array();
    for (int i = 0; i < columns; ++i)
        add_column(json, row, RelationGetDescr(table), facts.indkey.values[i]);
    json.end_array();
    const Jsonb* const values = json.finish();
    ReleaseSysCache(index_row);

    if (const JsonbValue* const only = columns == 1 ? getIthJsonbValueFromContainer(const_cast<JsonbContainer*>(&values->root), 0) : nullptr; only != nullptr && only->type == jbvString)
        return cstring_to_text_with_len(only->val.string.val, only->val.string.len);
    const std::string_view array = JsonbToCString(nullptr, const_cast<JsonbContainer*>(&values->root), VARSIZE(values));
    if (columns == 1)  // without its brackets
        return cstring_to_text_with_len(array.data() + 1, static_cast<int>(array.size()) - 2);
    return cstring_to_text_with_len(array.data(), static_cast<int>(array.size()));
}

}  // namespace pgpubsub
