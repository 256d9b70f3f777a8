// Removes the notifications of subscriptions: together with the subscriptions, or by themselves (purge).
#include "admin/removal.hpp"

#include "admin/administration.hpp"
#include "channel/channel_settings.hpp"
#include "claim/left_rows.hpp"
#include "queue/archive.hpp"
#include "queue/broadcast.hpp"
#include "queue/notification.hpp"
#include "queue/stat_count.hpp"
#include "wakeup/wakeup.hpp"

using namespace pgpubsub;

namespace {

struct purge_channel_arguments {
    enum : int { channel, subscription };
};

// Removes notifications. A row that another transaction has locked or is changing is left to it. Consumers that look
// meanwhile find nothing; if this transaction rolls back, there is something again.
int64 remove_notifications(const channel& c, std::span<const subscription> subscriptions) {
    wake_consumers_on_abort(c);
    notification_table table = notification_table::open();
    int64 removed = 0;
    for (const subscription& s : subscriptions)
        removed += table.remove_all(s.id, false);
    table.close();
    return removed;
}

}  // namespace

void pgpubsub::check_sees_all_rows(const char* what) {
    if (IsolationUsesXactSnapshot())
        ereport(ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                errmsg("cannot drop a %s in a transaction of isolation level REPEATABLE READ or SERIALIZABLE", what),
                errdetail("Notifications that it does not see would be left behind."), errhint("Use READ COMMITTED."));
}

void pgpubsub::remove_everything(const channel& c, std::span<const subscription> subscriptions) {
    wake_consumers_on_abort(c);
    notification_table table = notification_table::open();
    for (const subscription& s : subscriptions)
        remove_most_rows(table, c, s);
    lock_channel(c.id, channel_lock::replace);
    for (const subscription& s : subscriptions) {
        remove_left_rows(table, c, s);
        remove_archives(s.id, true);
        remove_counts(s.id);
    }
    table.close();
}

PGPUBSUB_FUNCTION(pgpubsub_purge_channel) {
    PreventCommandIfReadOnly("pgpubsub.purge_channel()");
    using at = purge_channel_arguments;
    const channel c = owned_channel(text_argument(fcinfo, at::channel, "channel"), channel_lock::change);
    if (c.kind == channel_kind::broadcast && !PG_ARGISNULL(at::subscription))
        contradicting_arguments("subscription", "kind => 'broadcast'", nothing_is_stored);
    if (c.kind == channel_kind::broadcast)
        PG_RETURN_INT64(remove_broadcasts(c.id, false));
    PG_RETURN_INT64(remove_notifications(c, subscriptions_argument(fcinfo, at::subscription, c)));
}

// The channels are locked in the order of their ids.
PGPUBSUB_FUNCTION(pgpubsub_purge_all) {
    PreventCommandIfReadOnly("pgpubsub.purge_all()");
    int64 removed = 0;
    for (channel c : channels_with(GetUserId(), privilege::owner)) {
        CHECK_FOR_INTERRUPTS();
        lock_channel(c.id, channel_lock::change);
        if (!find_channel(c.id, &c) || !has_privilege(c.id, GetUserId(), privilege::owner))
            continue;
        const std::span<const subscription> subscriptions = subscriptions_of(c);
        removed += remove_notifications(c, subscriptions);
        for (const subscription& s : subscriptions)
            removed += remove_archives(s.id, false);
        removed += remove_broadcasts(c.id, false);
    }
    PG_RETURN_INT64(removed);
}
