// The triggers of an attachment: the triggers that it needs, the triggers that exist, and the commands that turn the
// latter into the former.
#pragma once

#include "capture/attachment.hpp"

namespace pgpubsub {

// The commands that turn the triggers of the table into those that the attachment needs.
struct attachment_plan {
    List* commands;             // of char*; NIL: nothing to do
    bool has_drop;              // DROP TRIGGER locks out readers too
    const char* other_trigger;  // for detach(): a trigger made by hand, which stays; null: none
};

// Returns the commands for attach(). Errors: object_not_in_prerequisite_state (55000) for a partition that is captured
// with its table, and for a table of which a partition is captured by itself; duplicate_object (42710) for triggers
// that attach() has not made and that stand in its way.
attachment_plan plan_attach(Relation table, const attachment& a);

// Returns the commands for detach(). Errors: object_not_in_prerequisite_state (55000) for a partition that is captured
// with its table; undefined_object (42704) if there is nothing that attach() has made.
attachment_plan plan_detach(Relation table, std::string_view channel);

// Returns the name of a trigger that attach() makes: pgpubsub_, the channel and the suffix. A name that is too long for
// an identifier is cut, and a hash of the whole name replaces the cut part.
const char* attachment_trigger_name(std::string_view channel, const char* suffix);
// Returns whether a capture trigger of this name is one that attach() makes for the channel.
bool is_attachment_trigger(const char* name, std::string_view channel);

}  // namespace pgpubsub
