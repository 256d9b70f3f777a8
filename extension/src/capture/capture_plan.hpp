// What a capture trigger does, worked out once for a session: which columns go into the payload, what the key is, which
// changes pass. A plan is forgotten when the table, a type, a function, a schema or the trigger is changed.
#pragma once

#include "capture/capture_settings.hpp"
#include "capture/change_filter.hpp"
#include "capture/row_key.hpp"
#include "json/type_facts.hpp"
#include "pg/problem.hpp"

#include <span>

namespace pgpubsub {

struct capture_plan {
    problem unusable;  // if it exists, nothing can be captured; then there is nothing more here than the names
    Oid publisher;     // the table whose owner must be allowed to publish: that which the trigger was made for
    bool* has_warned;  // that it is not
    const char* channel;
    const char* schema;
    const char* table;
    payload_choice payload;
    bool filter_lost;                    // the payload says so
    const row_columns* columns;          // that go into the payload's rows; null: none
    std::span<const AttrNumber> listed;  // the same ones
    TupleDesc format;                    // of the table
    std::span<const AttrNumber> key;     // empty: there is none
    std::span<key_part> key_parts;       // the same
    bool always_has_key;                 // in a channel that is not ordered too
    change_filter* filter;               // null: all changes are captured
};
static_assert(survives_longjmp<capture_plan>);

// Registers the callbacks that keep the plans up to date. Called once, when the library is loaded.
void watch_capture_plans();

// The plan of the trigger that is firing; it stays until the transaction ends. Errors: what planning the condition
// reports.
const capture_plan& plan_of(const TriggerData& trigger);

}  // namespace pgpubsub
