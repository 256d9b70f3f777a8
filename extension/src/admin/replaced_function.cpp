// pgpubsub_pass_on_privileges(former, successor): for update scripts that replace one function by another.
//
// Guarantee: every role that could call the former function can call its successor, and pg_dump carries that. A GRANT
// in the script itself would not do: pg_dump treats the grants of an extension's script as those of CREATE EXTENSION,
// and leaves them out.
#include "channel/arguments.hpp"

using namespace pgpubsub;

namespace {

struct routine {
    Oid owner;
    const Acl* acl;
};

routine find_routine(Oid oid) {
    const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(oid));
    if (!HeapTupleIsValid(tuple))
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_FUNCTION), errmsg("function with OID %u does not exist", oid));
    const Oid owner = reinterpret_cast<Form_pg_proc>(GETSTRUCT(tuple))->proowner;
    bool null;
    const Datum acl = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_proacl, &null);
    const routine found = {owner, null ? acldefault(OBJECT_FUNCTION, owner) : DatumGetAclPCopy(acl)};
    ReleaseSysCache(tuple);
    return found;
}

const char* grantee_name(const AclItem& item) {
    return item.ai_grantee == ACL_ID_PUBLIC ? "PUBLIC" : quote_identifier(GetUserNameFromId(item.ai_grantee, false));
}

}  // namespace

struct pass_on_privileges_arguments {
    enum : int { former, successor };
};

PGPUBSUB_FUNCTION(pgpubsub_pass_on_privileges) {
    using at = pass_on_privileges_arguments;
    require(fcinfo, at::former, "former");
    require(fcinfo, at::successor, "successor");
    const routine former = find_routine(PG_GETARG_OID(at::former));
    const char* const successor = format_procedure_qualified(PG_GETARG_OID(at::successor));
    // After an ERROR, the end of the script resets it.
    const bool was_creating = creating_extension;
    creating_extension = false;
    SPI_connect();
    for (const AclItem& item : std::span{ACL_DAT(former.acl), static_cast<std::size_t>(ACL_NUM(former.acl))}) {
        if (item.ai_grantee == former.owner || (ACLITEM_GET_PRIVS(item) & ACL_EXECUTE) == 0)
            continue;
        const bool may_grant = (ACLITEM_GET_GOPTIONS(item) & ACL_EXECUTE) != 0;
        const char* const command = psprintf("GRANT EXECUTE ON ROUTINE %s TO %s%s", successor, grantee_name(item),
                                             may_grant ? " WITH GRANT OPTION" : "");
        if (SPI_execute(command, false, 0) < 0)
            elog(ERROR, "could not run \"%s\"", command);
    }
    SPI_finish();
    creating_extension = was_creating;
    PG_RETURN_VOID();
}
