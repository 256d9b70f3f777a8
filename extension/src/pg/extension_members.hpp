// The members of an extension.
#pragma once

#include "pg/postgres.hpp"

namespace pgpubsub {

// Calls act(class, object) for each member. The members are found by their dependencies, so neither the name of a
// schema nor a right on it plays a part.
template <typename Act>
void for_each_member(Oid extension, Act act) {
    static_assert(survives_longjmp<Act>);
    const Relation depend = table_open(DependRelationId, AccessShareLock);
    ScanKeyData keys[2];
    ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
                ObjectIdGetDatum(ExtensionRelationId));
    ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(extension));
    const SysScanDesc scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, lengthof(keys), keys);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const auto* const d = reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));
        if (d->deptype == DEPENDENCY_EXTENSION)
            act(d->classid, d->objid);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
}

}  // namespace pgpubsub
