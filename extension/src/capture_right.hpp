// The right that a capture needs: the owner of the table must be allowed to publish to the channel. Who attaches is
// refused without it. Later it may go missing, by revoke_channel() or when the table gets another owner; then writes go
// through, nothing is captured of them, and this is told when it happens, as far as the library is loaded then, and at
// the next write.
#pragma once

#include "channel.hpp"
#include "pg.hpp"

namespace pgpubsub {

// InvalidOid where there is no such relation.
Oid owner_of_relation(Oid relation);

void warn_of_missing_right(const char* schema, const char* table, const channel& c, Oid owner);

// After a command: warns where the new owner of a table may not publish what it captures, and where a trigger was made
// for one who may not.
void check_capture_rights_after(const Node* command);

}  // namespace pgpubsub
