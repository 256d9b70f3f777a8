// The right that a capture needs: the owner of the table must be allowed to publish to the channel. Who attaches is
// refused without it. Later it may go missing: by revoke_channel(), when the channel or the table gets another owner,
// or by a command for roles. Then writes go through, nothing is captured of them, and this is told when it happens, as
// far as the library is loaded then, and at the next write.
#pragma once

#include "channel/channel.hpp"
#include "pg/postgres.hpp"

namespace pgpubsub {

// InvalidOid where there is no such relation.
Oid owner_of_relation(Oid relation);

void warn_of_missing_right(const char* schema, const char* table, const channel& c, Oid owner);

// After a command: warns where the new owner of a table may not publish what it captures, and where a trigger was made
// for one who may not.
void check_capture_rights_after(const Node* command);

// The captures that have the right now, of one channel or of all; and when something was done that may have taken it:
// warns of those that have it no more.
List* captures_with_right(const channel* into = nullptr);
void warn_of_lost_rights(const List* captures);

// Before a command: the captures that have the right, if it is one that may take rights of roles; else NIL.
List* captures_that_may_lose_right(const Node* command);

}  // namespace pgpubsub
