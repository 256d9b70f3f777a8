#include "queue/stored.hpp"

#include "channel/table_columns.hpp"
#include "queue/archive.hpp"
#include "queue/readable.hpp"

#include <algorithm>

namespace pgpubsub {
namespace {

constexpr std::string_view state_names[] = {"ready", "delayed", "leased", "retrying"};
constexpr std::string_view dead = "dead";  // the state of a dead letter

Datum text_of(std::string_view s) {
    return PointerGetDatum(cstring_to_text_with_len(s.data(), static_cast<int>(s.size())));
}

// Makes values that can't be sent null, so that the rest can be seen.
void hide_unreadable(shown_row* r) {
    const auto value = [r](int c) { return NullableDatum{r->values[c], r->nulls[c]}; };
    constexpr NullableDatum none = {0, true};
    const auto whole = [&value] {
        return sent_values{value(shown_column::payload), value(shown_column::headers), value(shown_column::key)};
    };
    if (is_readable(whole()))
        return;
    for (const int c : {shown_column::payload, shown_column::headers})
        r->nulls[c] = r->nulls[c] || !is_readable({value(c), none, none});
    for (const int c : {shown_column::payload, shown_column::headers, shown_column::key})
        r->nulls[c] = r->nulls[c] || !is_readable(whole());
}

// Returns what a row is shown as. get(column, &null) returns the values that a notification and a dead letter have in
// the same columns.
template <typename Get>
shown_row shown(const channel& c, const subscription& s, std::string_view state, Get get) {
    static_assert(int{archive_column::deliver_at} == int{column::deliver_at});
    shown_row r{};
    const auto copy = [&](int to, AttrNumber from) { r.values[to] = get(from, &r.nulls[to]); };
    copy(shown_column::id, column::id);
    copy(shown_column::payload, column::payload);
    copy(shown_column::key, column::key);
    copy(shown_column::headers, column::headers);
    copy(shown_column::created_at, column::created_at);
    copy(shown_column::deliver_at, column::deliver_at);
    copy(shown_column::priority, column::priority);
    copy(shown_column::attempts, column::attempts);
    copy(shown_column::db_version, column::db_version);
    for (const int i : {int{shown_column::priority}, int{shown_column::attempts}})
        r.values[i] = Int32GetDatum(DatumGetInt16(r.values[i]));
    r.values[shown_column::channel] = CStringGetTextDatum(c.name);
    r.values[shown_column::subscription] = CStringGetTextDatum(s.name);
    r.values[shown_column::state] = text_of(state);
    hide_unreadable(&r);
    r.nulls[shown_column::due_at] = r.nulls[shown_column::dedup_key] = r.nulls[shown_column::last_error] = true;
    return r;
}

}  // namespace

stored_state parse_stored_state(std::string_view name) {
    const auto* const found = std::find(std::begin(state_names), std::end(state_names), name);
    if (found == std::end(state_names))
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized state \"%s\"", c_string(name)),
                errhint("The states are \"ready\", \"delayed\", \"leased\" and \"retrying\"; null stands for all."));
    return static_cast<stored_state>(found - std::begin(state_names));
}

stored_state state_of(const row_values& row, TimestampTz now) {
    if (row.is_null(column::due_at) || DatumGetTimestampTz(row.get(column::due_at)) <= now)
        return stored_state::ready;
    if (!row.is_null(column::lease_token))
        return stored_state::leased;
    return DatumGetInt16(row.get(column::attempts)) > 0 ? stored_state::retrying : stored_state::delayed;
}

shown_row shown_notification(const channel& c, const subscription& s, const row_values& row, TimestampTz now) {
    shown_row r = shown(c, s, state_names[static_cast<int>(state_of(row, now))], [&row](AttrNumber from, bool* null) {
        *null = row.is_null(from);
        return row.get(from);
    });
    const auto copy = [&](int to, AttrNumber from) {
        r.values[to] = row.get(from);
        r.nulls[to] = row.is_null(from);
    };
    copy(shown_column::due_at, column::due_at);
    copy(shown_column::dedup_key, column::dedup_key);
    copy(shown_column::last_error, column::last_error);
    return r;
}

shown_row shown_dead_letter(const channel& c, const subscription& s, TupleTableSlot* row) {
    const auto get = [row](AttrNumber from, bool* null) { return slot_getattr(row, from, null); };
    shown_row r = shown(c, s, dead, get);
    r.values[shown_column::last_error] = get(archive_column::last_error, &r.nulls[shown_column::last_error]);
    return r;
}

}  // namespace pgpubsub
