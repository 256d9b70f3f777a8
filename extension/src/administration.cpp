// Making and dropping channels, and giving and taking rights on them.
//
// Guarantee: only who may create (by a grant on create_channel) or who owns the channel gets past the guards. What then runs
// as SQL runs as the extension's owner, with names that are fully qualified.
#include "arguments.hpp"
#include "catalog.hpp"
#include "channel.hpp"
#include "notification.hpp"

using namespace pgpubsub;

namespace {

// What a role needs besides its right on a channel. pg_dump carries these grants, since they differ from those that
// CREATE EXTENSION makes; and a role that holds one can't be dropped unnoticed.
constexpr const char* functions_for_publish[] = {
    "FUNCTION pgpubsub.publish(text, jsonb, text, jsonb, timestamptz, integer)",
};
constexpr const char* functions_for_consume[] = {
    "FUNCTION pgpubsub.take(text, integer)",
    "FUNCTION pgpubsub.requeue(bigint[], interval, text)",
    "FUNCTION pgpubsub.claim(text, integer, interval)",
    "FUNCTION pgpubsub.ack(text[])",
    "FUNCTION pgpubsub.nack(text[], interval, text)",
    "FUNCTION pgpubsub.extend(text[], interval)",
    "FUNCTION pgpubsub.release(text[])",
    "FUNCTION pgpubsub.recover(text)",
    "FUNCTION pgpubsub.next_due(text)",
};
constexpr const char* functions_for_both[] = {
    "FUNCTION pgpubsub.has_channel_privilege(text, text)",
};
constexpr const char* views_for_both[] = {"pgpubsub.channels", "pgpubsub.channel_privileges"};
constexpr const char* views_for_consume[] = {"pgpubsub.notifications"};

// Runs f as the owner of the extension's tables, connected to SPI. After an ERROR the transaction's abort puts the
// user back.
template <typename F>
void as_extension_owner(F f) {
    const Relation table = table_open(our_catalog().channel, AccessShareLock);
    const Oid owner = table->rd_rel->relowner;
    table_close(table, AccessShareLock);
    Oid caller;
    int context;
    GetUserIdAndSecContext(&caller, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    SPI_connect();
    f();
    SPI_finish();
    SetUserIdAndSecContext(caller, context);
}

void run(const char* command) {
    if (SPI_execute(command, false, 0) < 0)
        elog(ERROR, "could not run \"%s\"", command);
}

void check_not_attached(const channel& c) {
    as_extension_owner([&c] {
        // A trigger's arguments are stored one after the other, each with a zero byte behind it.
        Oid types[] = {TEXTOID};
        Datum values[] = {CStringGetTextDatum(c.name)};
        SPI_execute_with_args(
            "SELECT tgrelid::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_trigger "
            "WHERE tgfoid OPERATOR(pg_catalog.=) 'pgpubsub.capture()'::pg_catalog.regprocedure "
            "AND NOT tgisinternal AND tgargs OPERATOR(pg_catalog.=) "
            "(pg_catalog.convert_to($1, pg_catalog.getdatabaseencoding()) OPERATOR(pg_catalog.||) '\\x00'::bytea) LIMIT 1",
            1, types, values, nullptr, true, 1);
        if (SPI_processed > 0)
            ereport(ERROR, errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                    errmsg("cannot drop channel \"%s\" because a table is attached to it", c.name),
                    errdetail("Table %s has a capture trigger on it.",
                              SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
                    errhint("Detach it first with pgpubsub.detach()."));
    });
}

template <std::size_t N>
void grant_on(const char* right, const char* const (&objects)[N], const char* role) {
    for (const char* const object : objects)
        run(psprintf("GRANT %s ON %s TO %s", right, object, role));
}

// Waits for whoever else changes channels or rights in this way: two GRANTs at the same time would fail one of them.
void lock_administration() {
    LockDatabaseObject(our_catalog().channel_privilege, InvalidOid, 0, ShareUpdateExclusiveLock);
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
    lock_administration();
    a.on = get_channel(name);
    check_privilege(a.on, GetUserId(), privilege::owner);
    const char* const found = GetUserNameFromId(a.role, true);
    if (found == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", a.role));
    a.role_name = quote_identifier(found);
    return a;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_create_channel) {
    PreventCommandIfReadOnly("pgpubsub.create_channel()");
    const std::string_view name = text_argument(fcinfo, 0, "name");
    require(fcinfo, 1, "if_not_exists");
    bool created;
    const channel c = get_or_create_channel(name, GetUserId(), &created);
    if (!created && !PG_GETARG_BOOL(1))
        ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("channel \"%s\" already exists", c.name),
                errhint("Pass if_not_exists => true if that is fine."));
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_drop_channel) {
    PreventCommandIfReadOnly("pgpubsub.drop_channel()");
    const std::string_view name = text_argument(fcinfo, 0, "name");
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot drop a channel in a transaction of isolation level REPEATABLE READ or SERIALIZABLE"),
                errdetail("Notifications that it does not see would be left behind."),
                errhint("Use READ COMMITTED."));
    lock_administration();
    const channel c = get_channel(name);
    check_privilege(c, GetUserId(), privilege::owner);
    check_not_attached(c);

    // Most rows go while writers go on; the lock then makes sure that none is left behind for a channel that is gone.
    notification_table table = notification_table::open();
    table.remove_all(c.id);
    LockRelation(table.heap(), ShareRowExclusiveLock);
    table.remove_all(c.id);
    table.close();
    as_extension_owner([&c] {
        run(psprintf("DELETE FROM pgpubsub.channel_privilege WHERE channel_id OPERATOR(pg_catalog.=) %d", c.id));
        run(psprintf("DELETE FROM pgpubsub.channel WHERE id OPERATOR(pg_catalog.=) %d", c.id));
    });
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_grant_channel) {
    PreventCommandIfReadOnly("pgpubsub.grant_channel()");
    const grant_arguments a = read_grant_arguments(fcinfo);
    as_extension_owner([&a] {
        run(psprintf("INSERT INTO pgpubsub.channel_privilege VALUES (%d, %u, '%s') ON CONFLICT DO NOTHING", a.on.id, a.role,
                     privilege_name(a.what)));
        run(psprintf("GRANT USAGE ON SCHEMA pgpubsub TO %s", a.role_name));
        grant_on("EXECUTE", functions_for_both, a.role_name);
        grant_on("SELECT", views_for_both, a.role_name);
        if (a.what == privilege::publish) {
            grant_on("EXECUTE", functions_for_publish, a.role_name);
        } else {
            grant_on("EXECUTE", functions_for_consume, a.role_name);
            grant_on("SELECT", views_for_consume, a.role_name);
        }
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
    if (!find_channel(name, &c))
        PG_RETURN_NULL();
    PG_RETURN_BOOL(has_privilege(c.id, GetUserId(), wanted));
}

// Statement trigger on the tables of channels: all sessions forget what they remember of them, when this commits.
PGPUBSUB_FUNCTION(pgpubsub_channels_changed) {
    CacheInvalidateRelcacheByRelid(our_catalog().channel);
    return no_row;
}
