#include "catalog.hpp"

#include "databases.hpp"

#include <span>

namespace pgpubsub {
namespace {

static_assert(sizeof(catalog) % sizeof(Oid) == 0);

catalog known;
bool known_is_valid = false;

Oid find(Oid schema, const char* name) {
    const Oid found = get_relname_relid(name, schema);
    if (!OidIsValid(found))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"pgpubsub.%s\" does not exist", name),
                errhint("The library is newer than the extension in this database: run ALTER EXTENSION pgpubsub UPDATE."));
    return found;
}

// By the system cache, which asks for no right of the user on the schema.
Oid find_function(Oid schema, const char* name, std::span<const Oid> arguments) {
    const oidvector* const types = buildoidvector(arguments.data(), static_cast<int>(arguments.size()));
    const Oid found = GetSysCacheOid3(PROCNAMEARGSNSP, Anum_pg_proc_oid, CStringGetDatum(name), PointerGetDatum(types),
                                      ObjectIdGetDatum(schema));
    if (!OidIsValid(found))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function \"pgpubsub.%s\" does not exist", name),
                errhint("The library is newer than the extension in this database: run ALTER EXTENSION pgpubsub UPDATE."));
    return found;
}

constexpr Oid capture_filter_arguments[] = {BOOLOID, RECORDOID, RECORDOID, RECORDOID};

}  // namespace

const catalog& our_catalog() {
    if (known_is_valid)
        return known;
    const Oid schema = get_namespace_oid("pgpubsub", true);
    if (!OidIsValid(schema))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_SCHEMA),
                errmsg("extension \"pgpubsub\" is not installed in this database"),
                errhint("Run CREATE EXTENSION pgpubsub."));
    const catalog found = {
        .channel = find(schema, "channel"),
        .channel_pkey = find(schema, "channel_pkey"),
        .channel_name_key = find(schema, "channel_name_key"),
        .channel_id_seq = find(schema, "channel_id_seq"),
        .channel_privilege = find(schema, "channel_privilege"),
        .channel_privilege_pkey = find(schema, "channel_privilege_pkey"),
        .subscription = find(schema, "subscription"),
        .subscription_pkey = find(schema, "subscription_pkey"),
        .subscription_name_key = find(schema, "subscription_name_key"),
        .subscription_id_seq = find(schema, "subscription_id_seq"),
        .notification = find(schema, "notification"),
        .notification_ready = find(schema, "notification_ready"),
        .notification_due = find(schema, "notification_due"),
        .notification_leased = find(schema, "notification_leased"),
        .notification_ordered = find(schema, "notification_ordered"),
        .notification_held = find(schema, "notification_held"),
        .notification_in_flight = find(schema, "notification_in_flight"),
        .notification_dedup = find(schema, "notification_dedup"),
        .notification_id_seq = find(schema, "notification_id_seq"),
        .dead_letter = find(schema, "dead_letter"),
        .dead_letter_id = find(schema, "dead_letter_id"),
        .processed = find(schema, "processed"),
        .processed_at = find(schema, "processed_at"),
        .broadcast = find(schema, "broadcast"),
        .broadcast_id = find(schema, "broadcast_id"),
        .broadcast_expires_at = find(schema, "broadcast_expires_at"),
        .stat_count = find(schema, "stat_count"),
        .stat_count_at = find(schema, "stat_count_at"),
        .capture_function = find_function(schema, "capture", {}),
        .capture_filter_function = find_function(schema, "capture_filter", capture_filter_arguments),
    };
    // Who finds the extension in a database sees to it that it has a worker.
    if (has_shared_memory())
        ask_for_worker();
    known = found;
    known_is_valid = true;
    return known;
}

Relation open_our_table(Oid table, LOCKMODE mode, int columns) {
    const Relation rel = table_open(table, mode);
    if (RelationGetNumberOfAttributes(rel) != columns)
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("table \"pgpubsub.%s\" is not of the form that this version of the library knows",
                       RelationGetRelationName(rel)),
                errhint("Run ALTER EXTENSION pgpubsub UPDATE and install the library of the same version; columns "
                        "that were added or dropped by hand make the extension unusable."));
    return rel;
}

bool was_in_catalog(Oid relation) {
    if (!OidIsValid(relation) || !OidIsValid(known.channel))
        return true;
    const Oid* const oids = reinterpret_cast<const Oid*>(&known);
    for (std::size_t i = 0; i < sizeof known / sizeof(Oid); ++i)
        if (oids[i] == relation)
            return true;
    return false;
}

bool forget_catalog(Oid relation) {
    if (!known_is_valid)
        return true;
    if (!was_in_catalog(relation))
        return false;
    known_is_valid = false;
    return true;
}

}  // namespace pgpubsub
