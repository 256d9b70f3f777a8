-- The key of a change is the same in every session, whatever it has set; and no value is too long for a user's statement.
SELECT current_setting('TimeZone') AS zone \gset
SELECT pgpubsub.create_channel('keys', ordered => true);
CREATE TYPE span AS RANGE (subtype = interval);
CREATE DOMAIN moment AS timestamptz;
CREATE TYPE pair AS (at moment, lasts interval);
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE kinds (kind text, value text, PRIMARY KEY (kind));
INSERT INTO kinds VALUES
  ('timestamptz', '2026-11-21 12:00+00'), ('timestamp', '2026-11-21 12:00'), ('date', '2026-11-21'), ('timetz', '12:00+02'), ('time', '12:00'),
  ('interval', '1 year 2 days 03:04:05.6'), ('bytea', E'\\xdead'), ('float8', '0.1'), ('float4', '0.1'), ('money', '1234.5'), ('regclass', 'public.kinds'), ('regtype', 'public.pair'), ('regproc', 'public.kinds_key'),
  ('public.moment', '2026-11-21 12:00+00'), ('timestamptz[]', '{2026-11-21 12:00+00,NULL}'), ('interval[]', '{1 day,2 mons}'), ('bytea[]', E'{"\\\\xdead"}'), ('float8[]', '{0.1}'),
  ('public.pair', '("2026-11-21 12:00+00","1 day 2 hours")'), ('public.pair[]', '{"(\"2026-11-21 12:00+00\",\"1 day\")"}'), ('tstzrange', '[2026-11-21 12:00+00,)'), ('tstzmultirange', '{[2026-11-21 12:00+00,)}'),
  ('public.span', '[1 day,2 days)'), ('point', '(0.1,0.2)'), ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), ('numeric', '1.50'), ('jsonb', '{"a": 1}'), ('public.mood', 'ok'), ('boolean', 't'), ('inet', '10.0.0.1'), ('xml', '<a/>'), ('char(4)', 'ab');
CREATE FUNCTION kinds_key() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION keys_of(kind text, value text, "columns" text) RETURNS TABLE (count bigint, key text) LANGUAGE plpgsql AS $$
DECLARE
  settings text[] := '{"TimeZone=UTC,DateStyle=ISO,IntervalStyle=postgres,bytea_output=hex,extra_float_digits=1,lc_monetary=C,search_path=public","TimeZone=Asia/Kathmandu,DateStyle=German,IntervalStyle=iso_8601,bytea_output=escape,extra_float_digits=-5,lc_monetary=C.UTF-8,search_path=","TimeZone=America/St_Johns,DateStyle=SQL,IntervalStyle=sql_standard,extra_float_digits=3,quote_all_identifiers=on,search_path=pg_catalog"}';
  s text; p text;
BEGIN
  EXECUTE format('CREATE TABLE public.keyed (id integer, v %s, n integer)', kind);
  EXECUTE format('INSERT INTO public.keyed VALUES (1, %L)', value);
  PERFORM pgpubsub.attach('public.keyed', 'keys', key_columns => "columns"::text[]);
  FOREACH s IN ARRAY settings LOOP
    FOREACH p IN ARRAY regexp_split_to_array(s, ',(?=[^,]*=)') LOOP PERFORM set_config(split_part(p, '=', 1), split_part(p, '=', 2), true); END LOOP;
    UPDATE public.keyed SET n = 1;
  END LOOP;
  RETURN QUERY SELECT pg_catalog.count(DISTINCT t.key), min(t.key) FROM pgpubsub.take('keys', 1000) t;
  DROP TABLE public.keyed;
END $$;
SELECT kind, k.*, l.* FROM kinds, LATERAL keys_of(kind, value, '{v}') k, LATERAL keys_of(kind, value, '{v,id}') l ORDER BY kind COLLATE "C";
-- with a cast to json of the user's
CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE sql STABLE AS $$ SELECT json_build_object('at', '2026-11-21 12:00+00'::timestamptz, 'path', current_setting('search_path')) $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
SELECT k.* FROM keys_of('public.mood', 'ok', '{v}') k;
DROP CAST (mood AS json);
SELECT current_setting('TimeZone') = :'zone' AS as_before;
-- a primary key by default
CREATE TABLE by_default (at timestamptz, lasts interval, t text, PRIMARY KEY (at, lasts));
SELECT pgpubsub.attach('by_default', 'keys');
SET TimeZone = 'UTC';
INSERT INTO by_default VALUES ('2026-11-21 12:00+00', '1 day 2 hours');
SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'iso_8601';
UPDATE by_default SET t = 'x';
RESET TimeZone; RESET IntervalStyle;
SELECT count(DISTINCT key), min(key) FROM pgpubsub.take('keys', 10);

-- values of a few bytes whose text no memory could hold: the value is null and said to be truncated, the key is null
CREATE TYPE deep1 AS (v text);
DO $$ BEGIN FOR i IN 2..40 LOOP EXECUTE format('CREATE TYPE deep%s AS (v deep%s)', i, i - 1); END LOOP; END $$;
CREATE TYPE deep_range AS RANGE (subtype = deep40);
CREATE DOMAIN huge_list AS numeric[];
CREATE TYPE listed AS (l huge_list);
CREATE TYPE listed_range AS RANGE (subtype = listed);
CREATE TYPE document_range AS RANGE (subtype = jsonb);
CREATE TABLE huge (id integer PRIMARY KEY, mr nummultirange, dr deep_range, lr listed_range, mlr listed_multirange, jr document_range, t text DEFAULT 'told');
SELECT pgpubsub.attach('huge', 'keys');
CREATE FUNCTION numbers(n integer) RETURNS numeric[] LANGUAGE sql AS $$ SELECT array_agg(('1e' || 100000)::numeric * i) FROM generate_series(1, n) i $$;
CREATE FUNCTION told() RETURNS TABLE (id text, nulls text, t text, truncated jsonb) LANGUAGE sql AS $$
  SELECT payload #>> '{new,id}', (SELECT string_agg(key, ',') FROM jsonb_each(CASE jsonb_typeof(payload -> 'new') WHEN 'object' THEN payload -> 'new' ELSE '{}' END) WHERE value = 'null'), payload #>> '{new,t}', payload -> 'truncated' FROM pgpubsub.take('keys', 100) n ORDER BY n.id $$;
INSERT INTO huge (id, mr) SELECT 1, range_agg(numrange(('1e' || 100000)::numeric * i, ('1e' || 100000)::numeric * (i + 0.5))) FROM generate_series(1, 2000) i;
UPDATE huge SET t = 'again';
DELETE FROM huge;
INSERT INTO huge (id, lr, mlr, jr) SELECT 2, r, listed_multirange(r), document_range(to_jsonb(numbers(1)), to_jsonb(numbers(3000))) FROM (SELECT listed_range(ROW(numbers(1)), ROW(numbers(3000)))) x (r);
DO $$ BEGIN EXECUTE format('INSERT INTO huge (id, dr) SELECT 3, deep_range(%s, NULL)', repeat('ROW(', 40) || '''"''::text' || repeat(')', 40)); END $$;
-- what is long, but not too long, is there
INSERT INTO huge (id, mr, lr, jr) SELECT 4, range_agg(numrange(i, i + 0.5)), listed_range(ROW('{1,2}'::numeric[]), NULL), document_range('{"a": 1e10}', NULL) FROM generate_series(1, 5000) i;
SELECT * FROM told();
CREATE TABLE huge_keys (a numeric[], j jsonb, n numeric, id integer);
SELECT pgpubsub.attach('huge_keys', 'keys', key_columns => '{a}', payload_columns => '{id}');
INSERT INTO huge_keys SELECT numbers(3000), NULL, NULL, 1;
UPDATE huge_keys SET id = 2;
SELECT pgpubsub.attach('huge_keys', 'keys', key_columns => '{j}', payload_columns => '{id}');
UPDATE huge_keys SET a = NULL, j = to_jsonb(a);
SELECT pgpubsub.attach('huge_keys', 'keys', key_columns => '{j,id}', payload_columns => '{id}');
DELETE FROM huge_keys;
SELECT pgpubsub.attach('huge_keys', 'keys', key_columns => '{n}', payload_columns => '{id}');
INSERT INTO huge_keys (n, id) VALUES ('1e100000', 5);
SELECT pgpubsub.attach('huge_keys', 'keys', key_columns => '{j}', payload_columns => '{id}');
INSERT INTO huge_keys (j, id) SELECT jsonb_object_agg(i, repeat(E'\\"\t', 10)), 6 FROM generate_series(1, 1000) i;
-- a text that could be made, and is no key
INSERT INTO huge_keys (j, id) VALUES (to_jsonb(numbers(700)), 7);
SELECT payload ->> 'op' AS op, length(key) FROM pgpubsub.take('keys', 100) t ORDER BY t.id;

SET client_min_messages = warning;
DROP TABLE kinds, by_default, huge, huge_keys;
DROP TYPE span, pair, mood, deep_range, listed_range, document_range, listed CASCADE;
DO $$ BEGIN FOR i IN REVERSE 40..1 LOOP EXECUTE format('DROP TYPE deep%s', i); END LOOP; END $$;
DROP DOMAIN moment, huge_list;
DROP FUNCTION keys_of, kinds_key, numbers, told, mood_json;
SELECT pgpubsub.drop_channel('keys');
