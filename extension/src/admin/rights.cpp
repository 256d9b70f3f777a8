// Rights on channels: grant_channel(), revoke_channel(), has_channel_privilege().
#include "admin/rights.hpp"

#include "admin/administration.hpp"
#include "admin/plain_grants.hpp"
#include "admin/role_rights.hpp"
#include "capture/capture_right.hpp"

using namespace pgpubsub;

namespace {

struct grant_channel_arguments {
    enum : int { channel, role, privilege };
};
using revoke_channel_arguments = grant_channel_arguments;
struct grant_usage_arguments {
    enum : int { role, own_channels };
};
struct revoke_usage_arguments {
    enum : int { role };
};
struct has_channel_privilege_arguments {
    enum : int { channel, privilege };
};

struct channel_right {
    channel on;
    Oid role;
    privilege what;
};

template <typename At>
channel_right right_arguments(FunctionCallInfo fcinfo) {
    channel_right a;
    const std::string_view name = text_argument(fcinfo, At::channel, "channel");
    require(fcinfo, At::role, "role");
    a.role = PG_GETARG_OID(At::role);
    a.what = parse_privilege(text_argument(fcinfo, At::privilege, "privilege"));
    a.on = owned_channel(name, channel_lock::change);
    return a;
}

void check_role_exists(Oid role) {
    if (GetUserNameFromId(role, true) == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", role));
}

}  // namespace

void pgpubsub::make_owner(int32 channel_id, Oid role) {
    depend_on_role(role);
    add_right(channel_id, role, privilege::owner);
}

void pgpubsub::give_right(int32 channel_id, Oid role, privilege what) {
    depend_on_role(role);
    add_right(channel_id, role, what);
    grant_at_commit(role, usage_for(what));
}

PGPUBSUB_FUNCTION(pgpubsub_grant_channel) {
    PreventCommandIfReadOnly("pgpubsub.grant_channel()");
    const channel_right a = right_arguments<grant_channel_arguments>(fcinfo);
    check_role_exists(a.role);
    give_right(a.on.id, a.role, a.what);
    PG_RETURN_VOID();
}

// The plain grants stay. They give nothing without a right on a channel. And the owner of this channel may have no say
// in them: the role may need them for another channel. A role that was dropped is given by its number.
PGPUBSUB_FUNCTION(pgpubsub_revoke_channel) {
    PreventCommandIfReadOnly("pgpubsub.revoke_channel()");
    const channel_right a = right_arguments<revoke_channel_arguments>(fcinfo);
    const List* const captures = a.what == privilege::publish ? captures_with_right(&a.on) : NIL;
    if (!remove_right(a.on.id, a.role, a.what))
        check_role_exists(a.role);
    warn_of_lost_rights(captures);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_grant_usage) {
    PreventCommandIfReadOnly("pgpubsub.grant_usage()");
    using at = grant_usage_arguments;
    require(fcinfo, at::role, "role");
    require(fcinfo, at::own_channels, "own_channels");
    check_role_exists(PG_GETARG_OID(at::role));
    grant_at_commit(PG_GETARG_OID(at::role),
                    PG_GETARG_BOOL(at::own_channels) ? usage::all : usage::publish | usage::consume);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_revoke_usage) {
    PreventCommandIfReadOnly("pgpubsub.revoke_usage()");
    using at = revoke_usage_arguments;
    require(fcinfo, at::role, "role");
    check_role_exists(PG_GETARG_OID(at::role));
    revoke_at_commit(PG_GETARG_OID(at::role), usage::all);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_complete_usage) {
    complete_grants_at_commit();
    // A REVOKE in the script, of rights that default privileges gave on the type, has removed the dependencies.
    depend_on_all_roles();
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_has_channel_privilege) {
    using at = has_channel_privilege_arguments;
    const std::string_view name = text_argument(fcinfo, at::channel, "channel");
    const privilege wanted = parse_privilege(text_argument(fcinfo, at::privilege, "privilege"));
    channel c;
    // A trigger may have an argument that can't be the name of a channel.
    if (name.empty() || name.size() > max_channel_bytes || !find_channel(name, &c))
        PG_RETURN_NULL();
    PG_RETURN_BOOL(has_privilege(c.id, GetUserId(), wanted));
}

// Statement trigger on the tables of channels: when this transaction commits, all sessions forget their caches of these
// tables.
PGPUBSUB_FUNCTION(pgpubsub_channels_changed) {
    CacheInvalidateRelcacheByRelid(our_catalog().channel);
    // Rights may be restored, or written by hand.
    if (CALLED_AS_TRIGGER(fcinfo)) {
        const auto* const trigger = reinterpret_cast<const TriggerData*>(fcinfo->context);
        if (RelationGetRelid(trigger->tg_relation) == our_catalog().channel_privilege &&
            (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) || TRIGGER_FIRED_BY_UPDATE(trigger->tg_event))) {
            CommandCounterIncrement();  // makes the rows of this command visible
            depend_on_all_roles();
        }
    }
    return no_row;
}
