// The rights that a role needs beside its rights on channels: USAGE on the schema, EXECUTE on functions, SELECT on
// views.
//
// These give nothing by themselves, because each function and view checks the right on the channel. pg_dump carries
// them, because they differ from the rights that CREATE EXTENSION makes.
//
// A GRANT locks the function until the transaction ends, and of two GRANTs at the same time one fails. Therefore these
// grants are made at the very end of the transaction, by one transaction after the other. So a transaction that stays
// open holds up nobody, and a transaction that needs such a grant can't be prepared. The grants wait for an uncommitted
// GRANT that somebody has made by hand. If the role has the rights already, nothing is done.
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

// Returns the sets that go with the right on a channel.
unsigned usage_for(privilege what);

// The role gets these sets, or loses them, when the transaction commits.
void grant_at_commit(Oid role, unsigned sets);
void revoke_at_commit(Oid role, unsigned sets);

// Gives the whole set to each role that has a part of it, when the transaction commits. Called by a script that updates
// the extension and brings functions that belong to a set.
void complete_grants_at_commit();

// Keeps all other transactions from making such grants until this one ends. So such grants are made by one transaction
// after the other, and never beside an update script, which replaces functions.
void lock_grants();

// Registers the callback for the end of transactions. Called once, when the library is loaded.
void watch_grants();

}  // namespace pgpubsub
