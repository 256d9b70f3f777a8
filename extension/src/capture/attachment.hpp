// An attachment: the capture of a table into a channel as pgpubsub.attach() makes it, and the triggers that it is made of.
//
// Everything is read from a Relation that is open. What is returned is in the current memory context and points to nothing of
// the relation's, whose entry in the relcache any look-up may build anew.
#pragma once

#include "capture/capture_settings.hpp"
#include "pg/postgres.hpp"

#include <span>

namespace pgpubsub {

// Events are bits of pg_trigger.tgtype: TRIGGER_TYPE_INSERT and so on.
inline constexpr struct {
    int16 bit;
    const char* name;
    const char* keyword;
} capture_events[] = {{TRIGGER_TYPE_INSERT, "insert", "INSERT"},
                      {TRIGGER_TYPE_UPDATE, "update", "UPDATE"},
                      {TRIGGER_TYPE_DELETE, "delete", "DELETE"},
                      {TRIGGER_TYPE_TRUNCATE, "truncate", "TRUNCATE"}};
inline constexpr int16 row_events = TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE;

struct attachment {
    const char* channel;
    int16 events;
    bool by_row;
    const char* why_by_row;  // null if it is as asked
    payload_choice payload;
    bool always;
    // The filter. Columns as attribute numbers; NIL or null: not given.
    const char* condition;
    List* columns;
    List* payload_columns;
    List* key_columns;

    bool is_filtered() const {
        return condition != nullptr || columns != NIL || payload_columns != NIL || key_columns != NIL;
    }
};

struct attach_arguments {
    enum : int {
        relation,
        channel,
        events,
        columns,
        condition,
        granularity,
        payload,
        payload_columns,
        key_columns,
        always
    };
};

// Reads and checks the arguments of attach() after the channel.
// Errors: invalid_parameter_value (22023), null_value_not_allowed (22004), undefined_column (42703), duplicate_column (42701),
// invalid_column_reference (42P10), and PostgreSQL's own about the condition.
attachment attachment_arguments(FunctionCallInfo fcinfo, Relation table, const char* channel);

// The commands that lead from the triggers which the table has to those that the attachment needs.
struct attachment_plan {
    List* commands;  // of char*; NIL: all is as it should be
    bool has_drop;   // DROP TRIGGER locks out readers too
    const char* other_trigger;  // of detach(): one that was made by hand, and goes on; null: none
};

// Errors: object_not_in_prerequisite_state (55000) for a partition that is captured with its table, and for a table of which a
// partition is captured by itself; duplicate_object (42710) for triggers that attach() has not made and that stand in its way.
attachment_plan plan_attach(Relation table, const attachment& a);

// Errors: object_not_in_prerequisite_state (55000) for such a partition, undefined_object (42704) if there is nothing that
// attach() has made.
attachment_plan plan_detach(Relation table, std::string_view channel);

// The name of a trigger that attach() makes: pgpubsub_, the channel and the suffix. What is too long for an identifier is cut,
// with a hash of the whole in its place.
const char* attachment_trigger_name(std::string_view channel, const char* suffix);
// Whether a capture trigger of this name is one that attach() makes for the channel.
bool is_attachment_trigger(const char* name, std::string_view channel);

// The WHEN of the filter trigger (capture_settings.hpp), as SQL, and as PostgreSQL will store it.
const char* filter_clause(const attachment& a);
Node* parse_filter_clause(Relation table, const char* clause);

// Checks that the text is one boolean expression over OLD and NEW, as the WHEN of a trigger takes it, and can't be read as more
// than that when it stands in parentheses. Names in it are looked up by the caller's search_path.
void check_condition(Relation table, const char* condition);

}  // namespace pgpubsub
