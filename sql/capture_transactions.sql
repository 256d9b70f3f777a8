-- Capture in all that a transaction can be: parts that roll back, deferred and nested triggers, cascades, a replica's role.
-- (Two phases: prepared.sql.)
CREATE FUNCTION captured(channel text DEFAULT 'c') RETURNS TABLE ("table" text, op text, old jsonb, new jsonb) LANGUAGE sql AS $$
  SELECT payload ->> 'table', payload ->> 'op', payload -> 'old', payload -> 'new' FROM pgpubsub.take(channel, 100000) t ORDER BY t.id $$;
SELECT pgpubsub.create_channel('c');
CREATE TABLE t (id integer PRIMARY KEY, v text);
SELECT pgpubsub.attach('t', 'c');

-- parts that roll back, at every depth, and what is left between them
BEGIN;
INSERT INTO t VALUES (1, 'kept'), (2, 'kept');
SAVEPOINT a;
UPDATE t SET v = 'undone';
SAVEPOINT b;
DELETE FROM t;
ROLLBACK TO b;
INSERT INTO t VALUES (3, 'undone'), (4, 'undone');
RELEASE b;
ROLLBACK TO a;
INSERT INTO t VALUES (3, 'kept'), (4, 'kept');
RELEASE a;
COMMIT;
SELECT op, new FROM captured();
DO $$ BEGIN
  FOR i IN 5 .. 8 LOOP
    BEGIN
      INSERT INTO t VALUES (i, 'in a block'), (i + 10, 'in a block');
      IF i % 2 = 0 THEN INSERT INTO t VALUES (i, 'twice'); END IF;
    EXCEPTION WHEN unique_violation THEN INSERT INTO t VALUES (i, 'handled');
    END;
  END LOOP;
END $$;
SELECT op, new FROM captured();
-- a capture that fails is caught like any error, and what it did is undone
SELECT pgpubsub.attach('t', 'c', condition => '1 / (NEW.id - 21) <> 0');
DO $$ BEGIN
  INSERT INTO t VALUES (20, 'undone'), (21, 'fails');
EXCEPTION WHEN division_by_zero THEN INSERT INTO t VALUES (20, 'handled'), (22, 'handled');
END $$;
SELECT op, new FROM captured();
SELECT id FROM t WHERE id >= 20 ORDER BY 1;
-- and nothing of it is resumed: a function in SQL that failed in a savepoint amid its query begins anew with the next change
CREATE TABLE numbers AS SELECT i, repeat('x', 1000) AS padding FROM generate_series(1, 1000) i;
CREATE FUNCTION public.fits(id integer) RETURNS boolean LANGUAGE sql STABLE AS
  $$ SELECT coalesce(bool_and(1000 / (i + id - 500) < 5000), true) FROM public.numbers $$;
SELECT pgpubsub.attach('t', 'c', condition => 'public.fits(NEW.id)');
BEGIN;
INSERT INTO t VALUES (1000, 'before');
SAVEPOINT a;
INSERT INTO t VALUES (0, 'fails');
ROLLBACK TO a;
INSERT INTO t VALUES (2000, 'after');
SAVEPOINT b;
DO $$ BEGIN INSERT INTO t VALUES (-1, 'fails'); EXCEPTION WHEN division_by_zero THEN INSERT INTO t VALUES (3000, 'handled'); END $$;
ROLLBACK TO b;
INSERT INTO t VALUES (4000, 'after'), (5000, 'after');
COMMIT;
SELECT op, new FROM captured();
DELETE FROM t WHERE id >= 1000;
SELECT count(*) FROM captured();
SELECT pgpubsub.attach('t', 'c');
DROP FUNCTION public.fits;
DROP TABLE numbers;
-- a procedure that ends transactions between
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO t VALUES (30, 'committed'), (31, 'committed');
  COMMIT;
  DELETE FROM t WHERE id < 30;
  ROLLBACK;
  UPDATE t SET v = 'last' WHERE id >= 30;
END $$;
CALL steps();
SELECT op, old, new FROM captured();
DROP PROCEDURE steps;

-- deferred: at commit, or when they are made immediate; of a row that is gone by then too
CREATE TABLE d (id integer, v text);
CREATE CONSTRAINT TRIGGER capture AFTER INSERT OR UPDATE OR DELETE ON d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
BEGIN;
INSERT INTO d VALUES (1, 'a'), (2, 'b');
UPDATE d SET v = 'c' WHERE id = 1;
DELETE FROM d WHERE id = 2;
SELECT count(*) FROM pgpubsub.notifications;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT count(*) FROM pgpubsub.notifications;
SET CONSTRAINTS ALL DEFERRED;
SAVEPOINT s;
INSERT INTO d VALUES (3, 'undone');
ROLLBACK TO s;
INSERT INTO d VALUES (4, 'deferred');
COMMIT;
SELECT op, old, new FROM captured();
-- a deferred trigger that changes a captured table at commit
CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (NEW.id + 100, 'late'), (NEW.id + 200, 'late'); RETURN NULL; END $$;
DROP TRIGGER capture ON d;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON d DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION late();
BEGIN;
INSERT INTO d VALUES (5), (6);
SELECT count(*) FROM pgpubsub.notifications;
COMMIT;
SELECT op, new FROM captured();
DROP TABLE d;

-- triggers beside the capture: what BEFORE made of the row is captured, what it suppressed is not
CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF TG_OP = 'DELETE' THEN RETURN CASE WHEN OLD.id <> 1 THEN OLD END; END IF;
  IF NEW.id % 2 = 0 THEN RETURN NULL; END IF;
  NEW.v := upper(NEW.v);
  RETURN NEW;
END $$;
TRUNCATE t;
CREATE TRIGGER meddle BEFORE INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION meddle();
INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 4) i;
UPDATE t SET v = 'changed';
INSERT INTO t VALUES (3, 'conflict'), (5, 'five') ON CONFLICT (id) DO UPDATE SET v = excluded.v || '!';
DELETE FROM t;
SELECT op, old, new FROM captured();
DROP TRIGGER meddle ON t;
-- a capture inside a capture: an AFTER trigger that changes the table itself, one that changes another, and so on down
CREATE TABLE log (id integer, entry text);
SELECT pgpubsub.attach('log', 'c'), pgpubsub.attach('t', 'c', granularity => 'row');
CREATE FUNCTION after() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
  IF NEW.v <> 'done' THEN UPDATE t SET v = 'done' WHERE id = NEW.id; END IF;
  INSERT INTO log SELECT NEW.id, TG_OP || i FROM generate_series(1, 2) i;
  RETURN NULL;
END $$;
CREATE TRIGGER z_after AFTER INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION after();
TRUNCATE t;
INSERT INTO t VALUES (1, 'new'), (2, 'new');
SELECT * FROM captured();
-- at statement level the outer statement comes last: PostgreSQL fires its trigger at its end
SELECT pgpubsub.attach('t', 'c');
DELETE FROM t;
INSERT INTO t VALUES (1, 'new'), (2, 'new');
SELECT * FROM captured() OFFSET 2;
DROP TRIGGER z_after ON t;
DROP FUNCTION after;
-- a condition, and a cast to json, that change captured tables themselves: the one that is just captured too
CREATE FUNCTION public.note(r t) RETURNS text LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.log SELECT r.id, 'condition ' || i FROM generate_series(1, 3) i;
  IF r.id < 200 THEN INSERT INTO public.t VALUES (r.id + 200, 'by the condition'), (r.id + 210, 'by the condition'); END IF;
  RETURN r.v;
END $$;
CREATE TYPE mood AS ENUM ('ok');
CREATE FUNCTION public.mood_json(mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (0, 'cast 1'), (0, 'cast 2'); RETURN '"cast"'; END $$;
CREATE CAST (mood AS json) WITH FUNCTION public.mood_json(mood);
ALTER TABLE t ADD COLUMN m mood;
SELECT pgpubsub.attach('t', 'c', condition => $$NEW.v || '!' = public.note(NEW) || '!'$$);
INSERT INTO t VALUES (101, 'outer', 'ok'), (102, 'outer', 'ok');
SELECT "table", new FROM captured();
SELECT count(*) FROM t WHERE id > 100;
-- or publish to the channel that the rows go to
CREATE OR REPLACE FUNCTION public.note(r t) RETURNS text LANGUAGE sql AS $$ SELECT r.v || left(pgpubsub.publish('c', to_jsonb(r.v))::text, 0) $$;
INSERT INTO t VALUES (103, 'outer'), (104, 'outer');
SELECT CASE jsonb_typeof(payload) WHEN 'object' THEN payload #> '{new,id}' ELSE payload END AS what FROM pgpubsub.take('c', 10) c ORDER BY c.id;
SELECT pgpubsub.attach('t', 'c');
DROP FUNCTION public.note;
ALTER TABLE t DROP COLUMN m;
DROP CAST (mood AS json);
DROP FUNCTION public.mood_json;
DROP TYPE mood;

-- foreign keys: what a cascade deletes, sets to null or to its default, and changes is captured once; within one table too
CREATE TABLE tree (id integer PRIMARY KEY, parent integer REFERENCES tree ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE leaf (id integer PRIMARY KEY, tree integer REFERENCES tree ON DELETE SET NULL ON UPDATE CASCADE, t integer DEFAULT 1 REFERENCES t ON DELETE SET DEFAULT);
SELECT pgpubsub.attach('tree', 'c'), pgpubsub.attach('leaf', 'c');
TRUNCATE t CASCADE;
CREATE PROCEDURE plant() LANGUAGE sql AS $$
  INSERT INTO t VALUES (1), (2), (3) ON CONFLICT DO NOTHING;
  INSERT INTO tree VALUES (1, NULL), (2, 1), (3, 1), (4, 2), (5, 4), (6, NULL), (7, 6);
  INSERT INTO leaf VALUES (1, 1, 2), (2, 5, 2), (3, 3, 3), (4, 6, 1);
$$;
CALL plant();
SELECT count(*) FROM captured();
UPDATE tree SET id = id + 10 WHERE id IN (1, 6);
SELECT * FROM captured() ORDER BY 1, 2, old ->> 'id';
DELETE FROM tree WHERE id IN (11, 16);
SELECT * FROM captured() ORDER BY 1, 2, old ->> 'id';
DELETE FROM t WHERE id <> 1;
SELECT * FROM captured() ORDER BY 1, 2, old ->> 'id';
-- the same rows at row level
TRUNCATE leaf;
SELECT pgpubsub.attach('tree', 'c', granularity => 'row'), pgpubsub.attach('leaf', 'c', granularity => 'row');
CALL plant();
SELECT count(*) FROM captured();
DELETE FROM tree WHERE id IN (1, 6);
SELECT * FROM captured() ORDER BY 1, 2, old ->> 'id';
DROP TABLE leaf, tree;
DROP PROCEDURE plant;

-- session_replication_role = replica: nothing, but for what was attached for always
CREATE TABLE always (id integer PRIMARY KEY, v text);
SELECT pgpubsub.attach('always', 'c', '{insert,update,delete,truncate}', columns => '{v}', always => true);
SELECT granularity, always, enabled FROM pgpubsub.attachments WHERE "table" = 'always'::regclass;
SET session_replication_role = replica;
INSERT INTO t VALUES (50, 'replica');
INSERT INTO always VALUES (1, 'a'), (2, 'b');
UPDATE always SET v = 'c' WHERE id = 1;
UPDATE always SET id = 3 WHERE id = 2;
DELETE FROM always WHERE id = 1;
TRUNCATE always;
SELECT * FROM captured();
RESET session_replication_role;
INSERT INTO t VALUES (51, 'origin');
INSERT INTO always VALUES (1, 'a');
SELECT * FROM captured();
SELECT pgpubsub.attach('always', 'c');
SET session_replication_role = replica;
INSERT INTO always VALUES (2, 'b');
RESET session_replication_role;
SELECT * FROM captured();
DROP TABLE always;

-- parallel plans: below a condition's function, and before what is inserted
CREATE TABLE many AS SELECT i, i % 10 AS digit FROM generate_series(1, 20000) i;
ANALYZE many;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT count(*) FROM many WHERE digit = 1;
CREATE FUNCTION public.share(digit integer) RETURNS bigint LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN (SELECT count(*) FROM public.many m WHERE m.digit = share.digit); END $$;
SELECT pgpubsub.attach('t', 'c', condition => 'public.share(NEW.id - 60) = 2000');
INSERT INTO t SELECT 58 + row_number() OVER (), 'counted ' || n FROM (SELECT count(*) AS n FROM many GROUP BY digit) x;
SELECT count(*), min(new ->> 'id'), max(new ->> 'id') FROM captured();
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET max_parallel_workers_per_gather;

DROP TABLE t, log, many;
DROP FUNCTION captured, late, meddle, share;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
