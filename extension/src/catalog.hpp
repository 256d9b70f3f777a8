// Where the extension's own tables are, and its functions of capture: their OIDs, looked up once and remembered until one of
// the tables changes (a function's OID stays as long as the extension).
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
    Oid subscription;
    Oid subscription_pkey;
    Oid subscription_name_key;
    Oid subscription_id_seq;
    Oid notification;
    Oid notification_ready;
    Oid notification_due;
    Oid notification_leased;
    Oid notification_ordered;
    Oid notification_held;
    Oid notification_in_flight;
    Oid notification_dedup;
    Oid notification_id_seq;
    Oid dead_letter;
    Oid dead_letter_id;
    Oid processed;
    Oid processed_at;
    Oid broadcast;
    Oid broadcast_id;
    Oid broadcast_expires_at;
    Oid stat_count;
    Oid stat_count_at;
    Oid capture_function;
    Oid capture_filter_function;
};

// The OIDs in this database. An index may be replaced by another one (REINDEX CONCURRENTLY) unless its table is locked,
// so ask after the table was opened.
// Errors: undefined_schema (3F000) when the extension is not there, undefined_table (42P01) or undefined_function (42883) when
// a part of it is missing.
const catalog& our_catalog();

// Opens one of the tables. Errors: object_not_in_prerequisite_state (55000) when it has not the `columns` columns that this
// library knows.
Relation open_our_table(Oid table, LOCKMODE mode, int columns);

// Whether the relation is, or was when they were last looked up, one of ours; true for InvalidOid, and while nothing is known.
bool was_in_catalog(Oid relation);

// For the relcache callback: forgets the OIDs if `relation` is one of them or InvalidOid, or may be, and tells so. It
// marks only, as an invalidation callback must.
bool forget_catalog(Oid relation);

}  // namespace pgpubsub
