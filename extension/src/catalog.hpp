// Where the extension's own tables are: their OIDs, looked up once and remembered until one of them changes.
#pragma once

#include "pg.hpp"

namespace pgpubsub {

struct catalog {
    Oid channel;
    Oid channel_pkey;
    Oid channel_name_key;
    Oid channel_id_seq;
    Oid channel_privilege;
    Oid channel_privilege_pkey;
    Oid notification;
    Oid notification_ready;
    Oid notification_due;
    Oid notification_leased;
    Oid notification_id_seq;
};

// The OIDs in this database.
// Errors: undefined_table (42P01) when the extension's schema is not there, as after DROP EXTENSION.
const catalog& our_catalog();

// For the relcache callback: forgets the OIDs if `relation` is one of them or InvalidOid, and tells so. It marks
// only, as an invalidation callback must.
bool forget_catalog(Oid relation);

}  // namespace pgpubsub
