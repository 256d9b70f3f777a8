-- Capture of every kind of table, and of what is none.
CREATE FUNCTION captured(channel text DEFAULT 'c') RETURNS TABLE ("table" text, op text, old jsonb, new jsonb) LANGUAGE sql AS $$
  SELECT payload ->> 'table', payload ->> 'op', payload -> 'old', payload -> 'new' FROM pgpubsub.take(channel, 100000) t ORDER BY t.id $$;
SELECT pgpubsub.create_channel('c');

-- partitioned: row level, and it is said why; captured where the row is, whichever name it was written by
CREATE TABLE events (id integer, kind text, note text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
CREATE TABLE events_a PARTITION OF events FOR VALUES IN ('a');
CREATE TABLE events_b (gone integer, note text, kind text NOT NULL, id integer NOT NULL);
ALTER TABLE events_b DROP COLUMN gone;
SELECT pgpubsub.attach('events', 'c');
SELECT "table", granularity, triggers FROM pgpubsub.attachments;
ALTER TABLE events ATTACH PARTITION events_b FOR VALUES IN ('b');          -- attached later, its columns in another order
INSERT INTO events SELECT i, k FROM generate_series(1, 2) i, unnest('{a,b}'::text[]) k ORDER BY i, k;
INSERT INTO events_b (id, kind) VALUES (3, 'b');
COPY events FROM stdin;
4	a	copied
5	b	copied
\.
SELECT * FROM captured();
UPDATE events SET note = 'same partition' WHERE id = 1;
UPDATE events SET kind = 'b', note = 'moved' WHERE id = 4;                 -- a delete and an insert
UPDATE events SET id = 50 - id, kind = CASE kind WHEN 'a' THEN 'b' ELSE 'a' END WHERE id IN (1, 5);
DELETE FROM events WHERE id = 2;
INSERT INTO events VALUES (3, 'b'), (6, 'a') ON CONFLICT (id, kind) DO UPDATE SET note = 'conflict';
SELECT * FROM captured();
MERGE INTO events e USING (VALUES (3, 'b'), (6, 'a'), (7, 'b')) s(id, kind) ON e.id = s.id
  WHEN MATCHED AND s.id = 3 THEN UPDATE SET kind = 'a', note = 'merged' WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.kind, 'merged');
SELECT * FROM captured() ORDER BY op, "table";
-- a row that leaves one partition, and is refused in the other
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON events_a FOR EACH ROW EXECUTE FUNCTION refuse();
UPDATE events SET kind = 'a' WHERE id = 7;
INSERT INTO events VALUES (8, 'a'), (8, 'b');
SELECT * FROM captured();
-- a trigger made by hand at statement level sees an update where a row moves; and where a row is refused, it can't tell which belong together
CREATE TRIGGER by_hand AFTER UPDATE ON events REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.capture('hand');
UPDATE events SET kind = 'a' WHERE id = 8;
INSERT INTO events VALUES (51, 'b'), (52, 'b');
UPDATE events SET note = 'hand', kind = CASE id WHEN 51 THEN 'a' ELSE kind END WHERE id IN (51, 52);
SELECT * FROM captured('hand');
INSERT INTO events SELECT i, 'b' FROM generate_series(1001, 3000) i;
UPDATE events SET kind = 'a' WHERE id BETWEEN 1001 AND 2000;
UPDATE events SET kind = CASE id WHEN 3000 THEN 'b' ELSE 'a' END WHERE id BETWEEN 2001 AND 3000;
SELECT op, count(*), min(old ->> 'id'), max(old ->> 'id'), max(new ->> 'id') FROM captured('hand') GROUP BY op;
DROP TRIGGER refuse ON events_a;
UPDATE events SET kind = 'a' WHERE id = 52;
SELECT * FROM captured('hand');
DROP TRIGGER by_hand ON events;
SELECT "table", op, coalesce(old ->> 'id', new ->> 'id') AS id FROM captured() WHERE coalesce(old ->> 'id', new ->> 'id')::integer < 1000;
DELETE FROM events WHERE id > 1000;
SELECT count(*) FROM captured();
-- a partition that is detached is no longer captured, and its changes are its own affair
ALTER TABLE events DETACH PARTITION events_b;
INSERT INTO events_b (id, kind) VALUES (9, 'b');
SELECT * FROM captured();
SELECT "table" FROM pgpubsub.attachments ORDER BY "table"::text;
SELECT pgpubsub.attach('events_b', 'c');
INSERT INTO events_b (id, kind) VALUES (10, 'b');
-- one that comes with a capture of its own at statement level, into another channel: that misses what is written through the partitioned
-- table, and says so, until attach() is called again
SELECT pgpubsub.detach('events_b', 'c');
SELECT pgpubsub.attach('events_b', 'own');
ALTER TABLE events ATTACH PARTITION events_b FOR VALUES IN ('b');
INSERT INTO events_b (id, kind) VALUES (20, 'b');
INSERT INTO events VALUES (21, 'b');
SELECT pgpubsub.attach('events_b', 'own');
INSERT INTO events VALUES (11, 'b');
INSERT INTO events_b (id, kind) VALUES (12, 'b');
SELECT "table", op, new ->> 'id' AS id FROM captured();
SELECT "table", op, new ->> 'id' AS id FROM captured('own');
-- what belongs to the partitioned table is not to be changed on a partition
SELECT pgpubsub.attach('events_b', 'c');
SELECT pgpubsub.detach('events_b', 'c');
-- below it further partitions, made later; filters follow the columns, wherever they are
CREATE TABLE events_rest PARTITION OF events DEFAULT PARTITION BY RANGE (id);
CREATE TABLE events_low (x integer, y integer, note text, id integer NOT NULL, kind text NOT NULL);
ALTER TABLE events_low DROP COLUMN x, DROP COLUMN y;
ALTER TABLE events_rest ATTACH PARTITION events_low FOR VALUES FROM (0) TO (1000);
CREATE FUNCTION wanted(e events) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN e.note <> 'no' AND e.id > 0; END $$;
SELECT pgpubsub.attach('events', 'c', columns => '{note}', condition => 'NEW IS NULL OR wanted(NEW) AND NEW.id > 0', payload_columns => '{id,note}', payload => 'changed', key_columns => '{kind,id}');
INSERT INTO events VALUES (60, 'z', 'yes'), (61, 'z', 'no'), (62, 'b', 'yes'), (63, 'b', 'no');
UPDATE events SET note = note || '!' WHERE id BETWEEN 60 AND 63;
UPDATE events SET id = id + 10 WHERE id BETWEEN 60 AND 63;                  -- no partition changes, nor does the note
DELETE FROM events WHERE kind = 'z';
SELECT payload ->> 'table' AS "table", payload ->> 'op' AS op, payload -> 'old' AS old, payload -> 'new' AS new, key FROM pgpubsub.take('c', 100) t ORDER BY t.id;
-- when the filter goes, so it does in the partitions
SET client_min_messages = error;
DROP FUNCTION wanted CASCADE;
RESET client_min_messages;
INSERT INTO events VALUES (80, 'b', 'no'), (81, 'z', 'no');
SELECT * FROM captured();
-- TRUNCATE of one that is asked for, and of its partition
SELECT pgpubsub.attach('events', 'c', '{truncate}');
TRUNCATE events;
TRUNCATE events_b;
SELECT * FROM captured();
SELECT pgpubsub.detach('events', 'c');
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgfoid = 'pgpubsub.capture'::regproc ORDER BY 1, 2;
DROP TABLE events;

-- inheritance: row level; a row's changes are those of the table that it is in
CREATE TABLE parent (id integer, name text);
CREATE TABLE child (extra integer) INHERITS (parent);
SELECT pgpubsub.attach('parent', 'c');
SELECT pgpubsub.attach('child', 'c');
INSERT INTO parent VALUES (1, 'parent');
INSERT INTO child VALUES (2, 'child', 20);
UPDATE parent SET name = upper(name);
DELETE FROM parent;
SELECT * FROM captured();
SELECT pgpubsub.detach('child', 'c');
INSERT INTO child VALUES (3, 'not captured', 30);
UPDATE parent SET name = name;
SELECT * FROM captured();
-- from which another table inherits only later: until attach() is called again it takes that one's rows for its own, as the triggers of PostgreSQL do
CREATE TABLE late_parent (id integer);
SELECT pgpubsub.attach('late_parent', 'c');
CREATE TABLE late_child (extra integer) INHERITS (late_parent);
INSERT INTO late_child VALUES (1, 10);
UPDATE late_parent SET id = 2;
SELECT pgpubsub.attach('late_parent', 'c');
UPDATE late_parent SET id = 3;
SELECT * FROM captured();
DROP TABLE child, parent, late_child, late_parent;

-- a foreign table: row level
CREATE EXTENSION postgres_fdw;
DO $$ BEGIN
  EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
                 split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database());
  -- the role that the server's own user may be, whoever runs this
  EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user %L)', (SELECT rolname FROM pg_roles WHERE oid = 10));
END $$;
CREATE TABLE remote (id integer PRIMARY KEY, v text);
CREATE FOREIGN TABLE local (id integer, v text) SERVER here OPTIONS (table_name 'remote');
SELECT pgpubsub.attach('local', 'c', payload_columns => '{id,v}');
INSERT INTO local VALUES (1, 'a'), (2, 'b'), (3, 'c');
UPDATE local SET v = v || v WHERE id < 3;
DELETE FROM local WHERE id = 1;
COPY local FROM stdin;
4	copied
5	copied
\.
SELECT * FROM captured();
BEGIN;
INSERT INTO local VALUES (6, 'rolled back');
ROLLBACK;
SELECT * FROM captured();
SELECT count(*) FROM remote;
DROP FOREIGN TABLE local;
SELECT postgres_fdw_disconnect_all();
DROP TABLE remote;
SET client_min_messages = warning;
DROP EXTENSION postgres_fdw CASCADE;
RESET client_min_messages;

-- temporary and unlogged tables
CREATE TEMP TABLE fleeting (id integer, v text) ON COMMIT DELETE ROWS;
SELECT pgpubsub.attach('fleeting', 'c');
BEGIN;
INSERT INTO fleeting VALUES (1, 'a'), (2, 'b');
UPDATE fleeting SET v = 'c' WHERE id = 1;
COMMIT;
SELECT * FROM captured();
DROP TABLE fleeting;
BEGIN;
CREATE TEMP TABLE fleeting (id integer) ON COMMIT DROP;
SELECT pgpubsub.attach('fleeting', 'c');
INSERT INTO fleeting VALUES (3);
COMMIT;
SELECT * FROM captured();
SELECT count(*) FROM pgpubsub.attachments;
CREATE UNLOGGED TABLE unlogged (id integer);
SELECT pgpubsub.attach('unlogged', 'c');
INSERT INTO unlogged VALUES (1), (2);
SELECT * FROM captured();
DROP TABLE unlogged;

-- generated and identity columns, defaults, domains; a table without columns
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TABLE made (a integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b integer GENERATED BY DEFAULT AS IDENTITY (START 10), c serial, d positive DEFAULT 5,
                   e integer GENERATED ALWAYS AS (d * 2) STORED, f text GENERATED ALWAYS AS ('d is ' || d) STORED);
SELECT pgpubsub.attach('made', 'c');
INSERT INTO made DEFAULT VALUES;
INSERT INTO made (a, b, d) OVERRIDING SYSTEM VALUE VALUES (100, 100, 6);
INSERT INTO made (b, d) VALUES (-1, 7) RETURNING a;
UPDATE made SET d = 8, a = DEFAULT WHERE a = 100;
SELECT op, old, new FROM captured();
SELECT pgpubsub.attach('made', 'c', columns => '{e}', condition => 'NEW.e > 10 AND OLD.f <> NEW.f', payload_columns => '{f}');
UPDATE made SET b = 0;
UPDATE made SET d = d - 4;
UPDATE made SET d = 9 WHERE a = 1;
SELECT op, old, new FROM captured();
DROP TABLE made;
DROP DOMAIN positive;
-- columns that are computed when they are read (from PostgreSQL 18 on) have values in a condition alone
DO $$ DECLARE rows jsonb[]; BEGIN
  IF current_setting('server_version_num')::integer < 180000 THEN RETURN; END IF;
  EXECUTE 'CREATE TABLE computed (a integer PRIMARY KEY, b integer GENERATED ALWAYS AS (a * 2) VIRTUAL, c text)';
  PERFORM pgpubsub.attach('computed', 'c', payload => 'changed', condition => 'NEW.b > 2');
  FOR i IN 1 .. 2 LOOP
    INSERT INTO computed VALUES (1), (2);
    UPDATE computed SET a = a + 2;
    rows := (SELECT array_agg(new ORDER BY n) FROM captured() WITH ORDINALITY AS c("table", op, old, new, n));
    ASSERT rows = ARRAY['{"a": 2, "c": null}', '{"a": 3}', '{"a": 4}']::jsonb[], rows::text;
    TRUNCATE computed;
    PERFORM pgpubsub.attach('computed', 'c', payload => 'changed', condition => 'NEW.b > 2', granularity => 'row');
  END LOOP;
  BEGIN
    PERFORM pgpubsub.attach('computed', 'c', columns => '{b}');
    RAISE 'not refused';
  EXCEPTION WHEN feature_not_supported THEN NULL;
  END;
  DROP TABLE computed;
END $$;
CREATE TABLE nothing (x integer);
ALTER TABLE nothing DROP COLUMN x;
SELECT pgpubsub.attach('nothing', 'c');
INSERT INTO nothing DEFAULT VALUES;
DELETE FROM nothing;
SELECT * FROM captured();
DROP TABLE nothing;

-- row-level security: what was changed is captured, whoever may see it
CREATE ROLE regress_pgpubsub_writer;
CREATE TABLE guarded (id integer PRIMARY KEY, owner text DEFAULT current_user, secret text);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (owner = current_user AND secret IS NULL) WITH CHECK (owner = current_user);
GRANT INSERT (id, secret), UPDATE (secret), DELETE, SELECT (id, secret) ON guarded TO regress_pgpubsub_writer;
SELECT pgpubsub.attach('guarded', 'c');
SET ROLE regress_pgpubsub_writer;
INSERT INTO guarded (id) VALUES (1), (2);
INSERT INTO guarded (id, secret) VALUES (3, 'can be written, and not be seen');
UPDATE guarded SET secret = NULL;
DELETE FROM guarded WHERE id = 1;
SELECT count(id) FROM guarded;
RESET ROLE;
SELECT op, old, new FROM captured();
DROP TABLE guarded;
DROP ROLE regress_pgpubsub_writer;

-- views: the tables below are captured; a view itself can't be, INSTEAD OF triggers or not, nor can other things
CREATE TABLE base (id integer PRIMARY KEY, v text);
SELECT pgpubsub.attach('base', 'c');
CREATE VIEW simple AS SELECT id, v AS renamed FROM base WHERE id > 0 WITH CHECK OPTION;
CREATE VIEW instead AS SELECT id FROM base;
CREATE FUNCTION instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO base VALUES (NEW.id, 'instead'); RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION instead();
INSERT INTO simple VALUES (1, 'through the view');
UPDATE simple SET renamed = 'changed';
INSERT INTO simple VALUES (-1, 'refused');
INSERT INTO instead VALUES (2);
SELECT * FROM captured();
SELECT pgpubsub.attach('simple', 'c');
SELECT pgpubsub.attach('instead', 'c');
CREATE TRIGGER capture INSTEAD OF INSERT ON instead FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
CREATE MATERIALIZED VIEW materialized AS SELECT 1 AS x;
CREATE SEQUENCE sequence;
CREATE TYPE type AS (x integer);
SELECT pgpubsub.attach('materialized', 'c');
SELECT pgpubsub.attach('sequence', 'c');
SELECT pgpubsub.attach('type', 'c');
SELECT pgpubsub.attach('base_pkey', 'c');
SELECT pgpubsub.attach('pg_class', 'c');
-- a rule that writes somewhere else
CREATE RULE also AS ON INSERT TO base WHERE NEW.v = 'rule' DO ALSO UPDATE base SET v = 'by rule' WHERE id = NEW.id;
INSERT INTO base VALUES (4, 'rule');
SELECT * FROM captured() ORDER BY op;

DROP TABLE base CASCADE;
DROP MATERIALIZED VIEW materialized;
DROP SEQUENCE sequence;
DROP TYPE type;
DROP FUNCTION captured, instead, refuse;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
