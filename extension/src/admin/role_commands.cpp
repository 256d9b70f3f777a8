// The effects of DROP OWNED and REASSIGN OWNED on the rights on channels.
#include "admin/role_commands.hpp"

#include "admin/role_rights.hpp"
#include "channel/catalog.hpp"

using namespace pgpubsub;

namespace {

template <typename Act>
void for_each_role(List* specs, Act act) {
    const ListCell* cell;
    foreach (cell, specs)
        act(get_rolespec_oid(static_cast<const RoleSpec*>(lfirst(cell)), false));
}

}  // namespace

// A REVOKE on the type that stands for the rights also removes the dependency.
void pgpubsub::after_grant(const GrantStmt* command) {
    if (command->objtype != OBJECT_TYPE || creating_extension || !is_installed())
        return;
    PushActiveSnapshot(GetTransactionSnapshot());
    depend_on_all_roles();
    PopActiveSnapshot();
}

void pgpubsub::after_reassign_owned(const ReassignOwnedStmt* command) {
    if (!is_installed())
        return;
    const Oid to = get_rolespec_oid(command->newrole, false);
    PushActiveSnapshot(GetTransactionSnapshot());
    for_each_role(command->roles, [to](Oid from) {
        if (from != to)
            reassign_channels(from, to);
    });
    PopActiveSnapshot();
}

// Event trigger at the end of DROP OWNED. That command has already checked that the user may do it to these roles.
PGPUBSUB_FUNCTION(pgpubsub_after_drop_owned) {
    if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
        ereport(ERROR, errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
                errmsg("function \"after_drop_owned\" is an event trigger"));
    const auto* const trigger = reinterpret_cast<const EventTriggerData*>(fcinfo->context);
    if (IsA(trigger->parsetree, DropOwnedStmt))
        for_each_role(reinterpret_cast<const DropOwnedStmt*>(trigger->parsetree)->roles, drop_rights_of);
    return no_row;
}
