-- attach(), detach() and the view attachments: which triggers a call leads to, from whatever there was.
SET client_min_messages = warning;
CREATE SCHEMA attaching;
SET search_path = attaching;
SET client_min_messages = notice;
CREATE TABLE product (id integer PRIMARY KEY, name text, "Price in €" numeric, password text);
CREATE VIEW triggers AS
  SELECT tgrelid::regclass AS "table", tgname AS trigger, tgenabled AS state, regexp_replace(pg_get_triggerdef(oid), '_?column:\d+\.', 'column:TABLE.', 'g') AS definition
    FROM pg_trigger WHERE tgfoid = 'pgpubsub.capture'::regproc;

-- by default: the three events, one trigger for each, of whole statements
SELECT pgpubsub.attach('product', 'products');
\x on
SELECT * FROM pgpubsub.attachments;
SELECT trigger, state, definition FROM triggers ORDER BY 1;

-- called again, it changes the attachment to what it says
SELECT pgpubsub.attach('product', 'products', '{truncate,update}', columns => '{name,"Price in €"}',
                       condition => 'NEW."Price in €" > 1.5 OR OLD IS DISTINCT FROM NEW -- or both', granularity => 'row', payload => 'changed',
                       payload_columns => '{id,name,"Price in €"}', key_columns => '{name,id}', always => true);
SELECT * FROM pgpubsub.attachments;
SELECT trigger, state, definition FROM triggers ORDER BY 1;
\x off

-- from each form to each other: the same as if it were the first call
CREATE TABLE forms (n integer, arguments text);
INSERT INTO forms SELECT row_number() OVER (), a FROM unnest(ARRAY[
  '',
  'events => ''{insert}''',
  'events => ''{update,delete,truncate}''',
  'events => ''{truncate}''',
  'granularity => ''row''',
  'granularity => ''row'', events => ''{delete}'', payload => ''new''',
  'columns => ''{name}''',
  'columns => ''{password,name}'', condition => ''NEW.id > 0''',
  'condition => ''NEW.id > 0'', payload => ''key''',
  'condition => ''NEW.id > 1'', granularity => ''row''',
  'payload_columns => ''{id}'', payload => ''changed'', events => ''{insert,update}''',
  'key_columns => ''{name}'', payload => ''key'', granularity => ''row'', always => true',
  'events => ''{truncate}'', granularity => ''row'', always => true']) a;
CREATE FUNCTION attach(arguments text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT pgpubsub.attach(''product'', ''products''%s)', CASE arguments WHEN '' THEN '' ELSE ', ' || arguments END);
  RETURN (SELECT string_agg(format('%s %s %s', trigger, state, definition), E'\n' ORDER BY trigger) FROM triggers);
END $$;
ALTER TABLE forms ADD triggers text;
DO $$
DECLARE form forms;
BEGIN
  FOR form IN SELECT * FROM forms LOOP
    PERFORM pgpubsub.detach('product', 'products');
    UPDATE forms SET triggers = attach(form.arguments) WHERE n = form.n;
  END LOOP;
END $$;
SELECT count(*) AS forms, count(DISTINCT triggers) AS distinct_forms FROM forms;
SELECT count(*) AS changes, count(*) FILTER (WHERE attach(a.arguments) <> a.triggers OR attach(b.arguments) <> b.triggers) AS wrong FROM forms a, forms b;
-- nothing is changed, nor locked, by a call that says what is so already
SELECT attach(arguments) = triggers AS attached FROM forms WHERE n = 8;
BEGIN;
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT oid, xmin AS version FROM pg_trigger;
SELECT attach(arguments) = triggers AS attached FROM forms WHERE n = 8;
SELECT count(*) AS rewritten FROM pg_trigger LEFT JOIN before USING (oid) WHERE version IS DISTINCT FROM pg_trigger.xmin;
SELECT DISTINCT mode FROM pg_locks WHERE relation = 'product'::regclass;
-- only what drops a trigger locks out readers
SELECT pgpubsub.attach('product', 'products', columns => '{name}');
SELECT mode FROM pg_locks WHERE relation = 'product'::regclass AND mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock');
SELECT pgpubsub.attach('product', 'products');
SELECT mode FROM pg_locks WHERE relation = 'product'::regclass AND mode IN ('ShareRowExclusiveLock', 'AccessExclusiveLock') ORDER BY 1;
ROLLBACK;

-- it is enabled again, and what stood in place of a trigger that it made is replaced
SELECT attach('') = triggers AS attached FROM forms WHERE arguments = '';
ALTER TABLE product DISABLE TRIGGER pgpubsub_products_update;
SELECT enabled FROM pgpubsub.attachments;
ALTER TABLE product ENABLE REPLICA TRIGGER pgpubsub_products_insert;
SELECT attach('') = triggers AS attached FROM forms WHERE arguments = '';
SELECT enabled FROM pgpubsub.attachments;
DROP TRIGGER pgpubsub_products_update ON product;
SELECT events, enabled FROM pgpubsub.attachments;
SELECT attach('') = triggers AS attached FROM forms WHERE arguments = '';
DROP TRIGGER pgpubsub_products_update ON product;
CREATE CONSTRAINT TRIGGER pgpubsub_products_update AFTER UPDATE ON product FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('products', 'payload=new');
SELECT attach('') = triggers AS attached FROM forms WHERE arguments = '';
DROP TRIGGER pgpubsub_products_update ON product;
CREATE TRIGGER pgpubsub_products_update AFTER UPDATE OF name ON product FOR EACH ROW WHEN (OLD.id > 0) EXECUTE FUNCTION pgpubsub.capture('products');
SELECT attach('') = triggers AS attached FROM forms WHERE arguments = '';

-- detach() leaves nothing
SELECT count(attach(arguments)), count(pgpubsub.detach('product', 'products')) FROM forms;
SELECT count(*) AS left_over FROM pg_trigger WHERE tgrelid = 'product'::regclass;
SELECT * FROM pgpubsub.attachments;
SELECT pgpubsub.detach('product', 'products');
SELECT pgpubsub.attach('product', 'products');
SELECT pgpubsub.detach('product', 'others');
SELECT pgpubsub.detach('product', 'products');
-- a transaction that rolls back changes nothing
BEGIN;
SELECT pgpubsub.attach('product', 'products');
ROLLBACK;
SELECT * FROM pgpubsub.attachments;

-- triggers made by hand are shown as one attachment, and are nobody's to change
CREATE TRIGGER by_hand AFTER UPDATE ON product FOR EACH ROW WHEN (NEW.id > 0) EXECUTE FUNCTION pgpubsub.capture('products', 'payload=new');
CREATE TRIGGER "Other" AFTER TRUNCATE ON product EXECUTE FUNCTION pgpubsub.capture('products', 'payload=new');
CREATE TRIGGER unknown AFTER INSERT ON product FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('elsewhere');
CREATE TRIGGER nothing AFTER INSERT ON product FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('elsewhere');
-- those that CREATE TRIGGER would have refused too
SET allow_system_table_mods = on;
UPDATE pg_trigger SET tgnargs = 2, tgargs = 'elsewhere\000payload=old\000' WHERE tgrelid = 'product'::regclass AND tgname = 'unknown';
UPDATE pg_trigger SET tgnargs = 0, tgargs = '' WHERE tgrelid = 'product'::regclass AND tgname = 'nothing';
RESET allow_system_table_mods;
SELECT channel, events, granularity, payload, triggers FROM pgpubsub.attachments ORDER BY channel COLLATE "C";
SELECT pgpubsub.attach('product', 'products');
SELECT pgpubsub.detach('product', 'products');
SELECT pgpubsub.drop_channel('products');
DROP TRIGGER by_hand ON product;
DROP TRIGGER "Other" ON product;
DROP TRIGGER unknown ON product;
DROP TRIGGER nothing ON product;
SELECT pgpubsub.attach('product', 'products', '{insert}');
CREATE TRIGGER by_hand AFTER UPDATE ON product FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('products');
SELECT pgpubsub.detach('product', 'products');
DROP TRIGGER by_hand ON product;
-- renamed, a trigger is no longer attach()'s
SELECT pgpubsub.attach('product', 'products', '{insert}');
ALTER TRIGGER pgpubsub_products_insert ON product RENAME TO renamed;
SELECT pgpubsub.attach('product', 'products', '{insert}');
DROP TRIGGER renamed ON product;
-- and one that only has the name is somebody else's
CREATE FUNCTION own() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER pgpubsub_products_insert AFTER INSERT ON product FOR EACH ROW EXECUTE FUNCTION own();
SELECT pgpubsub.attach('product', 'products');
SELECT pgpubsub.attach('product', 'products', '{update}');
SELECT pgpubsub.detach('product', 'products');
DROP FUNCTION own CASCADE;
CREATE TRIGGER pgpubsub_products_insert AFTER INSERT ON product FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('elsewhere');
SELECT pgpubsub.attach('product', 'products', '{insert}');
DROP TRIGGER pgpubsub_products_insert ON product;

-- the channel can't be dropped while there is a trigger of any form; one whose name begins alike is another
SELECT pgpubsub.attach('product', 'products', '{truncate}');
SELECT pgpubsub.drop_channel('products');
SELECT pgpubsub.attach('product', 'products', '{update}', payload => 'key');
SELECT pgpubsub.create_channel('product');
SELECT pgpubsub.drop_channel('product');
SELECT pgpubsub.attach('product', 'products', '{update}', payload => 'key', columns => '{name}');
DROP TRIGGER pgpubsub_products_update ON product;
SELECT pgpubsub.drop_channel('products');
SELECT pgpubsub.detach('product', 'products');

-- the filter follows what is renamed
CREATE FUNCTION is_dear(numeric) RETURNS boolean LANGUAGE sql AS 'SELECT $1 > 100';
SELECT pgpubsub.attach('product', 'products', columns => '{name}', condition => 'is_dear(NEW."Price in €")', payload_columns => '{id,name}', key_columns => '{id}');
ALTER TABLE product RENAME name TO title;
ALTER TABLE product RENAME "Price in €" TO price;
ALTER TABLE product RENAME TO products;
ALTER FUNCTION is_dear RENAME TO is_expensive;
ALTER SCHEMA attaching RENAME TO attached;
SELECT "table", columns, condition, payload_columns, key_columns FROM pgpubsub.attachments;
ALTER SCHEMA attached RENAME TO attaching;
SELECT "table", condition FROM pgpubsub.attachments;
ALTER TABLE products RENAME TO product;
SELECT pgpubsub.attach('product', 'products', columns => '{name}');
-- what it needs doesn't go unnoticed
\set VERBOSITY terse
ALTER TABLE product ALTER COLUMN price TYPE float8;
DROP FUNCTION is_expensive;
\set VERBOSITY default
BEGIN;
SELECT pgpubsub.detach('product', 'products');
ALTER TABLE product ALTER COLUMN price TYPE float8;
SELECT pgpubsub.attach('product', 'products', columns => '{title}', condition => 'NEW.price > 100');
COMMIT;
SELECT condition FROM pgpubsub.attachments;
ALTER TABLE product DROP COLUMN title CASCADE;
SELECT columns, condition, triggers FROM pgpubsub.attachments;
SELECT pgpubsub.attach('product', 'products', condition => 'NEW.price > 100');
SELECT columns, condition, triggers FROM pgpubsub.attachments;

-- the condition is read by the caller's search_path; nothing else is
CREATE SCHEMA hostile;
CREATE FUNCTION hostile.is_expensive(float8) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.capture() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION hostile.capture_filter(condition boolean) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION hostile.same(float8, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR hostile.= (LEFTARG = float8, RIGHTARG = integer, FUNCTION = hostile.same);
CREATE TABLE hostile.product (id integer, price float8);
SET search_path = hostile, pg_catalog;
SELECT pgpubsub.attach('attaching.product', 'products', condition => 'is_expensive(NEW.price) AND NEW.price = 1');
SET search_path = attaching;
SELECT "table", condition FROM pgpubsub.attachments;
SELECT definition FROM triggers WHERE trigger LIKE '%filter';
SELECT pgpubsub.detach('product', 'products');

-- a condition is one boolean expression, and nothing that gets out of its parentheses
CREATE FUNCTION try(condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text;
BEGIN
  PERFORM pgpubsub.attach('product', 'products', condition => try.condition);
  RETURN (SELECT a.condition FROM pgpubsub.attachments a);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  IF SQLSTATE = '42883' THEN hint = ''; detail = ''; END IF; -- they differ between versions of PostgreSQL
  RETURN concat_ws(' / ', SQLSTATE || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT condition, try(condition) FROM unnest(ARRAY[
  'true) OR (true', 'true)); DROP TABLE product; --', 'true FROM product', 'true, true', 'true AS x', 'true x', 'true WHERE true', 'true LIMIT 1',
  'true ORDER BY 1', 'true UNION SELECT true', 'true; SELECT true', 'DISTINCT true', 'ALL true', 'DISTINCT ON (1) true', '', ' ', '-- nothing', '*', 'NEW.*', 'SELECT true', '(SELECT true)', 'EXISTS (SELECT 1)',
  'true INTO x', 'true GROUP BY 1', 'true /* open', 'true -- a comment', 'true /* a comment */', '''open', '$1', 'NEW.nothing', 'OLD.id', 'id > 1', 'price > 1', 'nothing', 'NEW.id', '1', '''yes''', 'NULL',
  'count(*) > 1', 'row_number() OVER () > 1', 'generate_series(1, 2) > 1', 'nothing(NEW.id)', 'NEW.ctid IS NULL', 'OLD.tableoid <> 0', 'random() < 0.5', 'NEW IS DISTINCT FROM OLD']) condition;
SELECT pgpubsub.attach('product', 'products', condition => 'NEW.id > 0 AND NEW.nothing');
SELECT pgpubsub.attach('product', 'products', condition => 'NEW.id > 0 AND id > 0');
SELECT pgpubsub.detach('product', 'products');

-- other arguments that are wrong, or contradict each other, are refused before anything is changed
CREATE TABLE plain (a integer, b integer, c integer);
ALTER TABLE plain DROP COLUMN c;
CREATE TABLE wrong (n serial, arguments text);
INSERT INTO wrong (arguments) VALUES
  ('''{}'''), ('''{insert,NULL}'''), ('''{insert,upsert}'''), ('''{INSERT}'''),
  ('columns => ''{}'''), ('columns => ''{NULL}'''), ('columns => ''{a,nothing}'''), ('columns => ''{a,b,a}'''), ('columns => ''{c}'''), ('columns => ''{"........pg.dropped.3........"}'''), ('columns => ''{ctid}'''), ('columns => ''{A}'''),
  ('payload_columns => ''{}'''), ('payload_columns => ''{nothing}'''), ('payload_columns => ''{a,a}'''), ('key_columns => ''{nothing}'''), ('key_columns => ''{tableoid}'''), ('key_columns => ''{NULL}'''),
  ('''{insert,delete}'', columns => ''{a}'''), ('''{truncate}'', columns => ''{a}'''), ('''{truncate}'', condition => ''true'''), ('''{truncate}'', payload => ''key'''), ('''{truncate}'', payload_columns => ''{a}'''), ('''{truncate}'', key_columns => ''{a}'''),
  ('granularity => ''statment'''), ('granularity => ''ROW'''), ('payload => ''old'''), ('payload => '''''), ('payload => ''newest'''),
  ('payload => ''key'''), ('payload => ''key'', key_columns => ''{a}'', payload_columns => ''{a}''');
CREATE FUNCTION try_call(arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text;
BEGIN
  EXECUTE format('SELECT pgpubsub.attach(''plain'', ''plain'', %s)', arguments);
  RETURN 'attached';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(' / ', SQLSTATE || ': ' || message, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT arguments, try_call(arguments) FROM wrong ORDER BY n;
SELECT pgpubsub.attach('plain', 'plain', columns => '{nothing}');
SELECT pgpubsub.attach('plain', 'plain', key_columns => '{a}', payload => 'key');
SELECT pgpubsub.attach('plain', 'plain', payload => 'changed');
SELECT name FROM pgpubsub.channels ORDER BY name COLLATE "C";
DROP TABLE plain;

-- a table's replica identity is a key too
CREATE TABLE identified (a integer NOT NULL);
CREATE UNIQUE INDEX identified_a ON identified (a);
ALTER TABLE identified REPLICA IDENTITY USING INDEX identified_a;
SELECT pgpubsub.attach('identified', 'plain', payload => 'key');
DROP TABLE identified;

-- what is no table of the caller's
CREATE VIEW a_view AS SELECT 1 AS x;
CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS x;
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (x integer);
SELECT pgpubsub.attach('a_view', 'plain');
SELECT pgpubsub.attach('a_matview', 'plain');
SELECT pgpubsub.attach('a_sequence', 'plain');
SELECT pgpubsub.attach('a_type', 'plain');
SELECT pgpubsub.attach('product_pkey', 'plain');
SELECT pgpubsub.attach('pg_class', 'plain');
SELECT pgpubsub.attach('pgpubsub.notification', 'plain');
SELECT pgpubsub.attach('pgpubsub.channels', 'plain');
SELECT pgpubsub.detach('a_view', 'plain');
BEGIN READ ONLY;
SELECT pgpubsub.attach('product', 'plain');
ROLLBACK;
-- temporary and unlogged tables are tables
CREATE TEMP TABLE temporary (id integer);
CREATE UNLOGGED TABLE unlogged (id integer);
SELECT pgpubsub.attach('temporary', 'plain'), pgpubsub.attach('unlogged', 'plain');
SELECT granularity, events FROM pgpubsub.attachments ORDER BY "table"::text;
DROP TABLE temporary, unlogged;

-- row level where statement level would miss something
CREATE TABLE parent (id integer PRIMARY KEY, name text);
CREATE TABLE child (more text) INHERITS (parent);
SELECT pgpubsub.attach('parent', 'plain');
SELECT pgpubsub.attach('child', 'plain');
SELECT pgpubsub.attach('parent', 'plain', granularity => 'row');
SELECT pgpubsub.attach('parent', 'plain', granularity => 'statement');
SELECT pgpubsub.attach('parent', 'plain', '{truncate}');
SELECT "table", granularity, triggers FROM pgpubsub.attachments ORDER BY "table"::text;
-- a table that has become a child is attached again; one that is alone again, too
CREATE TABLE later (id integer NOT NULL, name text);
SELECT pgpubsub.attach('later', 'plain');
ALTER TABLE later INHERIT parent;
SELECT pgpubsub.attach('later', 'plain');
SELECT granularity FROM pgpubsub.attachments WHERE "table" = 'later'::regclass;
ALTER TABLE later NO INHERIT parent;
SELECT pgpubsub.attach('later', 'plain');
SELECT granularity FROM pgpubsub.attachments WHERE "table" = 'later'::regclass;
DROP TABLE parent, child, later;
CREATE FOREIGN DATA WRAPPER attach_wrapper;
CREATE SERVER attach_server FOREIGN DATA WRAPPER attach_wrapper;
CREATE FOREIGN TABLE abroad (id integer) SERVER attach_server;
SELECT pgpubsub.attach('abroad', 'plain');
SELECT pgpubsub.attach('abroad', 'plain', always => true);
SELECT granularity, events, always FROM pgpubsub.attachments;
-- PostgreSQL knows triggers for TRUNCATE on these from 16 on
DO $$ BEGIN
  PERFORM pgpubsub.attach('abroad', 'plain', '{truncate}');
  IF current_setting('server_version_num')::integer < 160000 THEN RAISE 'attached'; END IF;
EXCEPTION WHEN feature_not_supported THEN
  IF current_setting('server_version_num')::integer >= 160000 THEN RAISE; END IF;
END $$;
DROP FOREIGN DATA WRAPPER attach_wrapper CASCADE;

-- partitions: numbers of columns may differ
CREATE TABLE parted (id integer, gone integer, name text, secret text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
ALTER TABLE parted DROP COLUMN gone;
CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE high (secret text, gone integer, name text, id integer PRIMARY KEY) PARTITION BY RANGE (id);
ALTER TABLE high DROP COLUMN gone;
CREATE TABLE highest PARTITION OF high FOR VALUES FROM (20) TO (30);
SELECT pgpubsub.attach('parted', 'parted', columns => '{name}', condition => 'NEW.name <> OLD.name', payload_columns => '{id,name}', always => true);
ALTER TABLE parted ATTACH PARTITION high FOR VALUES FROM (10) TO (30);
SELECT * FROM triggers ORDER BY "table"::text COLLATE "C", trigger;
SELECT "table", events, granularity, columns, condition, payload_columns, always, enabled FROM pgpubsub.attachments;
-- only with their table
SELECT pgpubsub.attach('low', 'parted');
SELECT pgpubsub.detach('low', 'parted');
SELECT pgpubsub.detach('highest', 'parted');
-- the call reaches all partitions, whatever was done to one, and locks nobody out where there is nothing to do
BEGIN;
SELECT pgpubsub.attach('parted', 'parted', columns => '{name}', condition => 'NEW.name <> OLD.name', payload_columns => '{id,name}', always => true, granularity => 'row');
SELECT DISTINCT mode FROM pg_locks WHERE relation IN ('parted'::regclass, 'low'::regclass, 'highest'::regclass);
COMMIT;
ALTER TABLE low DISABLE TRIGGER USER;
SELECT pgpubsub.attach('parted', 'parted', columns => '{name}', condition => 'NEW.name <> OLD.name', payload_columns => '{id,name}', granularity => 'row');
SELECT "table", trigger, state FROM triggers ORDER BY "table"::text COLLATE "C", trigger;
SELECT pgpubsub.attach('parted', 'parted', '{insert,truncate}', granularity => 'row');
SELECT "table", trigger, state, definition FROM triggers ORDER BY "table"::text COLLATE "C", trigger;
ALTER TABLE parted DETACH PARTITION low;
SELECT pgpubsub.detach('parted', 'parted');
SELECT count(*) AS left_over FROM triggers;
-- a partition that is attached by itself
SELECT pgpubsub.attach('highest', 'parted');
SELECT granularity FROM pgpubsub.attachments;
SELECT pgpubsub.attach('parted', 'parted');
SELECT pgpubsub.attach('parted', 'parted', '{truncate}');
SELECT pgpubsub.attach('parted', 'elsewhere', granularity => 'row');
SELECT "table", channel, triggers FROM pgpubsub.attachments ORDER BY channel, "table"::text;
SELECT pgpubsub.detach('parted', 'elsewhere'), pgpubsub.detach('highest', 'parted'), pgpubsub.detach('parted', 'parted');
CREATE TRIGGER by_hand AFTER INSERT ON highest FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('parted');
SELECT pgpubsub.attach('parted', 'parted');
DROP TRIGGER by_hand ON highest;
-- a table that is attached, and then becomes a partition of an attached one: it can be detached, and its table's call says so
SELECT pgpubsub.attach('low', 'parted');
SELECT pgpubsub.attach('parted', 'parted', granularity => 'row');
ALTER TABLE parted ATTACH PARTITION low FOR VALUES FROM (0) TO (10);
SELECT pgpubsub.attach('parted', 'parted', granularity => 'row');
SELECT pgpubsub.detach('low', 'parted');
SELECT pgpubsub.attach('parted', 'parted', granularity => 'row');
SELECT "table", channel, triggers FROM pgpubsub.attachments;
DROP TABLE parted;

-- a filter that somebody wrote by hand is read only if it has the form of attach()'s; one that may fire is refused
CREATE TABLE handmade (a integer, b integer);
CREATE TRIGGER capture AFTER UPDATE ON handmade FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('hand', 'filtered');
CREATE FUNCTION read_as(filter text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE OR REPLACE TRIGGER filter AFTER UPDATE ON handmade FOR EACH ROW WHEN (%s) EXECUTE FUNCTION pgpubsub.capture(''hand'', ''filter'')', filter);
  RETURN (SELECT concat_ws(' ', columns, condition, payload_columns, key_columns) FROM pgpubsub.attachments);
EXCEPTION WHEN trigger_protocol_violated THEN
  RETURN SQLERRM;
END $$;
SELECT filter, read_as(filter) FROM unnest(ARRAY[
  '(false AND pgpubsub.capture_filter(NEW.a > 0, ROW(NEW.a), NULL, ROW(OLD.b))) IS TRUE',
  '(false AND pgpubsub.capture_filter(key => ROW(NEW.a), condition => NEW.b > 0)) IS TRUE',
  '(false AND pgpubsub.capture_filter()) IS TRUE', '(false AND pgpubsub.capture_filter(NULL)) IS TRUE',
  'false AND pgpubsub.capture_filter(NEW.a > 0)', '(true AND pgpubsub.capture_filter(NEW.a > 0)) IS TRUE', '(false AND pgpubsub.capture_filter(NEW.a > 0)) IS NOT TRUE', '(false OR pgpubsub.capture_filter(NEW.a > 0)) IS TRUE',
  '(false AND NEW.a > 0) IS TRUE', '(false AND true AND pgpubsub.capture_filter(NEW.a > 0)) IS TRUE', 'false IS TRUE', 'NEW.a > 0', '(NULL::boolean AND pgpubsub.capture_filter(NEW.a > 0)) IS TRUE',
  '(false AND pgpubsub.capture_filter(columns => ROW(NEW.a, 1))) IS TRUE', '(false AND pgpubsub.capture_filter(columns => ROW(NEW.a, NEW.a))) IS TRUE', '(false AND pgpubsub.capture_filter(columns => ROW())) IS TRUE', '(false AND pgpubsub.capture_filter(columns => NEW)) IS TRUE',
  '(false AND pgpubsub.capture_filter(columns => ROW(NEW.ctid))) IS TRUE', '(false AND pgpubsub.capture_filter(columns => ROW(NEW))) IS TRUE', '(false AND pgpubsub.capture_filter(NEW.ctid IS NULL)) IS TRUE', '(false AND pgpubsub.capture_filter(NEW IS NULL)) IS TRUE']) filter;
DROP TABLE handmade;
SELECT pgpubsub.capture_filter(true);

-- whoever changes the table needs no right here, though the filter names a function
CREATE ROLE regress_pgpubsub_attacher;
CREATE ROLE regress_pgpubsub_changer;
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_attacher;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA pgpubsub TO regress_pgpubsub_attacher;
GRANT SELECT ON pgpubsub.attachments TO regress_pgpubsub_attacher;
GRANT USAGE, CREATE ON SCHEMA attaching TO regress_pgpubsub_attacher;
GRANT USAGE ON SCHEMA attaching TO regress_pgpubsub_changer;
SELECT pgpubsub.attach('product', 'products');
SET ROLE regress_pgpubsub_attacher;
CREATE TABLE theirs (id integer, name text);
SELECT pgpubsub.attach('theirs', 'theirs', condition => 'true', columns => '{name}');
SELECT pgpubsub.attach('theirs', 'products');
SELECT pgpubsub.attach('product', 'theirs');
SELECT "table", channel FROM pgpubsub.attachments;
GRANT ALL ON theirs TO regress_pgpubsub_changer;
ALTER TABLE theirs ENABLE TRIGGER ALL;
SET ROLE regress_pgpubsub_changer;
INSERT INTO theirs VALUES (1, 'a');
UPDATE theirs SET name = 'b';
SELECT * FROM pgpubsub.attachments;
RESET ROLE;
SELECT pgpubsub.grant_channel('products', 'regress_pgpubsub_changer', 'publish');
SET ROLE regress_pgpubsub_changer;
SELECT "table", channel FROM pgpubsub.attachments;
RESET ROLE;
SELECT "table", channel FROM pgpubsub.attachments ORDER BY channel;

SET client_min_messages = warning;
DROP SCHEMA attaching CASCADE;
DROP SCHEMA hostile CASCADE;
SELECT count(*) AS attachments FROM pgpubsub.attachments;
SELECT count(pgpubsub.drop_channel(name)) > 0 AS dropped FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_attacher, regress_pgpubsub_changer;
DROP ROLE regress_pgpubsub_attacher, regress_pgpubsub_changer;
