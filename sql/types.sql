-- Captured rows are what to_jsonb(row) gives, for every type.
SET timezone = 'America/St_Johns';
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a integer, b text);
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE DOMAIN pairs AS pair[];
CREATE TABLE everything (
  id integer PRIMARY KEY,
  dropped_first text,
  b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric, c "char", ch char(5), vc varchar(10), t text,
  nm name, by bytea, d date, ts timestamp, tz timestamptz, ti time, ttz timetz, iv interval,
  u uuid, ip inet, ci cidr, ma macaddr, bi bit(4), bv varbit, x xml, m money, j json, jb jsonb, jp jsonpath,
  pt point, ls lseg, bx box, pa path, po polygon, ln line, cr circle,
  i4r int4range, nr numrange, tr tstzrange, mr int4multirange, tsv tsvector, tsq tsquery, o oid, rc regclass,
  md mood, pr pair, dm positive, ds pairs,
  ia integer[], ta text[], ja jsonb[], pra pair[], mda mood[], ia2 integer[][], tza timestamptz[], na numeric[],
  gen integer GENERATED ALWAYS AS (id * 2) STORED,
  "Quoted ""name""" text,
  dropped_last text
);
ALTER TABLE everything DROP COLUMN dropped_first, DROP COLUMN dropped_last;
SELECT pgpubsub.attach('everything', 'everything');

INSERT INTO everything (id) VALUES (1);
INSERT INTO everything VALUES (2,
  true, -1, 9223372036854775807, 1.1, 1e300, 123456789012345678901234567890.1200, 'x', 'abc', 'vc', E'te"xt\n\\ é',
  'name', '\xdeadbeef', '2026-11-21', '2026-11-21 12:34:56.789', '2026-11-21 12:34:56.789+02', '12:34', '12:34+05', '1 year 2 days 03:04:05.6',
  'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '192.168.0.1/24', '10.0.0.0/8', '08:00:2b:01:02:03', '1010', '101', '<a/>', 12.34,
  '{"b": 1.0,  "a": [1, {"c": null}]}', '{"b": 1.0, "a": [1, {"c": null}]}', '$.a[*]',
  '(1,2)', '[(0,0),(1,1)]', '(1,1),(0,0)', '((0,0),(1,1))', '((0,0),(1,1),(1,0))', '{1,2,3}', '<(0,0),5>',
  '[1,5)', '(,1.5]', '[2026-01-01,)', '{[1,3),[5,7)}', 'a:1 b:2', 'a & b', 42, 'pg_class',
  'ok', '(1,"q""x")', 5, '{"(1,x)","(2,)"}',
  '{1,NULL,3}', '{"a b",NULL,"c\"d"}', ARRAY['{"a":1}', '[2]', '"s"', 'null']::jsonb[], '{"(1,x)",NULL}', '{sad,ok}', '{{1,2},{3,4}}',
  '{infinity,2026-11-21 12:00+00}', '{1.50,NaN}', DEFAULT, 'quoted');
INSERT INTO everything (id, f4, f8, n, d, ts, tz, ia, ta, ia2, j, jb, t, i4r, pr) VALUES (3,
  'NaN', 'Infinity', '-Infinity', 'infinity', '-infinity', 'infinity', '{}', '[0:1]={a,b}', '{}', '"scalar"', '3', '', 'empty', '(,)');
INSERT INTO everything (id, f4, f8, n, d, ts, tz, j, jb, ta) VALUES (4,
  '-0', '-Infinity', 'NaN', '0044-03-15 BC', '0044-03-15 BC', '294276-12-31 00:00+00', '[]', 'null', '{NULL}');
INSERT INTO everything (id, t, j, jb) SELECT 5, string_agg(md5(i::text), ''), json_agg(i), jsonb_agg(i) FROM generate_series(1, 5000) i;
UPDATE everything SET t = 'changed' WHERE id = 5;

-- The newest capture of each row against the row as it is; nothing differs.
SELECT id, differs.key, differs.value AS captured, to_jsonb(e) -> differs.key AS expected
  FROM everything e
  JOIN LATERAL (SELECT payload FROM pgpubsub.notifications n WHERE (n.payload #>> '{new,id}')::integer = e.id
                 ORDER BY n.id DESC LIMIT 1) n ON true
  JOIN LATERAL jsonb_each(n.payload -> 'new') differs ON differs.value IS DISTINCT FROM to_jsonb(e) -> differs.key
 ORDER BY 1, 2;
SELECT e.id, n.payload -> 'new' = to_jsonb(e) AS same, (SELECT count(*) FROM jsonb_object_keys(n.payload -> 'new')) AS columns
  FROM everything e JOIN pgpubsub.notifications n
    ON n.payload ->> 'op' = 'insert' AND (n.payload #>> '{new,id}')::integer = e.id WHERE e.id < 5 ORDER BY 1;
-- Numbers keep their digits, and the text is the same to the letter.
SELECT n.payload #>> '{new}' = to_jsonb(e)::text AS same_text
  FROM everything e JOIN pgpubsub.notifications n
    ON n.payload ->> 'op' = 'insert' AND (n.payload #>> '{new,id}')::integer = e.id WHERE e.id = 2;

-- Times of one second with their fractions, on both sides of the year 2000, in one time zone and then in another.
CREATE TABLE seconds (zone text, times timestamptz[]);
SELECT pgpubsub.attach('seconds', 'seconds');
CREATE FUNCTION insert_seconds() RETURNS TABLE (zone text, same boolean) LANGUAGE sql AS $$
  INSERT INTO seconds SELECT current_setting('timezone'), array_agg(second + fraction * interval '1 microsecond')
    FROM unnest('{2026-11-21 12:34:56+00, 1999-12-31 23:59:59+00, 2000-01-01 00:00+00, 12026-07-01 00:00+00, 0044-03-15 00:00+00 BC}'::timestamptz[]) second,
         unnest('{0,1,10,100000,123450,999999}'::integer[]) fraction;
  SELECT zone, payload -> 'new' = to_jsonb(s) FROM pgpubsub.take('seconds', 1), seconds s WHERE zone = current_setting('timezone');
$$;
SELECT * FROM insert_seconds();
SET timezone = 'Asia/Kathmandu';
SELECT * FROM insert_seconds();
SET timezone = 'America/St_Johns';
DROP TABLE seconds;
DROP FUNCTION insert_seconds();

-- A cast to json is used, from the moment it exists to the moment it goes.
CREATE TABLE moods (m mood);
SELECT pgpubsub.attach('moods', 'moods');
INSERT INTO moods VALUES ('ok');
CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT json_build_object('mood', $1::text) $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
INSERT INTO moods VALUES ('ok');
SELECT to_jsonb(moods) FROM moods LIMIT 1;
DROP CAST (mood AS json);
INSERT INTO moods VALUES ('ok');
SELECT payload -> 'new' AS new FROM pgpubsub.take('moods', 10);

-- Columns that come, go, and change their type and name in mid-session.
CREATE TABLE moving (a integer);
SELECT pgpubsub.attach('moving', 'moving');
INSERT INTO moving VALUES (1);
ALTER TABLE moving ADD COLUMN b text DEFAULT 'default';
UPDATE moving SET a = 2;
ALTER TABLE moving RENAME COLUMN a TO "A";
ALTER TABLE moving ALTER COLUMN "A" TYPE text;
INSERT INTO moving VALUES ('text', 'x');
ALTER TABLE moving DROP COLUMN "A";
INSERT INTO moving VALUES ('last');
ALTER TABLE moving RENAME TO moved;
CREATE SCHEMA elsewhere;
ALTER TABLE moved SET SCHEMA elsewhere;
INSERT INTO elsewhere.moved VALUES ('moved');
SELECT payload - 'context' AS payload FROM pgpubsub.take('moving', 10);

-- A composite type that changes in mid-session, and a cast to json that captures another row and changes types while a row
-- is being captured.
CREATE TYPE part AS (a integer, b text);
CREATE TABLE parts (m mood, p part, ps part[], t text);
SELECT pgpubsub.attach('parts', 'parts');
INSERT INTO parts VALUES ('ok', '(1,x)', '{"(2,y)"}', 'first');
ALTER TYPE part ADD ATTRIBUTE c numeric;
ALTER TYPE part RENAME ATTRIBUTE a TO "longer name";
INSERT INTO parts VALUES ('ok', '(1,x,1.50)', '{"(2,y,)"}', 'second');
CREATE FUNCTION busy_json(mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
  IF $1 = 'ok' THEN
    INSERT INTO parts (m, p, t) VALUES ('sad', '(4,z,)', 'inside');
    ALTER TYPE part ADD ATTRIBUTE d integer;
  END IF;
  RETURN json_build_object('mood', $1::text);
END $$;
CREATE CAST (mood AS json) WITH FUNCTION busy_json(mood);
INSERT INTO parts VALUES ('ok', '(1,x,1.50)', '{"(2,y,)"}', 'third');
DROP CAST (mood AS json);
DROP FUNCTION busy_json(mood);
INSERT INTO parts VALUES ('ok', '(1,x,1.50,5)', '{"(2,y,,)"}', 'fourth');
SELECT payload -> 'new' AS new FROM pgpubsub.take('parts', 10);
DROP TABLE parts;
DROP TYPE part;

DROP TABLE everything, moods, elsewhere.moved;
DROP SCHEMA elsewhere;
DROP FUNCTION mood_json(mood);
DROP TYPE mood, positive, pairs, pair;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
