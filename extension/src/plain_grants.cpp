#include "plain_grants.hpp"

#include "catalog.hpp"

namespace pgpubsub {
namespace {

// All forms of a function of that name that the extension has.
struct grantable {
    const char* name;
    unsigned sets;
};
constexpr unsigned for_all = usage::publish | usage::consume | usage::owner;
constexpr unsigned for_makers = usage::make;
constexpr unsigned for_publishers = usage::publish | usage::owner;
constexpr unsigned for_consumers = usage::consume | usage::owner;
constexpr unsigned for_owners = usage::owner;

constexpr grantable functions[] = {
    {"has_channel_privilege", for_all},
    {"idempotency_key", for_all},
    {"attachment_list", for_all},
    {"get", for_all},
    {"peek", for_consumers},
    {"publish", for_publishers},
    {"publish_batch", for_publishers},
    {"take", for_consumers},
    {"requeue", for_consumers},
    {"claim", for_consumers},
    {"ack", for_consumers},
    {"nack", for_consumers},
    {"extend", for_consumers},
    {"release", for_consumers},
    {"recover", for_consumers},
    {"next_due", for_consumers},
    {"redrive", for_consumers},
    {"purge_dead_letters", for_consumers},
    {"read_broadcast", for_consumers},
    {"stat_backlog", for_consumers},
    {"stat_rates", for_consumers},
    {"wakeup_state", for_consumers},
    {"wait", for_consumers},
    {"stat_leases", for_consumers},
    {"alter_channel", for_owners},
    {"drop_channel", for_owners},
    {"pause_channel", for_owners},
    {"resume_channel", for_owners},
    {"purge_channel", for_owners},
    {"subscribe", for_owners},
    {"unsubscribe", for_owners},
    {"grant_channel", for_owners},
    {"revoke_channel", for_owners},
    {"purge_all", for_owners},
    {"create_channel", for_makers},
    {"attach", for_makers},
    {"capture", for_makers},
    {"detach", for_publishers | for_makers},
};
constexpr grantable views[] = {
    {"channels", for_all},
    {"subscriptions", for_all},
    {"channel_privileges", for_all},
    {"attachments", for_all},
    {"notifications", for_consumers},
    {"dead_letters", for_consumers},
    {"history", for_consumers},
    {"stat_channels", for_consumers},
    {"stat_consumers", for_consumers},
    {"stat_wakeup", for_consumers},
};

enum class direction { grant, revoke };

Oid our_schema() { return get_rel_namespace(our_catalog().channel); }

bool has_directly(Oid role, Datum acl_value, AclMode wanted) {
    Acl* const acl = DatumGetAclP(acl_value);
    AclMode has = 0;
    for (int i = 0; i < ACL_NUM(acl); ++i)
        if (ACL_DAT(acl)[i].ai_grantee == role)
            has |= ACLITEM_GET_PRIVS(ACL_DAT(acl)[i]);
    return (has & wanted) == wanted;
}

// Whether the role itself has the right on the object, whose row is in that cache.
bool has_right(Oid role, syscache_id cache, AttrNumber acl_column, Oid object, AclMode wanted) {
    const HeapTuple tuple = SearchSysCache1(cache, ObjectIdGetDatum(object));
    if (!HeapTupleIsValid(tuple))
        return true;  // gone
    bool null;
    const Datum acl = SysCacheGetAttr(cache, tuple, acl_column, &null);
    const bool result = !null && has_directly(role, acl, wanted);
    ReleaseSysCache(tuple);
    return result;
}

void run_grant(Oid role, ObjectType type, Node* object, const char* right, direction d) {
    auto* const grantee = makeNode(RoleSpec);
    grantee->roletype = ROLESPEC_CSTRING;
    grantee->rolename = GetUserNameFromId(role, false);
    grantee->location = -1;
    auto* const access = makeNode(AccessPriv);
    access->priv_name = pstrdup(right);
    auto* const command = makeNode(GrantStmt);
    command->is_grant = d == direction::grant;
    command->targtype = ACL_TARGET_OBJECT;
    command->objtype = type;
    command->objects = list_make1(object);
    command->privileges = list_make1(access);
    command->grantees = list_make1(grantee);
    command->behavior = DROP_RESTRICT;
    ExecuteGrantStmt(command);
}

// Grants where the role has not, or revokes where it has.
template <typename MakeObject>
void change(Oid role, syscache_id cache, AttrNumber acl_column, Oid oid, AclMode mode, ObjectType type,
            const char* right, direction d, MakeObject make_object) {
    if (has_right(role, cache, acl_column, oid, mode) != (d == direction::grant))
        run_grant(role, type, make_object(), right, d);
}

List* qualified(const char* schema, const char* name) {
    return list_make2(makeString(pstrdup(schema)), makeString(pstrdup(name)));
}

// The functions of that name that the extension has.
List* forms_of(const char* name) {
    const Oid schema = our_schema();
    const Oid extension = getExtensionOfObject(RelationRelationId, our_catalog().channel);
    CatCList* const forms = SearchSysCacheList1(PROCNAMEARGSNSP, CStringGetDatum(name));
    List* found = NIL;
    for (int i = 0; i < forms->n_members; ++i) {
        const FormData_pg_proc& form = *reinterpret_cast<Form_pg_proc>(GETSTRUCT(&forms->members[i]->tuple));
        if (form.pronamespace == schema && getExtensionOfObject(ProcedureRelationId, form.oid) == extension)
            found = lappend_oid(found, form.oid);
    }
    ReleaseCatCacheList(forms);
    return found;
}

Node* function_node(const char* schema, Oid oid) {
    const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple))
        elog(ERROR, "cache lookup failed for function %u", oid);
    const FormData_pg_proc& form = *reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple));
    auto* const function = makeNode(ObjectWithArgs);
    function->objname = qualified(schema, NameStr(form.proname));
    for (int i = 0; i < form.pronargs; ++i)
        function->objargs = lappend(function->objargs, makeTypeNameFromOid(form.proargtypes.values[i], -1));
    ReleaseSysCache(tuple);
    return reinterpret_cast<Node*>(function);
}

// As the owner of the extension's tables, so that it is who grants. After an ERROR the transaction's abort puts the
// user back.
template <typename F>
void as_extension_owner(F f) {
    const Relation table = table_open(our_catalog().channel, AccessShareLock);
    const Oid owner = table->rd_rel->relowner;
    table_close(table, AccessShareLock);
    Oid caller;
    int context;
    GetUserIdAndSecContext(&caller, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    f();
    SetUserIdAndSecContext(caller, context);
}

void change_all(Oid role, unsigned sets, direction d) {
    const Oid schema = our_schema();
    const char* const schema_name = get_namespace_name(schema);
    lock_grants();
    as_extension_owner([&] {
        change(role, NAMESPACEOID, Anum_pg_namespace_nspacl, schema, ACL_USAGE, OBJECT_SCHEMA, "usage", d,
               [&] { return reinterpret_cast<Node*>(makeString(pstrdup(schema_name))); });
        for (const grantable& one : functions) {
            const ListCell* cell;
            foreach (cell, (one.sets & sets) != 0 ? forms_of(one.name) : NIL) {
                const Oid oid = lfirst_oid(cell);
                change(role, PROCOID, Anum_pg_proc_proacl, oid, ACL_EXECUTE, OBJECT_ROUTINE, "execute", d,
                       [&] { return function_node(schema_name, oid); });
            }
        }
        for (const grantable& one : views) {
            const Oid view = get_relname_relid(one.name, schema);
            if ((one.sets & sets) != 0 && OidIsValid(view))
                change(role, RELOID, Anum_pg_class_relacl, view, ACL_SELECT, OBJECT_TABLE, "select", d, [&] {
                    return reinterpret_cast<Node*>(makeRangeVar(pstrdup(schema_name), pstrdup(one.name), -1));
                });
        }
    });
    CommandCounterIncrement();
}

struct wanted_change {
    Oid role;
    unsigned sets;
    direction d;
};

List* wanted = NIL;  // in the memory of the transaction, in the order in which they were asked for

void change_at_commit(Oid role, unsigned sets, direction d) {
    auto* const last = wanted == NIL ? nullptr : static_cast<wanted_change*>(llast(wanted));
    if (last != nullptr && last->role == role && last->d == d) {
        last->sets |= sets;
        return;
    }
    with_context(TopTransactionContext, [&] {
        auto* const added = static_cast<wanted_change*>(palloc(sizeof(wanted_change)));
        *added = {role, sets, d};
        wanted = lappend(wanted, added);
    });
}

void carry_out_wanted() {
    PushActiveSnapshot(GetTransactionSnapshot());
    const ListCell* cell;
    foreach (cell, wanted) {
        const auto* const w = static_cast<const wanted_change*>(lfirst(cell));
        // It may be gone: made in a sub-transaction that was rolled back, or dropped since.
        if (GetUserNameFromId(w->role, true) != nullptr)
            change_all(w->role, w->sets, w->d);
    }
    PopActiveSnapshot();
}

void at_end(XactEvent event, void*) {
    if ((event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE) && wanted != NIL)
        carry_out_wanted();
    wanted = NIL;
}

// Who has EXECUTE on a function gets the set that it stands for.
void complete_by(Oid function, unsigned set) {
    const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
    if (!HeapTupleIsValid(tuple))
        return;
    bool null;
    const Datum value = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &null);
    if (!null) {
        Acl* const acl = DatumGetAclP(value);
        for (int i = 0; i < ACL_NUM(acl); ++i)
            if (const AclItem& item = ACL_DAT(acl)[i];
                item.ai_grantee != ACL_ID_PUBLIC && item.ai_grantee != item.ai_grantor)
                grant_at_commit(item.ai_grantee, set);
    }
    ReleaseSysCache(tuple);
}

}  // namespace

unsigned usage_for(privilege what) {
    return what == privilege::owner ? usage::owner : what == privilege::publish ? usage::publish : usage::consume;
}

void grant_at_commit(Oid role, unsigned sets) { change_at_commit(role, sets, direction::grant); }
void revoke_at_commit(Oid role, unsigned sets) { change_at_commit(role, sets, direction::revoke); }

void complete_grants_at_commit() {
    constexpr struct {
        const char* function;
        unsigned set;
    } signs[] = {
        {"publish", usage::publish},
        {"ack", usage::consume},
        {"drop_channel", usage::owner},
        {"create_channel", usage::make},
    };
    for (const auto& sign : signs) {
        const ListCell* cell;
        foreach (cell, forms_of(sign.function))
            complete_by(lfirst_oid(cell), sign.set);
    }
}

// What the last transaction did is seen then.
void lock_grants() { LockDatabaseObject(our_catalog().channel_privilege, InvalidOid, 0, ShareUpdateExclusiveLock); }

void watch_grants() { RegisterXactCallback(at_end, nullptr); }

}  // namespace pgpubsub
