-- Whoever applies the notifications one after the other to a copy of the table gets the table: after any sequence of statements, none is
-- missing, none is there twice, each has the row as it was, and the order is right. The same at statement and at row level.
SELECT pgpubsub.create_channel('statement'), pgpubsub.create_channel('row');
CREATE TABLE original (id integer PRIMARY KEY, v text, n numeric, big text);
ALTER TABLE original ALTER COLUMN big SET STORAGE EXTERNAL;
CREATE TABLE copy (LIKE original);
SELECT count(pgpubsub.attach('original', g, '{insert,update,delete,truncate}', granularity => g)) FROM unnest('{statement,row}'::text[]) g;

-- Some change, chosen at random, of up to ten rows.
CREATE PROCEDURE change_something() LANGUAGE plpgsql AS $$
DECLARE
  kind integer := floor(random() * 12);
  first integer := floor(random() * 40);
  last integer := first + floor(random() * 10);
BEGIN
  CASE kind
    WHEN 0, 1, 2 THEN
      INSERT INTO original SELECT i, 'v' || random(), i, repeat('x', i * 100) FROM generate_series(first, last) i ON CONFLICT DO NOTHING;
    WHEN 3 THEN
      UPDATE original SET v = 'u' || random() WHERE id BETWEEN first AND last;
    WHEN 4 THEN
      UPDATE original SET big = big || 'y', n = NULL WHERE id BETWEEN first AND last;
    WHEN 5 THEN
      DELETE FROM original WHERE id BETWEEN first AND last;
    WHEN 6 THEN
      INSERT INTO original SELECT i, 'c', random(), NULL FROM generate_series(first, last) i ON CONFLICT (id) DO UPDATE SET n = excluded.n, v = original.v || '+' WHERE original.id % 3 > 0;
    WHEN 7 THEN
      MERGE INTO original o USING generate_series(first, last) i ON o.id = i
        WHEN MATCHED AND i % 3 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = 'm' WHEN NOT MATCHED AND i % 2 = 0 THEN INSERT VALUES (i, 'm');
    WHEN 8 THEN
      -- keys that change hands
      UPDATE original SET id = -id - 1 WHERE id BETWEEN first AND last;
      UPDATE original SET id = first + last + id + 1 WHERE id < 0;
    WHEN 9 THEN
      WITH gone AS (DELETE FROM original WHERE id BETWEEN first AND last RETURNING *), changed AS (UPDATE original SET n = n + 1 WHERE id > last AND id < 100 RETURNING id)
        INSERT INTO original SELECT id + 100, v, n, big FROM gone ON CONFLICT (id) DO UPDATE SET v = 'again';
    WHEN 10 THEN
      BEGIN
        UPDATE original SET v = 'undone';
        INSERT INTO original VALUES (-5, 'undone');
        DELETE FROM original WHERE id > first;
        RAISE EXCEPTION USING ERRCODE = 'P0099';
      EXCEPTION WHEN SQLSTATE 'P0099' THEN NULL;
      END;
    ELSE
      IF first = 0 THEN TRUNCATE original; END IF;
  END CASE;
END $$;

-- Applies what a channel holds, and counts what did not fit: an insert of a row whose key is there, or a change of a row that is not.
CREATE FUNCTION replay(channel text, OUT applied integer, OUT misfits integer, OUT missing bigint, OUT superfluous bigint) LANGUAGE plpgsql AS $$
DECLARE p jsonb;
BEGIN
  applied := 0;
  misfits := 0;
  FOR p IN SELECT payload FROM pgpubsub.take(channel, 1000000) t ORDER BY t.id LOOP
    applied := applied + 1;
    IF p ->> 'op' IN ('update', 'delete') THEN
      DELETE FROM copy WHERE copy.ctid = (SELECT c.ctid FROM copy c WHERE c.id = (p #>> '{old,id}')::integer AND to_jsonb(c) = p -> 'old' LIMIT 1);
      IF NOT found THEN misfits := misfits + 1; END IF;
    END IF;
    IF p ->> 'op' = 'insert' AND EXISTS (SELECT FROM copy c WHERE c.id = (p #>> '{new,id}')::integer) THEN misfits := misfits + 1; END IF;
    IF p ->> 'op' IN ('insert', 'update') THEN INSERT INTO copy SELECT * FROM jsonb_populate_record(NULL::copy, p -> 'new'); END IF;
    IF p ->> 'op' = 'truncate' THEN DELETE FROM copy; END IF;
  END LOOP;
  SELECT count(*) INTO missing FROM (TABLE original EXCEPT ALL TABLE copy) x;
  SELECT count(*) INTO superfluous FROM (TABLE copy EXCEPT ALL TABLE original) x;
END $$;

SELECT setseed(0.5);
DO $$ BEGIN FOR i IN 1 .. 300 LOOP CALL change_something(); END LOOP; END $$;
SELECT applied > 500 AS many_applied, misfits, missing, superfluous FROM replay('statement');
TRUNCATE copy;
SELECT applied > 500 AS many_applied, misfits, missing, superfluous FROM replay('row');
-- in many transactions, some of which roll back
TRUNCATE original, copy;
DO $$ BEGIN
  FOR i IN 1 .. 300 LOOP
    CALL change_something();
    IF i % 3 = 0 THEN ROLLBACK; ELSIF i % 3 = 1 THEN COMMIT; END IF;
  END LOOP;
END $$;
SELECT applied > 200 AS many_applied, misfits, missing, superfluous FROM replay('statement');
TRUNCATE copy;
SELECT applied > 200 AS many_applied, misfits, missing, superfluous FROM replay('row');

DROP TABLE original, copy;
DROP FUNCTION replay;
DROP PROCEDURE change_something;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
