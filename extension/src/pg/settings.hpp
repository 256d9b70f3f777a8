// The settings (GUCs) of the extension; doc/reference/settings.md describes them for users.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

enum class wakeup_mode : int {
    automatic,    // the worker if there is one, else within the transaction
    worker,       // by the worker, which learns of it from the commit
    transaction,  // NOTIFY within the transaction that publishes
    off,          // none: consumers find the work when they poll
};

enum class lease_scope_mode : int {
    session,  // a lease ends by its time, by what the receipt's holder does, and with the session that has it
    time,     // a lease ends only by its time, and by what the receipt's holder does
};

// Registers the settings. Called once, when the library is loaded.
void define_settings();

wakeup_mode wakeup();
lease_scope_mode lease_scope();

// Returns pgpubsub.wakeup_delay: how long the worker may collect hints before it sends the next ones, in ms.
int wakeup_delay();

// Returns pgpubsub.shared_channels: how many channels and subscriptions shared memory has room for.
int shared_channels();

// Returns pgpubsub.max_skip_time: for how many milliseconds a claim may rely on what earlier claims have seen
// (place.hpp); 0: not at all.
int max_skip_time();

// Returns pgpubsub.max_join_time: for how many milliseconds a waiting notification may be joined by its dedup_key
// (dedup.cpp); -1: always.
int max_join_time();

// Returns pgpubsub.max_workers: how many background processes may run beside the launcher; 0: see worker_places.hpp.
int max_workers();

// Returns pgpubsub.storage_interval in milliseconds; 0: the worker leaves the storage alone.
int storage_interval();

// The value of pgpubsub.db_version. If it is not set, nothing is stored.
struct optional_int {
    bool has_value;
    int value;
};
optional_int db_version();

// Returns pgpubsub.notification_context as jsonb; an empty object if it is not set. The result is kept for the session
// and stays valid until the setting changes.
const Jsonb* notification_context();

}  // namespace pgpubsub
