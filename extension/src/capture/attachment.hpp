// An attachment: the capture of a table into a channel as pgpubsub.attach() makes it.
//
// The functions that make and compare attachments (attachment_arguments.hpp, attachment_triggers.hpp,
// filter_clause.hpp) read from an open Relation. Their results are in the current memory context. They never point into
// the relation, because any look-up may rebuild its relcache entry.
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
    const char* why_by_row;  // null if the level is the one that was asked for
    payload_choice payload;
    bool always;
    // The filter. Columns are attribute numbers; NIL or null: not given.
    const char* condition;
    List* columns;
    List* payload_columns;
    List* key_columns;

    bool is_filtered() const {
        return condition != nullptr || columns != NIL || payload_columns != NIL || key_columns != NIL;
    }
};

}  // namespace pgpubsub
