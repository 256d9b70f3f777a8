-- Triggers made by hand that can't capture anything: CREATE TRIGGER refuses them where the library is loaded, and one that is there all
-- the same fails no write.
CREATE SCHEMA by_hand;
SET search_path = by_hand;
SELECT pgpubsub.create_channel('c');
CREATE TABLE t (id integer PRIMARY KEY, v text);
CREATE VIEW seen AS SELECT id, v FROM t;
CREATE FUNCTION made(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'CREATE TRIGGER made ' || command;
  EXECUTE 'DROP TRIGGER made ON ' || (SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'made');
  RETURN 'made';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- what it takes, and how it may be made
SELECT arguments, made(format('AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture(%s)', arguments)) FROM unnest(ARRAY[
  $$'c'$$, $$'not there yet'$$, $$'c', 'payload=new'$$, $$'c', 'payload=full', 'filtered'$$, $$'c', 'filtered', 'payload=changed'$$, 'c', '7', '',
  $$''$$, format('%L', repeat('x', 63)), format('%L', repeat('x', 64)), format('%L', repeat('媒', 22)),
  $$'c', ''$$, $$'c', 'payload'$$, $$'c', 'payload=old'$$, $$'c', 'payload=new', 'payload=new'$$, $$'c', 'filtered', 'filtered'$$, $$'c', 'filter'$$,
  $$'c', 'filter', 'filtered'$$, $$'c', 'payload=new', 'filter'$$, $$'c', 'FILTERED'$$]) arguments;
SELECT form, made(form || $$ EXECUTE FUNCTION pgpubsub.capture('c')$$) FROM unnest(ARRAY[
  'AFTER INSERT OR UPDATE OF v OR DELETE ON t FOR EACH ROW WHEN (pg_trigger_depth() < 1)', 'AFTER TRUNCATE ON t',
  'AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH STATEMENT', 'AFTER UPDATE ON t REFERENCING NEW TABLE AS n OLD TABLE AS o FOR EACH STATEMENT',
  'AFTER DELETE ON t REFERENCING OLD TABLE AS o', 'AFTER INSERT ON t REFERENCING NEW TABLE AS n FOR EACH ROW',
  'BEFORE INSERT ON t FOR EACH ROW', 'BEFORE DELETE ON t', 'BEFORE TRUNCATE ON t', 'INSTEAD OF INSERT ON seen FOR EACH ROW',
  'AFTER INSERT ON t', 'AFTER UPDATE ON t', 'AFTER UPDATE ON t REFERENCING NEW TABLE AS n', 'AFTER UPDATE ON t REFERENCING OLD TABLE AS o', 'AFTER DELETE ON t',
  'AFTER INSERT OR DELETE ON t', 'AFTER DELETE OR TRUNCATE ON t', 'AFTER INSERT ON seen', 'BEFORE UPDATE ON seen',
  'BEFORE INSERT ON t FOR EACH ROW WHEN (false)', 'AFTER INSERT OR DELETE ON t WHEN (NULL)', 'AFTER INSERT ON t WHEN (true)', 'BEFORE INSERT ON t WHEN (false OR now() > now())']) form;
-- a filter may have any arguments and any form, as long as it never fires
SELECT condition, made(format($$AFTER UPDATE ON t FOR EACH ROW WHEN (%s) EXECUTE FUNCTION pgpubsub.capture('c', 'filter', 'payload_column:1=id', 'else')$$, condition))
  FROM unnest(ARRAY['false', 'NULL', '(false AND NEW.id > 0) IS TRUE', 'false AND NEW.id > 0', 'NEW.id > 0 AND NULL', '(false AND NEW.id > 0) IS NOT TRUE', 'false OR NEW.id > 0', 'NEW.id > 0',
                    '(false AND pgpubsub.capture_filter(condition => NEW.id > 0, payload => ROW(NEW.id))) IS TRUE']) condition;
-- all ways to make one: replacing it, on a partitioned table, together with a schema
CREATE TRIGGER kept AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
CREATE OR REPLACE TRIGGER kept BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
INSERT INTO t VALUES (0, 'kept');
SELECT payload -> 'new' AS new FROM pgpubsub.take('c', 10);
DROP TRIGGER kept ON t;
CREATE TABLE parted (id integer) PARTITION BY LIST (id);
CREATE TRIGGER parted AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('');
CREATE CONSTRAINT TRIGGER constrained AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c', 'once');
CREATE SCHEMA whole CREATE TABLE t (id integer) CREATE TRIGGER t AFTER INSERT ON t EXECUTE FUNCTION pgpubsub.capture('c');

-- Such triggers as are there all the same, as if the library had not been loaded: by a function that nobody knows.
SELECT format('CREATE FUNCTION unchecked() RETURNS trigger LANGUAGE c AS %L, %L', probin, prosrc) FROM pg_proc WHERE oid = 'pgpubsub.capture'::regproc
\gexec
TRUNCATE t;
-- row by row: all is written, and told once for a statement; BEFORE too, where the trigger's answer is what is written
CREATE TRIGGER before BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION unchecked('c');
INSERT INTO t SELECT i, 'v' FROM generate_series(1, 3) i;
INSERT INTO t VALUES (4, 'w') RETURNING *;
UPDATE t SET v = v || id RETURNING *;
DELETE FROM t WHERE id = 4 RETURNING *;
DROP TRIGGER before ON t;
CREATE TRIGGER long AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION unchecked('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');
INSERT INTO t VALUES (4, 'a'), (5, 'b');
COPY t FROM stdin;
6	c
7	d
\.
DELETE FROM t WHERE id > 4;
DROP TRIGGER long ON t;
CREATE TRIGGER "Empty" AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION unchecked('');
INSERT INTO t VALUES (5, 'e');
DROP TRIGGER "Empty" ON t;
CREATE TRIGGER nothing AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION unchecked();
UPDATE t SET v = 'e' WHERE id = 5;
DROP TRIGGER nothing ON t;
CREATE TRIGGER unknown AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION unchecked('c', 'payload=old');
UPDATE t SET v = 'f' WHERE id = 5;
DROP TRIGGER unknown ON t;
CREATE TRIGGER filter AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION unchecked('c', 'filter');
UPDATE t SET v = 'g' WHERE id = 5;
DROP TRIGGER filter ON t;
-- by statement; a trigger for more events goes on with those that it can capture
CREATE TRIGGER insert AFTER INSERT ON t EXECUTE FUNCTION unchecked('c');
CREATE TRIGGER update AFTER UPDATE ON t REFERENCING NEW TABLE AS n EXECUTE FUNCTION unchecked('c');
CREATE TRIGGER delete AFTER DELETE OR TRUNCATE ON t EXECUTE FUNCTION unchecked('c');
CREATE TRIGGER before BEFORE DELETE ON t EXECUTE FUNCTION unchecked('c');
INSERT INTO t VALUES (6, 'h');
UPDATE t SET v = 'i' WHERE id = 6;
DELETE FROM t WHERE id = 6;
SELECT * FROM t ORDER BY id;
TRUNCATE t;
SELECT payload ->> 'op' AS op FROM pgpubsub.take('c', 10);
DROP TRIGGER insert ON t;
DROP TRIGGER update ON t;
DROP TRIGGER delete ON t;
DROP TRIGGER before ON t;
-- at the end of the transaction, where it is put off until then; with the table that the trigger was made for
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION unchecked('c', 'late');
BEGIN;
INSERT INTO t VALUES (1), (2);
INSERT INTO t VALUES (3);
COMMIT;
DROP TRIGGER late ON t;
CREATE TABLE "Part" PARTITION OF parted FOR VALUES IN (1, 2);
CREATE TRIGGER "In parts" AFTER INSERT ON parted FOR EACH ROW EXECUTE FUNCTION unchecked('c', 'late');
INSERT INTO parted VALUES (1), (2);
-- in the way of nothing that is captured
SELECT pgpubsub.attach('parted', 'c');
INSERT INTO parted VALUES (1);
SELECT payload -> 'new' AS new FROM pgpubsub.take('c', 10);
-- made right, it captures in the same session
CREATE TRIGGER right_now AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION unchecked('c', 'late');
INSERT INTO t VALUES (10);
CREATE OR REPLACE TRIGGER right_now AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION unchecked('c');
INSERT INTO t VALUES (11);
SELECT payload -> 'new' AS new FROM pgpubsub.take('c', 10);
-- on a view the trigger is the write: nothing would be written, so that fails
CREATE TRIGGER instead INSTEAD OF INSERT ON seen FOR EACH ROW EXECUTE FUNCTION unchecked('c');
INSERT INTO seen VALUES (20);

SET client_min_messages = warning;
DROP SCHEMA by_hand CASCADE;
SELECT pgpubsub.drop_channel('c');
