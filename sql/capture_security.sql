-- Capture for any caller: it needs no right of the writer's, and nothing that the writer could plant or set changes what it does.
CREATE FUNCTION captured(channel text DEFAULT 'c') RETURNS TABLE (op text, key text, old jsonb, new jsonb) LANGUAGE sql AS $$
  SELECT payload ->> 'op', key, payload -> 'old', payload -> 'new' FROM pgpubsub.take(channel, 100000) t ORDER BY t.id $$;
CREATE ROLE regress_pgpubsub_owner;
CREATE ROLE regress_pgpubsub_writer;
CREATE SCHEMA app AUTHORIZATION regress_pgpubsub_owner;
GRANT USAGE ON SCHEMA app TO regress_pgpubsub_writer;
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_owner;
GRANT EXECUTE ON FUNCTION pgpubsub.attach, pgpubsub.capture TO regress_pgpubsub_owner;
SELECT pgpubsub.create_channel('c', ordered => true);
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_owner', 'publish');

-- the owner of the table attaches it, with a condition that calls its function and a watched column with an operator that could be planted
SET ROLE regress_pgpubsub_owner;
SET search_path = app;
CREATE TABLE users (id integer PRIMARY KEY, name text, password text, level integer);
CREATE FUNCTION is_wanted(name text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN length(name) = 1; END $$;
SELECT pgpubsub.attach('users', 'c', columns => '{name,level}', condition => 'is_wanted(NEW.name) AND NEW.level = 1 OR NEW.id IS NULL',
                       payload_columns => '{id,name}', payload => 'changed', key_columns => '{name,id}');
RESET search_path;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.users TO regress_pgpubsub_writer;
RESET ROLE;

-- the writer plants what it can, before everything else
CREATE SCHEMA hostile AUTHORIZATION regress_pgpubsub_writer;
SET ROLE regress_pgpubsub_writer;
CREATE FUNCTION hostile.is_wanted(name text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.never(a text, b text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.never(a integer, b integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR hostile.= (LEFTARG = text, RIGHTARG = text, FUNCTION = hostile.never);
CREATE OPERATOR hostile.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = hostile.never);
CREATE OPERATOR hostile./ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = hostile.never);
CREATE FUNCTION hostile.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT ''"planted"''::jsonb';
CREATE FUNCTION hostile.length(text) RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION hostile.capture_filter(condition boolean, columns record, payload record, key record) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END';
CREATE TYPE hostile.jsonb AS (planted text);
CREATE TABLE hostile.notification (x integer);
CREATE TABLE hostile.channel (x integer);
CREATE TABLE hostile.users (x integer);
CREATE TABLE hostile.planted (x integer);
CREATE TEMP TABLE notification (x integer);
CREATE TEMP TABLE channel (x integer);
CREATE TEMP TABLE subscription (x integer);
CREATE TEMP TABLE new_rows (x integer);
CREATE TEMP TABLE old_rows (x integer);
CREATE TEMP TABLE users (x integer);
SET search_path = hostile, pg_temp, app, pg_catalog;
INSERT INTO app.users VALUES (1, 'a', 'secret', 1), (2, 'long', 'secret', 1), (3, 'c', 'secret', 3);
UPDATE app.users SET password = 'more secret';
UPDATE app.users SET name = 'z', password = 'most secret' WHERE id OPERATOR(pg_catalog.=) 2;
UPDATE app.users SET level = 1;
DELETE FROM app.users WHERE id OPERATOR(pg_catalog.=) 1;
RESET search_path;
RESET ROLE;
SELECT * FROM captured();
-- with no search_path at all
SET ROLE regress_pgpubsub_writer;
SET search_path = '';
INSERT INTO app.users VALUES (4, 'd', 'secret', 1);
RESET search_path;
RESET ROLE;
SELECT * FROM captured();

-- the functions of a condition run as the writer, and find by their bare names what PostgreSQL has, and nothing else
SET ROLE regress_pgpubsub_owner;
CREATE FUNCTION app.tell(u app.users) RETURNS boolean LANGUAGE plpgsql AS $$
  BEGIN RAISE NOTICE '% with search_path = %: %', current_user, current_setting('search_path'), length(u.name); RETURN true; END $$;
SELECT pgpubsub.attach('app.users', 'c', condition => 'app.tell(NEW)');
RESET ROLE;
SET ROLE regress_pgpubsub_writer;
SET search_path = hostile, pg_catalog;
INSERT INTO app.users VALUES (5, 'length');
SHOW search_path;
RESET search_path;
-- so a right that the writer lacks is lacking
RESET ROLE;
REVOKE EXECUTE ON FUNCTION app.tell FROM PUBLIC;
SET ROLE regress_pgpubsub_writer;
INSERT INTO app.users VALUES (6, 'not allowed');
RESET ROLE;
SET ROLE regress_pgpubsub_owner;
INSERT INTO app.users VALUES (7, 'allowed');
RESET ROLE;
-- also one that it has by another role, and has no longer
CREATE ROLE regress_pgpubsub_group;
GRANT EXECUTE ON FUNCTION app.tell TO regress_pgpubsub_group;
GRANT regress_pgpubsub_group TO regress_pgpubsub_writer;
SET ROLE regress_pgpubsub_writer;
INSERT INTO app.users VALUES (106, 'by the group');
RESET ROLE;
REVOKE regress_pgpubsub_group FROM regress_pgpubsub_writer;
SET ROLE regress_pgpubsub_writer;
INSERT INTO app.users VALUES (107, 'no longer');
RESET ROLE;
DROP OWNED BY regress_pgpubsub_group;
DROP ROLE regress_pgpubsub_group;
SELECT new ->> 'id' AS id FROM captured();
-- what an unqualified name in such a function means is not the writer's choice; the search_path comes back when it fails
CREATE OR REPLACE FUNCTION app.tell(u app.users) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN is_wanted(u.name); END $$;
GRANT EXECUTE ON FUNCTION app.tell TO PUBLIC;
SET ROLE regress_pgpubsub_writer;
SET search_path = hostile, pg_catalog;
\set VERBOSITY sqlstate
INSERT INTO app.users VALUES (8, 'x');
\set VERBOSITY default
SHOW search_path;
RESET search_path;
RESET ROLE;
-- nor what PostgreSQL's own functions find by name
SELECT pgpubsub.attach('app.users', 'c', condition => 'to_regclass(NEW.name) IS NOT NULL');
SET ROLE regress_pgpubsub_writer;
SET search_path = hostile, pg_catalog;
INSERT INTO app.users VALUES (9, 'planted'), (10, 'app.users');
RESET search_path;
RESET ROLE;
SELECT new ->> 'id' AS id FROM captured();

-- an argument that is no expression is not run
SET ROLE regress_pgpubsub_owner;
\set VERBOSITY sqlstate
SELECT pgpubsub.attach('app.users', 'c', condition => 'true)) EXECUTE FUNCTION pgpubsub.capture(''other''); --');
SELECT pgpubsub.attach('app.users', 'c', condition => 'true)); DROP TABLE app.users; --');
SELECT pgpubsub.attach('app.users', 'c', condition => 'true, columns => ROW(NEW.id)');
SELECT pgpubsub.attach('app.users', 'c', condition => 'true /*');
SELECT pgpubsub.attach('app.users', 'c', columns => '{"id, NEW.name"}');
SELECT pgpubsub.attach('app.users', 'c', key_columns => '{"id\")); --"}');
\set VERBOSITY default
RESET ROLE;
SELECT condition FROM pgpubsub.attachments;
SET ROLE regress_pgpubsub_owner;

-- a secret that is not to be in a payload is in no error either
SELECT pgpubsub.attach('app.users', 'c', condition => '1 / (NEW.level - 1) IS NOT NULL', payload_columns => '{id,name}');
\set SHOW_CONTEXT always
INSERT INTO app.users VALUES (11, 'x', 'secret', 1);
\set SHOW_CONTEXT errors
RESET ROLE;

-- the right to publish is the owner's of the table, and asked for at each statement
SELECT pgpubsub.attach('app.users', 'c');
SELECT pgpubsub.revoke_channel('c', 'regress_pgpubsub_owner', 'publish');
SET ROLE regress_pgpubsub_writer;
INSERT INTO app.users VALUES (12, 'not captured'), (13, 'not captured');
DELETE FROM app.users WHERE false;
RESET ROLE;
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_owner', 'publish');
SET ROLE regress_pgpubsub_writer;
INSERT INTO app.users VALUES (14, 'taken'), (15, 'taken');
RESET ROLE;
SELECT new ->> 'id' AS id FROM captured();
-- the writer itself can't use what the capture uses
SET ROLE regress_pgpubsub_writer;
SELECT pgpubsub.capture_filter(true);
RESET ROLE;
SELECT pgpubsub.capture_filter(true);
-- triggers made by hand, with what only attach() puts in its own
CREATE TABLE app.plain (id integer, v text);
CREATE TRIGGER a AFTER INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c', 'filtered');
CREATE TRIGGER b AFTER UPDATE ON app.plain FOR EACH ROW WHEN (NEW.id > 100 AND false) EXECUTE FUNCTION pgpubsub.capture('c', 'filter');
INSERT INTO app.plain VALUES (1, 'a');
SELECT * FROM captured();
-- a trigger into a channel that can't be keeps nobody from seeing the attachments
CREATE TABLE app.bad (id integer);
CREATE TRIGGER a AFTER INSERT ON app.bad FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
CREATE TRIGGER b AFTER INSERT ON app.bad FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
SET allow_system_table_mods = on;
UPDATE pg_trigger SET tgargs = '\000' WHERE tgrelid = 'app.bad'::regclass AND tgname = 'a';
UPDATE pg_trigger SET tgargs = 'a name that is far longer than the sixty-three bytes which a channel may have\000' WHERE tgrelid = 'app.bad'::regclass AND tgname = 'b';
RESET allow_system_table_mods;
ALTER TABLE app.bad SET (fillfactor = 90);
INSERT INTO app.bad VALUES (1);
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_writer', 'consume');
SET ROLE regress_pgpubsub_writer;
SELECT "table", channel FROM pgpubsub.attachments ORDER BY "table"::text, channel;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA app, hostile CASCADE;
DROP TABLE notification, channel, subscription, new_rows, old_rows, users;
DROP FUNCTION captured;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_owner, regress_pgpubsub_writer;
DROP ROLE regress_pgpubsub_owner, regress_pgpubsub_writer;
