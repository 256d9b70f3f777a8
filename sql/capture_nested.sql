-- Types that are nested in others: what is known of them is read when a value needs it, each type once, whatever a user has defined.
CREATE FUNCTION described() RETURNS bigint LANGUAGE sql AS $$
  WITH c AS (SELECT * FROM pg_backend_memory_contexts)
  SELECT sum(total_bytes)::bigint FROM c WHERE name IN ('pgpubsub capture plan', 'pgpubsub row types') $$;
CREATE FUNCTION same("table" regclass) RETURNS SETOF boolean LANGUAGE plpgsql AS $$ BEGIN
  RETURN QUERY EXECUTE format('SELECT n.payload -> ''new'' = to_jsonb(t) FROM pgpubsub.take(%L, 100) n LEFT JOIN %s t ON t.id = (n.payload #>> ''{new,id}'')::integer ORDER BY n.id', "table", "table");
END $$;

-- doubled with each level: a hundred thousand columns, several megabytes, if each were described
CREATE TYPE t1 AS (a integer, b integer);
DO $$ BEGIN FOR i IN 2..16 LOOP EXECUTE format('CREATE TYPE t%s AS (a t%s, b t%s)', i, i - 1, i - 1); END LOOP; END $$;
CREATE TABLE doubled (id integer PRIMARY KEY, v t16, vs t16[]);
SELECT pgpubsub.attach('doubled', 'doubled');
INSERT INTO doubled VALUES (1, NULL), (2, ROW(NULL, NULL)), (3, ROW(ROW(NULL, ROW(NULL, ROW(NULL, NULL))), NULL));
-- a value with all levels once, which the type lets be written in many places
DO $$ DECLARE v text := 'ROW(1, 2)'; BEGIN
  FOR i IN 2..16 LOOP v := format('ROW(%s, NULL)', v); END LOOP;
  EXECUTE format('INSERT INTO doubled VALUES (4, %s, ARRAY[%1$s::t16, NULL])', v);
END $$;
SELECT * FROM same('doubled');
SELECT described() < 2000000 AS little;

-- many columns
CREATE TYPE mood AS ENUM ('sad', 'ok');
DO $$ BEGIN
  EXECUTE (SELECT format('CREATE TYPE wide AS (%s)', string_agg('c' || i || CASE i % 4 WHEN 0 THEN ' integer' WHEN 1 THEN ' mood' WHEN 2 THEN ' numrange[]' ELSE ' text' END, ', ')) FROM generate_series(1, 1600) i);
END $$;
CREATE TABLE wides (id integer PRIMARY KEY, w wide, ws wide[]);
SELECT pgpubsub.attach('wides', 'wides');
INSERT INTO wides SELECT 1, w, ARRAY[w, NULL, w] FROM (SELECT NULL::wide) x (w);
INSERT INTO wides SELECT 2, w, ARRAY[w, NULL, w] FROM jsonb_populate_record(NULL::wide, (SELECT jsonb_object_agg('c' || i, CASE i % 4 WHEN 0 THEN i::text WHEN 1 THEN 'ok' WHEN 2 THEN '{"[1,2]"}' ELSE 'x' END) FROM generate_series(1, 1600) i)) w;
SELECT * FROM same('wides');

-- domains, ranges and multiranges over composites, and these in composites again
CREATE TYPE point2 AS (x integer, y integer);
CREATE DOMAIN place AS point2;
CREATE TYPE span AS RANGE (subtype = point2);
CREATE DOMAIN places AS place[];
CREATE DOMAIN span_list AS span[];
CREATE TYPE trip AS (at place, along span, often span_multirange, visits places, parts span_list);
CREATE TABLE trips (id integer PRIMARY KEY, one trip, more trip[]);
SELECT pgpubsub.attach('trips', 'trips');
INSERT INTO trips SELECT 1, t, ARRAY[t, t] FROM (SELECT ROW(ROW(1, 2)::place, span(ROW(1, 1)::point2, ROW(2, 2)::point2), span_multirange(span(NULL, ROW(0, 0)::point2), span(ROW(9, 9)::point2, NULL)),
  ARRAY[ROW(3, 4)::place, NULL], ARRAY[span(ROW(5, 5)::point2, NULL)])::trip) x (t);
SELECT * FROM same('trips');
-- a type grows while the table is captured
ALTER TYPE point2 ADD ATTRIBUTE z text;
INSERT INTO trips VALUES (2, ROW(ROW(1, 2, 'z')::place, NULL, NULL, NULL, NULL));
SELECT * FROM same('trips');

-- nested so deep that the stack does not suffice: null, and said to be truncated
CREATE TYPE d1 AS (v integer);
DO $$ BEGIN FOR i IN 2..1000 LOOP EXECUTE format('CREATE TYPE d%s AS (v d%s)', i, i - 1); END LOOP; END $$;
CREATE TABLE deep_source (id integer PRIMARY KEY, v d1000);
CREATE TABLE deep (id integer PRIMARY KEY, v d1000, t text);
DO $$ BEGIN EXECUTE format('INSERT INTO deep_source VALUES (1, %s1%s)', repeat('ROW(', 1000), repeat(')', 1000)); END $$;
SELECT pgpubsub.attach('deep', 'deep');
INSERT INTO deep SELECT *, 'first' FROM deep_source;
SET max_stack_depth = '100kB';
UPDATE deep SET t = 'second';
SELECT payload #>> '{new,t}' AS t, payload -> 'truncated' AS truncated, length(payload #>> '{new,v}') > 6 AS has_value FROM pgpubsub.take('deep', 10);
RESET max_stack_depth;

-- an array that takes long can be cancelled: here some seconds, where all else takes milliseconds. (Of what no subscription wants
-- nothing is stored, which could be cancelled as well.)
CREATE TABLE longs (id integer PRIMARY KEY, moods mood[]);
INSERT INTO longs VALUES (1, array_fill('ok'::mood, '{4000000}'));
SELECT pgpubsub.attach('longs', 'longs');
SELECT pgpubsub.alter_channel('longs', filter => '{"none": true}');
\set VERBOSITY terse
SET statement_timeout = '200ms';
UPDATE longs SET id = 2;
RESET statement_timeout;
\set VERBOSITY default
SELECT id FROM longs;

DROP TABLE longs, doubled, wides, trips, deep, deep_source;
SET client_min_messages = warning;
DO $$ BEGIN FOR i IN 0..99 LOOP EXECUTE (SELECT 'DROP TYPE ' || string_agg('d' || 1000 - i * 10 - j, ', ') FROM generate_series(0, 9) j); END LOOP; END $$;
DO $$ BEGIN FOR i IN REVERSE 16..1 LOOP EXECUTE format('DROP TYPE t%s', i); END LOOP; END $$;
RESET client_min_messages;
DROP TYPE wide, mood, trip, span_list, places, span, place, point2;
DROP FUNCTION described, same;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
