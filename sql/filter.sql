-- Filters: a consumer gets only what contains a given jsonb, in the payload, the context of a captured change included.
SELECT pgpubsub.create_channel('jobs', backoff_jitter => 0);
SELECT count(pgpubsub.publish('jobs', jsonb_build_object('tenant', t, 'n', n), priority => n % 2))
  FROM (SELECT n, ('{a,b}'::text[])[n % 3] AS t FROM generate_series(1, 12) n) s;
SELECT payload ->> 'tenant' AS tenant, string_agg(payload ->> 'n', ' ' ORDER BY id) FROM pgpubsub.notifications GROUP BY 1 ORDER BY 1;

-- take and claim: in the usual order, as many as asked for if there are so many; the others stay
SELECT payload, priority FROM pgpubsub.take('jobs', 2, filter => '{"tenant": "a"}');
SELECT payload, priority FROM pgpubsub.claim('jobs', 10, filter => '{"tenant": "b"}');
SELECT payload FROM pgpubsub.take('jobs', 10, filter => '{"tenant": "b"}');
SELECT payload FROM pgpubsub.take('jobs', 10, filter => '{"tenant": "c"}');
SELECT payload FROM pgpubsub.take('jobs', 10, filter => '{"tenant": null}');
SELECT payload FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.purge_channel('jobs') AS purged;
-- what waits for its time is no different
SELECT count(pgpubsub.publish('jobs', to_jsonb(t), deliver_at => now() + interval '1 hour')) FROM unnest('{a,b}'::text[]) t;
UPDATE pgpubsub.notification SET due_at = now();
SELECT payload FROM pgpubsub.take('jobs', 10, filter => '"b"');
SELECT pgpubsub.purge_channel('jobs') AS purged;

-- containment is that of jsonb's @>: members, elements, nested; '{}' and null restrict nothing that is an object
SELECT count(pgpubsub.publish('jobs', p)) FROM unnest(ARRAY['{"a": {"b": [1, 2]}}', '[1, {"x": 2}]', '7', 'null', '{}']::jsonb[]) p;
CREATE FUNCTION matching(filter jsonb) RETURNS text LANGUAGE plpgsql AS $$ DECLARE result text; BEGIN
  BEGIN
    SELECT string_agg(payload::text, ', ') INTO result FROM pgpubsub.take('jobs', 10, filter => matching.filter);
    RAISE EXCEPTION SQLSTATE 'UNDO1';
  EXCEPTION WHEN SQLSTATE 'UNDO1' THEN NULL; END;
  RETURN result;
END $$;
SELECT f AS filter, matching(f),
       matching(f) IS NOT DISTINCT FROM (SELECT string_agg(payload::text, ', ' ORDER BY id) FROM pgpubsub.notifications WHERE f IS NULL OR payload @> f) AS same
  FROM unnest(ARRAY['{"a": {"b": [2]}}', '{"a": {}}', '[1]', '[{"x": 2}]', '1', '7', 'null', '{}', '[]', NULL]::jsonb[]) f;
-- next_due() asks the same
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.publish('jobs', '{"tenant": "a"}') IS NOT NULL AS published;
SELECT pgpubsub.next_due('jobs', filter => '{"tenant": "a"}') < now() AS a, pgpubsub.next_due('jobs', filter => '{"tenant": "b"}') AS b;
DROP FUNCTION matching;

-- an attempt is only counted for what matches, and only that dies
SELECT pgpubsub.alter_channel('jobs', max_attempts => 1);
UPDATE pgpubsub.notification SET attempts = 1;
SELECT count(*) FROM pgpubsub.claim('jobs', filter => '{"tenant": "b"}');
SELECT count(*) FROM pgpubsub.dead_letters;
SELECT count(*) FROM pgpubsub.claim('jobs', filter => '{"tenant": "a"}');
SELECT count(*) FROM pgpubsub.dead_letters;

-- the context of a captured change is in its payload
CREATE TABLE t (x integer);
SELECT pgpubsub.attach('t', 'jobs');
SET pgpubsub.notification_context = '{"tenant": "a"}';
INSERT INTO t VALUES (1);
SET pgpubsub.notification_context = '{"tenant": "b"}';
INSERT INTO t VALUES (2);
RESET pgpubsub.notification_context;
SELECT payload #> '{new,x}' AS x FROM pgpubsub.take('jobs', 10, filter => '{"context": {"tenant": "b"}}');
SELECT payload #> '{new,x}' AS x FROM pgpubsub.take('jobs', 10, filter => '{"op": "insert", "new": {"x": 1}}');

-- a subscription's own filter decides what is stored for it, when it is published
SELECT pgpubsub.subscribe('jobs', 'b', filter => '{"tenant": "b"}');
SELECT count(pgpubsub.publish('jobs', jsonb_build_object('tenant', t))) FROM unnest('{a,b}'::text[]) t;
SELECT array_length(pgpubsub.publish_batch('jobs', '{"{\"tenant\": \"a\"}","{\"tenant\": \"b\"}"}'), 1) AS ids;
SELECT subscription, payload FROM pgpubsub.notifications ORDER BY id, subscription;
SELECT pgpubsub.alter_channel('jobs', subscription => 'b', filter => '{"tenant": "c"}');
SELECT count(*) AS as_before FROM pgpubsub.notifications WHERE subscription = 'b';
SELECT pgpubsub.publish('jobs', '{"tenant": "b"}') IS NOT NULL AS published;
SELECT count(*) AS as_before FROM pgpubsub.notifications WHERE subscription = 'b';
-- both filters
SELECT payload FROM pgpubsub.take('jobs', 10, 'b', '{"tenant": "c"}');
SELECT payload FROM pgpubsub.take('jobs', 10, 'b', '{"tenant": "b"}');
-- the default one may have one, too
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.alter_channel('jobs', filter => '{"tenant": "a"}');
SELECT count(pgpubsub.publish('jobs', jsonb_build_object('tenant', t))) FROM unnest('{a,b,c}'::text[]) t;
SELECT subscription, payload FROM pgpubsub.notifications ORDER BY id;
SELECT pgpubsub.alter_channel('jobs', filter => '{}');
SELECT filter FROM pgpubsub.subscriptions ORDER BY subscription;
-- captured changes go the same way
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.alter_channel('jobs', subscription => 'b', filter => '{"context": {"tenant": "b"}}');
INSERT INTO t VALUES (3);
SET pgpubsub.notification_context = '{"tenant": "b", "more": 1}';
INSERT INTO t VALUES (4);
RESET pgpubsub.notification_context;
SELECT subscription, payload #> '{new,x}' AS x FROM pgpubsub.notifications ORDER BY id, subscription;
-- a large filter
SELECT pgpubsub.alter_channel('jobs', subscription => 'b', filter => to_jsonb(repeat('x', 100000)));
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.publish('jobs', to_jsonb(repeat('x', 100000))) IS NOT NULL, pgpubsub.publish('jobs', to_jsonb(repeat('x', 100001))) IS NOT NULL;
SELECT count(*) FROM pgpubsub.take('jobs', 10, 'b', to_jsonb(repeat('x', 100000)));
SELECT count(*) FROM pgpubsub.take('jobs', 10, 'b');

DROP TABLE t;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
