-- Broadcast channels: nothing is stored for consumers; who listens gets an envelope, or, where that is too large for NOTIFY, a
-- reference to one that is kept for a time. (What listeners receive: test/t/broadcast.pl.)
SELECT pgpubsub.create_channel('news', 'broadcast');
SELECT name, kind, ordered, retention FROM pgpubsub.channels;
SELECT count(*) AS subscriptions FROM pgpubsub.subscriptions;
CREATE VIEW kept AS SELECT count(*) FROM pgpubsub.broadcast;

-- a small one is not stored, and identical ones are two
SELECT pgpubsub.publish('news', '1') < pgpubsub.publish('news', '1') AS two;
TABLE kept;
SELECT count(*) FROM pgpubsub.notification;
-- a large one is kept, and its reader gets all there was to it
SET pgpubsub.db_version = 7;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000)), key => 'k', headers => '{"h": [1]}') AS id \gset
RESET pgpubsub.db_version;
TABLE kept;
SELECT e - 'payload' - 'id' - 'created_at' AS envelope, e -> 'id' = to_jsonb(:id) AS same_id, e -> 'payload' = to_jsonb(repeat('x', 8000)) AS same,
       (e ->> 'created_at')::timestamptz BETWEEN now() - interval '1 min' AND now() AS just_now
  FROM pgpubsub.read_broadcast('news', :id) e;
-- what is not there, or not in that channel
SELECT pgpubsub.create_channel('other', 'broadcast');
SELECT pgpubsub.read_broadcast('news', 0) IS NULL AS none, pgpubsub.read_broadcast('other', :id) IS NULL AS not_there;
-- members that were not given are not there
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) AS id \gset
SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(pgpubsub.read_broadcast('news', :id)) k;
SELECT pgpubsub.purge_channel('news') AS purged;

-- NOTIFY takes 7999 bytes: the envelope of that size goes with it, one of 8000 is kept. (Bytes, not characters. In one transaction, all
-- else in the envelopes has the same size, the time included.)
SELECT setval('pgpubsub.notification_id_seq', 1000000) \gset
BEGIN;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 9000))) AS id \gset
SELECT 7999 - octet_length((pgpubsub.read_broadcast('news', :id) || '{"payload": ""}')::text) AS room \gset
SELECT pgpubsub.purge_channel('news') AS purged;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', :room))) IS NOT NULL AS published;
TABLE kept;
SELECT pgpubsub.publish('news', to_jsonb(repeat('é', :room / 2))) IS NOT NULL AS published;
TABLE kept;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', :room + 1))) AS id \gset
SELECT octet_length(pgpubsub.read_broadcast('news', :id)::text);
SELECT pgpubsub.publish('news', to_jsonb(repeat('é', :room / 2 + 1))) IS NOT NULL AS published;
TABLE kept;
-- what escapes make longer counts as long as it is; an array of numbers is shorter as text than it is stored
SELECT pgpubsub.publish('news', to_jsonb(repeat(E'\n', :room / 2 + 1))) IS NOT NULL AS published;
TABLE kept;
SELECT pgpubsub.publish('news', jsonb_agg(1)) IS NOT NULL AS published FROM generate_series(1, :room / 3);
TABLE kept;
COMMIT;
SELECT pgpubsub.purge_channel('news') AS purged;
-- far too large to be turned into text
SELECT pgpubsub.publish('news', jsonb_build_object('x', repeat('x', 50000000))) AS id \gset
SELECT length(pgpubsub.read_broadcast('news', :id) #>> '{payload,x}');

-- retention: then it is gone for readers, and swept by the next ones and by recover()
SELECT pgpubsub.purge_channel('news') AS purged;
SELECT pgpubsub.alter_channel('news', retention => '1 day');
SELECT max(pgpubsub.publish('news', to_jsonb(repeat('x', 8000)))) AS id FROM generate_series(1, 20) \gset
SELECT DISTINCT expires_at > now() + interval '23 hours' AS for_a_day, expires_at < now() + interval '25 hours' AS not_longer FROM pgpubsub.broadcast;
SELECT pgpubsub.read_broadcast('news', :id) IS NOT NULL AS there;
UPDATE pgpubsub.broadcast SET expires_at = now();
SELECT pgpubsub.read_broadcast('news', :id) IS NOT NULL AS there;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) IS NOT NULL AS published;
SELECT count(*) < 20 AS fewer FROM pgpubsub.broadcast;
SELECT pgpubsub.recover('news') IS NOT NULL AS recovered;
TABLE kept;
SELECT pgpubsub.alter_channel('news', retention => '1 microsecond');
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) AS id \gset
SELECT pgpubsub.read_broadcast('news', :id) IS NOT NULL AS there;
SELECT pgpubsub.alter_channel('news', retention => '170000000 years');
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) AS id \gset
SELECT pgpubsub.read_broadcast('news', :id) IS NOT NULL AS there;
SELECT pgpubsub.alter_channel('news', retention => '1 hour');

-- what rolls back is not kept
SELECT pgpubsub.purge_channel('news') IS NOT NULL AS purged;
BEGIN;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) IS NOT NULL AS published;
ROLLBACK;
TABLE kept;
-- purge removes what is kept of one channel, drop too
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) IS NOT NULL, pgpubsub.publish('other', to_jsonb(repeat('x', 8000))) IS NOT NULL;
SELECT pgpubsub.purge_channel('news') AS purged;
SELECT pgpubsub.drop_channel('other');
TABLE kept;

-- a batch
SELECT array_length(pgpubsub.publish_batch('news', ARRAY['1', to_jsonb(repeat('x', 8000)), '3'], keys => '{a,b,c}'), 1) AS ids;
SELECT envelope ->> 'key' AS key FROM pgpubsub.broadcast;
-- captured changes: whatever their size, the INSERT goes through
SELECT pgpubsub.purge_channel('news') AS purged;
CREATE TABLE t (x integer, y text);
SELECT pgpubsub.attach('t', 'news');
INSERT INTO t VALUES (1, 'small'), (2, repeat('x', 10000));
TABLE kept;
SELECT envelope #> '{payload,op}' AS op, envelope #> '{payload,new,x}' AS x, length(envelope #>> '{payload,new,y}') AS y FROM pgpubsub.broadcast;
DROP TABLE t;

-- what a broadcast channel is not for
SELECT * FROM pgpubsub.take('news');
SELECT * FROM pgpubsub.claim('news');
SELECT pgpubsub.next_due('news');
SELECT pgpubsub.redrive('news');
SELECT pgpubsub.purge_dead_letters('news');
SELECT pgpubsub.pause_channel('news');
SELECT pgpubsub.resume_channel('news');
SELECT pgpubsub.publish('news', '1', deliver_at => now());
SELECT pgpubsub.publish('news', '1', priority => 1);
SELECT pgpubsub.publish('news', '1', dedup_key => 'a');
SELECT pgpubsub.publish_batch('news', '{}', deliver_at => now());
-- nor a queue channel
SELECT pgpubsub.create_channel('queue');
SELECT pgpubsub.read_broadcast('queue', 1);
SELECT pgpubsub.read_broadcast('news', NULL);
SELECT pgpubsub.read_broadcast('nowhere', 1);
-- a second one of the name
SELECT pgpubsub.create_channel('news', 'broadcast', if_not_exists => true);
SELECT pgpubsub.create_channel('news', if_not_exists => true);
SELECT pgpubsub.create_channel('queue', 'broadcast', if_not_exists => true);

-- who may publish, who may read
CREATE ROLE regress_pgpubsub_publisher;
CREATE ROLE regress_pgpubsub_consumer;
SELECT pgpubsub.grant_channel('news', 'regress_pgpubsub_publisher', 'publish'), pgpubsub.grant_channel('queue', 'regress_pgpubsub_publisher', 'consume'),
       pgpubsub.grant_channel('news', 'regress_pgpubsub_consumer', 'consume'), pgpubsub.grant_channel('queue', 'regress_pgpubsub_consumer', 'publish');
SELECT pgpubsub.purge_channel('news') AS purged;
SET ROLE regress_pgpubsub_publisher;
SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 8000))) AS id \gset
SELECT pgpubsub.read_broadcast('news', :id);
SET ROLE regress_pgpubsub_consumer;
SELECT length(pgpubsub.read_broadcast('news', :id) ->> 'payload');
SELECT pgpubsub.publish('news', '1');
SELECT pgpubsub.recover() AS recovered;
SELECT pgpubsub.purge_channel('news');
SELECT * FROM pgpubsub.broadcast;
RESET ROLE;

DROP VIEW kept;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
SELECT count(*) AS left_over FROM pgpubsub.broadcast;
DROP OWNED BY regress_pgpubsub_publisher, regress_pgpubsub_consumer;
DROP ROLE regress_pgpubsub_publisher, regress_pgpubsub_consumer;
