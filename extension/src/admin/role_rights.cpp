#include "admin/role_rights.hpp"

#include "admin/rights.hpp"
#include "channel/catalog.hpp"
#include "channel/channel_rows.hpp"
#include "channel/table_columns.hpp"
#include "channel/table_row.hpp"
#include "pg/scan_keys.hpp"

namespace pgpubsub {
namespace {

// Returns the type that stands for the rights in pg_shdepend; InvalidOid before version 0.2.0 of the extension.
Oid rights_type() {
    return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("channel_rights"),
                           ObjectIdGetDatum(get_rel_namespace(our_catalog().channel)));
}

bool depends(Oid type, Oid role) {
    const Relation dependencies = table_open(SharedDependRelationId, AccessShareLock);
    ScanKeyData keys[] = {
        equals_oid(Anum_pg_shdepend_dbid, MyDatabaseId),
        equals_oid(Anum_pg_shdepend_classid, TypeRelationId),
        equals_oid(Anum_pg_shdepend_objid, type),
    };
    const SysScanDesc scan =
        systable_beginscan(dependencies, SharedDependDependerIndexId, true, nullptr, lengthof(keys), keys);
    bool found = false;
    HeapTuple tuple;
    while (!found && HeapTupleIsValid(tuple = systable_getnext(scan))) {
        const FormData_pg_shdepend& form = *reinterpret_cast<Form_pg_shdepend>(GETSTRUCT(tuple));
        found = form.refclassid == AuthIdRelationId && form.refobjid == role && form.deptype == SHARED_DEPENDENCY_ACL;
    }
    systable_endscan(scan);
    table_close(dependencies, AccessShareLock);
    return found;
}

// updateAclDependencies() frees the lists.
Oid* list_of(Oid role) {
    auto* const roles = static_cast<Oid*>(palloc(sizeof(Oid)));
    *roles = role;
    return roles;
}

bool exists(Oid role) { return SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(role)); }

struct right {
    int32 channel_id;
    Oid role;
    privilege what;
};

privilege privilege_in(std::string_view name) { return name == "owner" ? privilege::owner : parse_privilege(name); }

struct right_list {
    right* items;
    int count;
};

right_list all_rights() {
    right_list list = {static_cast<right*>(palloc(64 * sizeof(right))), 0};
    int capacity = 64;
    plain_scan scan = plain_scan::begin(our_catalog().channel_privilege, privilege_column::count,
                                        our_catalog().channel_privilege_pkey, {});
    while (scan.next()) {
        CHECK_FOR_INTERRUPTS();
        if (list.count == capacity)
            list.items = static_cast<right*>(repalloc_huge(list.items, (capacity *= 2) * sizeof(right)));
        bool null;
        list.items[list.count++] = {
            DatumGetInt32(scan.get(privilege_column::channel_id, &null)),
            DatumGetObjectId(scan.get(privilege_column::grantee, &null)),
            privilege_in(view_of(DatumGetTextPP(scan.get(privilege_column::privilege, &null)))),
        };
    }
    scan.end();
    return list;
}

}  // namespace

void depend_on_role(Oid role) {
    const Oid type = rights_type();
    if (!OidIsValid(type) || depends(type, role))
        return;
    updateAclDependencies(TypeRelationId, type, 0, InvalidOid, 0, nullptr, 1, list_of(role));
    CommandCounterIncrement();
}

void depend_on_all_roles() {
    const right_list rights = all_rights();
    Oid last = InvalidOid;
    for (int i = 0; i < rights.count; ++i) {
        const Oid role = rights.items[i].role;
        if (role != last && exists(role))
            depend_on_role(role);
        last = role;
    }
}

void drop_rights_of(Oid role) {
    const right_list rights = all_rights();
    for (int i = 0; i < rights.count; ++i) {
        const right& r = rights.items[i];
        channel c;
        if (r.role != role || !remove_right(r.channel_id, role, r.what) || r.what != privilege::owner ||
            !find_channel(r.channel_id, &c))
            continue;
        ereport(NOTICE, errmsg("channel \"%s\" has no owner any more", c.name),
                errhint("A superuser can give it one with SELECT pgpubsub.alter_channel(%s, owner => ...), or drop it "
                        "with pgpubsub.drop_channel().",
                        quote_literal_cstr(c.name)));
    }
    if (const Oid type = rights_type(); OidIsValid(type))
        updateAclDependencies(TypeRelationId, type, 0, InvalidOid, 1, list_of(role), 0, nullptr);
}

void reassign_channels(Oid from, Oid to) {
    const right_list rights = all_rights();
    for (int i = 0; i < rights.count; ++i) {
        const right& r = rights.items[i];
        if (r.role == from && r.what == privilege::owner && remove_right(r.channel_id, from, privilege::owner))
            give_right(r.channel_id, to, privilege::owner);
    }
}

void tidy_rights() {
    const right_list rights = all_rights();
    for (int i = 0; i < rights.count; ++i)
        if (const right& r = rights.items[i]; !exists(r.role))
            remove_right(r.channel_id, r.role, r.what);
    depend_on_all_roles();
}

}  // namespace pgpubsub
