// Where the extension's own tables are, and its functions of capture: their OIDs, looked up once and remembered until
// one of the tables changes (a function's OID stays as long as the extension).
//
// Guarantee: what is found belongs to the extension. Tables, sequences and functions are found among the members of the
// extension (pg_depend), indexes by their table, and never by a schema's name: a schema may be renamed, and then
// anybody who may create one could take its name. An index must have the columns that the library writes and reads, in
// the order of its own.
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
    Oid notification_waiting;  // InvalidOid where a version before 0.2.0 made the catalog
    Oid notification_id_seq;
    Oid dead_letter;
    Oid dead_letter_id;
    Oid processed;
    Oid processed_at;
    Oid broadcast;
    Oid broadcast_id;
    Oid broadcast_expires_at;
    Oid stat_count;
    Oid stat_count_at;  // InvalidOid where it is missing
    Oid capture_function;
    Oid capture_filter_function;
};

// The extension in this database; InvalidOid where it is not installed.
Oid our_extension();
// Whether it is, and is whole: pg_upgrade makes its parts one by one, by commands that are none of ours.
inline bool is_installed() { return !IsBinaryUpgrade && OidIsValid(our_extension()); }

// Whether the table, or whatever else it is that pg_class has, belongs to the extension.
bool is_part_of_extension(Oid relation);

// The OIDs in this database. An index may be replaced by another one (REINDEX CONCURRENTLY) unless its table is locked,
// so ask after the table was opened. Errors: undefined_schema (3F000) when the extension is not there, undefined_table
// (42P01), undefined_function (42883) or, for an index, undefined_object (42704) when a part of it is missing;
// object_not_in_prerequisite_state (55000) when an index is not of the form of ours.
const catalog& our_catalog();

// As our_catalog().stat_count_at; an error, as above, where it is missing.
Oid index_of_counts();

// For SQL text: the quoted name of the schema that the extension's functions are in, and that of a function with its
// schema.
const char* our_schema_name();
const char* qualified_function_name(Oid function);

// Opens one of the tables, which begins with the `columns` columns that this library knows, of the same types. It may
// have more, at the end, that are nullable: those of a later version. Errors: object_not_in_prerequisite_state (55000)
// when it is of another form; undefined_schema (3F000) when the extension was dropped while we waited for the table's
// lock, and t_r_serialization_failure (40001) when it was made anew.
Relation open_our_table(Oid table, LOCKMODE mode, int columns);
bool has_our_form(Relation table, int columns);

// Opens one of the sequences, and draws its next number. Errors: as open_our_table(), where the extension was dropped
// meanwhile.
Relation open_our_sequence(Oid sequence, LOCKMODE mode);
int64 draw_number(Oid sequence);

// Whether the relation is, or was when they were last looked up, one of ours; true for InvalidOid, and while nothing is
// known.
bool was_in_catalog(Oid relation);

// For the relcache callback: forgets the OIDs if `relation` is one of them or InvalidOid, or may be, and tells so. It
// marks only, as an invalidation callback must.
bool forget_catalog(Oid relation);

}  // namespace pgpubsub
