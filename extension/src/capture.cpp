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

void add_row_or_null(jsonb_builder& json, std::string_view key, HeapTuple tuple, TupleDesc columns) {
    json.key(key);
    if (tuple == nullptr)
        json.null();
    else
        add_row(json, tuple, columns);
}

Jsonb* payload_of(const TriggerData& trigger) {
    const TriggerEvent event = trigger.tg_event;
    const bool is_insert = TRIGGER_FIRED_BY_INSERT(event);
    const bool is_update = TRIGGER_FIRED_BY_UPDATE(event);
    const Relation table = trigger.tg_relation;
    const char* const schema = get_namespace_name(RelationGetNamespace(table));

    jsonb_builder json;
    json.begin_object();
    json.key("op");
    json.string(is_insert ? "insert" : is_update ? "update" : "delete");
    json.key("schema");
    json.string(schema == nullptr ? "" : schema);
    json.key("table");
    json.string(RelationGetRelationName(table));
    add_row_or_null(json, "old", is_insert ? nullptr : trigger.tg_trigtuple, RelationGetDescr(table));
    add_row_or_null(json, "new", is_insert ? trigger.tg_trigtuple : is_update ? trigger.tg_newtuple : nullptr,
                    RelationGetDescr(table));
    json.key("context");
    json.value(notification_context());
    if (json.is_truncated()) {
        json.key("truncated");
        json.boolean(true);
    }
    json.end_object();
    return json.finish();
}

// The key by which the changes of one row stay in order: that of the row as it is now, or was at last.
const text* key_of(const TriggerData& trigger) {
    const bool is_update = TRIGGER_FIRED_BY_UPDATE(trigger.tg_event);
    return row_key(trigger.tg_relation, is_update ? trigger.tg_newtuple : trigger.tg_trigtuple);
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
