-- History: what was processed is kept for a time, if the subscription says so.
SELECT pgpubsub.create_channel('jobs', backoff_base => '0', history => '1 day');
SELECT pgpubsub.create_channel('without');

-- taken and acked, with all they had
SET pgpubsub.db_version = 5;
SELECT pgpubsub.publish('jobs', '"taken"', 'k', '{"h": 1}', '2000-01-01 00:00+00', 3) AS taken, pgpubsub.publish('jobs', '"acked"') AS acked \gset
RESET pgpubsub.db_version;
SELECT payload FROM pgpubsub.take('jobs');
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('jobs');
SELECT id IN (:taken, :acked) AS same_id, channel, subscription, payload, key, headers, deliver_at = '2000-01-01 00:00+00' AS same_time, priority, attempts,
       db_version, processed_at BETWEEN created_at AND clock_timestamp() AS processed_since
  FROM pgpubsub.history ORDER BY id;
-- nothing of a channel without
SELECT pgpubsub.publish('without', '1') IS NOT NULL, pgpubsub.publish('without', '2') IS NOT NULL;
SELECT count(*) FROM pgpubsub.take('without');
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('without');
SELECT count(*) FROM pgpubsub.processed;
-- with the number of the attempt that succeeded
SELECT pgpubsub.publish('jobs', '"third time"') IS NOT NULL AS published;
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('jobs');
SELECT pgpubsub.requeue(array_agg(id)) AS requeued FROM pgpubsub.take('jobs');
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('jobs');
SELECT payload, attempts FROM pgpubsub.history ORDER BY id;

-- what was not processed is not in it: rolled back, released, nacked, put back, rejected, purged
DELETE FROM pgpubsub.processed;
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 3) i;
BEGIN;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT count(*) FROM pgpubsub.history;
ROLLBACK;
SELECT count(*) FROM pgpubsub.history;
SELECT pgpubsub.release(array_agg(receipt)) AS released FROM pgpubsub.claim('jobs', 3);
BEGIN;
SELECT array_agg(id ORDER BY id) AS ids FROM pgpubsub.take('jobs', 3) \gset
SELECT pgpubsub.requeue((:'ids'::bigint[])[1:1], delay => '1 hour') AS requeued, pgpubsub.requeue((:'ids'::bigint[])[2:2], reject => true) AS rejected;
COMMIT;
SELECT payload FROM pgpubsub.history;
SELECT pgpubsub.purge_channel('jobs') AS purged, pgpubsub.purge_dead_letters('jobs') AS purged;
SELECT payload FROM pgpubsub.history;
-- a requeue that was rolled back, and done again
DELETE FROM pgpubsub.processed;
SELECT pgpubsub.publish('jobs', '1') AS id \gset
BEGIN;
SELECT count(*) FROM pgpubsub.take('jobs');
SAVEPOINT s;
SELECT pgpubsub.requeue(ARRAY[:id]) AS requeued;
SELECT count(*) FROM pgpubsub.history;
ROLLBACK TO s;
SELECT count(*) FROM pgpubsub.history;
SELECT pgpubsub.requeue(ARRAY[:id]) AS requeued;
SELECT count(*) FROM pgpubsub.history;
COMMIT;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT attempts FROM pgpubsub.history;
-- also those of an ordered channel that go back with it
SELECT pgpubsub.create_channel('o', ordered => true, history => '1 day');
SELECT count(pgpubsub.publish('o', to_jsonb(i), key => 'k')) FROM generate_series(1, 3) i;
BEGIN;
SELECT (array_agg(id ORDER BY id))[2] AS second FROM pgpubsub.take('o', 3) \gset
SELECT pgpubsub.requeue(ARRAY[:second]) AS requeued;
COMMIT;
SELECT payload FROM pgpubsub.history WHERE channel = 'o';

-- each subscription keeps its own
SELECT pgpubsub.subscribe('jobs', 'audit', history => '1 hour');
SELECT pgpubsub.publish('jobs', '"both"') IS NOT NULL AS published;
SELECT count(*) FROM pgpubsub.take('jobs', subscription => 'audit');
SELECT subscription FROM pgpubsub.history WHERE payload = '"both"';
SELECT pgpubsub.unsubscribe('jobs', 'audit');
SELECT subscription FROM pgpubsub.history WHERE payload = '"both"';

-- for the time that was set: then it is not shown, and the next ones and recover() sweep it out
SELECT pgpubsub.purge_channel('jobs') AS purged;
DELETE FROM pgpubsub.processed;
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 20) i;
SELECT count(*) FROM pgpubsub.take('jobs', 10);
UPDATE pgpubsub.processed SET processed_at = now() - interval '23 hours' WHERE payload IN ('1', '2');
UPDATE pgpubsub.processed SET processed_at = now() - interval '25 hours' WHERE payload NOT IN ('1', '2');
SELECT payload FROM pgpubsub.history ORDER BY id;
SELECT count(*) FROM pgpubsub.processed;
SELECT count(*) FROM pgpubsub.take('jobs', 2);
SELECT count(*) < 10 AS fewer FROM pgpubsub.processed;
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('jobs', 3);
SELECT payload FROM pgpubsub.processed ORDER BY id;
UPDATE pgpubsub.processed SET processed_at = now() - interval '25 hours' WHERE payload IN ('1', '2');
SELECT pgpubsub.recover('jobs') IS NOT NULL AS recovered;
SELECT payload FROM pgpubsub.processed ORDER BY id;
-- the procedure sweeps all there is, however small its chunks
UPDATE pgpubsub.processed SET processed_at = now() - interval '25 hours';
CALL pgpubsub.recover('jobs', 1);
SELECT count(*) FROM pgpubsub.processed;
-- set to a shorter time, or to none: what is there counts as too old
SELECT count(*) FROM pgpubsub.take('jobs', 2);
SELECT pgpubsub.alter_channel('jobs', history => '0');
SELECT count(*) FROM pgpubsub.history;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT pgpubsub.recover('jobs') IS NOT NULL AS recovered;
SELECT count(*) FROM pgpubsub.processed;
-- a time as long as can be: kept for ever, and the view still works
SELECT pgpubsub.alter_channel('jobs', history => '170000000 years');
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT count(*) FROM pgpubsub.history;
SELECT pgpubsub.recover('jobs') IS NOT NULL AS recovered;
SELECT count(*) FROM pgpubsub.history;
-- one so short that it is over before the transaction is
SELECT pgpubsub.alter_channel('jobs', history => '1 microsecond');
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL, pgpubsub.publish('jobs', '2') IS NOT NULL;
BEGIN;
SELECT id FROM pgpubsub.take('jobs') \gset
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id]) AS requeued;
COMMIT;
SELECT count(*) FROM pgpubsub.history;

-- what is large stays whole
DELETE FROM pgpubsub.processed;
SELECT pgpubsub.alter_channel('jobs', history => '1 day'), pgpubsub.purge_channel('jobs') IS NOT NULL AS purged;
SELECT pgpubsub.publish('jobs', to_jsonb(string_agg(md5(i::text), '')), repeat('k', 10000)) IS NOT NULL AS published FROM generate_series(1, 32768) i;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT md5(payload #>> '{}') = (SELECT md5(string_agg(md5(i::text), '')) FROM generate_series(1, 32768) i) AS same, length(key) FROM pgpubsub.history
 WHERE key IS NOT NULL;

-- who may consume sees it
CREATE ROLE regress_pgpubsub_publisher;
CREATE ROLE regress_pgpubsub_consumer;
SELECT pgpubsub.grant_channel('jobs', 'regress_pgpubsub_publisher', 'publish'), pgpubsub.grant_channel('without', 'regress_pgpubsub_publisher', 'consume'),
       pgpubsub.grant_channel('jobs', 'regress_pgpubsub_consumer', 'consume');
SET ROLE regress_pgpubsub_publisher;
SELECT count(*) FROM pgpubsub.history;
SET ROLE regress_pgpubsub_consumer;
SELECT channel, count(*) FROM pgpubsub.history GROUP BY channel;
SELECT count(*) FROM pgpubsub.processed;
RESET ROLE;

SELECT pgpubsub.alter_channel('jobs', history => '-1 s');
-- goes with its channel
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
SELECT count(*) AS left_over FROM pgpubsub.processed;
DROP OWNED BY regress_pgpubsub_publisher, regress_pgpubsub_consumer;
DROP ROLE regress_pgpubsub_publisher, regress_pgpubsub_consumer;
