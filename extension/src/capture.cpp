// pgpubsub.capture(): the trigger function that turns a row change into a notification.
//
// Guarantee: the notification is a row of the same transaction, so it exists if and only if the change commits. It needs no right
// of the user who changes the row; the table's owner must be allowed to publish to the channel.
//
// Steps: guards; the channel, made if this is its first use; the payload; the rows, one for each subscription, and the hint; or the
// broadcast.
#include "broadcast.hpp"
#include "channel.hpp"
#include "notification.hpp"
#include "row_json.hpp"
#include "row_key.hpp"
#include "settings.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

namespace {

[[noreturn]] void wrong_use(const char* problem) {
    ereport(ERROR, errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED), errmsg("%s", problem),
            errhint("Use it as CREATE TRIGGER ... AFTER INSERT OR UPDATE OR DELETE ON ... FOR EACH ROW EXECUTE FUNCTION "
                    "pgpubsub.capture('channel'), or call pgpubsub.attach()."));
}

const TriggerData& guarded_trigger(FunctionCallInfo fcinfo) {
    if (!CALLED_AS_TRIGGER(fcinfo))
        wrong_use("pgpubsub.capture() was not called as a trigger");
    const auto& trigger = *reinterpret_cast<TriggerData*>(fcinfo->context);
    if (!TRIGGER_FIRED_AFTER(trigger.tg_event))
        wrong_use("pgpubsub.capture() must be an AFTER trigger");
    if (!TRIGGER_FIRED_FOR_ROW(trigger.tg_event))
        wrong_use("pgpubsub.capture() must be a trigger FOR EACH ROW");
    if (trigger.tg_trigger->tgnargs != 1)
        wrong_use("pgpubsub.capture() takes one argument, the channel");
    return trigger;
}

channel channel_of(const TriggerData& trigger) {
    const Oid owner = trigger.tg_relation->rd_rel->relowner;
    bool created;
    const channel c = get_or_create_channel(trigger.tg_trigger->tgargs[0], owner, &created);
    if (!created)
        check_privilege(c, owner, privilege::publish);
    return c;
}

void add_row_or_null(jsonb_writer& json, HeapTuple tuple, TupleDesc desc) {
    if (tuple == nullptr)
        return json.null();
    auto* const values = static_cast<Datum*>(palloc(desc->natts * sizeof(Datum)));
    auto* const nulls = static_cast<bool*>(palloc(desc->natts * sizeof(bool)));
    heap_deform_tuple(tuple, desc, values, nulls);
    add_row(json, *describe_columns(desc, {}), values, nulls);
}

const Jsonb* payload_of(const TriggerData& trigger, bool is_truncated = false) {
    const TriggerEvent event = trigger.tg_event;
    const bool is_insert = TRIGGER_FIRED_BY_INSERT(event);
    const bool is_update = TRIGGER_FIRED_BY_UPDATE(event);
    const Relation table = trigger.tg_relation;
    const char* const schema = get_namespace_name(RelationGetNamespace(table));

    constexpr std::string_view names[] = {"op", "new", "old", "table", "schema", "context", "truncated"};
    jsonb_writer json = jsonb_writer::make();
    json.begin_object(*make_object_shape({names, is_truncated ? std::size(names) : std::size(names) - 1}));
    json.string(is_insert ? "insert" : is_update ? "update" : "delete");
    add_row_or_null(json, is_insert ? trigger.tg_trigtuple : is_update ? trigger.tg_newtuple : nullptr, RelationGetDescr(table));
    add_row_or_null(json, is_insert ? nullptr : trigger.tg_trigtuple, RelationGetDescr(table));
    json.string(RelationGetRelationName(table));
    json.string(schema == nullptr ? "" : schema);
    json.value(notification_context());
    if (is_truncated)
        json.boolean(true);
    json.end();
    if (json.is_truncated() && !is_truncated)
        return payload_of(trigger, true);
    return json.finish();
}

// The key by which the changes of one row stay in order: that of the row as it is now, or was at last.
const text* key_of(const TriggerData& trigger) {
    const bool is_update = TRIGGER_FIRED_BY_UPDATE(trigger.tg_event);
    const TupleDesc desc = RelationGetDescr(trigger.tg_relation);
    auto* const values = static_cast<Datum*>(palloc(desc->natts * sizeof(Datum)));
    auto* const nulls = static_cast<bool*>(palloc(desc->natts * sizeof(bool)));
    heap_deform_tuple(is_update ? trigger.tg_newtuple : trigger.tg_trigtuple, desc, values, nulls);
    return key_text(desc, values, nulls, default_key_columns(trigger.tg_relation));
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_capture) {
    const TriggerData& trigger = guarded_trigger(fcinfo);
    // The table first: drop_channel() locks it, so a channel that is found under this lock stays.
    notification_table notifications = notification_table::open();
    const channel c = channel_of(trigger);
    const new_notification n = {.payload = payload_of(trigger), .key = c.ordered ? key_of(trigger) : nullptr};
    if (c.kind == channel_kind::broadcast) {
        broadcast(c, n);
    } else {
        store(notifications, c, subscriptions_of(c), n);
        wake_consumers(c);
    }
    notifications.close();
    return no_row;
}
