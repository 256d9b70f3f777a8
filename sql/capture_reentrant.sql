-- Other code that runs while a change is captured: it may change the same table, the types, the channel and its subscriptions.
CREATE FUNCTION captured(channel text) RETURNS TABLE (op text, old jsonb, new jsonb) LANGUAGE sql AS $$
  SELECT payload ->> 'op', nullif(payload -> 'old', 'null'), nullif(payload -> 'new', 'null') FROM pgpubsub.take(channel, 1000) t ORDER BY t.id $$;

-- An equality that changes the table, which the equality of rows and of arrays calls: in a condition, and for "columns"
CREATE TYPE hot AS (v integer);
CREATE TABLE log (path text, t text);
CREATE TABLE measured (id integer PRIMARY KEY, h hot, hs hot[], n integer DEFAULT 0);
CREATE FUNCTION hot_eq(hot, hot) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.log VALUES (current_setting('search_path'), '=');
  IF pg_trigger_depth() < 3 THEN
    UPDATE public.measured SET n = n + 1 WHERE id = 2;
    ALTER TYPE public.hot_side ADD ATTRIBUTE x integer;
    ALTER TYPE public.hot_side DROP ATTRIBUTE x;
  END IF;
  RETURN $1.v OPERATOR(pg_catalog.=) $2.v; END $$;
CREATE TYPE hot_side AS (y integer);
CREATE FUNCTION hot_cmp(hot, hot) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.v - $2.v';
CREATE FUNCTION hot_lt(hot, hot) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.v < $2.v';
CREATE FUNCTION hot_le(hot, hot) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.v <= $2.v';
CREATE FUNCTION hot_ge(hot, hot) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.v >= $2.v';
CREATE FUNCTION hot_gt(hot, hot) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1.v > $2.v';
CREATE OPERATOR = (LEFTARG = hot, RIGHTARG = hot, FUNCTION = hot_eq);
CREATE OPERATOR < (LEFTARG = hot, RIGHTARG = hot, FUNCTION = hot_lt);
CREATE OPERATOR <= (LEFTARG = hot, RIGHTARG = hot, FUNCTION = hot_le);
CREATE OPERATOR >= (LEFTARG = hot, RIGHTARG = hot, FUNCTION = hot_ge);
CREATE OPERATOR > (LEFTARG = hot, RIGHTARG = hot, FUNCTION = hot_gt);
CREATE OPERATOR CLASS hot_ops DEFAULT FOR TYPE hot USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 hot_cmp(hot, hot);
CREATE TYPE box2 AS (h hot, t text);
ALTER TABLE measured ADD b box2, ADD bs box2[];
CREATE FUNCTION try(condition text, columns text[], granularity text) RETURNS TABLE (captured bigint, calls bigint, paths text) LANGUAGE plpgsql AS $$ BEGIN
  TRUNCATE measured, log;
  INSERT INTO measured VALUES (1, '(1)', '{(1)}', 0, '("(1)",a)', '{"(\"(1)\",a)"}'), (2, '(2)', '{(2)}', 0, '("(2)",a)', '{"(\"(2)\",a)"}');
  PERFORM pgpubsub.attach('measured', 'measured', condition => condition, columns => columns, events => '{update}', granularity => granularity);
  UPDATE measured SET h = '(7)', hs = '{(7)}', b = '("(7)",a)', bs = '{"(\"(7)\",a)"}';
  UPDATE measured SET h = '(8)', hs = '{(8)}', b = '("(8)",a)', bs = '{"(\"(8)\",a)"}';
  RETURN QUERY SELECT (SELECT count(*) FROM captured('measured')), (SELECT count(*) FROM log), (SELECT string_agg(DISTINCT path, '; ') FROM log);
END $$;
SET search_path = public, pg_catalog;
SET client_min_messages = warning;
SELECT c, g, calls > 0 AS called, captured > 0 AS captured, paths
  FROM (VALUES ('NEW.h IS DISTINCT FROM OLD.h'), ('NEW.b IS DISTINCT FROM OLD.b'), ('NEW.hs IS DISTINCT FROM OLD.hs'), ('NEW.bs IS DISTINCT FROM OLD.bs'),
               ('NEW.* IS DISTINCT FROM OLD.*'), ('array_position(NEW.hs, (OLD.hs)[1]) IS NULL'), ('(NEW.b).h IS DISTINCT FROM (OLD.b).h'), ('NOT (OLD.hs @> NEW.hs)')) c (c),
       unnest('{statement,row}'::text[]) g, LATERAL try(c, NULL, g);
SELECT c, g, calls > 0 AS called, captured > 0 AS captured, paths
  FROM unnest('{h,b,hs,bs}'::text[]) c, unnest('{statement,row}'::text[]) g, LATERAL try(NULL, ARRAY[c], g);
RESET search_path;
-- a type of PostgreSQL's own that gets an equality later
CREATE TABLE documents (id integer PRIMARY KEY, j json, r json[]);
SELECT pgpubsub.attach('documents', 'documents', columns => '{j,r}', events => '{update}');
INSERT INTO documents VALUES (1, '{}', '{}');
UPDATE documents SET j = '{ }';
SELECT count(*) FROM captured('documents');
TRUNCATE log;
CREATE FUNCTION json_eq(json, json) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  INSERT INTO public.log VALUES (current_setting('search_path'), 'json =');
  UPDATE public.documents SET id = id; RETURN $1::jsonb OPERATOR(pg_catalog.=) $2::jsonb; END $$;
CREATE OPERATOR = (LEFTARG = json, RIGHTARG = json, FUNCTION = json_eq);
CREATE FUNCTION json_hash(json) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE OPERATOR CLASS json_ops DEFAULT FOR TYPE json USING hash AS OPERATOR 1 =, FUNCTION 1 json_hash(json);
UPDATE documents SET j = '{}';
SELECT count(*) FROM captured('documents');
UPDATE documents SET j = '{"a":1}';
SELECT count(*) FROM captured('documents');
SELECT DISTINCT * FROM log;
DROP TABLE documents;
DROP FUNCTION json_eq, json_hash CASCADE;

-- A domain, an output function that is called by a cast, an operator, and a plain function; each changes the table and fails at times
CREATE FUNCTION meddle(v integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
  IF v > 100 THEN RAISE 'too much'; END IF;
  IF v > 0 AND pg_trigger_depth() < 3 THEN
    BEGIN INSERT INTO public.meddled VALUES (1000 + v, 200, 'inner'); EXCEPTION WHEN raise_exception THEN NULL; END;
    UPDATE public.meddled SET v = 0 WHERE id OPERATOR(pg_catalog.=) 1;
  END IF;
  RETURN true; END $$;
CREATE DOMAIN checked AS integer CHECK (meddle(value));
CREATE TABLE meddled (id integer PRIMARY KEY, v integer, t text);
INSERT INTO meddled VALUES (1, 1, 'first');
SELECT pgpubsub.attach('meddled', 'meddled', condition => 'NEW.v::checked IS NOT NULL AND meddle(NEW.v)');
INSERT INTO meddled VALUES (2, 5, 'second'), (3, 6, 'third');
INSERT INTO meddled VALUES (4, 101, 'fails');
UPDATE meddled SET t = t || '!', v = 9 WHERE id = 2;
SELECT op, new ->> 'id' AS id, new ->> 'v' AS v, new ->> 't' AS t FROM captured('meddled');
-- it goes on after it has failed
DO $$ BEGIN FOR i IN 1..3 LOOP BEGIN INSERT INTO meddled VALUES (10, 101, ''); EXCEPTION WHEN raise_exception THEN NULL; END; INSERT INTO meddled VALUES (10 + i, 0, ''); END LOOP; END $$;
SELECT op, new ->> 'id' AS id FROM captured('meddled');

-- A cast to json that takes away what the capture is about to write to
CREATE TYPE mood AS ENUM ('plain', 'unsubscribe', 'subscribe');
CREATE TABLE moods (id integer PRIMARY KEY, m mood);
CREATE FUNCTION mood_json(m mood) RETURNS json LANGUAGE plpgsql AS $$ BEGIN
  IF pg_trigger_depth() > 0 THEN
    CASE m WHEN 'unsubscribe' THEN PERFORM pgpubsub.unsubscribe('moods', 'second');
           WHEN 'subscribe' THEN PERFORM pgpubsub.subscribe('moods', 'second');
           ELSE END CASE;
  END IF;
  RETURN to_json(m::text); END $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
SELECT pgpubsub.create_channel('moods'), pgpubsub.subscribe('moods', 'second');
SELECT pgpubsub.attach('moods', 'moods');
INSERT INTO moods VALUES (1, 'plain'), (2, 'plain'), (3, 'unsubscribe'), (4, 'plain'), (5, 'subscribe'), (6, 'plain');
SELECT subscription, payload #>> '{new,id}' AS id FROM pgpubsub.notifications WHERE channel = 'moods' ORDER BY 1, 2;
SELECT count(*) AS of_nobody FROM pgpubsub.notification n WHERE NOT EXISTS (SELECT FROM pgpubsub.subscription s WHERE s.id = n.subscription_id);
INSERT INTO moods VALUES (7, 'unsubscribe');
INSERT INTO moods SELECT 10 + i, CASE i WHEN 1500 THEN 'subscribe' WHEN 2500 THEN 'unsubscribe' ELSE 'plain' END::mood FROM generate_series(1, 3000) i;
SELECT count(*) AS of_nobody FROM pgpubsub.notification n WHERE NOT EXISTS (SELECT FROM pgpubsub.subscription s WHERE s.id = n.subscription_id);
SELECT subscription, count(*) FROM pgpubsub.notifications WHERE channel = 'moods' GROUP BY 1;

SET client_min_messages = warning;
DROP TABLE measured, log, meddled, moods;
DROP FUNCTION captured, try, meddle CASCADE;
DROP TYPE hot, hot_side, box2 CASCADE;
DROP FUNCTION mood_json CASCADE;
DROP TYPE mood;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
