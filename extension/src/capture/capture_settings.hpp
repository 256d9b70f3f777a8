// What the triggers of a table say about its capture into a channel: their arguments, and the filter.
//
// The arguments of a capture trigger are
// - the channel;
// - "payload=new", "payload=changed" or "payload=key" (or "payload=full", which is the default);
// - "filtered", if the table has a filter trigger for this channel.
//
// The filter trigger has the channel, "filter", and the lists of columns (filter_columns.hpp). It is disabled. If a
// user enables it, it still never fires, because its WHEN is false or, if there is a condition,
//   (false AND pgpubsub.capture_filter(condition => (...))) IS TRUE
// The trigger exists so that PostgreSQL keeps the condition, dumps it, and follows renames. IS TRUE lets the planner
// fold the whole expression: otherwise the operands of an AND at the top of a WHEN would be planned one by one, and
// every user who changes the table would need a right on the function. Version 0.1.0 had the lists there too, as
// columns => ROW(NEW.a, NEW.b) and so on; such filters are read as well.
//
// Every user who may make triggers may write these by hand, so nothing here relies on their form.
#pragma once

#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

enum class payload_choice { full, newest, changed, key };  // 'newest' is spelled 'new' in SQL

// Returns the name in SQL.
const char* payload_name(payload_choice p);
// Parses a payload name. Returns false if no payload has this name.
bool parse_payload(std::string_view name, payload_choice* result);

struct capture_settings {
    const char* channel;  // valid as long as the trigger's arguments
    payload_choice payload;
    bool filtered;
    bool is_filter;                  // this is the filter trigger
    std::span<char* const> columns;  // of a filter trigger: the arguments that list columns
};

// Reads the arguments of a capture trigger. Returns false, and sets `*problem`, if they are not of the form above.
bool read_settings(std::span<char* const> arguments, capture_settings* result, const char** problem);

// Returns the settings of a trigger whose arguments are known to be of that form.
capture_settings settings_of(const Trigger& trigger);

// The filter of a table for a channel. Column lists hold attribute numbers (List of int); NIL: not given.
struct capture_filter {
    Node* condition;  // its Vars have PRS2_OLD_VARNO or PRS2_NEW_VARNO, and no system column; null: not given
    List* columns;
    List* payload_columns;
    List* key_columns;
    bool has_no_payload_columns;  // some were given, and none is left
    bool lost;                    // some of it can't be found any more
};

// Reads the WHEN of a filter trigger, in the current memory context. Returns false if it is not of the form above.
bool read_filter(const char* when, capture_filter* result);

// Reads the table's filter trigger for the channel, in the current memory context. Returns false if there is no
// (readable) filter trigger.
bool find_filter(Relation table, const char* channel, capture_filter* result);

// Returns pgpubsub.capture(), found without search_path.
Oid capture_function();

// Returns a system column to which the expression refers; InvalidAttrNumber: none.
AttrNumber system_column_in(Node* expression);

}  // namespace pgpubsub
