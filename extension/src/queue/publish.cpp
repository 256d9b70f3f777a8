// pgpubsub.publish() and publish_batch(). Steps: the arguments and rights are checked; the rows are stored; the hint is
// asked for. On a broadcast channel, the broadcast takes the place of the last two.
#include "channel/arguments.hpp"
#include "channel/channel_lock.hpp"
#include "queue/broadcast.hpp"
#include "queue/dedup.hpp"
#include "queue/notification.hpp"
#include "queue/notification_batch.hpp"
#include "queue/readable.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

struct publish_arguments {
    enum : int { channel, payload, key, headers, deliver_at, priority, dedup_key, replace };
};
struct publish_batch_arguments {
    enum : int { channel, payloads, keys, headers, deliver_at, priority };
};

int16 priority_argument(FunctionCallInfo fcinfo, int index) {
    require(fcinfo, index, "priority");
    const int priority = PG_GETARG_INT32(index);
    if (priority < PG_INT16_MIN || priority > PG_INT16_MAX)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("priority %d is out of range", priority),
                errhint("A priority lies between %d and %d; higher is delivered first.", PG_INT16_MIN, PG_INT16_MAX));
    return static_cast<int16>(priority);
}

const text* dedup_key_argument(FunctionCallInfo fcinfo, int index) {
    if (PG_ARGISNULL(index))
        return nullptr;
    const text* const key = PG_GETARG_TEXT_PP(index);
    // An empty key is an unset field of an application. It would make one of messages that have nothing in common.
    if (VARSIZE_ANY_EXHDR(key) == 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"dedup_key\" must not be empty"),
                errhint("Pass null, or leave it out, where the notification is to be stored whatever waits."));
    if (VARSIZE_ANY_EXHDR(key) > max_dedup_key_bytes)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"dedup_key\" is too long"),
                errdetail("It has %d bytes; the limit is %d.", static_cast<int>(VARSIZE_ANY_EXHDR(key)),
                          max_dedup_key_bytes));
    return key;
}

// Returns the time, which must be finite: at infinity the notification would stay for ever; -infinity is what there is
// without the argument.
TimestampTz deliver_at_argument(FunctionCallInfo fcinfo, int index) {
    if (PG_ARGISNULL(index))
        return 0;
    const TimestampTz at = PG_GETARG_TIMESTAMPTZ(index);
    if (TIMESTAMP_NOT_FINITE(at))
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("argument \"deliver_at\" must be finite"),
                errdetail("It is %s.", TIMESTAMP_IS_NOEND(at) ? "infinity" : "-infinity"));
    return at;
}

// Refuses a notification that could not be sent to any consumer. `element`: its number in an array, from 1 on; 0: it is
// not in an array.
void check_readable(const new_notification& n, int element) {
    const sent_values all = sent_values::of(n);
    if (is_readable(all))
        return;
    constexpr NullableDatum none = {0, true};
    const char* const what = !is_readable({all.payload, none, none})   ? "payload is"
                             : !is_readable({none, all.headers, none}) ? "headers are"
                                                                       : "payload, headers and key are together";
    const char* const limit = "The text is longer than 1,000 MB";
    ereport(ERROR, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("%s too long to be read", what),
            element == 0 ? errdetail("%s.", limit) : errdetail("%s. It is element %d of the array.", limit, element),
            errhint("Publish a reference to where it is stored."));
}

// Checks and returns the headers. Null: none. `element`: as above.
const Jsonb* checked_headers(const Jsonb* headers, int element) {
    if (headers != nullptr && !JB_ROOT_IS_OBJECT(headers))
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("headers must be a JSON object"),
                element == 0 ? 0 : errdetail("Element %d of argument \"headers\" is another JSON value.", element),
                errhint("Pass headers such as {\"trace\": \"4711\"}, or null for none."));
    return headers;
}

[[noreturn]] void contradiction(const char* argument, const channel& c, const char* setting, const char* why) {
    ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
            errmsg("argument \"%s\" contradicts the setting \"%s\" of channel \"%s\"", argument, setting, c.name),
            errdetail("%s", why));
}

void check_contradictions(const channel& c, const new_notification& n) {
    if (c.ordered && n.priority != 0)
        contradiction("priority", c, "ordered", "An ordered channel delivers each key in the order of publishing.");
    if (c.kind != channel_kind::broadcast)
        return;
    constexpr const char* why = "A broadcast is sent when the transaction commits, and not stored.";
    if (n.priority != 0)
        contradiction("priority", c, "kind => 'broadcast'", why);
    if (n.has_deliver_at)
        contradiction("deliver_at", c, "kind => 'broadcast'", why);
    if (n.dedup_key != nullptr)
        contradiction("dedup_key", c, "kind => 'broadcast'", why);
}

struct array_argument {
    Datum* values;
    bool* nulls;
    int count;
};

array_argument elements_of(ArrayType* array) {
    array_argument a;
    int16 length;
    bool by_value;
    char alignment;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &alignment);
    deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, alignment, &a.values, &a.nulls, &a.count);
    return a;
}

// Returns the elements of an array beside the payloads; all nulls if the argument is null.
array_argument beside(FunctionCallInfo fcinfo, int index, const char* name, int count) {
    if (PG_ARGISNULL(index))
        return {nullptr, nullptr, count};
    const array_argument a = elements_of(PG_GETARG_ARRAYTYPE_P(index));
    if (a.count != count)
        ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                errmsg("arguments \"payloads\" and \"%s\" differ in length", name),
                errdetail("They have %d and %d elements.", count, a.count));
    return a;
}

// Wakes consumers. A notification that is held back until its deliver_at wakes them at that time, too.
void wake_for(const channel& c, const new_notification& n) {
    wake_consumers(c);
    if (n.has_deliver_at && n.deliver_at > GetCurrentTimestamp())
        wake_consumers_at(c, n.deliver_at);
}

bool has(const array_argument& a, int i) { return a.values != nullptr && !a.nulls[i]; }

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_publish) {
    PreventCommandIfReadOnly("pgpubsub.publish()");
    using at = publish_arguments;
    const std::string_view name = text_argument(fcinfo, at::channel, "channel");
    require(fcinfo, at::payload, "payload");
    const new_notification n = {
        .payload = PG_GETARG_JSONB_P(at::payload),
        .key = PG_ARGISNULL(at::key) ? nullptr : PG_GETARG_TEXT_PP(at::key),
        .headers = checked_headers(optional_jsonb_argument(fcinfo, at::headers), 0),
        .has_deliver_at = !PG_ARGISNULL(at::deliver_at),
        .deliver_at = deliver_at_argument(fcinfo, at::deliver_at),
        .priority = priority_argument(fcinfo, at::priority),
        .dedup_key = dedup_key_argument(fcinfo, at::dedup_key),
    };
    check_readable(n, 0);
    require(fcinfo, at::replace, "replace");
    const bool replace = PG_GETARG_BOOL(at::replace);
    if (replace && n.dedup_key == nullptr)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("argument \"replace\" needs argument \"dedup_key\""));

    notification_table table = notification_table::open();
    const channel c = get_channel_for_use(name, GetUserId(), privilege::publish);
    check_contradictions(c, n);
    int64 id;
    if (c.kind == channel_kind::broadcast)
        id = broadcast(c, n);
    else if (n.dedup_key != nullptr)
        id = store_once(table, c, subscriptions_of(c), n, replace);
    else
        id = store(table, c, subscriptions_of(c), n);
    table.close();
    if (c.kind == channel_kind::queue)
        wake_for(c, n);
    PG_RETURN_INT64(id);
}

PGPUBSUB_FUNCTION(pgpubsub_publish_batch) {
    PreventCommandIfReadOnly("pgpubsub.publish_batch()");
    using at = publish_batch_arguments;
    const std::string_view name = text_argument(fcinfo, at::channel, "channel");
    require(fcinfo, at::payloads, "payloads");
    const array_argument payloads = elements_of(PG_GETARG_ARRAYTYPE_P(at::payloads));
    const array_argument keys = beside(fcinfo, at::keys, "keys", payloads.count);
    const array_argument headers = beside(fcinfo, at::headers, "headers", payloads.count);
    new_notification n = {
        .has_deliver_at = !PG_ARGISNULL(at::deliver_at),
        .deliver_at = deliver_at_argument(fcinfo, at::deliver_at),
        .priority = priority_argument(fcinfo, at::priority),
    };
    notification_table table = notification_table::open();
    const channel c = get_channel_for_use(name, GetUserId(), privilege::publish);
    check_contradictions(c, n);
    notification_batch batch = notification_batch::begin(&table, c);
    auto* const ids = static_cast<Datum*>(palloc(Max(payloads.count, 1) * sizeof(Datum)));
    const MemoryContext per_row =
        AllocSetContextCreate(CurrentMemoryContext, "pgpubsub publish", ALLOCSET_DEFAULT_SIZES);
    for (int i = 0; i < payloads.count; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (payloads.nulls[i])
            ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("payload must not be null"),
                    errdetail("It is element %d of argument \"payloads\".", i + 1));
        const int64 id = with_context(per_row, [&] {
            n.payload = DatumGetJsonbP(payloads.values[i]);
            n.key = has(keys, i) ? DatumGetTextPP(keys.values[i]) : nullptr;
            n.headers = has(headers, i) ? checked_headers(DatumGetJsonbP(headers.values[i]), i + 1) : nullptr;
            check_readable(n, i + 1);
            return c.kind == channel_kind::broadcast ? broadcast(c, n) : batch.add(n);
        });
        ids[i] = Int64GetDatum(id);
        MemoryContextReset(per_row);
    }
    batch.end();
    table.close();
    if (c.kind == channel_kind::queue && payloads.count > 0)
        wake_for(c, n);
    PG_RETURN_ARRAYTYPE_P(construct_array(ids, payloads.count, INT8OID, sizeof(int64), true, TYPALIGN_DOUBLE));
}
