-- What is left of a filter when its table changes: a list loses the column that is dropped, and no more; where more is lost the
-- payload says so.
CREATE FUNCTION captured() RETURNS TABLE (key text, old jsonb, new jsonb, lost jsonb) LANGUAGE sql AS $$
  SELECT key, nullif(payload -> 'old', 'null'), nullif(payload -> 'new', 'null'), payload -> 'filter_lost' FROM pgpubsub.take('c', 100) t ORDER BY t.id $$;
CREATE FUNCTION lists() RETURNS TABLE (columns name[], condition text, payload_columns name[], key_columns name[], filter_lost boolean) LANGUAGE sql AS $$
  SELECT columns, condition, payload_columns, key_columns, filter_lost FROM pgpubsub.attachments WHERE channel = 'c' $$;
SELECT pgpubsub.create_channel('c', ordered => true);

-- as Django's RemoveField does it
CREATE TABLE model (id integer PRIMARY KEY, a integer, b integer, c integer, secret text);
SELECT pgpubsub.attach('model', 'c', payload_columns => '{id,a,b}', columns => '{a,b}', key_columns => '{b,a}');
INSERT INTO model VALUES (1, 1, 1, 1, 'secret');
ALTER TABLE model DROP COLUMN b CASCADE;
SELECT * FROM lists();
INSERT INTO model VALUES (2, 2, 2, 'secret');
UPDATE model SET c = 5;
UPDATE model SET a = 5 WHERE id = 2;
SELECT * FROM captured();
-- a column of the same name is another one
ALTER TABLE model ADD COLUMN b text DEFAULT 'another';
UPDATE model SET a = 6 WHERE id = 2;
SELECT * FROM captured();
SELECT * FROM lists();
-- what is renamed is followed, also by what then takes its name
ALTER TABLE model RENAME COLUMN a TO renamed;
ALTER TABLE model RENAME COLUMN secret TO a;
UPDATE model SET renamed = 7 WHERE id = 2;
UPDATE model SET a = 'most secret';
SELECT * FROM captured();
SELECT * FROM lists();
SELECT pg_get_triggerdef(oid) ~ '=renamed' AS has_name FROM pg_trigger WHERE tgrelid = 'model'::regclass AND tgname ~ 'filter$';
-- the type of what is carried, watched, and the key
ALTER TABLE model ALTER COLUMN renamed TYPE numeric(10, 2);
UPDATE model SET renamed = 8.5 WHERE id = 2;
SELECT * FROM captured();
-- the last one of each list
ALTER TABLE model DROP COLUMN renamed;
SELECT * FROM lists();
UPDATE model SET c = 9 WHERE id = 2;
SELECT * FROM captured();
ALTER TABLE model DROP COLUMN id;
UPDATE model SET c = 10 WHERE a = 'most secret';
SELECT * FROM captured();
DROP TABLE model;

-- the condition: what it needs can't go unnoticed, and what is then captured says so
CREATE TABLE priced (id integer PRIMARY KEY, price integer, name text, secret text);
SELECT pgpubsub.attach('priced', 'c', condition => 'NEW.price > 10', payload_columns => '{id,name}');
ALTER TABLE priced DROP COLUMN price;
-- terse: the words beside the message are others in PostgreSQL 19
\set VERBOSITY terse
ALTER TABLE priced ALTER COLUMN price TYPE bigint;
\set VERBOSITY default
ALTER TABLE priced ALTER COLUMN name TYPE varchar, DROP COLUMN secret;
INSERT INTO priced VALUES (1, 11, 'dear'), (2, 1, 'cheap');
SELECT * FROM captured();
-- the recipe
BEGIN;
SELECT pgpubsub.detach('priced', 'c');
ALTER TABLE priced ALTER COLUMN price TYPE bigint;
SELECT pgpubsub.attach('priced', 'c', condition => 'NEW.price > 10', payload_columns => '{id,name}');
COMMIT;
INSERT INTO priced VALUES (3, 11, 'dear'), (4, 1, 'cheap');
SELECT * FROM captured();
ALTER TABLE priced DROP COLUMN price CASCADE;
INSERT INTO priced VALUES (5, 'any');
SELECT * FROM captured();
SELECT * FROM lists();
SELECT pgpubsub.attach('priced', 'c', payload_columns => '{id,name}');
INSERT INTO priced VALUES (6, 'any');
SELECT * FROM captured();
DROP TABLE priced;

-- a filter as version 0.1.0 made it
CREATE TABLE former (id integer PRIMARY KEY, a integer, b integer, secret text);
CREATE TRIGGER pgpubsub_c_insert AFTER INSERT ON former REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.capture('c', 'filtered');
CREATE TRIGGER pgpubsub_c_filter AFTER UPDATE ON former FOR EACH ROW
  WHEN ((false AND pgpubsub.capture_filter(condition => (NEW.a > 0), payload => ROW(NEW.id, NEW.a), key => ROW(NEW.a))) IS TRUE) EXECUTE FUNCTION pgpubsub.capture('c', 'filter');
ALTER TABLE former DISABLE TRIGGER pgpubsub_c_filter;
INSERT INTO former VALUES (1, 0), (2, 1);
SELECT * FROM captured();
SELECT * FROM lists();
SELECT pgpubsub.attach('former', 'c', events => '{insert}', condition => 'NEW.a > 0', payload_columns => '{id,a}', key_columns => '{a}');
INSERT INTO former VALUES (3, 0), (4, 1);
SELECT * FROM captured();
-- arguments that somebody wrote: names of another table count, what isn't there is lost, and what can't be read is refused
CREATE OR REPLACE TRIGGER pgpubsub_c_filter AFTER UPDATE ON former FOR EACH ROW WHEN (false)
  EXECUTE FUNCTION pgpubsub.capture('c', 'filter', 'payload_column:1.9=id', 'payload_column:1.1=a', 'payload_column:1.1=none', 'key_column:1.1=tableoid');
INSERT INTO former VALUES (5, 0);
SELECT * FROM captured();
SELECT * FROM lists();
CREATE OR REPLACE TRIGGER pgpubsub_c_filter AFTER UPDATE ON former FOR EACH ROW WHEN (false)
  EXECUTE FUNCTION pgpubsub.capture('c', 'filter', 'payload_column:1=id');
INSERT INTO former VALUES (6, 0, 0, 'secret');
SELECT * FROM captured();
DROP TABLE former;

-- inherited: each table follows by itself
CREATE TABLE parent (id integer PRIMARY KEY, a integer);
CREATE TABLE child (x text) INHERITS (parent);
SELECT pgpubsub.attach('child', 'c', payload_columns => '{id,a}', granularity => 'row');
ALTER TABLE parent RENAME COLUMN a TO b;
ALTER TABLE parent ADD COLUMN a text DEFAULT 'new';
INSERT INTO child VALUES (1, 2, 'x');
SELECT * FROM captured();
DROP TABLE parent CASCADE;
-- partitions whose columns have other numbers, one of which comes later
CREATE TABLE parted (id integer, a integer, secret text) PARTITION BY LIST (id);
CREATE TABLE one (secret text, gone integer, a integer, id integer);
ALTER TABLE one DROP COLUMN gone;
CREATE TABLE two (a integer, id integer, secret text);
ALTER TABLE parted ATTACH PARTITION one FOR VALUES IN (1);
SELECT pgpubsub.attach('parted', 'c', payload_columns => '{id,a}', key_columns => '{a}', granularity => 'row');
ALTER TABLE parted ATTACH PARTITION two FOR VALUES IN (2);
INSERT INTO parted VALUES (1, 11, 'secret'), (2, 12, 'secret');
ALTER TABLE parted RENAME COLUMN a TO b;
ALTER TABLE parted RENAME COLUMN secret TO a;
INSERT INTO parted VALUES (1, 21, 'secret'), (2, 22, 'secret');
ALTER TABLE parted DROP COLUMN b CASCADE;
INSERT INTO parted VALUES (1, 'secret'), (2, 'secret');
SELECT * FROM captured();
SELECT * FROM lists();
DROP TABLE parted;
-- a column that was renamed unseen, as where the library is not loaded, and another one with its former name: nothing tells which
-- was meant
CREATE TABLE twice (id integer PRIMARY KEY, a integer);
SELECT pgpubsub.attach('twice', 'c', payload_columns => '{id,a}');
UPDATE pg_attribute SET attname = 'former' WHERE attrelid = 'twice'::regclass AND attname = 'a';
ALTER TABLE twice ADD COLUMN a integer;
INSERT INTO twice (id, former, a) VALUES (1, 2, 3);
SELECT * FROM captured();
DROP TABLE twice;
SELECT pgpubsub.drop_channel('c');
DROP FUNCTION captured, lists;
