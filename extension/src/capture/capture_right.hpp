// The right that a capture needs: the owner of the table must be allowed to publish to the channel. attach() refuses a
// table whose owner lacks it. The right may be lost later: by revoke_channel(), when the channel or the table gets
// another owner, or by a command for roles. Then writes go through and nothing is captured of them. Two warnings report
// that: one at the time of the loss, if the library is loaded then, and one at the next write.
#pragma once

#include "channel/channel.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// Returns the owner; InvalidOid if there is no such relation.
Oid owner_of_relation(Oid relation);

void warn_of_missing_right(const char* schema, const char* table, const channel& c, Oid owner);

// Called after a command. Warns if the new owner of a table may not publish its captured changes, and if a trigger was
// made for a table whose owner may not.
void check_capture_rights_after(const Node* command);

// captures_with_right() returns the captures that have the right now, of one channel or of all. After an action that
// may have taken the right, warn_of_lost_rights() warns of the captures that have lost it.
List* captures_with_right(const channel* into = nullptr);
void warn_of_lost_rights(const List* captures);

// Called before a command. Returns the captures that have the right, if the command may take rights from roles; else
// NIL.
List* captures_that_may_lose_right(const Node* command);

}  // namespace pgpubsub
