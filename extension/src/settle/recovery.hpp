// The steps after which nothing waits that need not: what recover() does for its caller, and the worker by itself.
//
// Each step is bounded, and goes on where the one before it ended. What another transaction is at is left to it: a row,
// and a channel that is being dropped. The others are locked for use before their rows, as everywhere
// (channel_lock.hpp), but without waiting: a step may have rows of another channel by then.
#pragma once

#include "queue/archive.hpp"
#include "queue/notification.hpp"

namespace pgpubsub {

struct progress {
    int64 ended;    // waits
    bool has_more;  // than fitted into the step
};

// A pass over all leases, in steps.
struct lease_pass {
    std::span<const channel> among;  // only those of these channels, by ascending id; all where that is empty
    bool buries;                     // makes dead letters of those whose time and attempts are used up, too
    int64 from_id;                   // where the next step begins; PG_INT64_MIN at first
    ItemPointerData from_tid;  // there, behind this entry: an id has one for each time that its lease was extended
    Oid from_file;             // in which that is so; VACUUM FULL moves the rows into another one
};

// Ends the leases whose owner is gone. The attempt stays counted: the next one can claim them at once, or they are dead
// letters. Wakes consumers.
progress end_lost_leases(notification_table& table, lease_pass* pass, sweep_limits limits);

// Where the next step of a pass over what waits in a channel begins; {} at first.
struct wait_position {
    int32 subscription_id;
    int64 id;
};

// What was given back, to be ready at once or after a pause, has a time of the clock of that moment. If the clock was
// set back since, it would wait for that time to come again. Here it gets a time by the present clock: when its pause
// is over, counted from now, but not before its deliver_at. Tells consumers when that is. It needs the index of what
// waits, which the catalog of 0.1.0 has not.
progress shorten_waits(notification_table& table, channel c, wait_position* at, sweep_limits limits);

// How far the steps in a channel have come: the subscription, and the times up to which its rows and its history were
// looked at; and the broadcasts of the channel. So a step does not walk over what those before it have left behind in
// the index.
struct position {
    int32 subscription_id = 0;
    TimestampTz due_at = DT_NOBEGIN;
    TimestampTz history = DT_NOBEGIN;
    TimestampTz broadcasts = DT_NOBEGIN;
    wait_position wait = {};
};

// A step in a channel, from *at on: at most `limit` rows of each kind. Makes dead letters of what is over and has used
// up its attempts, ends the waits that a clock that was set back has made longer, removes what is kept too long, and
// wakes the consumers of what is ready.
progress recover_channel(channel c, int64 limit, position* at);

}  // namespace pgpubsub
