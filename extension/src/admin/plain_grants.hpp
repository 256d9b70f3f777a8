// What a role needs beside its rights on channels: USAGE on the schema, EXECUTE on functions, SELECT on views.
//
// These give nothing by themselves, since each function and view looks for the right on the channel. pg_dump carries
// them, as they differ from what CREATE EXTENSION makes.
//
// A GRANT locks the function until the transaction ends, and two at the same time fail one of them. So they are made at
// the very end of the transaction, one transaction after the other: one that stays open holds up nobody, and one that
// needs such a grant can't be prepared. For a GRANT that somebody has made by hand, and not committed, they wait.
// Nothing is done where the role has them.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Sets of functions and views, as bits.
namespace usage {
enum set : unsigned {
    publish = 1,
    consume = 2,
    owner = 4,  // of a channel; includes the first two
    make = 8,   // channels of one's own, by create_channel() and attach()
    all = publish | consume | owner | make,
};
}

// What goes with the right on a channel.
unsigned usage_for(privilege what);

// The role gets these, or loses them, when the transaction commits.
void grant_at_commit(Oid role, unsigned sets);
void revoke_at_commit(Oid role, unsigned sets);

// Each role that has a part of a set gets the whole, when the transaction commits. To be called by a script that
// updates the extension, and brings functions that belong to a set.
void complete_grants_at_commit();

// Until the transaction ends, no other one makes such grants: one transaction after the other, and an update script,
// which replaces functions, with none of them.
void lock_grants();

// Registers the callback for the end of transactions. Called once, when the library is loaded.
void watch_grants();

}  // namespace pgpubsub
