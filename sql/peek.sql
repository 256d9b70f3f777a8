-- peek() and get(): what is stored, without taking it.
SELECT pgpubsub.create_channel('shop');
SELECT pgpubsub.subscribe('shop', 'audit');
SELECT count(pgpubsub.publish('shop', jsonb_build_object('i', i), key => 'k' || i, priority => i % 3)) FROM generate_series(1, 6) i;
SELECT pgpubsub.publish('shop', '{"i": 7}', deliver_at => now() + interval '1 hour', dedup_key => 'd') AS delayed_id \gset
SELECT min(id) - 1 AS before FROM pgpubsub.notifications WHERE channel = 'shop' \gset

-- In the order of ids, whatever the priority, as the view has it.
SELECT id - :before AS id, payload, key, priority, attempts, subscription, state, due_at IS NOT NULL AS waits, dedup_key FROM pgpubsub.peek('shop');
SELECT count(*) AS differ FROM
    ((SELECT * FROM pgpubsub.peek('shop') UNION ALL SELECT * FROM pgpubsub.peek('shop', 'audit')) EXCEPT SELECT * FROM pgpubsub.notifications) d;

-- Each state, in each subscription by itself.
SELECT receipt AS leased FROM pgpubsub.claim('shop', lease => '1 hour') \gset
SELECT receipt AS retried FROM pgpubsub.claim('shop') \gset
SELECT pgpubsub.nack(ARRAY[:'retried'], '1 hour', error => 'not now');
SELECT receipt AS given_back FROM pgpubsub.claim('shop') \gset
SELECT pgpubsub.release(ARRAY[:'given_back']);
SELECT count(*) FROM pgpubsub.claim('shop', lease => '1 microsecond');      -- over at once
SELECT id - :before AS id, state, attempts, last_error FROM pgpubsub.peek('shop');
SELECT s AS state, ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', state => s)) AS ids
  FROM unnest(ARRAY['ready', 'delayed', 'leased', 'retrying']) s;
SELECT s AS state, ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', 'audit', s)) AS ids
  FROM unnest(ARRAY['ready', 'delayed', 'leased', 'retrying']) s;

-- Pages
SELECT ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', max_count => 3)) AS one,
       ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', after_id => :before + 3, max_count => 3)) AS two,
       ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', after_id => :before + 6, max_count => 3)) AS three,
       ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', after_id => :before + 7, max_count => 3)) AS four;
SELECT ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', state => 'ready', after_id => :before + 2, max_count => 1)) AS ready,
       ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', filter => '{"i": 5}')) AS filtered,
       ARRAY(SELECT id - :before FROM pgpubsub.peek('shop', filter => '{"j": 5}')) AS none,
       (SELECT count(*) FROM pgpubsub.peek('shop', max_count => 9223372036854775807)) AS all;

-- By id: once for each subscription; of a dead letter too.
SELECT channel, payload, subscription, state, attempts, dedup_key FROM pgpubsub.get(:delayed_id) ORDER BY subscription;
SELECT count(*) AS differ FROM
    (SELECT * FROM pgpubsub.notifications EXCEPT
     SELECT g.* FROM (SELECT DISTINCT id FROM pgpubsub.notifications) n, pgpubsub.get(n.id) g) d;
SELECT pgpubsub.nack(ARRAY[:'leased'], error => 'broken', reject => true);
SELECT id - :before AS id, payload, subscription, state, attempts, due_at, last_error FROM pgpubsub.get(split_part(:'leased', '-', 1)::bigint) ORDER BY subscription;
SELECT count(*) FROM pgpubsub.get(:before);
SELECT count(*) FROM pgpubsub.get(NULL);

-- Nothing was taken by all that, a read-only transaction will do, and what is not committed is seen as everywhere.
BEGIN;
SELECT pgpubsub.publish('shop', '{"i": 8}') > 0 AS published;
SELECT payload FROM pgpubsub.peek('shop', after_id => :delayed_id);
SELECT count(*) FROM pgpubsub.take('shop', 100);
SELECT count(*) FROM pgpubsub.peek('shop');
ROLLBACK;
BEGIN READ ONLY ISOLATION LEVEL SERIALIZABLE;
SELECT count(*) FROM pgpubsub.peek('shop');
SELECT count(*) FROM pgpubsub.get(:delayed_id);
COMMIT;

-- Arguments
SELECT * FROM pgpubsub.peek('nothing');
SELECT * FROM pgpubsub.peek('shop', 'nothing');
SELECT * FROM pgpubsub.peek('shop', state => 'dead');
SELECT * FROM pgpubsub.peek('shop', max_count => 0);
SELECT * FROM pgpubsub.peek('shop', max_count => NULL);
SELECT * FROM pgpubsub.peek(NULL);
SELECT pgpubsub.create_channel('radio', 'broadcast');
SELECT * FROM pgpubsub.peek('radio');

-- Rights: peek() for whoever may consume; get() shows a publisher what has become of it, and nothing of what is in it.
CREATE ROLE regress_pgpubsub_reader;
CREATE ROLE regress_pgpubsub_writer;
CREATE ROLE regress_pgpubsub_other;
SELECT pgpubsub.create_channel('other');
SELECT pgpubsub.grant_channel('shop', 'regress_pgpubsub_reader', 'consume'), pgpubsub.grant_channel('shop', 'regress_pgpubsub_writer', 'publish'),
       pgpubsub.grant_channel('other', 'regress_pgpubsub_other', 'consume');
SELECT split_part(:'leased', '-', 1)::bigint AS dead_id \gset
SET ROLE regress_pgpubsub_reader;
SELECT count(*) FROM pgpubsub.peek('shop');
SELECT payload, state FROM pgpubsub.get(:delayed_id) WHERE subscription = 'default';
SET ROLE regress_pgpubsub_writer;
SELECT count(*) FROM pgpubsub.peek('shop');
SELECT id - :before AS id, channel, payload, key, headers, created_at IS NOT NULL AS created, deliver_at IS NOT NULL AS delivers, subscription, state, due_at IS NOT NULL AS waits, dedup_key, last_error
  FROM pgpubsub.get(:delayed_id) ORDER BY subscription;
SELECT payload, key, state, last_error FROM pgpubsub.get(:dead_id) WHERE subscription = 'default';
SET ROLE regress_pgpubsub_other;
SELECT count(*) FROM pgpubsub.get(:delayed_id);
SELECT count(*) FROM pgpubsub.peek('shop');
RESET ROLE;

-- How much is read does not depend on how much is stored.
SELECT pgpubsub.create_channel('long');
SELECT cardinality(pgpubsub.publish_batch('long', array_agg(to_jsonb(i)), priority => p))
  FROM generate_series(0, 3) p, generate_series(p * 25000 + 1, (p + 1) * 25000) i GROUP BY p ORDER BY p;
SELECT cardinality(pgpubsub.publish_batch('long', array_agg(to_jsonb(i)), deliver_at => now() + interval '1 hour')) FROM generate_series(100001, 150000) i;
SELECT count(*) FROM pgpubsub.claim('long', 10000, '1 hour');
SELECT id AS middle FROM pgpubsub.peek('long', max_count => 1, filter => '50000') \gset
CREATE FUNCTION pg_temp.buffers(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) ' || query INTO plan;
    RETURN (plan -> 0 -> 'Plan' ->> 'Shared Hit Blocks')::bigint + (plan -> 0 -> 'Plan' ->> 'Shared Read Blocks')::bigint;
END $$;
SELECT query, pg_temp.buffers(query) BETWEEN 1 AND 400 AS reads_little
  FROM (VALUES ($$SELECT FROM pgpubsub.peek('long')$$),
               ($$SELECT FROM pgpubsub.peek('long', state => 'ready')$$),
               ($$SELECT FROM pgpubsub.peek('long', state => 'delayed')$$),
               ($$SELECT FROM pgpubsub.peek('long', state => 'leased')$$)) v(query);
SELECT pg_temp.buffers(format($$SELECT FROM pgpubsub.peek('long', after_id => %s)$$, :middle)) BETWEEN 1 AND 400 AS a_page_in_the_middle,
       pg_temp.buffers(format($$SELECT FROM pgpubsub.get(%s)$$, :middle)) BETWEEN 1 AND 300 AS one_by_id,
       pg_temp.buffers(format($$SELECT FROM pgpubsub.notifications WHERE id = %s$$, :middle)) > 1000 AS the_view_reads_all;

-- Many priorities, far apart.
SELECT pgpubsub.create_channel('steep');
SELECT count(pgpubsub.publish('steep', to_jsonb(p), priority => p)) FROM unnest(ARRAY[32767, 5, -32768, 0, -1, 32766, -32767]) p;
SELECT payload, priority FROM pgpubsub.peek('steep');
SELECT payload FROM pgpubsub.peek('steep', max_count => 2);
SELECT g.payload FROM pgpubsub.peek('steep') p, pgpubsub.get(p.id) g ORDER BY g.id;

-- The index of what waits is right.
CREATE EXTENSION amcheck;
SELECT bt_index_check('pgpubsub.notification_waiting', heapallindexed => true);
DROP EXTENSION amcheck;
SELECT pgpubsub.drop_channel(name) FROM pgpubsub.channels WHERE name IN ('shop', 'radio', 'other', 'long', 'steep');
DROP OWNED BY regress_pgpubsub_reader, regress_pgpubsub_writer, regress_pgpubsub_other;
DROP ROLE regress_pgpubsub_reader, regress_pgpubsub_writer, regress_pgpubsub_other;
