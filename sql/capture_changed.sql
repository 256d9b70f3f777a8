-- What counts as a changed value: for "columns" IS DISTINCT FROM by the type's own equality and the column's collation, and where a type
-- has none, the bytes; for payload "changed" the bytes, since 1.0 and 1.00 are not the same to who reads them.
CREATE COLLATION no_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN document AS json;
CREATE TYPE pair AS (a integer, b text);
CREATE TYPE loose_pair AS (a integer, b json);
SELECT pgpubsub.create_channel('columns'), pgpubsub.create_channel('changed');

-- A row is changed from the one value to the other: was it captured, and is it in the payload?
CREATE FUNCTION probe(type text, old_value text, new_value text, OUT captured boolean, OUT old jsonb, OUT new jsonb) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE probe (id integer PRIMARY KEY, other text, v %s)', type);
  PERFORM pgpubsub.attach('probe', 'columns', '{update}', columns => '{v}'), pgpubsub.attach('probe', 'changed', '{update}', payload => 'changed');
  EXECUTE format('INSERT INTO probe VALUES (1, %L, %L)', 'same', old_value);
  EXECUTE format('UPDATE probe SET v = %L', new_value);
  SELECT count(*) > 0 INTO captured FROM pgpubsub.take('columns', 10);
  SELECT t.payload -> 'old', t.payload -> 'new' INTO old, new FROM pgpubsub.take('changed', 10) t;
  DROP TABLE probe;
END $$;
SELECT type, old_value, new_value, p.* FROM (VALUES
    ('integer', '1', '2'), ('integer', '1', '1'), ('integer', NULL, '1'), ('integer', '1', NULL), ('integer', NULL, NULL),
    ('numeric', '1.0', '1.00'), ('numeric', 'NaN', 'NaN'), ('numeric', '1e-20', '0'), ('float8', '0', '-0'), ('float8', 'NaN', 'NaN'), ('float4', '1', '1.0000001'),
    ('text', 'a', 'A'), ('text', 'a', 'a '), ('text', '', NULL), ('varchar(3)', 'a', 'a'), ('char(3)', 'a', 'a  '), ('name', 'a', 'b'), ('"char"', 'a', 'b'),
    ('text COLLATE no_case', 'a', 'A'), ('text COLLATE no_case', 'a', 'b'), ('text COLLATE "C"', 'a', 'b'),
    ('boolean', 't', 'f'), ('bytea', '\x00', '\x0000'), ('uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    ('date', 'infinity', 'infinity'), ('timestamptz', '2026-01-01 00:00+00', '2026-01-01 01:00+01'), ('interval', '1 day', '24:00'), ('interval', '1 day', '25:00'),
    ('inet', '10.0.0.1/8', '10.0.0.1'), ('bit varying', '1', '10'), ('money', '1', '1.00'),
    ('jsonb', '{"a": 1, "b": null}', '{"b":null,"a":1.0}'), ('jsonb', '{"a": 1}', '{"a": 2}'),
    ('integer[]', '{1,2}', '{1,2}'), ('integer[]', '{1,2}', '{2,1}'), ('integer[]', '{1,NULL}', '{1,NULL}'), ('text[]', '{a}', '[0:0]={a}'),
    ('int4range', '[1,2)', '[1,1]'), ('int4multirange', '{[1,2)}', '{[1,3)}'), ('tsvector', 'a:1', 'a:2'), ('pair', '(1,a)', '(1,a)'), ('pair', '(1,a)', '(1,)'), ('pair[]', '{"(1,a)"}', '{"(2,a)"}')
  ) v(type, old_value, new_value) CROSS JOIN LATERAL probe(type, old_value, new_value) p;
-- types without an equality of their own, those for which "=" is of the area, and what is made of them
SELECT type, old_value, new_value, p.captured, (p.new - 'id') AS new FROM (VALUES
    ('json', '{"a":1}', '{"a":1}'), ('json', '{"a":1}', '{"a": 1}'), ('json', '1', NULL), ('json', 'null', NULL), ('document', '[1]', '[2]'), ('document', '[1]', '[1]'),
    ('json[]', '{1,2}', '{1,2}'), ('json[]', '{1,2}', '{1,3}'), ('document[]', '{1}', '{2}'), ('loose_pair', '(1,2)', '(1,3)'), ('loose_pair', '(1,2)', '(1,2)'),
    ('loose_pair[]', '{"(1,2)"}', '{"(1,3)"}'), ('xml', '<a/>', '<a/>'), ('xml', '<a/>', '<b/>'), ('jsonpath', '$.a', '$.b'), ('jsonpath', '$.a', '$.a'),
    ('point', '(1,2)', '(1,2)'), ('point', '(1,2)', '(1,3)'), ('box', '(1,1),(0,0)', '(2,2),(1,1)'), ('circle', '<(0,0),1>', '<(1,1),1>'), ('circle', '<(0,0),1>', '<(0,0),1>'),
    ('lseg', '[(0,0),(1,1)]', '[(1,1),(2,2)]'), ('path', '((0,0),(1,1))', '((0,0),(1,2))'), ('polygon', '((0,0),(1,1))', '((0,0),(1,1))'), ('xid', '1', '2')
  ) v(type, old_value, new_value) CROSS JOIN LATERAL probe(type, old_value, new_value) p;

-- large values, stored apart: the same, another of the same size, one that differs at its end; and one that is stored in another way
CREATE TABLE large (id integer PRIMARY KEY, v text, j json, other integer DEFAULT 0);
ALTER TABLE large ALTER COLUMN v SET STORAGE EXTERNAL;
SELECT pgpubsub.attach('large', 'columns', columns => '{v,j}'), pgpubsub.attach('large', 'changed', payload => 'changed');
CREATE FUNCTION change_large() RETURNS void LANGUAGE sql AS $$
  UPDATE large SET other = other + 1;
  UPDATE large SET v = v || '', j = (j::text)::json;
  UPDATE large SET v = repeat('y', 100000);
  UPDATE large SET v = repeat('y', 99999) || 'z';
  UPDATE large SET j = (replace(j::text, '9999', '9998'))::json;
  UPDATE large SET v = NULL; $$;
CREATE VIEW captured_large AS
  SELECT channel, (SELECT string_agg(key || CASE jsonb_typeof(value) WHEN 'null' THEN ' null' WHEN 'number' THEN ' ' || (value #>> '{}') ELSE ' of ' || length(value::text) END, ', ' ORDER BY key)
                     FROM jsonb_each(payload -> 'new')) AS new
    FROM (SELECT 'columns' AS channel, id, payload FROM pgpubsub.take('columns', 100) UNION ALL SELECT 'changed', id, payload FROM pgpubsub.take('changed', 100)) c ORDER BY channel, c.id;
INSERT INTO large SELECT 1, repeat('x', 100000), json_agg(i) FROM generate_series(1, 9999) i;
SELECT change_large();
TABLE captured_large;
SELECT pgpubsub.attach('large', 'columns', columns => '{v,j}', granularity => 'row'), pgpubsub.attach('large', 'changed', payload => 'changed', granularity => 'row');
TRUNCATE large;
INSERT INTO large SELECT 1, repeat('x', 100000), json_agg(i) FROM generate_series(1, 9999) i;
SELECT change_large();
TABLE captured_large;
DROP VIEW captured_large;
DROP TABLE large;
DROP FUNCTION change_large;

-- "changed" of a table without a key: nothing but what changed; with a key of several columns: all of them
CREATE TABLE keyless (a integer, b integer, c integer);
SELECT pgpubsub.attach('keyless', 'changed', payload => 'changed');
INSERT INTO keyless VALUES (1, 2, 3);
UPDATE keyless SET c = 4, b = NULL;
UPDATE keyless SET a = 1;
DELETE FROM keyless;
SELECT payload - 'context' - 'schema' - 'table' AS payload FROM pgpubsub.take('changed', 10) t ORDER BY t.id;
ALTER TABLE keyless ADD PRIMARY KEY (c, a);
INSERT INTO keyless VALUES (1, 2, 3);
UPDATE keyless SET b = 9;
UPDATE keyless SET c = 9;
SELECT payload - 'context' - 'schema' - 'table' AS payload FROM pgpubsub.take('changed', 10) t ORDER BY t.id;
DROP TABLE keyless;

-- generated columns, and names that need quotes
CREATE SCHEMA "Odd ""schema""";
CREATE TABLE "Odd ""schema"""."old.new_rows" ("select" integer PRIMARY KEY, "NEW" text, "we""ird" integer, "old" integer GENERATED ALWAYS AS ("we""ird" / 10) STORED, new_rows text);
SELECT pgpubsub.attach('"Odd ""schema"""."old.new_rows"', 'columns', columns => '{old,NEW}', condition => $$NEW."NEW" IS DISTINCT FROM 'no' AND NEW."we""ird" <> 13$$,
                       payload_columns => '{"select","NEW","we\"ird","old"}', key_columns => '{"we\"ird","select"}');
SELECT columns, condition, payload_columns, key_columns FROM pgpubsub.attachments;
INSERT INTO "Odd ""schema"""."old.new_rows" VALUES (1, 'a', 1), (2, 'no', 2), (3, 'c', 13);
UPDATE "Odd ""schema"""."old.new_rows" SET "we""ird" = "we""ird" + 1;          -- only the one whose generated column changes
UPDATE "Odd ""schema"""."old.new_rows" SET "we""ird" = 20;
SELECT payload - 'context' AS payload, key FROM pgpubsub.take('columns', 10) t ORDER BY t.id;
DROP TABLE "Odd ""schema"""."old.new_rows";
DROP SCHEMA "Odd ""schema""";

-- the text of a key of every kind
CREATE TABLE keys (bytes bytea, float float8, document jsonb, list integer[], pair pair, flag boolean, moment timestamptz, amount numeric, string text, range int4range);
CREATE FUNCTION keys_by(column_name text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
  PERFORM pgpubsub.attach('keys', 'columns', key_columns => ARRAY[column_name], payload => 'key');
  INSERT INTO keys VALUES ('\x01ff', 1.5, '{"z": [1, null]}', '{1,NULL}', '(1,a)', true, '2026-01-01 00:00+00', 1.50, E'te"xt\\', '[1,2)'),
    ('', 'NaN', '[]', '{}', '(,)', false, 'infinity', 'NaN', '', 'empty'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
  RETURN QUERY SELECT coalesce(key, 'no key') FROM pgpubsub.take('columns', 10) t ORDER BY t.id;
END $$;
SET timezone = 'UTC';
SELECT attname, k.* FROM pg_attribute, LATERAL keys_by(attname) k WHERE attrelid = 'keys'::regclass AND attnum > 0 ORDER BY attnum;
RESET timezone;
DROP TABLE keys;
DROP FUNCTION keys_by, probe;
DROP TYPE pair, loose_pair, document;
DROP COLLATION no_case;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
