#include "admin/drop_extension.hpp"

#include "channel/catalog.hpp"
#include "pg/compat.hpp"
#include "pg/extension_members.hpp"
#include "pg/lock_all.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

// Objects that were found, each once. For the first `followed` of them, the dependent objects were looked up.
struct objects {
    List* classes;
    List* oids;
    int followed;

    void add(Oid of_class, Oid oid) {
        const ListCell* c;
        const ListCell* o;
        forboth(c, classes, o, oids) if (lfirst_oid(o) == oid && lfirst_oid(c) == of_class) return;
        classes = lappend_oid(classes, of_class);
        oids = lappend_oid(oids, oid);
    }
};
static_assert(survives_longjmp<objects>);

// Returns the column in which the catalog of such objects names the table to which they belong and with which they are
// dropped; 0: none.
AttrNumber column_of_table(Oid of_class) {
    switch (of_class) {
        case TriggerRelationId: return Anum_pg_trigger_tgrelid;
        case AttrDefaultRelationId: return Anum_pg_attrdef_adrelid;
        case ConstraintRelationId: return Anum_pg_constraint_conrelid;
        case PolicyRelationId: return Anum_pg_policy_polrelid;
        case RewriteRelationId: return Anum_pg_rewrite_ev_class;
        default: return 0;
    }
}

Oid table_of(Oid of_class, Oid object) {
    const AttrNumber column = column_of_table(of_class);
    if (column == 0)
        return InvalidOid;
    const Relation catalog = table_open(of_class, AccessShareLock);
    const HeapTuple tuple = get_catalog_object_by_oid(catalog, get_object_attnum_oid(of_class), object);
    bool null;
    const Oid table = HeapTupleIsValid(tuple)
                          ? DatumGetObjectId(heap_getattr(tuple, column, RelationGetDescr(catalog), &null))
                          : InvalidOid;
    table_close(catalog, AccessShareLock);
    return table;
}

bool has_lock_of_its_own(Oid relation) {
    const char kind = get_rel_relkind(relation);
    return kind != '\0' && kind != RELKIND_INDEX && kind != RELKIND_PARTITIONED_INDEX && kind != RELKIND_TOASTVALUE;
}

// Returns whether such an object is dropped as a whole, and may have others that depend on it.
bool may_be_needed(Oid of_class) {
    return of_class == RelationRelationId || of_class == ProcedureRelationId || of_class == TypeRelationId;
}

// Adds the objects that depend on the object. If only a part of a table is dropped, such as a trigger, the other
// dependents of the table stay.
void follow(Oid of_class, Oid object, objects* found, List** tables) {
    const Relation depend = table_open(DependRelationId, AccessShareLock);
    ScanKeyData keys[] = {equals_oid(Anum_pg_depend_refclassid, of_class), equals_oid(Anum_pg_depend_refobjid, object)};
    const SysScanDesc scan = systable_beginscan(depend, DependReferenceIndexId, true, nullptr, lengthof(keys), keys);
    HeapTuple tuple;
    while (HeapTupleIsValid(tuple = systable_getnext(scan))) {
        CHECK_FOR_INTERRUPTS();
        const FormData_pg_depend& d = *reinterpret_cast<Form_pg_depend>(GETSTRUCT(tuple));
        const Oid table = d.classid == RelationRelationId ? d.objid : table_of(d.classid, d.objid);
        if (OidIsValid(table) && has_lock_of_its_own(table))
            *tables = list_append_unique_oid(*tables, table);
        if (d.classid == RewriteRelationId)
            found->add(RelationRelationId, table);  // a view is dropped with its rule
        else if (d.objsubid == 0 && may_be_needed(d.classid))
            found->add(d.classid, d.objid);
    }
    systable_endscan(scan);
    table_close(depend, AccessShareLock);
}

// Returns the tables in the order of their OIDs, which is the order of use as far as sessions have any.
List* find_dependent_tables(Oid extension) {
    objects found = {NIL, NIL, 0};
    List* tables = NIL;
    for_each_member(extension, [&found](Oid of_class, Oid object) { found.add(of_class, object); });
    for (; found.followed < list_length(found.oids); ++found.followed)
        follow(list_nth_oid(found.classes, found.followed), list_nth_oid(found.oids, found.followed), &found, &tables);
    list_sort(tables, list_oid_cmp);
    return tables;
}

bool is_view(Oid relation) { return get_rel_relkind(relation) == RELKIND_VIEW; }

// Returns tables and sequences in the order in which the script made them, which is the order in which our functions
// use them.
List* members(Oid extension, bool views) {
    List* found = NIL;
    for_each_member(extension, [&found, views](Oid of_class, Oid object) {
        if (of_class == RelationRelationId && is_view(object) == views)
            found = lappend_oid(found, object);
    });
    list_sort(found, list_oid_cmp);
    return found;
}

void take_all(List* relations, const lock_attempt& attempt) {
    const ListCell* cell;
    foreach (cell, relations)
        attempt.lock(lfirst_oid(cell), AccessExclusiveLock);
}

// Objects that become dependent on us while we wait are locked as well.
void take_dependent_tables(Oid extension, const lock_attempt& attempt) {
    int locked = -1;
    for (List* tables = NIL; list_length(tables) != locked;) {
        locked = list_length(tables);
        tables = NIL;
        const ListCell* cell;
        foreach (cell, find_dependent_tables(extension))
            if (!is_part_of_extension(lfirst_oid(cell)))
                tables = lappend_oid(tables, lfirst_oid(cell));
        take_all(tables, attempt);
    }
}

bool names_ours(const DropStmt* command) {
    const ListCell* cell;
    foreach (cell, command->objects)
        if (strcmp(strVal(lfirst(cell)), "pgpubsub") == 0)
            return true;
    return false;
}

}  // namespace

bool drops_extension(const Node* command) {
    return IsA(command, DropStmt) && reinterpret_cast<const DropStmt*>(command)->removeType == OBJECT_EXTENSION;
}

void lock_before_drop(const DropStmt* command) {
    const Oid extension = our_extension();
    if (XactReadOnly || !names_ours(command) || !OidIsValid(extension) ||
        !owns_object(ExtensionRelationId, extension, GetUserId()))
        return;
    take_all_locks([&](const lock_attempt& attempt) {
        // Without CASCADE, no object of others is dropped.
        if (command->behavior == DROP_CASCADE)
            take_dependent_tables(extension, attempt);
        take_all(members(extension, true), attempt);
        take_all(members(extension, false), attempt);
    });
}

}  // namespace pgpubsub
