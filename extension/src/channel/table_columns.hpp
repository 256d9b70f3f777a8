// The extension's tables, column by column, in the order in which its script makes them. Code that reads or writes a
// row names the columns from here. test/lib/check-catalog.pl compares them with the script.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

namespace channel_column {
enum : AttrNumber { id = 1, name, kind, ordered, retention, created_at, count = created_at };
}
namespace privilege_column {
enum : AttrNumber { channel_id = 1, grantee, privilege, count = privilege };
}
namespace subscription_column {
enum : AttrNumber {
    id = 1,
    channel_id,
    name,
    paused,
    max_attempts,
    backoff_base,
    backoff_factor,
    backoff_max,
    backoff_jitter,
    history,
    filter,
    created_at,
    count = created_at
};
}
// The columns of the table pgpubsub.notification.
namespace column {
enum : AttrNumber {
    id = 1,
    created_at,
    subscription_id,
    priority,
    attempts,
    payload,
    key,
    headers,
    db_version,
    deliver_at,
    due_at,
    lease_token,
    lease_owner,
    order_key,
    dedup_key,
    last_error,
    count = last_error
};
}
// The columns of dead letters and of the history. Both tables begin with the columns of a notification that outlive its
// life in the queue.
namespace archive_column {
enum : AttrNumber {
    id = 1,
    created_at,
    subscription_id,
    priority,
    attempts,
    payload,
    key,
    headers,
    db_version,
    deliver_at,
    archived_at,  // died_at, processed_at
    last_error,   // only in dead letters
    dead_letter_count = last_error,
    processed_count = archived_at
};
}
namespace broadcast_column {
enum : AttrNumber { channel_id = 1, id, envelope, expires_at, count = expires_at };
}
namespace stat_count_column {
enum : AttrNumber { subscription_id = 1, counted_at, published, processed, failed, count = failed };
}

}  // namespace pgpubsub
