-- The owner of a lease: the session that claimed it, or extended it last. When that is gone, recover() ends the lease. Where the library
-- is preloaded the worker may be faster; a session that only seems to be gone (an owner that was never there) stays within a transaction here,
-- which the worker does not see.
SELECT pgpubsub.create_channel('jobs', max_attempts => 2), pgpubsub.create_channel('more'), pgpubsub.create_channel('o', ordered => true);
SELECT pgpubsub.subscribe('jobs', 'second');
CREATE VIEW queue AS SELECT channel, subscription, payload, state, attempts FROM pgpubsub.notifications ORDER BY channel, subscription, id;
CREATE VIEW consumers AS
  SELECT channel, subscription, pid = pg_backend_pid() AS this_session, alive, leases, expired, state, application_name = current_setting('application_name') AS this_application,
         first_lease_end > clock_timestamp() AS first_ends_later, last_lease_end >= first_lease_end AS last_is_last, oldest_created_at <= clock_timestamp() AS created
    FROM pgpubsub.stat_consumers ORDER BY channel, subscription, alive;
-- what the sessions that were here before had is released, by recover() or by the worker
CREATE PROCEDURE wait_until_released() LANGUAGE plpgsql AS $$
DECLARE
  deadline timestamptz := clock_timestamp() + interval '1 minute';
BEGIN
  LOOP
    PERFORM pgpubsub.recover();
    COMMIT;
    EXIT WHEN NOT EXISTS (SELECT FROM pgpubsub.notification WHERE lease_token IS NOT NULL);
    IF clock_timestamp() > deadline THEN RAISE 'not released'; END IF;
    PERFORM pg_sleep(0.01);
  END LOOP;
END $$;

-- as long as the session is there, so is its lease
SHOW pgpubsub.lease_scope;
SELECT count(pgpubsub.publish(c, to_jsonb(i), key => 'k')) FROM unnest('{jobs,more,o}'::text[]) c, generate_series(1, 3) i;
SELECT payload, receipt FROM pgpubsub.claim('jobs', 1, '1 hour') \gset mine_
SELECT payload FROM pgpubsub.claim('jobs', 1, '2 hours');
SELECT payload FROM pgpubsub.claim('o', 3, '1 hour');
SELECT payload, receipt FROM pgpubsub.claim('more', 1, '1 hour') \gset acked_
SELECT pgpubsub.ack(ARRAY[:'acked_receipt']) AS acked;
SELECT pgpubsub.recover() AS recovered;
TABLE consumers;
TABLE queue;
SELECT lease_token IS NOT NULL AS leased, count(*), count(lease_owner) AS owners FROM pgpubsub.notification GROUP BY 1 ORDER BY 1;

-- then they are ready again, with the attempt counted, and the receipts are stale
\c
CALL wait_until_released();
TABLE consumers;
TABLE queue;
SELECT pgpubsub.ack(ARRAY[:'mine_receipt']) AS acked, pgpubsub.extend(ARRAY[:'mine_receipt']) AS extended;
-- in order
SELECT payload, attempts FROM pgpubsub.take('o', 10);
SELECT payload, attempts FROM pgpubsub.take('jobs', 10, 'second');

-- attempts that are used up
SELECT payload, attempts FROM pgpubsub.claim('jobs', 2, '1 hour');
\c
CALL wait_until_released();
TABLE queue;
SELECT payload, attempts, last_error FROM pgpubsub.dead_letters ORDER BY id;

-- what gives a lease back leaves no owner
SELECT pgpubsub.purge_channel('jobs') + pgpubsub.purge_channel('more') AS purged;
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 2) i;
SELECT pgpubsub.release(ARRAY[receipt]) AS released FROM pgpubsub.claim('jobs', 1);
SELECT pgpubsub.nack(ARRAY[receipt], '0') AS nacked FROM pgpubsub.claim('jobs', 1);
SELECT count(*), count(lease_owner) FILTER (WHERE lease_token IS NOT NULL) AS owners FROM pgpubsub.notification;
TABLE consumers;

-- lease_scope = time: nobody owns it; the receipt is good in any session, and only time ends it
SET pgpubsub.lease_scope = 'forever';
SET pgpubsub.lease_scope = 'time';
SELECT receipt FROM pgpubsub.claim('jobs', 1, '1 hour', 'second') \gset unowned_
TABLE consumers;
\c
SELECT pgpubsub.recover() AS recovered;
TABLE consumers;
-- who extends it becomes the owner, or again nobody
SELECT pgpubsub.extend(ARRAY[:'unowned_receipt'], '2 hours') AS extended;
TABLE consumers;
SET pgpubsub.lease_scope = 'time';
SELECT pgpubsub.extend(ARRAY[:'unowned_receipt'], '2 hours') AS extended;
TABLE consumers;
RESET pgpubsub.lease_scope;
SELECT pgpubsub.ack(ARRAY[:'unowned_receipt']) AS acked;

-- one channel, or all that the caller may consume, and no others
SELECT count(pgpubsub.publish(c, '"lost"')) FROM unnest('{jobs,more}'::text[]) c;
CREATE ROLE regress_pgpubsub_consumer;
SELECT pgpubsub.grant_channel('more', 'regress_pgpubsub_consumer', 'consume');
SELECT pgpubsub.purge_channel('jobs', 'default') > 0 AS purged;
BEGIN;
SELECT count(*) FROM pgpubsub.claim('jobs', 10, '1 hour', 'second');
SELECT count(*) FROM pgpubsub.claim('more', 10, '1 hour');
UPDATE pgpubsub.notification SET lease_owner = 1 WHERE lease_token IS NOT NULL;
SELECT channel, subscription, pid, alive, leases, state FROM pgpubsub.stat_consumers ORDER BY channel;
SAVEPOINT s;
SELECT pgpubsub.recover('jobs') AS recovered;
TABLE queue;
ROLLBACK TO s;
SET ROLE regress_pgpubsub_consumer;
SELECT channel, subscription, pid, alive, leases FROM pgpubsub.stat_consumers;
SELECT pgpubsub.recover() AS recovered;
RESET ROLE;
TABLE queue;
ROLLBACK TO s;
-- in chunks
CALL pgpubsub.recover(NULL, 1);
TABLE queue;
ROLLBACK;
-- a lease whose time is over is left to claims
BEGIN;
SELECT count(*) FROM pgpubsub.claim('more', 10, '1 microsecond');
UPDATE pgpubsub.notification SET lease_owner = 1 WHERE lease_token IS NOT NULL;
SELECT alive, leases, expired FROM pgpubsub.stat_consumers;
SELECT pgpubsub.recover() AS recovered;
ROLLBACK;
-- who has the process id, but is not the session, is not taken for it
BEGIN;
SELECT count(*) FROM pgpubsub.claim('more', 10, '1 hour');
UPDATE pgpubsub.notification SET lease_owner = lease_owner # (1::bigint << 40) WHERE lease_token IS NOT NULL;
SELECT pid = pg_backend_pid() AS this_pid, alive, state FROM pgpubsub.stat_consumers;
SELECT pgpubsub.recover() AS recovered;
ROLLBACK;

-- who may see it
CREATE ROLE regress_pgpubsub_nobody;
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_nobody;
SET ROLE regress_pgpubsub_nobody;
SELECT * FROM pgpubsub.stat_consumers;
SELECT * FROM pgpubsub.stat_leases();
RESET ROLE;

DROP PROCEDURE wait_until_released;
DROP VIEW queue, consumers;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_consumer, regress_pgpubsub_nobody;
DROP ROLE regress_pgpubsub_consumer, regress_pgpubsub_nobody;
