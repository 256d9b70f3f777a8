-- recover(): after it nothing waits that need not. The function works in one transaction, on at most 10,000; the procedure on
-- all there is, with a commit after each chunk.
SELECT pgpubsub.create_channel('jobs', max_attempts => 2);
SELECT pgpubsub.create_channel('o', ordered => true);
CREATE VIEW queue AS SELECT channel, payload, state, due_at IS NULL AS no_due_at, attempts FROM pgpubsub.notifications ORDER BY id;

-- a lease or a delay that is over stays as it is: claims find it there, and until then the receipt is good
SELECT count(pgpubsub.publish('jobs', to_jsonb(p), deliver_at => d))
  FROM (VALUES ('lease ends', NULL), ('leased', NULL), ('ready', NULL),
               ('due', now() + interval '1 hour'), ('delayed', now() + interval '1 hour')) v(p, d);
SELECT payload, receipt FROM pgpubsub.claim('jobs', 1, '1 microsecond') \gset over_
UPDATE pgpubsub.notification SET due_at = due_at + interval '2 hours' WHERE payload = '"lease ends"';
SELECT payload, receipt FROM pgpubsub.claim('jobs', 1, '1 hour') \gset valid_
\echo :over_payload :valid_payload
UPDATE pgpubsub.notification SET due_at = now() WHERE payload IN ('"lease ends"', '"due"');
SELECT pgpubsub.recover('jobs') AS recovered;
CALL pgpubsub.recover('jobs', 1);
TABLE queue;
SELECT pgpubsub.ack(ARRAY[:'over_receipt']) AS over, pgpubsub.ack(ARRAY[:'valid_receipt']) AS valid;
SELECT payload FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.purge_channel('jobs') AS purged;

-- what has used up its attempts is dead
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 3) i;
SELECT count(*) FROM pgpubsub.claim('jobs', 3, '1 microsecond');
UPDATE pgpubsub.notification SET attempts = 2 WHERE payload = '2';
SELECT pgpubsub.recover('jobs') AS recovered;
TABLE queue;
SELECT payload, attempts, last_error FROM pgpubsub.dead_letters;
SELECT pgpubsub.purge_channel('jobs') AS purged, pgpubsub.purge_dead_letters('jobs') AS purged;

-- every subscription, also a paused one; history and broadcasts are swept
SELECT pgpubsub.subscribe('jobs', 'second', history => '1 hour'), pgpubsub.create_channel('loud', 'broadcast');
SELECT pgpubsub.publish('loud', to_jsonb(repeat('x', 8000))) IS NOT NULL, pgpubsub.publish('jobs', '1') IS NOT NULL, pgpubsub.publish('jobs', '2') IS NOT NULL;
SELECT count(*) FROM pgpubsub.take('jobs', subscription => 'second');
SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 hour', 'second');
SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 hour');
UPDATE pgpubsub.notification SET lease_owner = 1 WHERE lease_token IS NOT NULL;
SELECT pgpubsub.pause_channel('jobs', 'second');
UPDATE pgpubsub.processed SET processed_at = now() - interval '1 day';
UPDATE pgpubsub.broadcast SET expires_at = now();
SELECT pgpubsub.recover() AS recovered;
SELECT subscription, payload, state, due_at IS NULL AS no_due_at FROM pgpubsub.notifications ORDER BY subscription, id;
SELECT (SELECT count(*) FROM pgpubsub.processed) AS processed, (SELECT count(*) FROM pgpubsub.broadcast) AS broadcasts;
SELECT pgpubsub.unsubscribe('jobs', 'second'), pgpubsub.purge_channel('jobs') AS purged;

-- an ordered channel goes on in its order
SELECT count(pgpubsub.publish('o', to_jsonb(i), key => 'k')) FROM generate_series(1, 3) i;
SELECT payload FROM pgpubsub.claim('o', 3, '1 microsecond');
SELECT pgpubsub.recover('o') IS NOT NULL AS recovered;
SELECT payload, attempts FROM pgpubsub.take('o', 3);

-- The function: 10,000 of all channels together. What is ended here are leases of a session that never was.
SELECT pgpubsub.create_channel('more');
SELECT count(pgpubsub.publish('jobs', '1', deliver_at => now() + interval '1 hour')) FROM generate_series(1, 15000);
SELECT count(pgpubsub.publish('more', '1', deliver_at => now() + interval '1 hour')) FROM generate_series(1, 1000);
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = 1, lease_owner = 1;
SELECT pgpubsub.recover() AS recovered;
SELECT pgpubsub.recover() AS recovered;
SELECT pgpubsub.recover() AS recovered;
SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NULL;
SELECT pgpubsub.purge_channel('jobs') + pgpubsub.purge_channel('more') AS purged;

-- The procedure: a transaction for each chunk, so the rows of one chunk have one xmin, and each chunk its own
SELECT count(pgpubsub.publish('jobs', to_jsonb(i), deliver_at => now() + interval '1 hour')) FROM generate_series(1, 10) i;
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = 1, lease_owner = 1;
CALL pgpubsub.recover('jobs', 4);
SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NULL GROUP BY xmin::text::bigint ORDER BY xmin::text::bigint;
-- all channels
SELECT pgpubsub.publish('more', '1', deliver_at => now() + interval '1 hour') IS NOT NULL AS published;
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = 1, lease_owner = 1;
CALL pgpubsub.recover(NULL, 4);
SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NULL GROUP BY subscription_id ORDER BY 1 DESC;
-- in a transaction block it can't commit, and does all the same
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = 1, lease_owner = 1;
BEGIN;
CALL pgpubsub.recover('jobs', 3);
SELECT count(*), count(DISTINCT n.xmin::text) AS transactions FROM pgpubsub.notifications JOIN pgpubsub.notification n USING (id) WHERE channel = 'jobs' AND n.lease_token IS NULL;
ROLLBACK;
SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL;
-- from PL/pgSQL: with its commits in a DO of its own, without them where an exception could be caught
DO $$ DECLARE done bigint; BEGIN
  CALL pgpubsub.recover('jobs', 3, done);
  RAISE NOTICE '%', done;
  ROLLBACK;
END $$;
SELECT count(*), count(DISTINCT xmin::text) AS transactions FROM pgpubsub.notification WHERE lease_token IS NULL;
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = 1, lease_owner = 1;
DO $$ DECLARE done bigint; BEGIN
  BEGIN
    CALL pgpubsub.recover('jobs', 3, done);
    RAISE NOTICE '%', done;
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL; END;
END $$;
SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NULL;
SET default_transaction_isolation = 'repeatable read';
CALL pgpubsub.recover(NULL, 3);
RESET default_transaction_isolation;
SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NULL;
SELECT pgpubsub.purge_channel('jobs') + pgpubsub.purge_channel('more') AS purged;
-- dead letters in chunks, too
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 5) i;
DO $$ BEGIN FOR i IN 1 .. 2 LOOP PERFORM pgpubsub.claim('jobs', 10, '1 microsecond'); END LOOP; END $$;
CALL pgpubsub.recover('jobs', 2);
SELECT count(*), count(DISTINCT xmin::text) AS transactions FROM pgpubsub.dead_letter;
-- and broadcasts
SELECT count(pgpubsub.publish('loud', to_jsonb(repeat('x', 8000)))) FROM generate_series(1, 9);
UPDATE pgpubsub.broadcast SET expires_at = now();
CALL pgpubsub.recover('loud', 2);
SELECT count(*) FROM pgpubsub.broadcast;

-- bad arguments
SELECT pgpubsub.recover('nowhere');
CALL pgpubsub.recover('nowhere', 1);
CALL pgpubsub.recover('jobs', 0);
CALL pgpubsub.recover('jobs', NULL);
BEGIN READ ONLY;
CALL pgpubsub.recover('jobs', 1);
ROLLBACK;

-- who may consume may recover, and only that
CREATE ROLE regress_pgpubsub_publisher;
CREATE ROLE regress_pgpubsub_consumer;
SELECT pgpubsub.grant_channel('jobs', 'regress_pgpubsub_publisher', 'publish'), pgpubsub.grant_channel('more', 'regress_pgpubsub_publisher', 'consume'),
       pgpubsub.grant_channel('jobs', 'regress_pgpubsub_consumer', 'consume');
SELECT pgpubsub.publish(c, '1', deliver_at => now() + interval '1 hour') IS NOT NULL AS published FROM unnest('{jobs,o}'::text[]) c;
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = 1, lease_owner = 1;
SET ROLE regress_pgpubsub_publisher;
SELECT pgpubsub.recover('jobs');
CALL pgpubsub.recover('jobs', 1);
SELECT pgpubsub.recover() AS recovered;
CALL pgpubsub.recover(NULL, 1);
SET ROLE regress_pgpubsub_consumer;
CALL pgpubsub.recover(NULL, 1);
SELECT pgpubsub.recover('jobs') AS recovered;
RESET ROLE;

DROP VIEW queue;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_publisher, regress_pgpubsub_consumer;
DROP ROLE regress_pgpubsub_publisher, regress_pgpubsub_consumer;
