// The triggers of an attachment: which there should be, which there are, and the commands that lead from these to
// those.
#pragma once

#include "capture/attachment.hpp"

namespace pgpubsub {

// The commands that lead from the triggers which the table has to those that the attachment needs.
struct attachment_plan {
    List* commands;             // of char*; NIL: all is as it should be
    bool has_drop;              // DROP TRIGGER locks out readers too
    const char* other_trigger;  // of detach(): one that was made by hand, and goes on; null: none
};

// Errors: object_not_in_prerequisite_state (55000) for a partition that is captured with its table, and for a table of
// which a partition is captured by itself; duplicate_object (42710) for triggers that attach() has not made and that
// stand in its way.
attachment_plan plan_attach(Relation table, const attachment& a);

// Errors: object_not_in_prerequisite_state (55000) for such a partition, undefined_object (42704) if there is nothing
// that attach() has made.
attachment_plan plan_detach(Relation table, std::string_view channel);

// The name of a trigger that attach() makes: pgpubsub_, the channel and the suffix. What is too long for an identifier
// is cut, with a hash of the whole in its place.
const char* attachment_trigger_name(std::string_view channel, const char* suffix);
// Whether a capture trigger of this name is one that attach() makes for the channel.
bool is_attachment_trigger(const char* name, std::string_view channel);

}  // namespace pgpubsub
