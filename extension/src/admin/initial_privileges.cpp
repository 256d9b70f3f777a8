// Sets the rights on the objects that a script makes. Only the extension's scripts use this function: they make it,
// call it and drop it.
//
// Guarantee: after CREATE EXTENSION, and after ALTER EXTENSION UPDATE, these roles and no others have a right on an
// object of the extension: its owner, the roles that the script names, and the roles that were granted a right since.
// Default privileges (ALTER DEFAULT PRIVILEGES), which may give and take rights on whatever a role makes, change
// nothing of that. Rights that were granted since stay, and pg_dump still sees that they were granted.
//
// If a script grants or revokes a right on an object, PostgreSQL takes all rights on it for initial rights
// (pg_init_privs), which pg_dump leaves out. Therefore an object that existed before the script is changed only if its
// initial rights are wrong, and the rights granted since are put back as if by hand. That PUBLIC may use a type is
// intended by the script.
#include "admin/script.hpp"
#include "channel/arguments.hpp"

using namespace pgpubsub;

namespace {

// Each object of the extension that has rights, with its present rights and its initial rights (null: this script has
// made it).
constexpr const char* objects = R"(
    WITH object AS (
        SELECT d.classid, d.objid, o.*,
               (SELECT i.initprivs FROM pg_catalog.pg_init_privs i
                 WHERE i.classoid = d.classid AND i.objoid = d.objid AND i.objsubid = 0) AS initial
          FROM pg_catalog.pg_depend d
         CROSS JOIN LATERAL (
               SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS name, c.relowner AS owner,
                      coalesce(c.relacl, acldefault((CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::"char", c.relowner)) AS rights
                 FROM pg_catalog.pg_class c WHERE d.classid = 'pg_class'::regclass AND c.oid = d.objid
               UNION ALL
               SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
                 FROM pg_catalog.pg_proc p WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid
               UNION ALL
               SELECT 'SCHEMA ' || quote_ident(n.nspname), n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
                 FROM pg_catalog.pg_namespace n WHERE d.classid = 'pg_namespace'::regclass AND n.oid = d.objid
               UNION ALL
               SELECT 'TYPE ' || format_type(t.oid, NULL), t.typowner, coalesce(t.typacl, acldefault('T', t.typowner))
                 FROM pg_catalog.pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid AND t.typrelid = 0 AND t.typelem = 0) o
         WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = $1 AND d.deptype = 'e'),
    wrong AS (
        SELECT * FROM object
         WHERE initial IS NULL
            OR EXISTS (SELECT FROM aclexplode(initial) r
                        WHERE r.grantee NOT IN (owner, 'pg_read_all_stats'::regrole, CASE classid WHEN 'pg_type'::regclass THEN 0 ELSE owner END))) )";

// The rights that users have deliberately granted on an object since it was made.
constexpr const char* granted_since = R"(
    SELECT format('GRANT %s ON %s TO %s%s', r.privilege_type, name,
                  CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END,
                  CASE WHEN r.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
      FROM wrong CROSS JOIN LATERAL aclexplode(rights) r
     WHERE initial IS NOT NULL AND r.grantee NOT IN (owner, 'pg_read_all_stats'::regrole)
       AND NOT EXISTS (SELECT FROM aclexplode(initial) i
                        WHERE (i.grantee, i.privilege_type) = (r.grantee, r.privilege_type)))";

constexpr const char* corrections = R"(
    SELECT format('REVOKE ALL ON %s FROM %s CASCADE', name, CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END)
      FROM wrong CROSS JOIN LATERAL (SELECT DISTINCT grantee FROM aclexplode(rights)) r
     WHERE r.grantee NOT IN (owner, CASE classid WHEN 'pg_type'::regclass THEN 0 ELSE owner END)
       AND (initial IS NULL OR r.grantee <> 'pg_read_all_stats'::regrole)
    UNION ALL
    SELECT format('GRANT ALL ON %s TO %s', name, owner::regrole) FROM wrong WHERE initial IS NULL)";

void run(const char* command) {
    if (SPI_execute(command, false, 0) < 0)
        elog(ERROR, "could not run \"%s\"", command);
}

// Returns the only column of the query's rows.
List* texts(const char* query, Oid extension) {
    Oid types[] = {OIDOID};
    Datum values[] = {ObjectIdGetDatum(extension)};
    if (SPI_execute_with_args(psprintf("%s%s", objects, query), 1, types, values, nullptr, true, 0) != SPI_OK_SELECT)
        elog(ERROR, "could not read the rights on the extension's objects");
    List* result = NIL;
    for (uint64 i = 0; i < SPI_processed; ++i)
        result = lappend(result, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
    return result;
}

void run_all(const List* commands) {
    const ListCell* cell;
    foreach (cell, commands)
        run(static_cast<const char*>(lfirst(cell)));
}

}  // namespace

struct set_initial_privileges_arguments {
    enum : int { readers };
};

// `readers`: the rights that pg_read_all_stats is granted on objects that this script has made, each written as in
// GRANT.
PGPUBSUB_FUNCTION(pgpubsub_set_initial_privileges) {
    const Oid extension = extension_of_script();
    Datum* readers;
    int reader_count;
    deconstruct_array(PG_GETARG_ARRAYTYPE_P(set_initial_privileges_arguments::readers), TEXTOID, -1, false,
                      TYPALIGN_INT, &readers, nullptr, &reader_count);
    SPI_connect();
    const List* const by_hand = texts(granted_since, extension);
    run_all(texts(corrections, extension));
    for (int i = 0; i < reader_count; ++i)
        run(psprintf("GRANT %s TO pg_read_all_stats", TextDatumGetCString(readers[i])));
    creating_extension = false;  // as if by hand; an ERROR ends the script, and resets it too
    run_all(by_hand);
    creating_extension = true;
    SPI_finish();
    PG_RETURN_VOID();
}
