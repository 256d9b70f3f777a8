// pgpubsub_begin_update(): how an update script begins.
//
// Guarantee: what the script does by the name of the schema, it does to the extension's objects. And the script has all
// locks before it changes anything: publishers and consumers wait for the update, but none of them fails because of it,
// and none waits longer than PostgreSQL waits before it looks for a deadlock.
//
// Steps: check that the schema belongs to the extension. Then take all locks (lock_all.hpp), in the order in which our
// functions take them. Also lock the catalog rows of all objects on which rights may be granted, because an uncommitted
// GRANT that somebody has made by hand would make the script fail.
#include "admin/plain_grants.hpp"
#include "admin/script.hpp"
#include "channel/arguments.hpp"
#include "channel/catalog_row.hpp"
#include "pg/extension_members.hpp"
#include "pg/lock_all.hpp"
#include "place/place.hpp"

using namespace pgpubsub;

namespace {

constexpr int most_locks = 64;

struct wanted_locks {
    int count;
    relation_lock items[most_locks];

    void add(Oid relation, LOCKMODE mode) {
        if (count == most_locks)
            elog(ERROR, "extension \"pgpubsub\" has too many relations");
        items[count++] = {relation, mode};
    }
};
static_assert(survives_longjmp<wanted_locks>);

// Returns the locks: first the sequences and tables, in the order in which our functions write to them; no reader could
// notice what is changed of them. Then the views, which are replaced.
wanted_locks find_relations(Oid extension) {
    const catalog& ours = our_catalog();
    wanted_locks found{};
    for (const Oid relation :
         {ours.channel_id_seq, ours.subscription_id_seq, ours.channel, ours.subscription, ours.channel_privilege,
          ours.notification, ours.dead_letter, ours.processed, ours.broadcast, ours.stat_count})
        found.add(relation, ShareRowExclusiveLock);

    for_each_member(extension, [&found](Oid of_class, Oid object) {
        if (of_class == RelationRelationId && get_rel_relkind(object) == RELKIND_VIEW)
            found.add(object, AccessExclusiveLock);
    });
    return found;
}

// Returns whether objects of that class have rights of their own.
bool has_rights(Oid of_class) {
    return of_class == RelationRelationId || of_class == ProcedureRelationId || of_class == TypeRelationId ||
           of_class == NamespaceRelationId;
}

void take_all(Oid extension, const wanted_locks& wanted, const lock_attempt& attempt) {
    for (int i = 0; i < wanted.count; ++i)
        attempt.lock(wanted.items[i].relation, wanted.items[i].mode);
    attempt.limit_next_wait();
    lock_grants();
    for_each_member(extension, [&attempt](Oid of_class, Oid object) {
        attempt.limit_next_wait();
        if (has_rights(of_class))
            lock_catalog_row(of_class, object, if_busy::wait);
    });
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_begin_update) {
    const Oid extension = extension_of_script();
    const Oid schema = get_namespace_oid("pgpubsub", true);
    if (!OidIsValid(schema) || getExtensionOfObject(NamespaceRelationId, schema) != extension)
        ereport(
            ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
            errmsg("schema \"pgpubsub\" does not belong to extension \"pgpubsub\""),
            errdetail("The extension's schema is named %s now.", our_schema_name()),
            errhint("Rename the extension's schema to pgpubsub for the update, and any other of that name before."));
    const wanted_locks wanted = find_relations(extension);
    take_all_locks([&](const lock_attempt& attempt) { take_all(extension, wanted, attempt); });
    // 0.1.0 has no trigger that reports rows written by hand.
    forget_places();
    PG_RETURN_VOID();
}
