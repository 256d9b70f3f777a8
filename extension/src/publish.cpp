// pgpubsub.publish(): guards, then one row, then the hint.
#include "arguments.hpp"
#include "channel.hpp"
#include "notification.hpp"
#include "wakeup.hpp"

using namespace pgpubsub;

PGPUBSUB_FUNCTION(pgpubsub_publish) {
    PreventCommandIfReadOnly("pgpubsub.publish()");
    const std::string_view name = text_argument(fcinfo, 0, "channel");
    require(fcinfo, 1, "payload");
    require(fcinfo, 5, "priority");
    const int priority = PG_GETARG_INT32(5);
    if (priority < PG_INT16_MIN || priority > PG_INT16_MAX)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("priority %d is out of range", priority),
                errhint("A priority lies between %d and %d; higher is delivered first.", PG_INT16_MIN, PG_INT16_MAX));

    // The table first: drop_channel() locks it, so a channel that is found under this lock stays.
    notification_table table = notification_table::open();
    const channel c = get_channel(name);
    check_privilege(c, GetUserId(), privilege::publish);

    const int64 id = store(table, {
        .channel_id = c.id,
        .payload = PG_GETARG_JSONB_P(1),
        .key = PG_ARGISNULL(2) ? nullptr : PG_GETARG_TEXT_PP(2),
        .headers = PG_ARGISNULL(3) ? nullptr : PG_GETARG_JSONB_P(3),
        .has_deliver_at = !PG_ARGISNULL(4),
        .deliver_at = PG_ARGISNULL(4) ? 0 : PG_GETARG_TIMESTAMPTZ(4),
        .priority = static_cast<int16>(priority),
    });
    table.close();
    wake_consumers(c);
    PG_RETURN_INT64(id);
}
