// Adds, removes, pauses and resumes subscriptions.
#include "admin/administration.hpp"
#include "admin/removal.hpp"
#include "channel/channel_settings.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

struct subscribe_arguments {
    enum : int {
        channel,
        subscription,
        filter,
        max_attempts,
        backoff_base,
        backoff_factor,
        backoff_max,
        backoff_jitter,
        history,
        if_not_exists
    };
};
struct pause_channel_arguments {
    enum : int { channel, subscription };
};
using resume_channel_arguments = pause_channel_arguments;
using unsubscribe_arguments = pause_channel_arguments;

template <typename At>
channel owned_queue(FunctionCallInfo fcinfo) {
    const channel c = owned_channel(text_argument(fcinfo, At::channel, "channel"), channel_lock::change);
    return get_queue_channel(c.name);
}

void set_paused(std::span<const subscription> subscriptions, bool paused) {
    const column_value changes[] = {{subscription_column::paused, BoolGetDatum(paused)}};
    for (const subscription& s : subscriptions)
        update_subscription(s.id, changes);
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_subscribe) {
    PreventCommandIfReadOnly("pgpubsub.subscribe()");
    using at = subscribe_arguments;
    const channel c = owned_queue<at>(fcinfo);
    const std::string_view name = text_argument(fcinfo, at::subscription, "subscription");
    check_name(name, "subscription");
    subscription_settings settings = subscription_settings::of<at>(fcinfo);
    settings.filter = optional_argument::of(fcinfo, at::filter);
    require(fcinfo, at::if_not_exists, "if_not_exists");
    subscription s{};
    if (find_subscription(c, name, &s)) {
        if (!PG_GETARG_BOOL(at::if_not_exists))
            ereport(ERROR, errcode(ERRCODE_DUPLICATE_OBJECT),
                    errmsg("subscription \"%s\" of channel \"%s\" already exists", s.name, c.name),
                    errhint("Pass if_not_exists => true if that is fine."));
        PG_RETURN_VOID();
    }
    s.back_off = default_backoff;
    check_settings(settings, s);
    store_settings(settings, create_subscription(c.id, name));
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_unsubscribe) {
    PreventCommandIfReadOnly("pgpubsub.unsubscribe()");
    using at = unsubscribe_arguments;
    require(fcinfo, at::subscription, "subscription");
    check_sees_all_rows("subscription");
    const channel c = owned_queue<at>(fcinfo);
    const std::span<const subscription> named = subscriptions_argument(fcinfo, at::subscription, c);
    remove_everything(c, named);
    remove_subscription(named[0].id);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_pause_channel) {
    PreventCommandIfReadOnly("pgpubsub.pause_channel()");
    using at = pause_channel_arguments;
    set_paused(subscriptions_argument(fcinfo, at::subscription, owned_queue<at>(fcinfo)), true);
    PG_RETURN_VOID();
}

PGPUBSUB_FUNCTION(pgpubsub_resume_channel) {
    PreventCommandIfReadOnly("pgpubsub.resume_channel()");
    using at = resume_channel_arguments;
    const channel c = owned_queue<at>(fcinfo);
    set_paused(subscriptions_argument(fcinfo, at::subscription, c), false);
    wake_consumers(c);
    PG_RETURN_VOID();
}
