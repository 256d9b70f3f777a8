// What the triggers of a table say about its capture into a channel: their arguments, and the filter.
//
// The arguments of a capture trigger: the channel, then "payload=new", "payload=changed" or "payload=key" (or
// "payload=full", which is the default), and "filtered" if the table has a filter trigger for this channel. The filter
// trigger has the channel, "filter", and the lists of columns (filter_columns.hpp). It is disabled, and never fires if
// somebody enables it, since its WHEN is false or, where there is a condition,
//   (false AND pgpubsub.capture_filter(condition => (...))) IS TRUE
// It is there so that PostgreSQL keeps the condition, dumps it, and follows what is renamed. IS TRUE lets the planner
// fold all of it: the operands of an AND at the top of a WHEN are planned one by one, and whoever changes the table
// would need a right on the function. Version 0.1.0 had the lists there too, as columns => ROW(NEW.a, NEW.b) and so on;
// such filters are read as well.
//
// Anybody who may make triggers may write these by hand, so nothing here relies on their form.
#pragma once

#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

enum class payload_choice { full, newest, changed, key };  // 'newest' is spelled 'new' in SQL

// The name in SQL.
const char* payload_name(payload_choice p);
// False if no payload has this name.
bool parse_payload(std::string_view name, payload_choice* result);

struct capture_settings {
    const char* channel;  // as long as the trigger's arguments
    payload_choice payload;
    bool filtered;
    bool is_filter;                  // this is the filter trigger
    std::span<char* const> columns;  // then: the arguments that list columns
};

// What the arguments of a capture trigger say; false, and what is wrong with them, if they are not of the form above.
bool read_settings(std::span<char* const> arguments, capture_settings* result, const char** problem);

// The same of a trigger of which it is known that they are.
capture_settings settings_of(const Trigger& trigger);

// The filter of a table for a channel. Column lists hold attribute numbers (List of int); NIL: not given.
struct capture_filter {
    Node* condition;  // its Vars have PRS2_OLD_VARNO or PRS2_NEW_VARNO, and no system column; null: not given
    List* columns;
    List* payload_columns;
    List* key_columns;
    bool has_no_payload_columns;  // some were given, and none is left
    bool lost;                    // less is known of it than was asked for
};

// Reads the WHEN of a filter trigger, in the current memory context; false if it is not of the form above.
bool read_filter(const char* when, capture_filter* result);

// What the table's filter trigger for the channel says, in the current memory context; false if there is no (readable)
// one.
bool find_filter(Relation table, const char* channel, capture_filter* result);

// pgpubsub.capture(), found without search_path.
Oid capture_function();

// A system column that the expression refers to; InvalidAttrNumber: none.
AttrNumber system_column_in(Node* expression);

}  // namespace pgpubsub
