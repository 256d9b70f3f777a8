// pgpubsub_begin_update(): how an update script begins.
//
// Guarantee: what the script does by the name of the schema, it does to the extension's objects. And it has all locks
// on tables and views before it changes anything: publishers and consumers wait for the update, but none of them can
// get into a deadlock with it.
//
// Steps: the schema belongs to the extension. Then the table of notifications is locked, which all that goes on takes
// sooner or later. What runs by then ends within moments, and the other locks are taken as they get free, without
// waiting for any. If one of them is still not to be had after a while, its holder may be waiting for us, or be a long
// transaction: so all are given back, that one is waited for with nothing held, and it begins anew.
#include "arguments.hpp"
#include "script.hpp"

using namespace pgpubsub;

namespace {

struct wanted_lock {
    Oid relation;
    LOCKMODE mode;
};

constexpr int most_locks = 64;

struct wanted_locks {
    int count;
    wanted_lock items[most_locks];

    void add(Oid relation, char kind) {
        if (count == most_locks)
            elog(ERROR, "extension \"pgpubsub\" has too many tables and views");
        // A view is replaced; of a table, nothing that its readers could notice is changed.
        items[count++] = {relation, kind == RELKIND_VIEW ? AccessExclusiveLock : ShareRowExclusiveLock};
    }
    // Takes as many as are to be had now, from the place `taken` on, and returns how many are taken.
    int take(int taken) const {
        while (taken < count && ConditionalLockRelationOid(items[taken].relation, items[taken].mode))
            ++taken;
        return taken;
    }
    void give_back(int taken) const {
        while (taken-- > 0)
            UnlockRelationOid(items[taken].relation, items[taken].mode);
    }
    // Less than deadlock_timeout, so that nobody who waits for us is ended meanwhile.
    int take_within(int patience_ms) const {
        int taken = take(1);
        for (int waited = 0; taken < count && waited < patience_ms; ++waited) {
            CHECK_FOR_INTERRUPTS();
            pg_usleep(1000);
            taken = take(taken);
        }
        return taken;
    }
    void take_all() const {
        constexpr int patience_ms = 200;
        for (;;) {
            LockRelationOid(items[0].relation, items[0].mode);
            const int taken = take_within(patience_ms);
            if (taken == count)
                return;
            give_back(taken);
            LockRelationOid(items[taken].relation, items[taken].mode);
            UnlockRelationOid(items[taken].relation, items[taken].mode);
        }
    }
};

wanted_locks find_tables_and_views(Oid extension) {
    wanted_locks found{};
    found.add(our_catalog().notification, RELKIND_RELATION);
    const Relation depend = table_open(DependRelationId, AccessShareLock);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(ExtensionRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(extension));
    const SysScanDesc scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, lengthof(keys), keys);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const auto* const d = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));
        const char kind = d->classid == RelationRelationId ? get_rel_relkind(d->objid) : '\0';
        const bool is_wanted = kind == RELKIND_RELATION || kind == RELKIND_VIEW;
        if (d->deptype == DEPENDENCY_EXTENSION && is_wanted && d->objid != found.items[0].relation)
            found.add(d->objid, kind);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
    return found;
}

}  // namespace

PGPUBSUB_FUNCTION(pgpubsub_begin_update) {
    const Oid extension = extension_of_script();
    const Oid schema = get_namespace_oid("pgpubsub", true);
    if (!OidIsValid(schema) || getExtensionOfObject(NamespaceRelationId, schema) != extension)
        ereport(ERROR, errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                errmsg("schema \"pgpubsub\" does not belong to extension \"pgpubsub\""),
                errdetail("The extension's schema is named %s now.", our_schema_name()),
                errhint("Rename the extension's schema to pgpubsub for the update, and any other of that name before."));
    find_tables_and_views(extension).take_all();
    PG_RETURN_VOID();
}
