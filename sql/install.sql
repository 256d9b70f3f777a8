-- What CREATE EXTENSION makes: every object has a comment, and nothing is granted to PUBLIC.
SET search_path = pg_catalog;

-- Objects of the schema without a comment: none. (Since PostgreSQL 17 the row type of a table and the array of a type
-- are members of the extension themselves.)
SELECT pg_describe_object(classid, objid, 0) AS uncommented
  FROM pg_depend
 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgpubsub')
   AND obj_description(objid, classid::regclass::name) IS NULL
   AND NOT EXISTS (SELECT FROM pg_type WHERE classid = 'pg_type'::regclass AND oid = objid AND (typrelid <> 0 OR typelem <> 0))
 ORDER BY 1;

-- Rights of PUBLIC: none.
SELECT 'function' AS kind, p.oid::regprocedure::text AS object
  FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
 WHERE p.pronamespace = 'pgpubsub'::regnamespace AND a.grantee = 0
UNION ALL
SELECT 'relation', c.oid::regclass::text
  FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) a
 WHERE c.relnamespace = 'pgpubsub'::regnamespace AND a.grantee = 0
UNION ALL
SELECT 'schema', n.nspname
  FROM pg_namespace n, aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) a
 WHERE n.nspname = 'pgpubsub' AND a.grantee = 0;

-- The functions that run SQL pin their search_path; none is SECURITY DEFINER.
SELECT proname, proconfig FROM pg_proc
 WHERE pronamespace = 'pgpubsub'::regnamespace AND proconfig IS NOT NULL ORDER BY 1;
SELECT count(*) AS security_definer FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace AND prosecdef;

-- The views keep what one may not see from the conditions that a user adds.
SELECT relname, reloptions FROM pg_class WHERE relnamespace = 'pgpubsub'::regnamespace AND relkind = 'v' ORDER BY 1;

-- All that holds users' data is dumped.
SELECT unnest(extconfig)::regclass AS dumped FROM pg_extension WHERE extname = 'pgpubsub' ORDER BY 1;

-- A session outlives the extension, and uses the next one.
RESET search_path;
SELECT pgpubsub.create_channel('before');
SELECT pgpubsub.publish('before', '1') > 0 AS published;
DROP EXTENSION pgpubsub;
CREATE EXTENSION pgpubsub;
SELECT pgpubsub.publish('before', '1');
SELECT pgpubsub.create_channel('after');
SELECT pgpubsub.publish('after', '2') > 0 AS published;
SELECT payload FROM pgpubsub.take('after', 10);
SELECT pgpubsub.drop_channel('after');

-- The script makes its schema itself, and so doesn't adopt one that somebody else has prepared.
CREATE DATABASE regress_pgpubsub_hostile;
\c regress_pgpubsub_hostile
SET client_min_messages = warning;
CREATE SCHEMA pgpubsub;
\set SHOW_CONTEXT never
CREATE EXTENSION pgpubsub;
\c contrib_regression
DROP DATABASE regress_pgpubsub_hostile;
