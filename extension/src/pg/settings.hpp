// The settings (GUCs) of the extension; doc/reference/settings.md describes them for users.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

enum class wakeup_mode : int {
    automatic,    // the worker where there is one, else within the transaction
    worker,       // by the worker, which a commit tells of it
    transaction,  // NOTIFY within the transaction that publishes
    off,          // none: consumers find the work when they poll
};

enum class lease_scope_mode : int {
    session,  // a lease ends with the session that has it, too
    time,     // only by its time, and what the receipt's holder does
};

// Registers the settings. Called once, when the library is loaded.
void define_settings();

wakeup_mode wakeup();
lease_scope_mode lease_scope();

// pgpubsub.wakeup_delay: how long the worker may collect hints before it sends the next ones, in ms.
int wakeup_delay();

// pgpubsub.shared_channels: how many channels and subscriptions shared memory has room for.
int shared_channels();

// pgpubsub.max_skip_time: for how many milliseconds a claim may rely on what earlier ones have seen (place.hpp); 0: not
// at all.
int max_skip_time();

// pgpubsub.max_join_time: for how many milliseconds a notification that waits may be joined by its dedup_key
// (dedup.cpp); -1: always.
int max_join_time();

// pgpubsub.max_workers: how many background processes there may be beside the launcher; 0: see worker_places.hpp.
int max_workers();

// pgpubsub.storage_interval in milliseconds; 0: the worker leaves the storage alone.
int storage_interval();

// pgpubsub.db_version; nothing is stored where it is not set.
struct optional_int {
    bool has_value;
    int value;
};
optional_int db_version();

// pgpubsub.notification_context as jsonb, an empty object where it is not set. The result is kept for the session
// and stays valid until the setting changes.
const Jsonb* notification_context();

}  // namespace pgpubsub
