-- No write fails for what a user makes of the types of a captured table.

-- A cast to json that gives null, one that is told more than the value, and one for many types.
CREATE TYPE nothing AS ENUM ('a', 'b');
CREATE FUNCTION nothing_json(nothing) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN nullif($1::text, 'a')::json; END $$;
CREATE CAST (nothing AS json) WITH FUNCTION nothing_json(nothing);
CREATE TYPE told AS ENUM ('a', 'b');
CREATE FUNCTION told_json(told, integer, boolean) RETURNS json LANGUAGE sql AS $$ SELECT json_build_array($1::text, $2, $3) $$;
CREATE CAST (told AS json) WITH FUNCTION told_json(told, integer, boolean);
CREATE TYPE open AS ENUM ('a', 'b');
CREATE FUNCTION open_json(anyenum) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN to_json(pg_typeof($1)::text || $1); END $$;
CREATE CAST (open AS json) WITH FUNCTION open_json(anyenum);
CREATE TABLE casts (id integer PRIMARY KEY, n nothing, ns nothing[], t told, ts told[], o open, os open[]);
SELECT pgpubsub.attach('casts', 'casts');
SELECT pgpubsub.attach('casts', 'keys', key_columns => '{n,t,o}');
INSERT INTO casts VALUES (1, 'a', '{a,NULL}', 'b', '{a,b}', 'b', '{a,b}');
INSERT INTO casts VALUES (2);
SELECT payload -> 'new' AS new FROM pgpubsub.take('casts', 10);
SELECT key FROM pgpubsub.take('keys', 10);
DROP TABLE casts;
DROP CAST (nothing AS json);
DROP CAST (told AS json);
DROP CAST (open AS json);
DROP FUNCTION nothing_json(nothing), told_json(told, integer, boolean), open_json(anyenum);
DROP TYPE nothing, told, open;

-- An equality that goes, and comes, when a type changes that is a part of the column's type.
CREATE TYPE inside AS (a numeric);
CREATE TYPE outside AS (i inside);
CREATE TYPE span AS RANGE (subtype = inside);
CREATE TABLE compared (id integer PRIMARY KEY, i inside, "is" inside[], o outside, os outside[], s span);
SELECT pgpubsub.attach('compared', c, columns => ARRAY[c]) FROM unnest('{i,is,o,os,s}'::text[]) c;
CREATE FUNCTION captured() RETURNS TABLE (channel text, changes bigint) LANGUAGE sql AS $$
  SELECT c, count(id) FROM unnest('{i,is,o,os,s}'::text[]) c LEFT JOIN LATERAL pgpubsub.take(c, 10) ON true GROUP BY c ORDER BY c $$;
INSERT INTO compared VALUES (1, '(1.0)', '{(1.0)}', '("(1.0)")', '{"(\"(1.0)\")"}', '["(1.0)","(2.0)"]');
SELECT * FROM captured();
-- Equal, though not to the last byte.
UPDATE compared SET i = '(1.00)', "is" = '{(1.00)}', o = '("(1.00)")', os = '{"(\"(1.00)\")"}', s = '["(1.00)","(2.00)"]';
SELECT * FROM captured();
ALTER TYPE inside ADD ATTRIBUTE b json;
UPDATE compared SET i = '(1.00,1)', "is" = '{"(1.00,1)"}', o = '("(1.00,1)")', os = '{"(\"(1.00,1)\")"}';
UPDATE compared SET i = '(1.0,1)', "is" = '{"(1.0,1)"}', o = '("(1.0,1)")', os = '{"(\"(1.0,1)\")"}';
SELECT * FROM captured();
ALTER TYPE inside DROP ATTRIBUTE b;
UPDATE compared SET i = '(1.00)', "is" = '{(1.00)}';
SELECT * FROM captured();
DROP TABLE compared;
DROP FUNCTION captured();
DROP TYPE span, outside, inside;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
