// The settings (GUCs) of the extension; doc/reference.md describes them for users.
#pragma once

#include "pg.hpp"

namespace pgpubsub {

enum class wakeup_mode : int {
    transaction,  // NOTIFY within the transaction that publishes
    off,          // none: consumers find the work when they poll
};

// Registers the settings. Called once, when the library is loaded.
void define_settings();

wakeup_mode wakeup();

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
