// The recovery steps: end leases whose owner is gone, make dead letters of rows without attempts left, wake consumers.
// recover() runs them for its caller; the worker runs them by itself.
//
// Each step is bounded, and continues where the previous one ended. A row that another transaction has locked or is
// changing is left to it, and so is a channel that is being dropped. Other channels are locked for use before their
// rows, as everywhere (channel_lock.hpp), but without waiting: a step may already hold rows of another channel.
#pragma once

#include "queue/archive.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

struct progress {
    int64 ended;    // waits that the step has ended
    bool has_more;  // more than fitted into the step
};

// A pass over all leases, in steps.
struct lease_pass {
    std::span<const channel> among;  // only leases of these channels, by ascending id; empty: of all channels
    bool buries;                     // also makes dead letters of leases whose time and attempts are used up
    int64 from_id;                   // where the next step begins; PG_INT64_MIN at first
    ItemPointerData from_tid;  // at from_id, behind this entry: an id has an entry for each extension of its lease
    Oid from_file;             // the file in which from_tid is valid; VACUUM FULL moves the rows into another one
};

// Ends the leases whose owner is gone. The attempt stays counted: the rows can be claimed at once, or become dead
// letters. Wakes consumers.
progress end_lost_leases(notification_table& table, lease_pass* pass, sweep_limits limits);

// The place where the next step of a pass over a channel's waiting rows begins; {} at first.
struct wait_position {
    int32 subscription_id;
    int64 id;
};

// Shortens waits that a clock which was set back has made longer. A row that was given back, to be ready at once or
// after a pause, has a time of the clock of that moment. If the clock was set back since, the row would wait for that
// time to come again. Here it gets a time by the present clock: when its pause is over, counted from now, but not
// before its deliver_at. Tells consumers when that is. Needs the index of the waiting rows, which the catalog of 0.1.0
// lacks.
progress shorten_waits(notification_table& table, channel c, wait_position* at, sweep_limits limits);

// How far the steps in a channel have come: the subscription, the times up to which its rows and its history were
// looked at, and the broadcasts of the channel. So a step does not walk again over the entries that earlier steps have
// left behind in the index.
struct position {
    int32 subscription_id = 0;
    TimestampTz due_at = DT_NOBEGIN;
    TimestampTz history = DT_NOBEGIN;
    TimestampTz broadcasts = DT_NOBEGIN;
    wait_position wait = {};
};

// Does one step in a channel, beginning at *at, with at most `limit` rows of each kind:
// - makes dead letters of rows whose wait is over and whose attempts are used up;
// - ends the waits that a clock which was set back has made longer;
// - removes what has been kept too long;
// - wakes the consumers of ready notifications.
progress recover_channel(channel c, int64 limit, position* at);

}  // namespace pgpubsub
