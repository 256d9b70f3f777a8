-- Tables, and what belongs to them, are altered while this session has their capture at hand, and statements prepared.
CREATE FUNCTION captured() RETURNS TABLE ("schema" text, "table" text, op text, old jsonb, new jsonb, key text) LANGUAGE sql AS $$
  SELECT payload ->> 'schema', payload ->> 'table', payload ->> 'op', payload -> 'old', payload -> 'new', key FROM pgpubsub.take('c', 100000) t ORDER BY t.id $$;
SELECT pgpubsub.create_channel('c');

-- columns that come: old rows have the default too, which is stored nowhere
CREATE TABLE t (a integer PRIMARY KEY, b text);
SELECT pgpubsub.attach('t', 'c');
INSERT INTO t SELECT i, 'b' || i FROM generate_series(1, 5) i;
PREPARE change AS UPDATE t SET b = b || '+' WHERE a = $1;
PREPARE remove AS DELETE FROM t WHERE a = $1;
EXECUTE change(1);
ALTER TABLE t ADD COLUMN c text DEFAULT 'default', ADD COLUMN d integer DEFAULT 7 NOT NULL, ADD COLUMN e integer;
EXECUTE change(2);
EXECUTE remove(3);
INSERT INTO t VALUES (6, 'b6');
SELECT op, old, new FROM captured() OFFSET 5;
ALTER TABLE t ALTER COLUMN c SET DEFAULT 'other', ADD COLUMN f integer GENERATED ALWAYS AS (d * 2) STORED;
EXECUTE change(4);
SELECT pgpubsub.attach('t', 'c', granularity => 'row');
ALTER TABLE t ADD COLUMN g text DEFAULT 'seldom';
EXECUTE change(4);
EXECUTE remove(4);
SELECT op, old, new FROM captured();
-- columns that go, from the middle, the last, and the key
SELECT pgpubsub.attach('t', 'c');
ALTER TABLE t DROP COLUMN c, DROP COLUMN g;
EXECUTE change(5);
ALTER TABLE t DROP COLUMN a;
INSERT INTO t VALUES ('no key', 8);
SELECT op, old, new FROM captured();
DEALLOCATE ALL;
-- and come again by the same name
ALTER TABLE t DROP COLUMN f, ADD COLUMN a integer, ADD COLUMN c jsonb DEFAULT '{"new": true}';
UPDATE t SET a = 9 WHERE b = 'no key';
SELECT op, old, new FROM captured();
TRUNCATE t;

-- other types: with the table rewritten, and without
INSERT INTO t (b, d, a) VALUES ('1', 2, 3);
ALTER TABLE t ALTER COLUMN b TYPE integer USING b::integer, ALTER COLUMN d TYPE varchar(5), ALTER COLUMN a TYPE timestamptz USING '2026-01-01 00:00+00';
SET timezone = 'UTC';
UPDATE t SET d = 'abc';
ALTER TABLE t ALTER COLUMN d TYPE text;
UPDATE t SET d = 'longer than five';
VACUUM FULL t;
DELETE FROM t;
SELECT op, old, new FROM captured();
RESET timezone;

-- names: of columns, the table, its schema
CREATE SCHEMA first;
CREATE TABLE first.named (id integer PRIMARY KEY, v text);
SELECT pgpubsub.attach('first.named', 'c');
PREPARE add AS INSERT INTO first.named VALUES ($1, 'v');
EXECUTE add(1);
ALTER TABLE first.named RENAME COLUMN v TO w;
EXECUTE add(2);
ALTER TABLE first.named RENAME TO "Named";
INSERT INTO first."Named" VALUES (3);
ALTER SCHEMA first RENAME TO "Second";
INSERT INTO "Second"."Named" VALUES (4);
CREATE SCHEMA third;
ALTER TABLE "Second"."Named" SET SCHEMA third;
INSERT INTO third."Named" VALUES (5);
ALTER TABLE third."Named" RENAME COLUMN w TO id2;
ALTER TABLE third."Named" RENAME COLUMN id TO v;
ALTER TABLE third."Named" RENAME COLUMN id2 TO id;
UPDATE third."Named" SET id = 'names exchanged' WHERE v = 5;
SELECT * FROM captured();
SELECT "table" FROM pgpubsub.attachments ORDER BY "table"::text;
DEALLOCATE add;

-- names in a filter: it follows the columns, the functions and the types
CREATE FUNCTION third.is_wanted(v integer) RETURNS boolean LANGUAGE sql AS $$ SELECT v > 10 $$;
CREATE TYPE third.state AS ENUM ('off', 'on');
ALTER TABLE third."Named" ADD COLUMN s third.state DEFAULT 'on';
SELECT pgpubsub.attach('third."Named"', 'c', columns => '{id}', condition => $$third.is_wanted(NEW.v) AND NEW.s = 'on'$$, payload_columns => '{v,id}', key_columns => '{v}');
INSERT INTO third."Named" VALUES (11, 'eleven', 'on'), (9, 'nine', 'on'), (12, 'off', 'off');
ALTER TABLE third."Named" RENAME COLUMN v TO "number";
ALTER TABLE third."Named" RENAME COLUMN id TO note;
ALTER FUNCTION third.is_wanted RENAME TO "Wanted";
ALTER TYPE third.state RENAME VALUE 'on' TO 'ON';
ALTER TYPE third.state RENAME TO state_of;
ALTER SCHEMA third RENAME TO fourth;
INSERT INTO fourth."Named" VALUES (13, 'thirteen', 'ON'), (8, 'eight', 'ON'), (14, 'off', 'off');
UPDATE fourth."Named" SET note = note || '+' WHERE "number" IN (9, 13, 14);
UPDATE fourth."Named" SET s = s WHERE "number" IN (9, 13, 14);
SELECT * FROM captured();
SELECT "table", columns, condition, payload_columns, key_columns FROM pgpubsub.attachments WHERE columns IS NOT NULL;
-- a function of the filter replaced
CREATE OR REPLACE FUNCTION fourth."Wanted"(v integer) RETURNS boolean LANGUAGE sql AS $$ SELECT v < 10 $$;
INSERT INTO fourth."Named" VALUES (20, 'twenty'), (7, 'seven');
CREATE OR REPLACE FUNCTION fourth."Wanted"(v integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN v = 21; END $$;
INSERT INTO fourth."Named" VALUES (21, 'twenty-one'), (6, 'six');
SELECT new FROM captured();
-- what it needs can't go unnoticed
DROP FUNCTION fourth."Wanted";
-- once the filter is gone: all changes, with their keys only, and a warning
DROP FUNCTION fourth."Wanted" CASCADE;
ALTER TABLE fourth."Named" DROP COLUMN note CASCADE;
CREATE FUNCTION fourth."Wanted"(v integer) RETURNS boolean LANGUAGE sql AS $$ SELECT v > 10 $$;
INSERT INTO fourth."Named" VALUES (0), (30);
UPDATE fourth."Named" SET "number" = 31 WHERE "number" = 30;
SELECT op, old, new, key FROM captured();
SELECT pgpubsub.attach('fourth."Named"', 'c', condition => 'fourth."Wanted"(NEW."number")');
INSERT INTO fourth."Named" VALUES (32);
DROP FUNCTION fourth."Wanted" CASCADE;
INSERT INTO fourth."Named" VALUES (33);
SELECT op, old, new, key FROM captured();
-- and is made again
SELECT pgpubsub.attach('fourth."Named"', 'c', payload_columns => '{s}');
INSERT INTO fourth."Named" VALUES (34);
SELECT op, old, new, key FROM captured();
DROP SCHEMA fourth CASCADE;
DROP SCHEMA "Second";

-- composite types and domains inside
CREATE TYPE pair AS (x integer, y text);
CREATE DOMAIN small AS integer;
CREATE TABLE pairs (id integer, p pair, ps pair[]);
SELECT pgpubsub.attach('pairs', 'c', condition => 'NEW.id::small < 10');
INSERT INTO pairs VALUES (1, '(1,a)', '{"(2,b)"}');
ALTER TYPE pair ADD ATTRIBUTE z integer CASCADE;
ALTER TYPE pair RENAME ATTRIBUTE y TO why;
UPDATE pairs SET id = 2;
ALTER TYPE pair DROP ATTRIBUTE x CASCADE;
UPDATE pairs SET p = '(b,3)';
ALTER DOMAIN small ADD CHECK (value <> 5);
INSERT INTO pairs VALUES (4), (10);
INSERT INTO pairs VALUES (6), (5);
SELECT op, old, new FROM captured();
DROP TABLE pairs;
DROP TYPE pair, small;

-- what is rolled back is as if it had not been
CREATE TABLE undone (id integer PRIMARY KEY, v text);
SELECT pgpubsub.attach('undone', 'c');
INSERT INTO undone VALUES (1, 'before');
BEGIN;
ALTER TABLE undone ADD COLUMN w text DEFAULT 'w';
ALTER TABLE undone RENAME COLUMN v TO x;
SELECT pgpubsub.attach('undone', 'c', payload => 'key');
INSERT INTO undone VALUES (2, 'rolled back');
SELECT op, new FROM captured();
ROLLBACK;
INSERT INTO undone VALUES (3, 'after');
BEGIN;
SAVEPOINT s;
ALTER TABLE undone DROP COLUMN v;
INSERT INTO undone VALUES (4);
ROLLBACK TO s;
INSERT INTO undone VALUES (5, 'after the savepoint');
SELECT pgpubsub.detach('undone', 'c');
INSERT INTO undone VALUES (6, 'not captured');
ROLLBACK;
INSERT INTO undone VALUES (7, 'still');
SELECT op, new FROM captured();

-- attach() once more changes what the next statement gives, with the plans of the session at hand; a trigger can be disabled
CREATE FUNCTION next() RETURNS void LANGUAGE plpgsql AS $$ BEGIN UPDATE undone SET v = v || '.' WHERE id = 7; END $$;
SELECT next();
SELECT pgpubsub.attach('undone', 'c', payload => 'new');
SELECT next();
SELECT pgpubsub.attach('undone', 'c', payload => 'changed', granularity => 'row');
SELECT next();
SELECT pgpubsub.attach('undone', 'c', payload_columns => '{id}', condition => 'OLD.id = 7');
SELECT next();
SELECT pgpubsub.attach('undone', 'c', '{insert,delete}');
SELECT next();
SELECT pgpubsub.attach('undone', 'c', payload => 'key');
SELECT next();
ALTER TABLE undone DISABLE TRIGGER pgpubsub_c_update;
SELECT next();
SELECT events, enabled FROM pgpubsub.attachments WHERE "table" = 'undone'::regclass;
ALTER TABLE undone ENABLE TRIGGER pgpubsub_c_update;
SELECT next();
SELECT pgpubsub.detach('undone', 'c');
SELECT next();
SELECT op, old, new FROM captured();

-- the key of an ordered channel is that of the moment: the primary key, another one, the replica identity, none; and the channel itself changes
SELECT pgpubsub.alter_channel('c', ordered => true);
SELECT pgpubsub.attach('undone', 'c', '{update}', payload => 'new');
SELECT next();
ALTER TABLE undone DROP CONSTRAINT undone_pkey;
SELECT next();
ALTER TABLE undone ALTER COLUMN v SET NOT NULL;
CREATE UNIQUE INDEX by_v ON undone (v);
ALTER TABLE undone REPLICA IDENTITY USING INDEX by_v;
SELECT next();
ALTER TABLE undone ADD PRIMARY KEY (v, id);
SELECT next();
SELECT key FROM captured();
SELECT pgpubsub.alter_channel('c', ordered => false);
SELECT next();
SELECT key FROM captured();
SELECT pgpubsub.attach('undone', 'c', payload => 'key');
ALTER TABLE undone DROP CONSTRAINT undone_pkey, REPLICA IDENTITY DEFAULT;
SELECT next();
SELECT op, old, new FROM captured();
SELECT pgpubsub.subscribe('c', 'second');
SELECT next();
SELECT subscription, count(*) FROM pgpubsub.notifications GROUP BY 1 ORDER BY 1;

DROP TABLE undone, t;
DROP FUNCTION captured, next;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
