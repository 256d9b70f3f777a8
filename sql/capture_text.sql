-- A few bytes may stand for a text that is longer than the server can make one. What would make the payload's text so long is left out of it.
CREATE TABLE wide (id int PRIMARY KEY, n numeric[], j jsonb, many jsonb[], r float8[]);
SELECT pgpubsub.create_channel('wide');
SELECT pgpubsub.attach('wide', 'wide') IS NOT NULL AS attached;
-- Of 100,001 characters each.
CREATE TEMP TABLE numbers AS SELECT to_jsonb(1e100000) AS v FROM generate_series(1, 1);
INSERT INTO numbers SELECT v FROM numbers, generate_series(2, 20000);
INSERT INTO wide (id, n) SELECT 1, array_fill(1e100000, '{20000}');
INSERT INTO wide (id, j) SELECT 2, jsonb_agg(v) FROM numbers;
INSERT INTO wide (id, many) SELECT 3, array_fill(to_jsonb(1e100000), '{20000}');
INSERT INTO wide (id, j) SELECT 4, jsonb_build_object('a', (SELECT jsonb_agg(v) FROM numbers), 'b', 1);
-- No longer than it may be.
INSERT INTO wide (id, n, j, many, r) SELECT 5, array_fill(1e10000, '{100}'), (SELECT jsonb_agg(1e10000) FROM generate_series(1, 100)),
    array_fill(to_jsonb(1e10000), '{100}'), array_fill(1e308::float8, '{10000}');
INSERT INTO wide (id, j) SELECT 6, to_jsonb(repeat(e'\x01', 100000));
WITH taken AS (SELECT payload, payload -> 'new' AS new FROM pgpubsub.take('wide', 10))
SELECT new -> 'id' AS id, payload -> 'truncated' AS truncated, jsonb_typeof(new -> 'j') AS j, parts.*
FROM taken, LATERAL (
    SELECT count(*) FILTER (WHERE part = 'null') BETWEEN 1 AND count(*) - 1 AS some_are_null, bool_and(part <> 'null') AS all_are_there
    FROM jsonb_each(new) AS member, jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END) AS part) parts
ORDER BY id;
-- Who has it as text can read it.
INSERT INTO wide (id, n) SELECT 7, array_fill(1e100000, '{10}');
SELECT length(payload::text) > 1000000 AS whole, payload ? 'truncated' AS truncated FROM pgpubsub.take('wide');
DROP TABLE wide;
SELECT pgpubsub.drop_channel('wide');
