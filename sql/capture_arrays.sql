-- Arrays whose elements become text by a function: what an element leaves is gone with it, and the first one for which there is no room
-- is the last that is looked at.
CREATE TYPE mood AS ENUM ('sad', 'ok', 'long');
CREATE SEQUENCE calls;
CREATE SEQUENCE most;
-- counts its calls; of the last column it notes what memory there is, which the columns before it have left
CREATE FUNCTION mood_json(m mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
  PERFORM nextval('public.calls');
  IF m = 'sad' THEN
    PERFORM setval('public.most', (SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts WHERE name IN ('AfterTriggerTupleContext', 'pgpubsub element')));
  END IF;
  RETURN to_json(CASE m WHEN 'long' THEN repeat('x', 32 * 1024 * 1024) ELSE m::text END);
END $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
CREATE FUNCTION called() RETURNS bigint LANGUAGE sql AS $$ SELECT last_value - 1 FROM calls $$;
CREATE TYPE priced AS (r numrange, d date);
CREATE TABLE lists (id integer, dr daterange[], nr numrange[], js json[], ip inet[], pr priced[], dd daterange[], z_last mood);
SELECT pgpubsub.attach('lists', 'lists');
-- adds a row, and tells how much memory its capture held at its end
CREATE FUNCTION growth(col text, val text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
  EXECUTE format('INSERT INTO lists (id, %I, z_last) SELECT 1, %s, ''sad''', col, val);
  RETURN (SELECT last_value FROM most);
END $$;
-- the payload's own bytes are among it, and the value's
CREATE TABLE grown (n integer, what text, bytes bigint);
INSERT INTO grown VALUES (1, 'daterange[]', growth('dr', '(SELECT array_agg(daterange(''2026-01-01'', ''2026-01-01''::date + i)) FROM generate_series(1, 20000) i)'));
INSERT INTO grown VALUES (2, 'json[]', growth('js', '(SELECT array_agg(json_build_object(''a'', i)) FROM generate_series(1, 20000) i)'));
INSERT INTO grown VALUES (3, 'priced[]', growth('pr', '(SELECT array_agg(ROW(numrange(i, i + 1), ''2026-01-01'')::priced) FROM generate_series(1, 20000) i)'));
INSERT INTO grown VALUES (4, 'inet[]', growth('ip', '(SELECT array_agg(''10.0.0.0''::inet + i) FROM generate_series(1, 100000) i)'));
INSERT INTO grown VALUES (5, 'daterange[][]', growth('dd', '(SELECT array_agg(ARRAY[daterange(''2026-01-01'', ''2026-01-01''::date + i), NULL]) FROM generate_series(1, 10000) i)'));
-- no text of it is made, since there is no room for all
INSERT INTO grown VALUES (6, 'numrange[]', growth('nr', '(SELECT array_agg(numrange((''1e100000'')::numeric, NULL)) FROM generate_series(1, 4000) i)'));
SELECT what, bytes < 16000000 AS little, CASE WHEN bytes >= 16000000 THEN bytes END AS bytes FROM grown ORDER BY n;
SELECT payload #> '{new,nr}' AS nr, payload -> 'truncated' AS truncated FROM pgpubsub.take('lists', 100) n WHERE payload @> '{"truncated": true}';
-- the values are those of to_jsonb
TRUNCATE lists;
SELECT count(*) FROM pgpubsub.take('lists', 100);
INSERT INTO lists (id, dr, nr, js, ip, pr, dd)
SELECT 2, array_agg(daterange('2026-01-01', '2026-01-01'::date + i)), array_agg(numrange(i, NULL)), array_agg(json_build_array(i)), array_agg('10.0.0.0'::inet + i),
       array_agg(ROW(numrange(i, i + 1), '2026-01-01')::priced), array_agg(ARRAY[daterange('2026-01-01', '2026-01-01'::date + i), NULL]) FROM generate_series(1, 200) i;
SELECT payload -> 'new' = to_jsonb(l) AS same FROM pgpubsub.take('lists', 100), lists l;

-- nor does the memory grow before the end of an array: the last element tells
ALTER TABLE lists ADD COLUMN moods mood[];
INSERT INTO lists (id, moods) SELECT 3, array_fill('ok'::mood, '{20000}') || 'sad'::mood;
SELECT last_value < 8000000 AS little, CASE WHEN last_value >= 8000000 THEN last_value END AS bytes FROM most;
SELECT count(*) FROM pgpubsub.take('lists');

-- after the value for which there is no room the function is not called; the other columns are there
CREATE TABLE long_lists (id integer, v mood[], vv mood[], zz text DEFAULT 'told');
SELECT pgpubsub.attach('long_lists', 'lists', key_columns => '{id}');
SELECT setval('calls', 1) \gset
INSERT INTO long_lists SELECT 1, array_agg('long'::mood) FROM generate_series(1, 40);
-- 7 fit; once to see that, once to write the rest
SELECT called();
SELECT payload #> '{new,v,0}' <> 'null' AS first, payload #> '{new,v,8}' AS ninth, jsonb_array_length(payload #> '{new,v}') AS length, payload #>> '{new,zz}' AS zz,
       payload -> 'truncated' AS truncated FROM pgpubsub.take('lists');
-- a key's limit is 64 MB: two fit
SELECT pgpubsub.attach('long_lists', 'lists', key_columns => '{v}', payload_columns => '{id}');
SELECT setval('calls', 1) \gset
UPDATE long_lists SET id = 2;
SELECT called();
SELECT pgpubsub.attach('long_lists', 'lists', key_columns => '{id,v}', payload_columns => '{id}');
SELECT setval('calls', 1) \gset
UPDATE long_lists SET id = 3;
SELECT called();
SELECT key IS NULL AS no_key, payload -> 'truncated' AS truncated FROM pgpubsub.take('lists', 100);

SET client_min_messages = warning;
DROP TABLE lists, long_lists, grown;
DROP TYPE priced, mood CASCADE;
DROP FUNCTION called, growth;
DROP SEQUENCE calls, most;
SELECT pgpubsub.drop_channel('lists');
