// Making, changing and dropping channels.
#include "admin/administration.hpp"
#include "admin/removal.hpp"
#include "admin/rights.hpp"
#include "capture/capture_right.hpp"
#include "channel/channel_settings.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "claim/left_rows.hpp"
#include "pg/compat.hpp"
#include "pg/interval.hpp"
#include "place/key_memory.hpp"
#include "queue/broadcast.hpp"
#include "queue/notification.hpp"

using namespace pgpubsub;

namespace {

struct create_channel_arguments {
    enum : int {
        name,
        kind,
        ordered,
        max_attempts,
        backoff_base,
        backoff_factor,
        backoff_max,
        backoff_jitter,
        history,
        retention,
        if_not_exists
    };
};
struct alter_channel_arguments {
    enum : int {
        name,
        ordered,
        max_attempts,
        backoff_base,
        backoff_factor,
        backoff_max,
        backoff_jitter,
        history,
        retention,
        filter,
        subscription,
        owner
    };
};
struct drop_channel_arguments {
    enum : int { name };
};
struct capture_trigger {
    Oid table;
    NameData name;
};

// Returns whether the trigger captures into the channel. The owner of its table must be allowed to publish there;
// otherwise anybody's trigger could prevent dropping the channel. The arguments are stored one after the other, each
// followed by a zero byte; the channel is the first. The triggers of partitions don't count, only that of the
// partitioned table.
bool captures_into(HeapTuple trigger, TupleDesc columns, const channel& c) {
    const FormData_pg_trigger& form = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(trigger));
    if (form.tgfoid != our_catalog().capture_function || OidIsValid(form.tgparentid) || form.tgnargs == 0)
        return false;
    bool null;
    const std::string_view arguments =
        view_of(DatumGetTextPP(heap_getattr(trigger, Anum_pg_trigger_tgargs, columns, &null)));
    if (arguments.substr(0, arguments.find('\0')) != c.name)
        return false;
    const Oid owner = owner_of_relation(form.tgrelid);
    return OidIsValid(owner) && has_privilege(c.id, owner, privilege::publish);
}

// Finds the trigger as of now, whatever snapshot the transaction has.
bool find_capture_trigger(const channel& c, capture_trigger* found) {
    const Relation triggers = table_open(TriggerRelationId, AccessShareLock);
    const Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    const SysScanDesc scan = systable_beginscan(triggers, TriggerRelidNameIndexId, true, snapshot, 0, nullptr);
    bool is_there = false;
    HeapTuple tuple;
    while (!is_there && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const FormData_pg_trigger& form = *reinterpret_cast<Form_pg_trigger>(GETSTRUCT(tuple));
        is_there = captures_into(tuple, RelationGetDescr(triggers), c);
        *found = {form.tgrelid, form.tgname};
    }
    systable_endscan(scan);
    UnregisterSnapshot(snapshot);
    table_close(triggers, AccessShareLock);
    return is_there;
}

void check_not_attached(const channel& c) {
    capture_trigger trigger;
    if (!find_capture_trigger(c, &trigger))
        return;
    ereport(ERROR, errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
            errmsg("cannot drop channel \"%s\" because a table is attached to it", c.name),
            errdetail("Trigger \"%s\" of table %s captures into it.", NameStr(trigger.name),
                      DatumGetCString(DirectFunctionCall1(regclassout, ObjectIdGetDatum(trigger.table)))),
            errhint("Detach the table first with pgpubsub.detach(), or drop a trigger that was made by hand."));
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

// The settings of a channel beside those of its subscriptions.
struct channel_settings {
    optional_argument ordered;
    optional_argument retention;

    template <typename At>
    static channel_settings of(FunctionCallInfo fcinfo) {
        return {optional_argument::of(fcinfo, At::ordered), optional_argument::of(fcinfo, At::retention)};
    }
};

// `kind_name`: how a message names the argument that says that the channel is of that kind.
void check_channel_settings(const channel_settings& own, const subscription_settings& of_subscription,
                            channel_kind kind, const char* kind_name) {
    if (kind == channel_kind::broadcast && own.ordered.is_given && DatumGetBool(own.ordered.value))
        contradicting_arguments("ordered", kind_name, nothing_is_stored);
    if (kind == channel_kind::broadcast && of_subscription.any_is_given())
        contradicting_arguments(of_subscription.first_given(), kind_name, nothing_is_stored);
    if (kind == channel_kind::queue && own.retention.is_given)
        contradicting_arguments(
            "retention", kind_name,
            "The retention time is that of broadcasts; what a queue channel has processed is kept for "
            "the time of \"history\".");
    if (own.retention.is_given && microseconds_of(*DatumGetIntervalP(own.retention.value)) <= 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("argument \"retention\" must be more than zero"));
}

void store_channel_settings(const channel_settings& own, int32 channel_id) {
    column_value changes[2];
    std::size_t count = 0;
    if (own.ordered.is_given)
        changes[count++] = {channel_column::ordered, own.ordered.value};
    if (own.retention.is_given)
        changes[count++] = {channel_column::retention, own.retention.value};
    if (count > 0)
        update_channel(channel_id, {changes, count});
}

void make_broadcast(int32 channel_id) {
    const column_value changes[] = {{channel_column::kind, CStringGetTextDatum("broadcast")},
                                    {channel_column::retention, interval_of(default_retention)}};
    update_channel(channel_id, changes);
    remove_subscriptions_of(channel_id);
}

// Refuses to change the order of a channel that has rows: rows that were stored under the other rule would be delivered
// by neither. Keeps the channel's users out until the transaction ends.
void check_may_change_order(const channel& c) {
    notification_table table = notification_table::open();
    if (knows_keys())
        has_rows(table, c);  // so that the second look, under the lock, is short
    lock_channel(c.id, channel_lock::replace);
    if (has_rows(table, c))
        ereport(
            ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("cannot change \"ordered\" of channel \"%s\" while it has notifications", c.name),
            errhint("Pause the publishers until they are processed, or remove them with pgpubsub.purge_channel()."));
    table.close();
}

void change_owner(const channel& c, Oid owner) {
    const char* const name = GetUserNameFromId(owner, true);
    if (name == nullptr)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", owner));
    if (!may_give_to(GetUserId(), owner))
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg(may_not_give_to, name));
    const List* const captures = captures_with_right(&c);
    remove_owners(c.id);
    give_right(c.id, owner, privilege::owner);
    warn_of_lost_rights(captures);
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_create_channel) {
    PreventCommandIfReadOnly("pgpubsub.create_channel()");
    using at = create_channel_arguments;
    const std::string_view name = text_argument(fcinfo, at::name, "name");
    const channel_kind kind = kind_argument(fcinfo, at::kind);
    const channel_settings own = channel_settings::of<at>(fcinfo);
    const subscription_settings settings = subscription_settings::of<at>(fcinfo);
    require(fcinfo, at::if_not_exists, "if_not_exists");
    check_channel_settings(own, settings, kind, "kind");
    subscription fresh{};
    fresh.back_off = default_backoff;
    check_settings(settings, fresh);

    bool created;
    const channel c = get_or_create_channel(name, GetUserId(), &created);
    if (!created && !PG_GETARG_BOOL(at::if_not_exists))
        ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("channel \"%s\" already exists", c.name),
                errhint("Pass if_not_exists => true if that is fine."));
    if (!created && c.kind != kind)
        ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
                errmsg("channel \"%s\" already exists, and is a %s channel", c.name,
                       c.kind == channel_kind::queue ? "queue" : "broadcast"));
    if (!created)
        PG_RETURN_VOID();
    const int32 default_id = get_subscription(c, default_subscription).id;
    if (kind == channel_kind::broadcast)
        make_broadcast(c.id);
    else
        store_settings(settings, default_id);
    store_channel_settings(own, c.id);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_alter_channel) {
    PreventCommandIfReadOnly("pgpubsub.alter_channel()");
    using at = alter_channel_arguments;
    const channel c = owned_channel(text_argument(fcinfo, at::name, "name"), channel_lock::change);
    const channel_settings own = channel_settings::of<at>(fcinfo);
    subscription_settings settings = subscription_settings::of<at>(fcinfo);
    settings.filter = optional_argument::of(fcinfo, at::filter);
    const optional_argument subscription_name = optional_argument::of(fcinfo, at::subscription);
    const char* const kind_name = c.kind == channel_kind::queue ? "kind => 'queue'" : "kind => 'broadcast'";
    check_channel_settings(own, settings, c.kind, kind_name);
    if (c.kind == channel_kind::broadcast && subscription_name.is_given)
        contradicting_arguments("subscription", kind_name, nothing_is_stored);

    if (settings.any_is_given() || subscription_name.is_given) {
        const subscription s = get_subscription(
            c, subscription_name.is_given ? view_of(DatumGetTextPP(subscription_name.value)) : default_subscription);
        check_settings(settings, s);
        store_settings(settings, s.id);
    }
    if (own.ordered.is_given && DatumGetBool(own.ordered.value) != c.ordered)
        check_may_change_order(c);
    store_channel_settings(own, c.id);
    if (!PG_ARGISNULL(at::owner))
        change_owner(c, PG_GETARG_OID(at::owner));
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_drop_channel) {
    PreventCommandIfReadOnly("pgpubsub.drop_channel()");
    const std::string_view name = text_argument(fcinfo, drop_channel_arguments::name, "name");
    check_sees_all_rows("channel");
    const channel c = owned_channel(name, channel_lock::change);
    check_not_attached(c);
    remove_everything(c, subscriptions_of(c));
    check_not_attached(c);  // again: an attach() may have held the lock for which this command has waited
    remove_broadcasts(c.id, true);
    remove_channel(c.id);
    PG_RETURN_VOID();
}
