#include "catalog.hpp"

namespace pgpubsub {
namespace {

catalog known;
bool known_is_valid = false;

Oid find(Oid schema, const char* name) {
    const Oid found = get_relname_relid(name, schema);
    if (!OidIsValid(found))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation \"pgpubsub.%s\" does not exist", name),
                errhint("The library is newer than the extension in this database: run ALTER EXTENSION pgpubsub UPDATE."));
    return found;
}

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
        .notification = find(schema, "notification"),
        .notification_ready = find(schema, "notification_ready"),
        .notification_due = find(schema, "notification_due"),
        .notification_leased = find(schema, "notification_leased"),
        .notification_id_seq = find(schema, "notification_id_seq"),
    };
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

bool forget_catalog(Oid relation) {
    if (!known_is_valid)
        return true;
    if (OidIsValid(relation) && relation != known.channel && relation != known.channel_privilege &&
        relation != known.notification && relation != known.notification_ready &&
        relation != known.notification_due && relation != known.notification_leased)
        return false;
    known_is_valid = false;
    return true;
}

}  // namespace pgpubsub
