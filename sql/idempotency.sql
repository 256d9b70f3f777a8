-- The key by which an effect outside the database is recognised as a repetition.
SELECT pgpubsub.idempotency_key(42, '2025-12-01 00:00:00.123456+00'), pgpubsub.idempotency_key(1, '1970-01-01 00:00:00+00'),
       pgpubsub.idempotency_key(9223372036854775807, '1969-12-31 23:59:59.999999+00'), pgpubsub.idempotency_key(NULL, now()) IS NULL AS none;
-- the session has no part in it
SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET extra_float_digits = -15; SET lc_numeric = 'C';
SELECT pgpubsub.idempotency_key(42, timestamptz 'epoch' + interval '1764547200.123456 s');
RESET timezone; RESET datestyle; RESET extra_float_digits; RESET lc_numeric;
SELECT pgpubsub.idempotency_key(42, 'infinity');
SELECT provolatile, proparallel, proisstrict FROM pg_proc WHERE oid = 'pgpubsub.idempotency_key'::regproc;

-- it is the same for all copies of a notification, and stays through its whole life
SELECT pgpubsub.create_channel('jobs', max_attempts => 2, history => '1 hour'), pgpubsub.subscribe('jobs', 'audit', history => '1 hour');
SELECT pgpubsub.publish('jobs', '1') AS id \gset
SELECT pgpubsub.idempotency_key(id, created_at) AS key FROM pgpubsub.notifications LIMIT 1 \gset
CREATE VIEW keys AS
  SELECT 'stored' AS place, subscription, pgpubsub.idempotency_key(id, created_at) AS key FROM pgpubsub.notifications UNION ALL
  SELECT 'dead', subscription, pgpubsub.idempotency_key(id, created_at) FROM pgpubsub.dead_letters UNION ALL
  SELECT 'done', subscription, pgpubsub.idempotency_key(id, created_at) FROM pgpubsub.history;
SELECT place, subscription, key = :'key' AS same FROM keys ORDER BY subscription;
SELECT pgpubsub.idempotency_key(id, created_at) = :'key' AS same, attempts, pgpubsub.nack(ARRAY[receipt], '0') AS nacked FROM pgpubsub.claim('jobs');
BEGIN;
SELECT pgpubsub.idempotency_key(id, created_at) = :'key' AS same, attempts FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id]) AS requeued;
COMMIT;
SELECT place, subscription, key = :'key' AS same FROM keys ORDER BY subscription;
SELECT pgpubsub.redrive('jobs') AS redriven;
SELECT pgpubsub.idempotency_key(id, created_at) = :'key' AS same, attempts, pgpubsub.release(ARRAY[receipt]) AS released FROM pgpubsub.claim('jobs');
SELECT pgpubsub.idempotency_key(id, created_at) = :'key' AS same, attempts, pgpubsub.ack(ARRAY[receipt]) AS acked FROM pgpubsub.claim('jobs');
SELECT pgpubsub.idempotency_key(id, created_at) = :'key' AS same FROM pgpubsub.take('jobs', subscription => 'audit');
SELECT place, subscription, key = :'key' AS same FROM keys ORDER BY subscription;
DROP VIEW keys;
SELECT pgpubsub.drop_channel('jobs');
