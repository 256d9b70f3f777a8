// Rights on channels: grant_channel(), revoke_channel(), has_channel_privilege().
#include "administration.hpp"

using namespace pgpubsub;

namespace {

// What a role needs besides its right on a channel. pg_dump carries these grants, since they differ from those that
// CREATE EXTENSION makes; and a role that holds one can't be dropped unnoticed.
// By their names, all forms of each: what arguments they take depends on the version of the catalog.
constexpr const char* functions_for_publish[] = {"publish", "publish_batch"};
constexpr const char* functions_for_consume[] = {"take",         "requeue",      "claim",   "ack",
                                                 "nack",         "extend",       "release", "recover",
                                                 "next_due",     "redrive",      "purge_dead_letters",
                                                 "read_broadcast", "stat_backlog", "stat_rates",
                                                 "wakeup_state", "wait",         "stat_leases", "peek"};
constexpr const char* functions_for_owner[] = {"alter_channel", "drop_channel", "pause_channel", "resume_channel", "purge_channel",
                                               "subscribe",     "unsubscribe",  "grant_channel", "revoke_channel"};
constexpr const char* functions_for_both[] = {"has_channel_privilege", "attachment_list", "get"};
constexpr const char* views_for_both[] = {"pgpubsub.channels", "pgpubsub.subscriptions", "pgpubsub.channel_privileges",
                                          "pgpubsub.attachments"};
constexpr const char* views_for_consume[] = {"pgpubsub.notifications", "pgpubsub.dead_letters", "pgpubsub.history",
                                               "pgpubsub.stat_channels", "pgpubsub.stat_consumers", "pgpubsub.stat_wakeup"};

template <std::size_t N>
void grant_select(const char* const (&views)[N], const char* role) {
    for (const char* const view : views)
        run(psprintf("GRANT SELECT ON %s TO %s", view, role));
}

template <std::size_t N>
void grant_execute(const char* const (&names)[N], const char* role) {
    const Oid schema = get_rel_namespace(our_catalog().channel);
    for (const char* const name : names) {
        catclist* const found = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
        auto* const forms = static_cast<Oid*>(palloc(Max(found->n_members, 1) * sizeof(Oid)));
        int count = 0;
        for (int i = 0; i < found->n_members; ++i) {
            const auto* const function = reinterpret_cast<Form_pg_proc>(GETSTRUCT(&found->members[i]->tuple));
            if (function->pronamespace == schema)
                forms[count++] = function->oid;
        }
        ReleaseSysCacheList(found);
        for (int i = 0; i < count; ++i)
            run(psprintf("GRANT EXECUTE ON ROUTINE %s TO %s", format_procedure_qualified(forms[i]), role));
    }
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
    grant_execute(functions_for_both, quoted_role);
    grant_select(views_for_both, quoted_role);
    if (what != privilege::consume)
        grant_execute(functions_for_publish, quoted_role);
    if (what == privilege::owner)
        grant_execute(functions_for_owner, quoted_role);
    if (what != privilege::publish) {
        grant_execute(functions_for_consume, quoted_role);
        grant_select(views_for_consume, quoted_role);
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
