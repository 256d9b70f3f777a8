// Rights on channels: grant_channel(), revoke_channel(), has_channel_privilege().
#include "administration.hpp"

using namespace pgpubsub;

namespace {

// What a role needs besides its right on a channel. pg_dump carries these grants, since they differ from those that
// CREATE EXTENSION makes; and a role that holds one can't be dropped unnoticed.
constexpr const char* functions_for_publish[] = {
    "FUNCTION pgpubsub.publish(text, jsonb, text, jsonb, timestamptz, integer, text, boolean)",
    "FUNCTION pgpubsub.publish_batch(text, jsonb[], text[], jsonb[], timestamptz, integer)",
};
constexpr const char* functions_for_consume[] = {
    "FUNCTION pgpubsub.take(text, integer, text, jsonb)",
    "FUNCTION pgpubsub.requeue(bigint[], interval, text, boolean)",
    "FUNCTION pgpubsub.claim(text, integer, interval, text, jsonb)",
    "FUNCTION pgpubsub.ack(text[])",
    "FUNCTION pgpubsub.nack(text[], interval, text, boolean)",
    "FUNCTION pgpubsub.extend(text[], interval)",
    "FUNCTION pgpubsub.release(text[])",
    "FUNCTION pgpubsub.recover(text)",
    "PROCEDURE pgpubsub.recover(text, integer, bigint)",
    "FUNCTION pgpubsub.next_due(text, text, jsonb)",
    "FUNCTION pgpubsub.redrive(text, jsonb, text)",
    "FUNCTION pgpubsub.redrive(text, bigint[], text)",
    "FUNCTION pgpubsub.purge_dead_letters(text, jsonb, interval, text)",
    "FUNCTION pgpubsub.purge_dead_letters(text, bigint[], text)",
    "FUNCTION pgpubsub.read_broadcast(text, bigint)",
    "FUNCTION pgpubsub.stat_backlog()",
    "FUNCTION pgpubsub.stat_rates()",
    "FUNCTION pgpubsub.wakeup_state()",
    "PROCEDURE pgpubsub.wait(text[], interval, text, text)",
    "FUNCTION pgpubsub.stat_leases()",
};
constexpr const char* functions_for_owner[] = {
    "FUNCTION pgpubsub.alter_channel(text, boolean, integer, interval, double precision, interval, double precision, interval, "
    "interval, jsonb, text, regrole)",
    "FUNCTION pgpubsub.drop_channel(text)",
    "FUNCTION pgpubsub.pause_channel(text, text)",
    "FUNCTION pgpubsub.resume_channel(text, text)",
    "FUNCTION pgpubsub.purge_channel(text, text)",
    "FUNCTION pgpubsub.subscribe(text, text, jsonb, integer, interval, double precision, interval, double precision, interval, "
    "boolean)",
    "FUNCTION pgpubsub.unsubscribe(text, text)",
    "FUNCTION pgpubsub.grant_channel(text, regrole, text)",
    "FUNCTION pgpubsub.revoke_channel(text, regrole, text)",
};
constexpr const char* functions_for_both[] = {
    "FUNCTION pgpubsub.has_channel_privilege(text, text)",
    "FUNCTION pgpubsub.attachment_list()",
};
constexpr const char* views_for_both[] = {"pgpubsub.channels", "pgpubsub.subscriptions", "pgpubsub.channel_privileges",
                                          "pgpubsub.attachments"};
constexpr const char* views_for_consume[] = {"pgpubsub.notifications", "pgpubsub.dead_letters", "pgpubsub.history",
                                               "pgpubsub.stat_channels", "pgpubsub.stat_consumers", "pgpubsub.stat_wakeup"};

template <std::size_t N>
void grant_on(const char* right, const char* const (&objects)[N], const char* role) {
    for (const char* const object : objects)
        run(psprintf("GRANT %s ON %s TO %s", right, object, role));
}

struct grant_arguments {
    channel on;
    Oid role;
    privilege what;
    const char* role_name;
};

grant_arguments read_grant_arguments(FunctionCallInfo fcinfo) {
    grant_arguments a;
    const std::string_view name = text_argument(fcinfo, 0, "channel");
    require(fcinfo, 1, "role");
    a.role = PG_GETARG_OID(1);
    a.what = parse_privilege(text_argument(fcinfo, 2, "privilege"));
    a.on = owned_channel(name);
    const char* const found = GetUserNameFromId(a.role, true);
    if (found == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", a.role));
    a.role_name = quote_identifier(found);
    return a;
}

}  // namespace

void pgpubsub::grant_usage(const char* quoted_role, privilege what) {
    run(psprintf("GRANT USAGE ON SCHEMA pgpubsub TO %s", quoted_role));
    grant_on("EXECUTE", functions_for_both, quoted_role);
    grant_on("SELECT", views_for_both, quoted_role);
    if (what != privilege::consume)
        grant_on("EXECUTE", functions_for_publish, quoted_role);
    if (what == privilege::owner)
        grant_on("EXECUTE", functions_for_owner, quoted_role);
    if (what != privilege::publish) {
        grant_on("EXECUTE", functions_for_consume, quoted_role);
        grant_on("SELECT", views_for_consume, quoted_role);
    }
}

PGPUBSUB_FUNCTION(pgpubsub_grant_channel) {
    PreventCommandIfReadOnly("pgpubsub.grant_channel()");
    const grant_arguments a = read_grant_arguments(fcinfo);
    as_extension_owner([&a] {
        run(psprintf("INSERT INTO pgpubsub.channel_privilege VALUES (%d, %u, '%s') ON CONFLICT DO NOTHING", a.on.id, a.role,
                     privilege_name(a.what)));
        grant_usage(a.role_name, a.what);
    });
    PG_RETURN_VOID();
}

// The plain grants stay. They give nothing without a right on a channel, and they may not be this channel's owner's to take: the
// role may have them for another channel.
PGPUBSUB_FUNCTION(pgpubsub_revoke_channel) {
    PreventCommandIfReadOnly("pgpubsub.revoke_channel()");
    const grant_arguments a = read_grant_arguments(fcinfo);
    as_extension_owner([&a] {
        run(psprintf("DELETE FROM pgpubsub.channel_privilege WHERE channel_id OPERATOR(pg_catalog.=) %d "
                     "AND grantee OPERATOR(pg_catalog.=) %u AND privilege OPERATOR(pg_catalog.=) '%s'",
                     a.on.id, a.role, privilege_name(a.what)));
    });
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_has_channel_privilege) {
    const std::string_view name = text_argument(fcinfo, 0, "channel");
    const privilege wanted = parse_privilege(text_argument(fcinfo, 1, "privilege"));
    channel c;
    // A trigger may name what can't be a channel's name.
    if (name.empty() || name.size() > max_channel_bytes || !find_channel(name, &c))
        PG_RETURN_NULL();
    PG_RETURN_BOOL(has_privilege(c.id, GetUserId(), wanted));
}

// Statement trigger on the tables of channels: all sessions forget what they remember of them, when this commits.
PGPUBSUB_FUNCTION(pgpubsub_channels_changed) {
    CacheInvalidateRelcacheByRelid(our_catalog().channel);
    return no_row;
}
