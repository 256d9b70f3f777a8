-- Random tables with random columns and values: what is captured of a row has the very bytes that to_jsonb(row) makes of it.
-- All in a schema of its own.
CREATE SCHEMA random;
SET search_path = random;
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS integer CHECK (value > 0);
CREATE TYPE flat AS (a integer, "a longer name" text, t timestamptz, gone text, f double precision, "é" numeric);
ALTER TYPE flat DROP ATTRIBUTE gone;
CREATE TYPE nested AS (f flat, fs flat[], z jsonb, j json, n integer[]);
CREATE TYPE nothing AS ();
CREATE DOMAIN flat_domain AS flat;
CREATE DOMAIN small AS positive CHECK (value < 100000);
CREATE DOMAIN numbers AS numeric[];
CREATE TYPE mood_range AS RANGE (subtype = mood);
SELECT format('CREATE TYPE wide AS (%s)', string_agg(format('c%s %s', i, (ARRAY['integer', 'text', 'numeric'])[i % 3 + 1]), ', '))
  FROM generate_series(1, 70) i
\gexec
CREATE TABLE samples (type text, value text);
CREATE INDEX ON samples (type);
INSERT INTO samples SELECT type, string_to_table(list, '|') FROM (VALUES
  ('boolean', 't|f'), ('mood', 'sad|ok'), ('positive', '1|2147483647'), ('small', '1|9999|10000'),
  ('smallint', '0|1|-1|9999|10000|-10000|32767|-32768'),
  ('integer', '0|1|-1|9999|10000|10001|-99999999|100000000|2147483647|-2147483648'),
  ('bigint', '0|-1|99999999|100000000|100000001|10000000000000000|9223372036854775807|-9223372036854775808'),
  ('real', '0|-0|1|1.1|-1e-10|1e-45|1.1754944e-38|3.4028235e38|1e20|100000|1e6|0.0001|0.00001|NaN|Infinity|-Infinity'),
  ('double precision', '0|-0|1|0.1|-1e-300|5e-324|2.2250738585072014e-308|1.7976931348623157e308|1e15|1e14|123456789012345680'),
  ('double precision', '0.0001|1e-5|1e-63|1e-64|NaN|Infinity|-Infinity'),
  ('numeric', '0|0.00|-0.0|1|10000|1e-300|-1e300|1e1000|1e-1000|1.50|0.0001|99999999999999999999|NaN|Infinity|-Infinity'),
  ('numeric(5,-2)', '0|12345|-1200|99949'), ('numeric(30,10)', '0|1|-1.5|12345678901234567890'), ('money', '0|12.34|-1234567.89'),
  ('text', E'|a|ab|abc|abcd|"\\\n\t\x01|é漢😀'), ('text', repeat('x', 126) || '|' || repeat('x', 127) || '|' || repeat('é', 700)),
  ('varchar(10)', '|a|  x  '), ('character(5)', '|a|abcde'), ('"char"', '|x'), ('name', '|name'), ('bytea', '|\xdeadbeef00|abc'),
  ('date', '2026-11-21|infinity|-infinity|0044-03-15 BC|5874897-12-31'),
  ('timestamp', '2026-11-21 12:34:56.789|infinity|-infinity|0044-03-15 BC|1999-12-31 23:59:59.999999'),
  ('timestamptz', '2026-11-21 12:34:56.789+02|infinity|-infinity|1890-01-01 00:00+00|294276-12-31 00:00+00|2000-07-01 00:00+00'),
  ('time', '12:34|24:00:00'), ('timetz', '12:34+05:30'), ('interval', '1 year 2 days 03:04:05.6|-1 month|0'),
  ('json', '{"b": 1.10,  "a": [1, {"c": null}], "b": 2}|3|null|"s"|[]|{}|[1,"x",{"é":true}]|1e20'),
  ('jsonb', '{"b": 1.10, "a": [1, {"c": null}]}|3|-0.50|null|true|"s"|""|[]|{}|[[],[{}],"x"]'),
  ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11|00000000-0000-0000-0000-000000000000'), ('oid', '0|4294967295'), ('regclass', 'pg_class|pg_type'),
  ('bit(4)', '1010'), ('varbit', '|101'), ('tsvector', '|a:1A b:2'), ('tsquery', 'a & b'), ('xml', '<a/>|x'),
  ('inet', '192.168.0.1/24|::1'), ('cidr', '10.0.0.0/8'), ('macaddr', '08:00:2b:01:02:03'), ('point', '(1,-2.5)'), ('path', '((0,0),(1,1))'),
  ('int4range', '[1,5)|empty|(,)'), ('numrange', '(,1.5]'), ('tstzrange', '[2026-01-01,infinity]'), ('mood_range', '[sad,ok]'),
  ('int4multirange', '{}|{[1,3),[5,7)}'), ('int2vector', '1 2 3'), ('oidvector', '1 2'), ('jsonpath', '$.a[*]'), ('pg_lsn', '16/B374D848'),
  ('nothing', '()')) t (type, list);
DO $$ BEGIN  -- it brings its own cast to json
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore') THEN
    CREATE EXTENSION hstore;
    INSERT INTO samples VALUES ('hstore', ''), ('hstore', 'a=>1,"b c"=>NULL');
  END IF;
END $$;
-- the same tables each time; another seed makes others
SELECT setseed(0.4) AS "seed: 0.4";
INSERT INTO samples SELECT 'bigint', ((random() - 0.5) * 10 ^ (random() * 18))::bigint FROM generate_series(1, 40);
INSERT INTO samples SELECT 'integer', ((random() - 0.5) * 10 ^ (random() * 9))::integer FROM generate_series(1, 40);
INSERT INTO samples SELECT unnest('{real,double precision,numeric}'::text[]), (random() - 0.5) * 10 ^ (random() * 60 - 30) FROM generate_series(1, 40);
INSERT INTO samples SELECT 'numeric', round((random() * 10 ^ (random() * 20))::numeric, (random() * 30)::integer) FROM generate_series(1, 40);
INSERT INTO samples SELECT 'timestamptz', timestamptz '1900-01-01 UTC' + random() * interval '200 years' FROM generate_series(1, 10);
INSERT INTO samples SELECT 'text', string_agg(md5(random()::text), '') FROM generate_series(1, 80);
INSERT INTO samples SELECT 'jsonb', jsonb_agg(i) FROM generate_series(1, 70) i;
INSERT INTO samples SELECT 'jsonb', jsonb_object_agg(md5(i::text), i) FROM generate_series(1, 40) i;
CREATE FUNCTION sample(type text) RETURNS text LANGUAGE sql
  RETURN (SELECT value FROM samples s WHERE s.type = sample.type ORDER BY random() LIMIT 1);
CREATE FUNCTION composite(parts text[]) RETURNS text LANGUAGE sql
  RETURN '(' || array_to_string(ARRAY(SELECT '"' || replace(replace(part, E'\\', E'\\\\'), '"', '""') || '"' FROM unnest(parts) part), ',', '') || ')';
CREATE FUNCTION array_of(type text, count integer) RETURNS text LANGUAGE plpgsql AS $$ DECLARE result text; BEGIN
  EXECUTE format('SELECT ARRAY(SELECT value::%s FROM samples WHERE type = %L ORDER BY random() LIMIT %s) || NULL::%1$s', type, type, count) INTO result;
  RETURN result;
END $$;
CREATE FUNCTION add_arrays(kinds text[]) RETURNS void LANGUAGE sql AS $$
  INSERT INTO samples SELECT kind || '[]', array_of(kind, count) FROM unnest(kinds) kind, unnest('{1,3,34}'::integer[]) count;
  INSERT INTO samples SELECT kind || '[]', value FROM unnest(kinds) kind, LATERAL (SELECT array_of(kind, 1) AS a) a,
    unnest(ARRAY['{}', '[-1:0]=' || a, '{' || a || ',' || a || '}', '[2:2][0:2][7:8]={{' || a || ',' || a || ',' || a || '}}']) value;
$$;
DO $$ BEGIN
  FOR i IN 1..6 LOOP
    INSERT INTO samples VALUES ('flat', composite(ARRAY[sample('integer'), sample('text'), sample('timestamptz'), sample('double precision'), sample('numeric')])),
      ('wide', composite(ARRAY(SELECT CASE WHEN random() < 0.8 THEN sample((ARRAY['integer', 'text', 'numeric'])[c % 3 + 1]) END FROM generate_series(1, 70) c)));
  END LOOP;
  PERFORM add_arrays(ARRAY(SELECT DISTINCT type FROM samples ORDER BY 1));
  INSERT INTO samples SELECT 'numbers', value FROM samples WHERE type = 'numeric[]';
  INSERT INTO samples SELECT 'flat_domain', value FROM samples WHERE type = 'flat';
  FOR i IN 1..6 LOOP
    INSERT INTO samples VALUES ('nested', composite(ARRAY[sample('flat'), sample('flat[]'), sample('jsonb'), sample('json'), sample('integer[]')]));
  END LOOP;
  PERFORM add_arrays('{nested,numbers,flat_domain}');
END $$;

CREATE FUNCTION sample_or_null(type text) RETURNS text LANGUAGE sql RETURN CASE WHEN random() < 0.8 THEN sample(type) END;
CREATE FUNCTION random_name(number integer) RETURNS text LANGUAGE sql
  RETURN (SELECT left(repeat(part, 60), (random() * 58 / octet_length(part))::integer) || number
            FROM string_to_table('a|Z|_|"| |é|漢|ab', '|') part ORDER BY random() LIMIT 1);
CREATE FUNCTION random_setting() RETURNS text LANGUAGE sql
  RETURN (SELECT set_config(name, value, false) FROM (VALUES ('timezone', 'UTC'), ('timezone', 'Asia/Kolkata'), ('timezone', 'America/St_Johns'),
    ('datestyle', 'SQL, DMY'), ('datestyle', 'ISO, MDY'), ('extra_float_digits', '1'), ('extra_float_digits', '0'), ('extra_float_digits', '-15'),
    ('bytea_output', 'hex'), ('bytea_output', 'escape'), ('intervalstyle', 'iso_8601')) t (name, value) ORDER BY random() LIMIT 1);

-- Takes what was captured and compares it with the rows as they were and are, in the order of their id.
CREATE FUNCTION differences(old jsonb[], new jsonb[]) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE result integer := 0; payload jsonb; member text; captured jsonb; expected jsonb; k text; i integer := 0;
BEGIN
  FOR payload IN SELECT n.payload FROM pgpubsub.take('random', 10) n ORDER BY coalesce(n.payload #> '{new,id}', n.payload #> '{old,id}') LOOP
    i := i + 1;
    FOREACH member IN ARRAY '{old,new}'::text[] LOOP
      captured := payload -> member;
      expected := coalesce(CASE member WHEN 'old' THEN old[i] ELSE new[i] END, 'null');
      CONTINUE WHEN record_image_eq(ROW(captured), ROW(expected)) AND record_image_eq(ROW(payload), ROW(payload::text::jsonb));
      result := result + 1;
      RAISE WARNING '% % of a row differs in its bytes', payload ->> 'op', member USING DETAIL = format(E'%s\ncaptured %s\nexpected %s',
        (SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) FROM pg_attribute
          WHERE attrelid = 'random_table'::regclass AND attnum > 0 AND NOT attisdropped), left(captured::text, 2000), left(expected::text, 2000));
      FOR k IN SELECT jsonb_object_keys(CASE jsonb_typeof(expected) WHEN 'object' THEN expected ELSE '{}' END) LOOP
        IF NOT record_image_eq(ROW(captured -> k), ROW(expected -> k)) THEN
          RAISE WARNING 'column %: captured %, expected %', quote_ident(k), left((captured -> k)::text, 200), left((expected -> k)::text, 200);
        END IF;
      END LOOP;
    END LOOP;
  END LOOP;
  RETURN result + abs(greatest(cardinality(old), cardinality(new)) - i);
END $$;
CREATE FUNCTION rows_as_json() RETURNS jsonb[] LANGUAGE plpgsql AS $$ DECLARE result jsonb[]; BEGIN
  EXECUTE 'SELECT array_agg(j ORDER BY j -> ''id'') FROM (SELECT to_jsonb(r) j FROM random_table r) r' INTO result;
  RETURN result;
END $$;
CREATE FUNCTION random_rows(kinds text[]) RETURNS text LANGUAGE sql
  RETURN (SELECT 'VALUES ' || string_agg(format('(%s, %s)', row, line), ', ')
            FROM (SELECT row, string_agg(quote_nullable(sample_or_null(kind)), ', ') AS line FROM generate_series(1, 3) row, unnest(kinds) kind GROUP BY row) lines);

DO $$
DECLARE all_kinds text[] := ARRAY(SELECT DISTINCT type FROM samples ORDER BY 1);
        kinds text[]; names text[]; before jsonb[]; different integer := 0;
BEGIN
  FOR columns IN 0..70 BY 2 LOOP
    PERFORM random_setting();
    kinds := ARRAY(SELECT all_kinds[1 + floor(random() * cardinality(all_kinds))] FROM generate_series(1, columns));
    names := ARRAY(SELECT random_name(i) FROM generate_series(1, columns) i);
    EXECUTE format('CREATE TABLE random_table (%s)', (SELECT 'id integer, ' || string_agg(format('%I %s', name, kind), ', ') FROM unnest(names, kinds) c (name, kind)));
    PERFORM pgpubsub.attach('random_table', 'random');
    EXECUTE 'INSERT INTO random_table ' || coalesce(random_rows(kinds), 'DEFAULT VALUES');
    before := rows_as_json();
    different := different + differences(NULL, before);
    IF columns > 0 THEN
      EXECUTE format('UPDATE random_table SET %I = %L', names[1], sample_or_null(kinds[1]));
      different := different + differences(before, rows_as_json());
      EXECUTE (SELECT 'ALTER TABLE random_table ' || string_agg(format('DROP COLUMN %I', names[i]), ', ') FROM generate_series(1, columns, 3) i);
    END IF;
    before := rows_as_json();
    DELETE FROM random_table;
    different := different + differences(before, NULL);
    IF columns > 0 THEN
      EXECUTE 'INSERT INTO random_table ' || random_rows(ARRAY(SELECT kinds[i] FROM generate_series(1, columns) i WHERE i % 3 <> 1));
      different := different + differences(NULL, rows_as_json());
    END IF;
    DROP TABLE random_table;
  END LOOP;
  RAISE NOTICE '% rows differ', different;
END $$;
RESET ALL;
SET client_min_messages = warning;
DROP SCHEMA random CASCADE;
SELECT pgpubsub.drop_channel('random');
