// The rights of roles on channels, as PostgreSQL's commands for roles see them.
//
// A role that has, or has had, a right on a channel can't be dropped unnoticed: it depends on the type
// pgpubsub.channel_rights, as if it had a privilege on that. DROP OWNED BY takes its rights, and so frees it (an event
// trigger, role_commands.cpp); REASSIGN OWNED hands over its channels, where the library is loaded (utility_hook.cpp).
//
// The dependency is not dumped, and a REVOKE on the type takes it. It is noted again when rights are restored (trigger
// channels_changed), after a GRANT or REVOKE on a type where the library is loaded, and by the worker and recover(),
// which also remove the rights of roles that are gone all the same, long before their numbers could come again. Such a
// right is honoured for nobody: no role has that number.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Notes that the role has a right. Errors: undefined_object (42704) when it is being dropped.
void depend_on_role(Oid role);

// Notes it of all roles that have one.
void depend_on_all_roles();

// Removes the rights of the role, the ownership of channels too; tells of channels that have no owner then.
void drop_rights_of(Oid role);

// Makes one role the owner of the other one's channels.
void reassign_channels(Oid from, Oid to);

// Removes the rights of roles that are gone, and notes the dependencies that lack.
void tidy_rights();

}  // namespace pgpubsub
