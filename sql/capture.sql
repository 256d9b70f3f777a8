-- capture(): what a row change becomes, and what becomes of it when the change rolls back.
CREATE TABLE media (id integer PRIMARY KEY, name text, size numeric);
CREATE TRIGGER media AFTER INSERT OR UPDATE OR DELETE ON media FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('media');

-- insert, update, delete; the channel is made by the first of them
SELECT name FROM pgpubsub.channels;
INSERT INTO media VALUES (1, 'a', 1.50);
UPDATE media SET name = 'b' WHERE id = 1;
DELETE FROM media;
SELECT name, owner = current_user::regrole AS owned FROM pgpubsub.channels;
SELECT payload - 'context' AS payload, key, headers, deliver_at, priority, attempts, db_version
  FROM pgpubsub.take('media', 10);
SELECT count(*) FROM pgpubsub.take('media', 10);

-- a bulk insert: one each, in order
INSERT INTO media SELECT i, 'bulk', i FROM generate_series(1, 1000) i;
SELECT count(*), bool_and(ordered) FROM (
  SELECT (payload #>> '{new,id}')::integer = row_number() OVER () AS ordered FROM pgpubsub.take('media', 2000)) t;

-- COPY, ON CONFLICT and MERGE
COPY media FROM stdin;
2001	copied	1
2002	copied	2
\.
INSERT INTO media VALUES (2001, 'again', 1) ON CONFLICT (id) DO UPDATE SET name = excluded.name;
INSERT INTO media VALUES (2001, 'again', 1) ON CONFLICT DO NOTHING;
MERGE INTO media m USING (VALUES (2001), (2003)) v(id) ON m.id = v.id
  WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'merged', 0);
SELECT payload ->> 'op' AS op, coalesce(payload #>> '{new,id}', payload #>> '{old,id}') AS id
  FROM pgpubsub.take('media', 100) t ORDER BY t.id;

-- what rolls back sends nothing, a savepoint's part included
BEGIN;
INSERT INTO media VALUES (3001, 'rolled back', 0);
ROLLBACK;
BEGIN;
INSERT INTO media VALUES (3002, 'kept', 0);
SAVEPOINT s;
INSERT INTO media VALUES (3003, 'rolled back', 0);
ROLLBACK TO s;
INSERT INTO media VALUES (3004, 'kept', 0);
COMMIT;
DO $$ BEGIN
  INSERT INTO media VALUES (3005, 'rolled back', 0);
  RAISE EXCEPTION 'no';
EXCEPTION WHEN raise_exception THEN NULL;
END $$;
SELECT payload #>> '{new,id}' AS id FROM pgpubsub.take('media', 10);

-- identical payloads in one transaction are all delivered
CREATE TABLE twin (x integer);
SELECT pgpubsub.attach('twin', 'media');
BEGIN;
INSERT INTO twin VALUES (1);
INSERT INTO twin VALUES (1), (1);
COMMIT;
SELECT count(*), count(DISTINCT payload), count(DISTINCT id) FROM pgpubsub.take('media', 10);

-- a channel that is made in a part that rolls back is made again
CREATE TABLE fresh (x integer);
CREATE TRIGGER t AFTER INSERT ON fresh FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('fresh');
BEGIN;
SAVEPOINT s;
INSERT INTO fresh VALUES (1);
ROLLBACK TO s;
INSERT INTO fresh VALUES (2);
COMMIT;
BEGIN;
INSERT INTO fresh VALUES (3);
ROLLBACK;
SELECT payload #>> '{new,x}' AS x FROM pgpubsub.take('fresh', 10);

-- two captures on one table, of one change each
CREATE TABLE two (x integer);
SELECT pgpubsub.attach('two', 'media', '{insert}'), pgpubsub.attach('two', 'fresh', '{delete}');
INSERT INTO two VALUES (1);
DELETE FROM two;
SELECT 'media' AS channel, payload ->> 'op' AS op FROM pgpubsub.take('media', 10)
UNION ALL SELECT 'fresh', payload ->> 'op' FROM pgpubsub.take('fresh', 10);

-- quotes, newlines, unicode, and a row of 1 MB
INSERT INTO media VALUES (4001, E'it''s "quoted" \\ and\nbroken\tup, é ☃ 😀', 0);
INSERT INTO media VALUES (4002, (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32768) i), 0);
SELECT payload #>> '{new,name}' = name AS same, length(payload #>> '{new,name}') AS length
  FROM pgpubsub.take('media', 10) t JOIN media ON media.id = (payload #>> '{new,id}')::integer ORDER BY t.id;

-- what the type json holds and jsonb can't becomes a string, and the INSERT goes through
CREATE TABLE loose (j json);
SELECT pgpubsub.attach('loose', 'loose');
INSERT INTO loose VALUES ('{"a": 1.10, "b": [true, null]}'), ('{"a": "\u0000"}'), ('[1e999999]'), ('"\ud800"'),
  ('1e131071'), ('1e131072'), ('1e-16383'), ('1e-16384'), ('"\\u0000"');
SELECT jsonb_typeof(payload #> '{new,j}') AS type, left(payload #>> '{new,j}', 40) AS start FROM pgpubsub.take('loose', 10);
-- at each limit, jsonb itself gives the same answer
SELECT count(*) AS accepted FROM (SELECT '1e131071'::jsonb UNION ALL SELECT '1e-16383') t;
SELECT '1e131072'::jsonb;
SELECT '1e-16384'::jsonb;
-- so deep that its conversion would run out of stack
INSERT INTO loose VALUES ((repeat('[', 3000) || repeat(']', 3000))::json);
SELECT jsonb_typeof(payload #> '{new,j}') AS type FROM pgpubsub.take('loose', 10);

-- what is larger than jsonb can be is left out, and said to be; the INSERT goes through
SET default_toast_compression = lz4;
CREATE TABLE huge (id integer, t text);
SELECT pgpubsub.attach('huge', 'loose');
INSERT INTO huge VALUES (1, repeat(repeat('x', 1024), 262144)), (2, repeat(repeat('x', 1024), 140000));
UPDATE huge SET id = 3 WHERE id = 2;
SELECT payload ->> 'op' AS op, payload #>> '{new,id}' AS id, payload -> 'truncated' AS truncated,
       jsonb_typeof(payload #> '{old,t}') AS old_t, jsonb_typeof(payload #> '{new,t}') AS t
  FROM pgpubsub.take('loose', 10) n ORDER BY n.id;
-- a value that is too large in itself is not even unpacked, nor given to its cast
CREATE TYPE textrange AS RANGE (subtype = text);
CREATE FUNCTION refuse(textrange) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'unpacked'; END $$;
CREATE CAST (textrange AS json) WITH FUNCTION refuse(textrange);
CREATE TABLE ranges (r textrange);
SELECT pgpubsub.attach('ranges', 'loose');
INSERT INTO ranges VALUES (textrange(repeat(repeat('x', 1024), 262144), NULL));
SELECT jsonb_typeof(payload #> '{new,r}') AS r, payload -> 'truncated' AS truncated FROM pgpubsub.take('loose');
INSERT INTO ranges VALUES ('[a,b)');
DROP TABLE ranges;
DROP TYPE textrange CASCADE;
RESET default_toast_compression;
-- nor does what is small in the table, and large while jsonb is made of it, fail an INSERT
CREATE TABLE many (flags boolean[], j json);
SELECT pgpubsub.attach('many', 'loose');
INSERT INTO many (flags) VALUES (array_fill(true, ARRAY[16777217]));
INSERT INTO many (j) VALUES (('[1' || repeat(',1', 16777217) || ']')::json);
SELECT jsonb_typeof(payload #> '{new,flags}') AS flags, jsonb_typeof(payload #> '{new,j}') AS j, payload -> 'truncated' AS truncated
  FROM pgpubsub.take('loose', 10) n ORDER BY n.id;
DROP TABLE huge, many;

-- a handler may change captured tables itself
BEGIN;
INSERT INTO twin VALUES (7);
INSERT INTO twin SELECT (payload #>> '{new,x}')::integer + 1 FROM pgpubsub.take('media', 1);
COMMIT;
SELECT payload #>> '{new,x}' AS x FROM pgpubsub.take('media', 10);

-- a hostile search_path leads nowhere
CREATE SCHEMA hostile;
CREATE TABLE hostile.notification (x integer);
CREATE TABLE hostile.channel (x integer);
CREATE FUNCTION hostile.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT ''"planted"''::jsonb';
SET search_path = hostile, public, pg_catalog;
INSERT INTO twin VALUES (8);
RESET search_path;
SELECT payload #>> '{new,x}' AS x FROM pgpubsub.take('media', 10);

-- a wrong use says what to do (others: capture_by_hand)
SELECT pgpubsub.capture();

DROP SCHEMA hostile CASCADE;
DROP TABLE media, twin, fresh, two, loose;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
