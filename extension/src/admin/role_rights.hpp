// The rights of roles on channels, as PostgreSQL's commands for roles see them.
//
// A role that has, or has had, a right on a channel can't be dropped unnoticed: it depends on the type
// pgpubsub.channel_rights, as if it had a privilege on that type. DROP OWNED BY removes its rights, and with them the
// dependency (an event trigger, role_commands.cpp). REASSIGN OWNED hands over its channels, if the library is loaded
// (utility_hook.cpp).
//
// The dependency is not dumped, and a REVOKE on the type removes it. It is noted again
// - when rights are restored (trigger channels_changed);
// - after a GRANT or REVOKE on a type, if the library is loaded;
// - by the worker and recover().
//
// The worker and recover() also remove the rights of roles that were dropped all the same, long before their OIDs could
// be reused. Until then such a right has no effect: no role has that OID.
#pragma once

#include "channel/channel.hpp"

namespace pgpubsub {

// Notes that the role has a right. Errors: undefined_object (42704) if the role is being dropped.
void depend_on_role(Oid role);

// Notes the dependency for all roles that have a right.
void depend_on_all_roles();

// Removes the rights of the role, and its ownership of channels. Reports channels that have no owner afterwards.
void drop_rights_of(Oid role);

// Makes one role the owner of the channels of another.
void reassign_channels(Oid from, Oid to);

// Removes the rights of roles that are gone, and notes missing dependencies.
void tidy_rights();

}  // namespace pgpubsub
