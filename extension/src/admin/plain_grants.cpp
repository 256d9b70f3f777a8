#include "admin/plain_grants.hpp"

#include "capture/capture_right.hpp"
#include "channel/catalog.hpp"
#include "channel/catalog_row.hpp"
#include "pg/compat.hpp"
#include "pg/sub_transaction.hpp"

namespace pgpubsub {
namespace {

// The extension's functions (all forms) or view of that name, and the sets to which they belong.
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
    {"channels", for_all},          {"subscriptions", for_all},       {"channel_privileges", for_all},
    {"attachments", for_all},       {"notifications", for_consumers}, {"dead_letters", for_consumers},
    {"history", for_consumers},     {"stat_channels", for_consumers}, {"stat_consumers", for_consumers},
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

// Returns whether the role itself has the right on the object, whose row is in that cache.
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

List* qualified(const char* schema, const char* name) {
    return list_make2(makeString(pstrdup(schema)), makeString(pstrdup(name)));
}

// Returns the extension's functions of that name.
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

// Runs f as the owner of the extension's tables, so that this owner is the grantor. After an ERROR, the transaction's
// abort restores the user.
template <typename F>
void as_extension_owner(F f) {
    const Oid owner = owner_of_relation(our_catalog().channel);
    Oid caller;
    int context;
    GetUserIdAndSecContext(&caller, &context);
    SetUserIdAndSecContext(owner, context | SECURITY_LOCAL_USERID_CHANGE);
    f();
    SetUserIdAndSecContext(caller, context);
}

// A part of a set: an object, the right on it that goes with the set, and where pg_catalog stores the object's rights.
struct granted_object {
    ObjectType type;
    Oid catalog;
    Oid oid;
    AclMode mode;
    const char* right;
    syscache_id cache;
    AttrNumber acl_column;
};

template <typename F>
void for_each_object(unsigned sets, F f) {
    const Oid schema = our_schema();
    f(granted_object{OBJECT_SCHEMA, NamespaceRelationId, schema, ACL_USAGE, "usage", NAMESPACEOID,
                     Anum_pg_namespace_nspacl});
    for (const grantable& one : functions) {
        const ListCell* cell;
        foreach (cell, (one.sets & sets) != 0 ? forms_of(one.name) : NIL)
            f(granted_object{OBJECT_ROUTINE, ProcedureRelationId, lfirst_oid(cell), ACL_EXECUTE, "execute", PROCOID,
                             Anum_pg_proc_proacl});
    }
    for (const grantable& one : views) {
        const Oid view = get_relname_relid(one.name, schema);
        if ((one.sets & sets) != 0 && OidIsValid(view))
            f(granted_object{OBJECT_TABLE, RelationRelationId, view, ACL_SELECT, "select", RELOID,
                             Anum_pg_class_relacl});
    }
}

Node* node_of(const granted_object& o) {
    char* const schema = get_namespace_name(our_schema());
    if (o.type == OBJECT_SCHEMA)
        return reinterpret_cast<Node*>(makeString(schema));
    if (o.type == OBJECT_ROUTINE)
        return function_node(schema, o.oid);
    return reinterpret_cast<Node*>(makeRangeVar(schema, get_rel_name(o.oid), -1));
}

// Returns whether the role lacks what must be granted, or has what must be revoked.
bool is_to_change(Oid role, const granted_object& o, direction d) {
    return has_right(role, o.cache, o.acl_column, o.oid, o.mode) != (d == direction::grant);
}

bool is_any_to_change(Oid role, unsigned sets, direction d) {
    bool result = false;
    for_each_object(sets, [&](const granted_object& o) { result = result || is_to_change(role, o, d); });
    return result;
}

// Changes the rights. Returns false if another transaction is changing one of the objects, and sets `*busy` to it.
bool change_if_free(Oid role, unsigned sets, direction d, granted_object* busy) {
    bool is_free = true;
    lock_grants();
    as_extension_owner([&] {
        for_each_object(sets, [&](const granted_object& o) {
            if (!is_free || !is_to_change(role, o, d))
                return;
            is_free = lock_catalog_row(o.catalog, o.oid, if_busy::give_up);
            if (is_free)
                run_grant(role, o.type, node_of(o), o.right, d);
            else
                *busy = o;
        });
    });
    CommandCounterIncrement();
    return is_free;
}

// Waits for another transaction that is changing the rights on the object. A user who has made a GRANT on one of our
// functions by hand may have to wait for us next, so nothing is locked during the wait.
void wait_for_change_of(const granted_object& o) {
    in_sub_transaction([&o] {
        lock_catalog_row(o.catalog, o.oid, if_busy::wait);
        return false;
    });
}

void change_all(Oid role, unsigned sets, direction d) {
    granted_object busy;
    while (is_installed() && is_any_to_change(role, sets, d) &&
           !in_sub_transaction([&] { return change_if_free(role, sets, d, &busy); }))
        wait_for_change_of(busy);
}

struct wanted_change {
    Oid role;
    unsigned sets;
    direction d;
    int nest_level;  // of the subtransaction that asked for it
};

// In the memory of the transaction, in the order of the requests; so the requests of the innermost subtransaction come
// last.
List* wanted = NIL;

wanted_change* last_wanted() { return wanted == NIL ? nullptr : static_cast<wanted_change*>(llast(wanted)); }

void change_at_commit(Oid role, unsigned sets, direction d) {
    const int nest_level = GetCurrentTransactionNestLevel();
    auto* const last = last_wanted();
    if (last != nullptr && last->role == role && last->d == d && last->nest_level == nest_level) {
        last->sets |= sets;
        return;
    }
    with_context(TopTransactionContext, [&] {
        auto* const added = static_cast<wanted_change*>(palloc(sizeof(wanted_change)));
        *added = {role, sets, d, nest_level};
        wanted = lappend(wanted, added);
    });
}

// The requests of a subtransaction are dropped when it rolls back, and become its parent's when it commits.
void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
    const int nest_level = GetCurrentTransactionNestLevel();
    if (event == SUBXACT_EVENT_ABORT_SUB) {
        while (last_wanted() != nullptr && last_wanted()->nest_level >= nest_level)
            wanted = list_truncate(wanted, list_length(wanted) - 1);
    } else if (event == SUBXACT_EVENT_COMMIT_SUB) {
        ListCell* cell;
        foreach (cell, wanted) {
            auto* const w = static_cast<wanted_change*>(lfirst(cell));
            w->nest_level = Min(w->nest_level, nest_level - 1);
        }
    }
}

// Calls act() for each request, except if the role or the extension has been dropped since.
template <typename F>
void for_each_wanted(F act) {
    PushActiveSnapshot(GetTransactionSnapshot());
    const ListCell* cell;
    foreach (cell, wanted) {
        const auto& w = *static_cast<const wanted_change*>(lfirst(cell));
        if (is_installed() && GetUserNameFromId(w.role, true) != nullptr)
            act(w);
    }
    PopActiveSnapshot();
}

// A prepared transaction may stay for days, and would hold up all others that need such grants.
void refuse_to_prepare(const wanted_change& w) {
    if (is_any_to_change(w.role, w.sets, w.d))
        ereport(
            ERROR, errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
            errmsg("cannot PREPARE a transaction that changes what role \"%s\" may call",
                   GetUserNameFromId(w.role, false)),
            errdetail("The first right on a channel brings EXECUTE on functions of pgpubsub. Until COMMIT PREPARED no "
                      "other role could be given that."),
            errhint("Use COMMIT, or call pgpubsub.grant_usage() in a transaction of its own before; for a new owner "
                    "with own_channels => true."));
}

void at_end(XactEvent event, void*) {
    if (event == XACT_EVENT_PRE_COMMIT && wanted != NIL)
        for_each_wanted([](const wanted_change& w) { change_all(w.role, w.sets, w.d); });
    else if (event == XACT_EVENT_PRE_PREPARE && wanted != NIL)
        for_each_wanted(refuse_to_prepare);
    wanted = NIL;
}

// Gives the set to each role that has EXECUTE on the function which stands for the set.
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

// When the lock is acquired, the changes of the previous holder are visible.
void lock_grants() { LockDatabaseObject(our_catalog().channel_privilege, InvalidOid, 0, ShareUpdateExclusiveLock); }

void watch_grants() {
    RegisterXactCallback(at_end, nullptr);
    RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace pgpubsub
