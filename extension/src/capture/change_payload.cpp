#include "capture/change_payload.hpp"

#include "capture/row_key.hpp"
#include "json/row_json.hpp"
#include "pg/settings.hpp"

namespace pgpubsub {
namespace {

constexpr const char* operation_names[] = {"insert", "update", "delete", "truncate"};

// Members are ordered as jsonb stores them: by the length of their names, then by their bytes.
const object_shape& shape_of_payload(bool truncated, bool filter_lost) {
    static const object_shape* shapes[2][2];
    const object_shape*& shape = shapes[truncated][filter_lost];
    if (shape == nullptr) {
        std::string_view members[] = {"op", "new", "old", "table", "schema", "context", "", ""};
        std::size_t count = 6;
        if (truncated)
            members[count++] = "truncated";
        if (filter_lost)
            members[count++] = "filter_lost";
        shape = with_context(CacheMemoryContext, [&members, count] { return make_object_shape({members, count}); });
    }
    return *shape;
}

bool is_in(std::span<const AttrNumber> columns, AttrNumber column) {
    for (const AttrNumber c : columns)
        if (c == column)
            return true;
    return false;
}

// Returns the columns that an update shows if the payload has the changed columns and the key.
const bool* changed_columns(const capture_plan& plan, const row_change& change) {
    auto* const chosen = static_cast<bool*>(palloc0(plan.format->natts * sizeof(bool)));
    for (const AttrNumber c : plan.listed)
        chosen[c - 1] = is_in(plan.key, c) || differs(change, TupleDescAttr(plan.format, c - 1));
    return chosen;
}

void add_row_or_null(jsonb_writer* json, const capture_plan& plan, const TupleTableSlot* row, const bool* chosen) {
    if (row == nullptr) {
        json->null();
    } else if (plan.columns == nullptr) {
        json->begin_object(*make_object_shape({}));
        json->end();
    } else {
        add_row(*json, *plan.columns, row->tts_values, row->tts_isnull, chosen);
    }
}

void write_payload(jsonb_writer* json, const capture_plan& plan, const row_change& change, bool truncated) {
    const bool is_update = change.what == operation::update;
    const bool* const chosen =
        is_update && plan.payload == payload_choice::changed ? changed_columns(plan, change) : nullptr;
    const bool without_old = is_update && plan.payload == payload_choice::newest;

    json->clear();
    if (!truncated)
        json->want_whole();
    json->begin_object(shape_of_payload(truncated, plan.filter_lost));
    json->string(operation_names[static_cast<int>(change.what)]);
    add_row_or_null(json, plan, change.new_row, chosen);
    add_row_or_null(json, plan, without_old ? nullptr : change.old_row, chosen);
    json->string(plan.table);
    json->string(plan.schema);
    json->value(notification_context());
    if (truncated)
        json->boolean(true);
    if (plan.filter_lost)
        json->boolean(true);
    json->end();
}

}  // namespace

const Jsonb* payload_of(jsonb_writer* json, const capture_plan& plan, const row_change& change) {
    write_payload(json, plan, change, false);
    if (json->is_truncated())
        write_payload(json, plan, change, true);
    return json->finish();
}

const text* key_of(const capture_plan& plan, const row_change& change) {
    const TupleTableSlot* const row = change.newest();
    return row == nullptr ? nullptr : key_text(plan.key_parts, row->tts_values, row->tts_isnull);
}

}  // namespace pgpubsub
