// Making, changing and dropping channels and subscriptions; pause, resume, purge.
#include "administration.hpp"

#include "archive.hpp"
#include "broadcast.hpp"
#include "channel_settings.hpp"
#include "interval.hpp"
#include "notification.hpp"
#include "stat_count.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

namespace {

// As of now, whatever snapshot the transaction has.
void check_not_attached(const channel& c) {
    PushActiveSnapshot(GetLatestSnapshot());
    as_extension_owner([&c] {
        // A trigger's arguments are stored one after the other, each with a zero byte behind it; the channel is the first.
        Oid types[] = {TEXTOID, OIDOID};
        Datum values[] = {CStringGetTextDatum(c.name), ObjectIdGetDatum(our_catalog().capture_function)};
        SPI_execute_with_args(
            "SELECT tgrelid::pg_catalog.regclass::pg_catalog.text, tgname "
            "FROM pg_catalog.pg_trigger, (SELECT pg_catalog.convert_to($1, pg_catalog.getdatabaseencoding()) "
            "                             OPERATOR(pg_catalog.||) '\\x00'::bytea) c(argument) "
            "WHERE tgfoid OPERATOR(pg_catalog.=) $2 AND NOT tgisinternal "
            "AND pg_catalog.substr(tgargs, 1, pg_catalog.length(argument)) OPERATOR(pg_catalog.=) argument "
            "ORDER BY tgparentid, tgrelid, tgname LIMIT 1",
            lengthof(types), types, values, nullptr, true, 1);
        if (SPI_processed > 0)
            ereport(ERROR, errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
                    errmsg("cannot drop channel \"%s\" because a table is attached to it", c.name),
                    errdetail("Trigger \"%s\" of table %s captures into it.",
                              SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2),
                              SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1)),
                    errhint("Detach the table first with pgpubsub.detach(), or drop a trigger that was made by hand."));
    });
    PopActiveSnapshot();
}

channel_kind kind_argument(FunctionCallInfo fcinfo, int index) {
    const std::string_view kind = text_argument(fcinfo, index, "kind");
    if (kind == "queue")
        return channel_kind::queue;
    if (kind == "broadcast")
        return channel_kind::broadcast;
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized channel kind \"%s\"", c_string(kind)),
            errhint("The kinds are \"queue\" and \"broadcast\"."));
}

constexpr const char* nothing_is_stored = "A broadcast is sent when the transaction commits, and not stored for consumers.";

// What a channel has beside its subscriptions.
struct channel_settings {
    optional_argument ordered;
    optional_argument retention;
};

// kind_name: how to name in a message that the channel is of that kind.
void check_channel_settings(const channel_settings& own, const subscription_settings& of_subscription, channel_kind kind,
                            const char* kind_name) {
    if (kind == channel_kind::broadcast && own.ordered.is_given && DatumGetBool(own.ordered.value))
        contradicting_arguments("ordered", kind_name, nothing_is_stored);
    if (kind == channel_kind::broadcast && of_subscription.any_is_given())
        contradicting_arguments(of_subscription.first_given(), kind_name, nothing_is_stored);
    if (kind == channel_kind::queue && own.retention.is_given)
        contradicting_arguments("retention", kind_name,
                                "The retention time is that of broadcasts; what a queue channel has processed is kept for "
                                "the time of \"history\".");
    if (own.retention.is_given && microseconds_of(*DatumGetIntervalP(own.retention.value)) <= 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"retention\" must be more than zero"));
}

void store_channel_settings(const channel_settings& own, int32 channel_id) {
    Oid types[] = {INT4OID, BOOLOID, INTERVALOID};
    Datum values[] = {Int32GetDatum(channel_id), own.ordered.value, own.retention.value};
    const char nulls[] = {' ', own.ordered.is_given ? ' ' : 'n', own.retention.is_given ? ' ' : 'n'};
    SPI_execute_with_args("UPDATE pgpubsub.channel SET ordered = coalesce($2, ordered), retention = coalesce($3, retention) "
                          "WHERE id OPERATOR(pg_catalog.=) $1",
                          lengthof(types), types, values, nulls, false, 0);
}

void make_broadcast(int32 channel_id) {
    run(psprintf("UPDATE pgpubsub.channel SET kind = 'broadcast', retention = %ld * interval '1 microsecond' "
                 "WHERE id OPERATOR(pg_catalog.=) %d",
                 static_cast<long>(default_retention), channel_id));
    run(psprintf("DELETE FROM pgpubsub.subscription WHERE channel_id OPERATOR(pg_catalog.=) %d", channel_id));
}

bool has_rows(const notification_table& table, const channel& c) {
    for (const subscription& s : subscriptions_of(c)) {
        ScanKeyData keys[] = {equals_int4(1, s.id)};
        if (has_row(table, our_catalog().notification_ready, keys) || has_row(table, our_catalog().notification_due, keys))
            return true;
    }
    return false;
}

// Rows that were stored under the other rule would be delivered by neither. Keeps publishers out until the transaction ends.
void check_may_change_order(const channel& c) {
    notification_table table = notification_table::open();
    LockRelation(table.heap(), ShareRowExclusiveLock);
    if (has_rows(table, c))
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("cannot change \"ordered\" of channel \"%s\" while it has notifications", c.name),
                errhint("Pause the publishers until they are processed, or remove them with pgpubsub.purge_channel()."));
    table.close();
}

void check_sees_all_rows(const char* what) {
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot drop a %s in a transaction of isolation level REPEATABLE READ or SERIALIZABLE", what),
                errdetail("Notifications that it does not see would be left behind."),
                errhint("Use READ COMMITTED."));
}

// Removes everything that subscriptions hold, and keeps publishers out until the transaction ends. Most rows go while
// writers go on; the lock then makes sure that none is left behind for a subscription that is gone. Before the lock, no row
// is touched that somebody may wait for while they keep us from the lock: a leased one, whose holder may ack it.
void remove_everything(std::span<const subscription> subscriptions) {
    notification_table table = notification_table::open();
    for (const subscription& s : subscriptions)
        table.remove_ready(s.id);
    LockRelation(table.heap(), ShareRowExclusiveLock);
    for (const subscription& s : subscriptions) {
        table.remove_all(s.id, true);
        remove_archives(s.id);
        remove_counts(s.id);
    }
    table.close();
}

void change_owner(const channel& c, Oid owner) {
    const char* const name = GetUserNameFromId(owner, true);
    if (name == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", owner));
    if (!may_give_to(GetUserId(), owner))
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be member of role \"%s\"", name));
    as_extension_owner([&] {
        run(psprintf("DELETE FROM pgpubsub.channel_privilege WHERE channel_id OPERATOR(pg_catalog.=) %d "
                     "AND privilege OPERATOR(pg_catalog.=) 'owner'",
                     c.id));
        run(psprintf("INSERT INTO pgpubsub.channel_privilege VALUES (%d, %u, 'owner')", c.id, owner));
        grant_usage(quote_identifier(name), privilege::owner);
    });
}

// The subscription that the argument names, or all where it is null.
std::span<const subscription> subscriptions_argument(FunctionCallInfo fcinfo, int index, const channel& c) {
    if (PG_ARGISNULL(index))
        return subscriptions_of(c);
    auto* const named = static_cast<subscription*>(palloc(sizeof(subscription)));
    *named = get_subscription(c, text_argument(fcinfo, index, "subscription"));
    return {named, 1};
}

channel owned_queue(FunctionCallInfo fcinfo) {
    const channel c = owned_channel(text_argument(fcinfo, 0, "channel"));
    return get_queue_channel(c.name);
}

void set_paused(FunctionCallInfo fcinfo, const channel& c, bool paused) {
    const std::span<const subscription> subscriptions = subscriptions_argument(fcinfo, 1, c);
    as_extension_owner([&] {
        for (const subscription& s : subscriptions)
            run(psprintf("UPDATE pgpubsub.subscription SET paused = %s WHERE id OPERATOR(pg_catalog.=) %d",
                         paused ? "true" : "false", s.id));
    });
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_create_channel) {
    PreventCommandIfReadOnly("pgpubsub.create_channel()");
    const std::string_view name = text_argument(fcinfo, 0, "name");
    const channel_kind kind = kind_argument(fcinfo, 1);
    const channel_settings own = {optional_argument::of(fcinfo, 2), optional_argument::of(fcinfo, 9)};
    const subscription_settings settings = subscription_settings::of(fcinfo, 3);
    require(fcinfo, 10, "if_not_exists");
    check_channel_settings(own, settings, kind, "kind");
    subscription fresh{};
    fresh.back_off = default_backoff;
    check_settings(settings, fresh);

    bool created;
    const channel c = get_or_create_channel(name, GetUserId(), &created);
    if (!created && !PG_GETARG_BOOL(10))
        ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("channel \"%s\" already exists", c.name),
                errhint("Pass if_not_exists => true if that is fine."));
    if (!created && c.kind != kind)
        ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
                errmsg("channel \"%s\" already exists, and is a %s channel", c.name,
                       c.kind == channel_kind::queue ? "queue" : "broadcast"));
    if (!created)
        PG_RETURN_VOID();
    const int32 default_id = get_subscription(c, default_subscription).id;
    as_extension_owner([&] {
        if (kind == channel_kind::broadcast)
            make_broadcast(c.id);
        else
            store_settings(settings, default_id);
        if (own.ordered.is_given || own.retention.is_given)
            store_channel_settings(own, c.id);
    });
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_alter_channel) {
    PreventCommandIfReadOnly("pgpubsub.alter_channel()");
    const channel c = owned_channel(text_argument(fcinfo, 0, "name"));
    const channel_settings own = {optional_argument::of(fcinfo, 1), optional_argument::of(fcinfo, 8)};
    subscription_settings settings = subscription_settings::of(fcinfo, 2);
    settings.filter = optional_argument::of(fcinfo, 9);
    const optional_argument subscription_name = optional_argument::of(fcinfo, 10);
    const char* const kind_name = c.kind == channel_kind::queue ? "kind => 'queue'" : "kind => 'broadcast'";
    check_channel_settings(own, settings, c.kind, kind_name);
    if (c.kind == channel_kind::broadcast && subscription_name.is_given)
        contradicting_arguments("subscription", kind_name, nothing_is_stored);

    if (settings.any_is_given() || subscription_name.is_given) {
        const subscription s = get_subscription(
            c, subscription_name.is_given ? view_of(DatumGetTextPP(subscription_name.value)) : default_subscription);
        check_settings(settings, s);
        as_extension_owner([&] { store_settings(settings, s.id); });
    }
    if (own.ordered.is_given && DatumGetBool(own.ordered.value) != c.ordered)
        check_may_change_order(c);
    if (own.ordered.is_given || own.retention.is_given)
        as_extension_owner([&] { store_channel_settings(own, c.id); });
    if (!PG_ARGISNULL(11))
        change_owner(c, PG_GETARG_OID(11));
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_drop_channel) {
    PreventCommandIfReadOnly("pgpubsub.drop_channel()");
    const std::string_view name = text_argument(fcinfo, 0, "name");
    check_sees_all_rows("channel");
    const channel c = owned_channel(name);
    check_not_attached(c);
    remove_everything(subscriptions_of(c));
    check_not_attached(c);  // again: an attach() holds the lock that was waited for
    remove_broadcasts(c.id, true);
    as_extension_owner([&c] {
        run(psprintf("DELETE FROM pgpubsub.subscription WHERE channel_id OPERATOR(pg_catalog.=) %d", c.id));
        run(psprintf("DELETE FROM pgpubsub.channel_privilege WHERE channel_id OPERATOR(pg_catalog.=) %d", c.id));
        run(psprintf("DELETE FROM pgpubsub.channel WHERE id OPERATOR(pg_catalog.=) %d", c.id));
    });
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_subscribe) {
    PreventCommandIfReadOnly("pgpubsub.subscribe()");
    const channel c = owned_queue(fcinfo);
    const std::string_view name = text_argument(fcinfo, 1, "subscription");
    check_name(name, "subscription");
    subscription_settings settings = subscription_settings::of(fcinfo, 3);
    settings.filter = optional_argument::of(fcinfo, 2);
    require(fcinfo, 9, "if_not_exists");
    subscription s{};
    if (find_subscription(c, name, &s)) {
        if (!PG_GETARG_BOOL(9))
            ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
                    errmsg("subscription \"%s\" of channel \"%s\" already exists", s.name, c.name),
                    errhint("Pass if_not_exists => true if that is fine."));
        PG_RETURN_VOID();
    }
    s.back_off = default_backoff;
    check_settings(settings, s);
    const int32 id = create_subscription(c.id, name);
    as_extension_owner([&] { store_settings(settings, id); });
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_unsubscribe) {
    PreventCommandIfReadOnly("pgpubsub.unsubscribe()");
    require(fcinfo, 1, "subscription");
    check_sees_all_rows("subscription");
    const channel c = owned_queue(fcinfo);
    const std::span<const subscription> named = subscriptions_argument(fcinfo, 1, c);
    remove_everything(named);
    as_extension_owner([&named] {
        run(psprintf("DELETE FROM pgpubsub.subscription WHERE id OPERATOR(pg_catalog.=) %d", named[0].id));
    });
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_pause_channel) {
    PreventCommandIfReadOnly("pgpubsub.pause_channel()");
    set_paused(fcinfo, owned_queue(fcinfo), true);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_resume_channel) {
    PreventCommandIfReadOnly("pgpubsub.resume_channel()");
    const channel c = owned_queue(fcinfo);
    set_paused(fcinfo, c, false);
    wake_consumers(c);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_purge_channel) {
    PreventCommandIfReadOnly("pgpubsub.purge_channel()");
    const channel c = owned_channel(text_argument(fcinfo, 0, "channel"));
    if (c.kind == channel_kind::broadcast && !PG_ARGISNULL(1))
        contradicting_arguments("subscription", "kind => 'broadcast'", nothing_is_stored);
    if (c.kind == channel_kind::broadcast)
        PG_RETURN_INT64(remove_broadcasts(c.id, false));
    notification_table table = notification_table::open();
    int64 removed = 0;
    for (const subscription& s : subscriptions_argument(fcinfo, 1, c))
        removed += table.remove_all(s.id, false);
    table.close();
    PG_RETURN_INT64(removed);
}
