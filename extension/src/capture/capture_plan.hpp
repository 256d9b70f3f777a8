// What a capture trigger does, worked out once for a session: the columns of the payload, the key, and the changes that
// pass. A plan is forgotten when the table, a type, a function, a schema or the trigger is changed.
#pragma once

#include "capture/capture_settings.hpp"
#include "capture/change_filter.hpp"
#include "capture/row_key.hpp"
#include "json/type_facts.hpp"
#include "pg/problem.hpp"

#include <span>

namespace pgpubsub {

struct capture_plan {
    problem unusable;  // why nothing can be captured; if set, the plan has only the names beside it
    Oid publisher;     // the table for which the trigger was made, whose owner must be allowed to publish
    bool* has_warned;  // that the owner is not allowed to
    const char* channel;
    const char* schema;
    const char* table;
    payload_choice payload;
    bool filter_lost;                    // the payload reports it
    const row_columns* columns;          // of the payload's rows; null: none
    std::span<const AttrNumber> listed;  // the same columns
    TupleDesc format;                    // of the table
    std::span<const AttrNumber> key;     // empty: no key
    std::span<key_part> key_parts;       // the same columns
    bool always_has_key;                 // also in a channel that is not ordered
    change_filter* filter;               // null: all changes are captured
};
static_assert(survives_longjmp<capture_plan>);

// Registers the callbacks that keep the plans up to date. Called once, when the library is loaded.
void watch_capture_plans();

// Returns the plan of the firing trigger; it stays valid until the transaction ends. Errors: those that planning the
// condition reports.
const capture_plan& plan_of(const TriggerData& trigger);

}  // namespace pgpubsub
