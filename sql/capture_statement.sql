-- Capture at statement level: what each kind of statement gives, row by row, in its order.
-- What a channel holds is taken and shown; a null member of the payload is shown as the null of JSON.
CREATE FUNCTION captured(channel text) RETURNS TABLE (op text, "table" text, old jsonb, new jsonb) LANGUAGE sql AS $$
  SELECT payload ->> 'op', payload ->> 'table', payload -> 'old', payload -> 'new' FROM pgpubsub.take(channel, 100000) t ORDER BY t.id $$;
SELECT pgpubsub.create_channel('c');

CREATE TABLE t (id integer PRIMARY KEY, v text);
SELECT pgpubsub.attach('t', 'c');
SELECT events, granularity, payload, columns, condition, always, enabled, triggers FROM pgpubsub.attachments;
SELECT tgname, tgtype & 1 AS for_each_row, tgoldtable, tgnewtable FROM pg_trigger WHERE tgrelid = 't'::regclass ORDER BY 1;

-- each statement, with all there is to its payload
SET pgpubsub.notification_context = '{"user": 7}';
SET pgpubsub.db_version = 3;
INSERT INTO t VALUES (1, 'a'), (2, 'b');
UPDATE t SET v = v || v;
DELETE FROM t WHERE id = 2;
RESET pgpubsub.notification_context;
RESET pgpubsub.db_version;
SELECT payload, key, headers, deliver_at, priority, attempts, db_version FROM pgpubsub.take('c', 10) c ORDER BY c.id;

-- no rows, no notification; an update that changes nothing is one
INSERT INTO t SELECT 9, '' WHERE false;
UPDATE t SET v = '' WHERE id = 9;
DELETE FROM t WHERE id = 9;
SELECT * FROM captured('c');
UPDATE t SET v = v;
SELECT * FROM captured('c');

-- many rows, more than fit into memory: each once, in the order of the rows, old and new of each together, one statement after the other,
-- in each channel
SELECT pgpubsub.create_channel('second');
SELECT pgpubsub.attach('t', 'second');
SET work_mem = '64kB';
BEGIN;
INSERT INTO t SELECT i, 'v' || i FROM generate_series(10001, 20000) i;
UPDATE t SET v = v || '+' WHERE id > 10000;
DELETE FROM t WHERE id > 10000;
COMMIT;
SELECT op, count(*), min(n), max(n), bool_and(coalesce(new ->> 'id', old ->> 'id') = (10000 + i)::text) AS in_order,
       bool_and(old ->> 'v' || '+' = new ->> 'v' AND old -> 'id' = new -> 'id') AS paired
  FROM (SELECT *, row_number() OVER (PARTITION BY op ORDER BY n) AS i FROM captured('c') WITH ORDINALITY AS c(op, "table", old, new, n)) c
 GROUP BY op ORDER BY min(n);
SELECT count(*) FROM t;
SELECT op, count(DISTINCT coalesce(new ->> 'id', old ->> 'id')) AS rows, bool_and(old ->> 'v' || '+' = new ->> 'v') AS paired FROM captured('second') GROUP BY op ORDER BY op;
RESET work_mem;
SELECT pgpubsub.detach('t', 'second');

-- COPY, and INSERT of what the table holds itself
COPY t FROM stdin;
3	copied
4	\N
\.
INSERT INTO t SELECT id + 10, v FROM t WHERE id > 2 RETURNING id;
SELECT * FROM captured('c');

-- ON CONFLICT: what was inserted is an insert, what was there an update; the updates first, as PostgreSQL fires the triggers
INSERT INTO t VALUES (5, 'inserted'), (3, 'again'), (6, 'inserted'), (4, 'left alone')
  ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE excluded.v <> 'left alone';
INSERT INTO t VALUES (3, 'not this one'), (7, 'inserted') ON CONFLICT DO NOTHING;
SELECT * FROM captured('c');

-- MERGE: all that it does, and what it leaves alone
MERGE INTO t USING (VALUES (3, 'merged'), (4, 'delete'), (5, 'nothing'), (8, 'merged'), (9, 'nothing')) s(id, v) ON t.id = s.id
  WHEN MATCHED AND s.v = 'delete' THEN DELETE
  WHEN MATCHED AND s.v = 'merged' THEN UPDATE SET v = s.v
  WHEN NOT MATCHED AND s.v = 'merged' THEN INSERT VALUES (s.id, s.v)
  WHEN NOT MATCHED THEN DO NOTHING;
SELECT * FROM captured('c');

-- UPDATE ... FROM that finds a row twice changes it once; so does a row that two parts of a statement want to change
UPDATE t SET v = 'joined' FROM (VALUES (1, 1), (2, 1)) s(n, id) WHERE t.id = s.id;
SELECT * FROM captured('c');
WITH first AS (UPDATE t SET v = 'from the first' WHERE id = 5 RETURNING id), second AS (UPDATE t SET v = 'from the second' WHERE id IN (5, 6) RETURNING id)
  SELECT count(*) AS changed FROM (TABLE first UNION ALL TABLE second) x;
SELECT count(*), count(DISTINCT old ->> 'id') AS rows, bool_and(new = to_jsonb(t)) AS as_they_are FROM captured('c') c JOIN t ON t.id = (c.new ->> 'id')::integer;
-- several parts with all kinds of changes
WITH gone AS (DELETE FROM t WHERE id IN (5, 6) RETURNING *), moved AS (INSERT INTO t SELECT id + 100, 'moved' FROM gone RETURNING id),
     more AS (INSERT INTO t VALUES (200, 'more') RETURNING id) UPDATE t SET v = 'last' WHERE id = 7;
SELECT * FROM captured('c') ORDER BY op, coalesce(new ->> 'id', old ->> 'id');

-- a cursor's row, and a prepared statement with a plan of its own and with a general one
BEGIN;
DECLARE rows CURSOR FOR SELECT * FROM t WHERE id IN (1, 3) ORDER BY id FOR UPDATE;
FETCH 2 FROM rows;
UPDATE t SET v = 'by cursor' WHERE CURRENT OF rows;
DELETE FROM t WHERE CURRENT OF rows;
COMMIT;
PREPARE change(integer, text) AS UPDATE t SET v = $2 WHERE id = $1;
EXECUTE change(1, 'prepared');
SET plan_cache_mode = force_generic_plan;
EXECUTE change(1, 'general');
RESET plan_cache_mode;
DEALLOCATE change;
SELECT * FROM captured('c');

-- a statement that fails at its last row
INSERT INTO t VALUES (900, ''), (901, ''), (1, 'twice');
SELECT * FROM captured('c');

-- TRUNCATE, where it was asked for: one notification for each table, in a cascade too
CREATE TABLE child (id integer PRIMARY KEY, t integer REFERENCES t);
CREATE TABLE grandchild (child integer REFERENCES child);
SELECT pgpubsub.attach('t', 'c', '{truncate,insert}'), pgpubsub.attach('child', 'c', '{truncate}'), pgpubsub.attach('grandchild', 'c');
INSERT INTO t VALUES (300, 'last');
TRUNCATE t CASCADE;
SELECT count(*) FROM t;
SELECT "table", op, old, new FROM captured('c') ORDER BY 1, 2;
BEGIN;
TRUNCATE child CASCADE;
ROLLBACK;
TRUNCATE grandchild;
SELECT * FROM captured('c');
-- of an empty table too
TRUNCATE child, grandchild RESTART IDENTITY;
SELECT payload FROM pgpubsub.take('c', 10);
SELECT pgpubsub.detach('t', 'c'), pgpubsub.detach('child', 'c'), pgpubsub.detach('grandchild', 'c');
DROP TABLE grandchild, child;

-- values that are stored apart are whole in old and new, changed or not
CREATE TABLE toasted (id integer PRIMARY KEY, big text, other text);
ALTER TABLE toasted ALTER COLUMN big SET STORAGE EXTERNAL, ALTER COLUMN other SET STORAGE EXTERNAL;
SELECT pgpubsub.attach('toasted', 'c');
INSERT INTO toasted VALUES (1, repeat('x', 100000), repeat('y', 50000)), (2, repeat('z', 100000), NULL);
UPDATE toasted SET other = 'small';
UPDATE toasted SET big = repeat('w', 100000) WHERE id = 2;
DELETE FROM toasted;
SELECT op, old ->> 'id' AS old, length(old ->> 'big') AS big, left(old ->> 'big', 1) AS x, length(old ->> 'other') AS other,
       new ->> 'id' AS new, length(new ->> 'big') AS big, left(new ->> 'big', 1) AS x, length(new ->> 'other') AS other FROM captured('c');
INSERT INTO toasted SELECT i, (SELECT string_agg(md5((i * j)::text), '') FROM generate_series(1, 300) j), 'many' FROM generate_series(1, 200) i;
UPDATE toasted SET other = 'changed';
SELECT op, count(*), bool_and(new ->> 'big' = big) AS new_same, bool_and(op = 'insert' OR old ->> 'big' = big) AS old_same
  FROM captured('c') JOIN toasted ON id = (new ->> 'id')::integer GROUP BY op ORDER BY op;
DROP TABLE toasted;

-- several subscriptions, one with a filter; a channel that keeps what is processed
SELECT pgpubsub.create_channel('fan', history => '1 day');
SELECT pgpubsub.subscribe('fan', 'all'), pgpubsub.subscribe('fan', 'odd', filter => '{"op": "insert", "new": {"v": "odd"}}');
SELECT pgpubsub.attach('t', 'fan');
INSERT INTO t SELECT i, CASE i % 2 WHEN 1 THEN 'odd' ELSE 'even' END FROM generate_series(1, 3) i;
DELETE FROM t WHERE id = 2;
SELECT subscription, payload ->> 'op' AS op, coalesce(payload #>> '{new,id}', payload #>> '{old,id}') AS id FROM pgpubsub.notifications ORDER BY 1, notifications.id;
SELECT payload #>> '{new,id}' AS id FROM pgpubsub.take('fan', 10, 'odd');
SELECT payload #>> '{new,id}' AS id FROM pgpubsub.take('fan', 2);
SELECT payload #>> '{new,id}' AS id FROM pgpubsub.history ORDER BY history.id;
SELECT pgpubsub.detach('t', 'fan');
SELECT pgpubsub.drop_channel('fan');

-- ordered: the key is the primary key, of a changed one the new value; a table without a key has none
SELECT pgpubsub.create_channel('ordered', ordered => true);
SELECT pgpubsub.attach('t', 'ordered');
UPDATE t SET v = 'first';
UPDATE t SET v = 'second';
UPDATE t SET id = 30 WHERE id = 3;
DELETE FROM t;
CREATE TABLE keyless (x integer);
SELECT pgpubsub.attach('keyless', 'ordered');
INSERT INTO keyless VALUES (1), (2);
SELECT key, payload ->> 'op' AS op, payload -> 'old' AS old, payload -> 'new' AS new FROM pgpubsub.notifications ORDER BY id;
SELECT key, payload #>> '{new,v}' AS v FROM pgpubsub.claim('ordered', 2) c ORDER BY c.id;           -- one of each key at a time
DROP TABLE keyless;
INSERT INTO t SELECT i, '' FROM generate_series(1, 1000) i;
SELECT count(*), count(DISTINCT key), bool_and(key = payload #>> '{new,id}') AS by_id FROM pgpubsub.notifications WHERE payload #>> '{new,v}' = '';
SELECT pgpubsub.detach('t', 'ordered');
SELECT pgpubsub.drop_channel('ordered');

-- broadcast: one for each row; what is too large for NOTIFY is kept for its listeners
SELECT pgpubsub.create_channel('loud', 'broadcast');
SELECT pgpubsub.attach('t', 'loud');
INSERT INTO t SELECT 2000 + i, repeat('x', i * 5000) FROM generate_series(1, 3) i;
SELECT envelope #>> '{payload,op}' AS op, envelope #>> '{payload,new,id}' AS id, length(envelope #>> '{payload,new,v}') AS v FROM pgpubsub.broadcast ORDER BY id;
SELECT pgpubsub.detach('t', 'loud');
SELECT pgpubsub.drop_channel('loud');

-- triggers made by hand: the names of the transition tables are free, and the channel is made by the first change
CREATE TRIGGER a AFTER INSERT ON t REFERENCING NEW TABLE AS t FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.capture('hand');
CREATE TRIGGER b AFTER UPDATE ON t REFERENCING OLD TABLE AS new NEW TABLE AS old FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.capture('hand');
CREATE TRIGGER c AFTER DELETE OR TRUNCATE ON t FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION pgpubsub.capture('hand');
DELETE FROM t WHERE id > 1;
SELECT count(*) FROM pgpubsub.channels WHERE name = 'hand';
UPDATE t SET v = 'changed';
INSERT INTO t VALUES (2, 'new');
SELECT * FROM captured('hand');
DROP TRIGGER a ON t;
DROP TRIGGER b ON t;
DROP TRIGGER c ON t;

DROP TABLE t;
DROP FUNCTION captured;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
