// The OIDs of the extension's own tables, and of its functions of capture. They are looked up once and remembered until
// one of the tables changes (a function's OID stays as long as the extension).
//
// Guarantee: all that is found belongs to the extension. Tables, sequences and functions are found among the members of
// the extension (pg_depend), and indexes by their table. None is found by the name of a schema: a schema may be
// renamed, and then any role that may create a schema could take its name. An index must have the columns that the
// library writes and reads, in the library's order.
#pragma once

#include "pg/postgres.hpp"

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
    Oid notification_waiting;  // InvalidOid if a version before 0.2.0 made the catalog
    Oid notification_id_seq;
    Oid dead_letter;
    Oid dead_letter_id;
    Oid processed;
    Oid processed_at;
    Oid broadcast;
    Oid broadcast_id;
    Oid broadcast_expires_at;
    Oid stat_count;
    Oid stat_count_at;  // InvalidOid if it is missing
    Oid capture_function;
    Oid capture_filter_function;
};

// Returns the extension in this database; InvalidOid if it is not installed.
Oid our_extension();
// Returns whether the extension is installed and complete: pg_upgrade makes its parts one by one, by commands that are
// none of ours.
inline bool is_installed() { return !IsBinaryUpgrade && OidIsValid(our_extension()); }

// Returns whether the relation (a table, or any other entry of pg_class) belongs to the extension.
bool is_part_of_extension(Oid relation);

// Returns the OIDs in this database. Unless its table is locked, an index may be replaced by another one (REINDEX
// CONCURRENTLY). So ask after the table was opened. Errors:
// - undefined_schema (3F000) if the extension is not there;
// - undefined_table (42P01), undefined_function (42883) or, for an index, undefined_object (42704) if a part of it is
//   missing;
// - object_not_in_prerequisite_state (55000) if an index is not of the form that the library knows.
const catalog& our_catalog();

// Returns our_catalog().stat_count_at. Errors: those of our_catalog(), also if this index is missing.
Oid index_of_counts();

// For SQL text: return the quoted name of the schema of the extension's functions, and the quoted name of a function
// with its schema.
const char* our_schema_name();
const char* qualified_function_name(Oid function);

// Opens one of the tables. The table must begin with the `columns` columns that this library knows, of the same types.
// It may have more columns at the end, those of a later version, if they are nullable. Errors:
// - object_not_in_prerequisite_state (55000) if the table is of another form;
// - undefined_schema (3F000) if the extension was dropped while we waited for the table's lock;
// - t_r_serialization_failure (40001) if the extension was dropped and made anew meanwhile.
Relation open_our_table(Oid table, LOCKMODE mode, int columns);
bool has_our_form(Relation table, int columns);

// Open one of the sequences, and draw its next number. Errors: those of open_our_table() if the extension was dropped
// meanwhile.
Relation open_our_sequence(Oid sequence, LOCKMODE mode);
int64 draw_number(Oid sequence);

// Returns whether the relation is one of ours, or was when they were last looked up. True for InvalidOid, and while
// nothing is known.
bool was_in_catalog(Oid relation);

// For the relcache callback: forgets the OIDs if `relation` is one of them, may be one, or is InvalidOid; and returns
// whether it did. It only marks them, as an invalidation callback must.
bool forget_catalog(Oid relation);

}  // namespace pgpubsub
