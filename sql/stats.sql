-- pgpubsub.stat_channels: the numbers of each state, exact where they are small; estimates where they are large; rates.
CREATE VIEW numbers AS
    SELECT channel, subscription, ready, delayed, in_flight, retrying, dead, estimated FROM pgpubsub.stat_channels;
CREATE VIEW rates AS
    SELECT channel, round(published_per_second * 60) AS published, round(processed_per_second * 60) AS processed,
           round(failed_per_second * 60) AS failed
      FROM pgpubsub.stat_channels;
CREATE FUNCTION id_of(channel text) RETURNS integer LANGUAGE sql AS
    'SELECT s.id FROM pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id WHERE c.name = $1';

-- an empty channel; no channel
SELECT * FROM numbers;
SELECT pgpubsub.create_channel('states');
SELECT * FROM numbers;
SELECT channel, oldest_age IS NULL AS nothing_ready FROM pgpubsub.stat_channels;

-- each state: ready; delayed; in flight; retrying; dead
SELECT count(pgpubsub.publish('states', to_jsonb(i))) FROM generate_series(1, 6) i;
SELECT count(pgpubsub.publish('states', to_jsonb(i), deliver_at => now() + interval '1 hour')) FROM generate_series(1, 3) i;
SELECT * FROM numbers;
SELECT count(*) FROM pgpubsub.claim('states', 2, lease => '1 hour');
SELECT * FROM numbers;
SELECT pgpubsub.nack(array_agg(receipt), delay => '1 hour') AS nacked FROM pgpubsub.claim('states');
SELECT * FROM numbers;
INSERT INTO pgpubsub.dead_letter (id, created_at, subscription_id, priority, attempts, payload, died_at)
    SELECT i, now(), id_of('states'), 0, 3, '{}', now() FROM generate_series(1, 4) i;
SELECT * FROM numbers;
-- a delay, a back-off and a lease that are over count as ready
UPDATE pgpubsub.notification SET due_at = now() - interval '1 second' WHERE id IN (
    (SELECT min(id) FROM pgpubsub.notification WHERE lease_token IS NOT NULL),
    (SELECT min(id) FROM pgpubsub.notification WHERE lease_token IS NULL AND due_at IS NOT NULL AND attempts = 0),
    (SELECT min(id) FROM pgpubsub.notification WHERE lease_token IS NULL AND due_at IS NOT NULL AND attempts > 0));
SELECT * FROM numbers;
-- the transaction's own changes are seen, and what it undoes is not
BEGIN;
SELECT count(*) FROM pgpubsub.take('states', 100);
SELECT * FROM numbers;
ROLLBACK;
SELECT * FROM numbers;

-- the age: of the oldest ready row, whatever its priority, and whether it waited for a time or not
CREATE VIEW oldest AS
    SELECT channel, ready, date_trunc('hour', oldest_age) AS age FROM pgpubsub.stat_channels;
DELETE FROM pgpubsub.notification;
SELECT * FROM oldest;
SELECT count(pgpubsub.publish('states', to_jsonb(p), priority => p)) FROM unnest('{3,-2,0,7,7,0}'::integer[]) p;
UPDATE pgpubsub.notification SET created_at = now() - interval '1 minute' - CASE priority WHEN 0 THEN '5 hours' WHEN -2 THEN '3 hours' ELSE '0'::interval END;
SELECT * FROM oldest;
DELETE FROM pgpubsub.notification WHERE priority = 0;
SELECT * FROM oldest;
SELECT pgpubsub.publish('states', '"waits"', deliver_at => now() + interval '1 hour') > 0 AS published;
UPDATE pgpubsub.notification SET created_at = now() - interval '8 hours 1 minute' WHERE due_at IS NOT NULL;
SELECT * FROM oldest;
UPDATE pgpubsub.notification SET due_at = now() WHERE due_at IS NOT NULL;
SELECT * FROM oldest;
-- times that somebody has written by hand
UPDATE pgpubsub.notification SET created_at = 'infinity';
SELECT ready > 0 AS ready, oldest_age FROM pgpubsub.stat_channels;
UPDATE pgpubsub.notification SET created_at = '-infinity', due_at = '-infinity';
SELECT ready > 0 AS ready, oldest_age FROM pgpubsub.stat_channels;
UPDATE pgpubsub.notification SET due_at = 'infinity', deliver_at = 'infinity';
SELECT ready, delayed > 0 AS delayed, oldest_age FROM pgpubsub.stat_channels;
SELECT count(*) FROM pgpubsub.take('states', 100), pgpubsub.recover('states');
SELECT pgpubsub.next_due('states');
SELECT pgpubsub.alter_channel('states', history => '1 hour');
-- What was written by hand goes: claims find what is published, and need not find what is made ready by hand.
SELECT pgpubsub.purge_channel('states') > 0 AS purged;
SELECT count(pgpubsub.publish('states', to_jsonb(i))) FROM generate_series(1, 5) i;
SELECT count(*) > 0 AS taken FROM pgpubsub.take('states', 2);
UPDATE pgpubsub.processed SET processed_at = 'infinity';
SELECT count(*) > 0 AS shown FROM pgpubsub.history;
UPDATE pgpubsub.processed SET processed_at = '-infinity';
SELECT count(*) AS shown FROM pgpubsub.history;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) > 0 AS dead FROM pgpubsub.claim('states');
UPDATE pgpubsub.dead_letter SET died_at = 'infinity';
SELECT pgpubsub.purge_dead_letters('states', older_than => '0') AS none, count(*) > 0 AS shown FROM pgpubsub.dead_letters;
SELECT count(*) > 0 AS claimed FROM pgpubsub.claim('states');
UPDATE pgpubsub.notification SET due_at = 'infinity' WHERE lease_token IS NOT NULL;
SELECT channel, first_lease_end FROM pgpubsub.stat_consumers;
SELECT pgpubsub.drop_channel('states');

-- only who may consume sees a channel, and nobody the tables
CREATE ROLE regress_pgpubsub_stats_both;
CREATE ROLE regress_pgpubsub_stats_publisher;
SELECT pgpubsub.create_channel('one'), pgpubsub.create_channel('two');
SELECT pgpubsub.grant_channel('one', 'regress_pgpubsub_stats_both', 'consume');
SELECT pgpubsub.grant_channel('two', 'regress_pgpubsub_stats_both', 'publish');
SELECT pgpubsub.grant_channel('two', 'regress_pgpubsub_stats_publisher', 'publish');
GRANT SELECT ON pgpubsub.stat_channels TO regress_pgpubsub_stats_publisher;
SET ROLE regress_pgpubsub_stats_both;
SELECT channel, subscription, ready FROM pgpubsub.stat_channels;
SELECT * FROM pgpubsub.stat_count;
SELECT * FROM pgpubsub.dead_letter;
SET ROLE regress_pgpubsub_stats_publisher;
-- which of its functions is refused first is the plan's choice
\set VERBOSITY sqlstate
SELECT channel FROM pgpubsub.stat_channels;
\set VERBOSITY default
RESET ROLE;
SELECT pgpubsub.drop_channel('two'), pgpubsub.drop_channel('one');
DROP OWNED BY regress_pgpubsub_stats_both, regress_pgpubsub_stats_publisher;
DROP ROLE regress_pgpubsub_stats_both, regress_pgpubsub_stats_publisher;

-- The rates. The first transaction of a session that counts something stores it, hence the many sessions.
SELECT pgpubsub.create_channel('counted');
SELECT * FROM rates;
\c -
SELECT count(pgpubsub.publish('counted', to_jsonb(i))) FROM generate_series(1, 100) i;
SELECT * FROM rates;
-- the counts of later transactions wait for a second to pass; they are then stored with the next ones
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
-- take: processed; requeued: failed, and not processed
\c -
BEGIN;
SELECT count(*) FROM pgpubsub.take('counted', 20);
SAVEPOINT s;
SELECT count(pgpubsub.publish('counted', to_jsonb(i))) FROM generate_series(1, 10) i;
RELEASE s;
SELECT pgpubsub.requeue(array_agg(id)) FROM pgpubsub.take('counted', 5);
COMMIT;
SELECT * FROM rates;
-- claim: nothing; ack: processed; nack: failed
\c -
BEGIN;
SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('counted', 7);
SELECT pgpubsub.nack(array_agg(receipt)) FROM pgpubsub.claim('counted', 3);
SELECT pgpubsub.release(array_agg(receipt)) FROM pgpubsub.claim('counted', 2);
COMMIT;
SELECT * FROM rates;
-- what rolls back counts nothing, nor does it store anything
\c -
BEGIN;
SELECT count(*) FROM pgpubsub.take('counted', 20);
ROLLBACK;
SELECT * FROM rates;
-- several subscriptions in one transaction: a row for each
SELECT pgpubsub.create_channel('counted too');
BEGIN;
SELECT count(pgpubsub.publish('counted', to_jsonb(i))), count(pgpubsub.publish('counted too', to_jsonb(i))) FROM generate_series(1, 5) i;
COMMIT;
SELECT * FROM rates ORDER BY channel;
-- what is stored in bulk counts likewise
\c -
SELECT array_length(pgpubsub.publish_batch('counted too', array_fill('1'::jsonb, ARRAY[30])), 1) AS published;
SELECT * FROM rates WHERE channel = 'counted too';
-- what is older than a minute isn't in the rates, and old rows go, a few each time
DELETE FROM pgpubsub.stat_count;
INSERT INTO pgpubsub.stat_count SELECT id_of('counted'), now() - interval '6 minutes', 1000, 1000, 1000 FROM generate_series(1, 20);
INSERT INTO pgpubsub.stat_count VALUES (id_of('counted'), now() - interval '2 minutes', 1000, 1000, 1000);
\c -
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
SELECT count(*) FROM pgpubsub.stat_count;
SELECT * FROM rates WHERE channel = 'counted';
\c -
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
SELECT count(*) FROM pgpubsub.stat_count;

-- a channel that is dropped takes its counts along, stored or not
\c -
SELECT pgpubsub.create_channel('short');
SELECT pgpubsub.publish('short', '1') > 0 AS published;
SELECT count(*) FROM pgpubsub.stat_count WHERE subscription_id = id_of('short');
SELECT id_of('short') AS id \gset
SELECT pgpubsub.drop_channel('short');
SELECT count(*) FROM pgpubsub.stat_count WHERE subscription_id = :id;
\c -
BEGIN;
SELECT pgpubsub.create_channel('short');
SELECT id_of('short') AS id \gset
SELECT pgpubsub.publish('short', '1') > 0 AS published;
SELECT pgpubsub.drop_channel('short');
COMMIT;
SELECT count(*) FROM pgpubsub.stat_count WHERE subscription_id = :id;

-- Storing the counts fails nothing: a read-only transaction stores none,
\c -
BEGIN;
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
SET TRANSACTION READ ONLY;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
COMMIT;
SELECT sum(published) FROM pgpubsub.stat_count WHERE counted_at > now() - interval '1 minute';
-- an index of somebody else's keeps the counts out,
DELETE FROM pgpubsub.stat_count;
CREATE INDEX regress_pgpubsub_stats ON pgpubsub.stat_count (published);
\c -
SELECT pgpubsub.publish('counted too', '1') > 0 AS published;
SELECT count(*) FROM pgpubsub.stat_count;
DROP INDEX pgpubsub.regress_pgpubsub_stats;
-- and the extension may be gone, or a new one be there, when the transaction commits.
\c -
BEGIN;
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
DROP EXTENSION pgpubsub CASCADE;
COMMIT;
CREATE EXTENSION pgpubsub;
\c -
BEGIN;
SELECT pgpubsub.create_channel('gone');
SELECT pgpubsub.publish('gone', '1') > 0 AS published;
DROP EXTENSION pgpubsub;
CREATE EXTENSION pgpubsub;
COMMIT;

-- Estimates: of large numbers, named as such, within 20 %, side by side with small ones.
CREATE VIEW numbers AS
    SELECT channel, subscription, ready, delayed, in_flight, retrying, dead, estimated FROM pgpubsub.stat_channels;
CREATE VIEW real_numbers AS
    SELECT c.name AS channel, count(*) FILTER (WHERE due_at IS NULL OR due_at <= now()) AS ready,
           count(*) FILTER (WHERE due_at > now() AND lease_token IS NULL AND attempts = 0) AS delayed,
           count(*) FILTER (WHERE due_at > now() AND lease_token IS NOT NULL) AS in_flight,
           count(*) FILTER (WHERE due_at > now() AND lease_token IS NULL AND attempts > 0) AS retrying
      FROM pgpubsub.channel c JOIN pgpubsub.subscription s ON s.channel_id = c.id
      JOIN pgpubsub.notification n ON n.subscription_id = s.id GROUP BY c.name;
-- 'exact', 'estimate', or what is wrong
CREATE FUNCTION verdict(counted bigint, really bigint, is_estimate boolean) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN counted = really AND NOT is_estimate THEN 'exact'
                WHEN is_estimate AND abs(counted - really) <= 0.2 * really THEN 'estimate'
                ELSE format('wrong: %s of %s', counted, really) END $$;
CREATE VIEW verdicts AS
    SELECT channel, verdict(n.ready, r.ready, 'ready' = ANY (estimated)) AS ready,
           verdict(n.delayed, r.delayed, 'delayed' = ANY (estimated)) AS delayed,
           verdict(n.in_flight, r.in_flight, 'in_flight' = ANY (estimated)) AS in_flight,
           verdict(n.retrying, r.retrying, 'retrying' = ANY (estimated)) AS retrying
      FROM numbers n JOIN real_numbers r USING (channel) ORDER BY channel COLLATE "C";

SELECT pgpubsub.create_channel(name) FROM unnest('{empty,few,limit,above,many,mixed,waiting}'::text[]) name;
CREATE FUNCTION publish_many(channel text, n integer, delay interval DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
    'SELECT count(pgpubsub.publish(channel, to_jsonb(i), deliver_at => now() + delay, priority => i % 3)) FROM generate_series(1, n) i';
-- in turns, so that the index grows in the middle
SELECT sum(publish_many('many', 40000) + publish_many('above', 6000) + publish_many('few', 4)) FROM generate_series(1, 5);
SELECT publish_many('limit', 10000), publish_many('mixed', 20000);
SELECT publish_many('waiting', 40000, '1 hour') + publish_many('mixed', 200, '1 hour');
-- of 'waiting': some leased, some overdue, a quarter retried
UPDATE pgpubsub.notification SET lease_token = id WHERE subscription_id = id_of('waiting') AND id % 1000 = 0;
UPDATE pgpubsub.notification SET due_at = now() - interval '1 minute' WHERE subscription_id = id_of('waiting') AND id % 400 = 1;
UPDATE pgpubsub.notification SET attempts = 1 WHERE subscription_id = id_of('waiting') AND lease_token IS NULL AND id % 4 = 2;
SELECT * FROM verdicts;
SELECT channel, ready, estimated FROM numbers WHERE channel IN ('few', 'empty', 'limit') ORDER BY 1;
-- one beyond the limit is an estimate
SELECT publish_many('limit', 1);
SELECT v.channel, v.ready, n.estimated FROM verdicts v JOIN numbers n USING (channel) WHERE channel = 'limit';
-- removed rows don't count, whether they are vacuumed yet or not: the oldest of one, random ones of another
SELECT count(*) FROM pgpubsub.take('many', 150000);
DELETE FROM pgpubsub.notification WHERE subscription_id = id_of('mixed') AND hashint8(id) % 3 = 0;
SELECT * FROM verdicts WHERE channel IN ('many', 'mixed', 'above', 'few');
VACUUM pgpubsub.notification;
SELECT * FROM verdicts WHERE channel IN ('many', 'mixed', 'above', 'few');
-- and few that are left are counted again
SELECT count(*) FROM pgpubsub.take('many', 49995);
VACUUM pgpubsub.notification;
SELECT * FROM verdicts WHERE channel = 'many';
SELECT channel, ready, oldest_age IS NOT NULL AS has_age FROM pgpubsub.stat_channels WHERE channel = 'many';
-- all leases of a channel, and more dead letters than are counted
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour', lease_token = id WHERE subscription_id = id_of('above');
INSERT INTO pgpubsub.dead_letter (id, created_at, subscription_id, priority, attempts, payload, died_at)
    SELECT i, now(), id_of('above'), 0, 3, '{}', now() FROM generate_series(1, 30000) i;
VACUUM pgpubsub.notification;
SELECT * FROM verdicts WHERE channel = 'above';
SELECT estimated, dead BETWEEN 24000 AND 36000 AS near FROM numbers WHERE channel = 'above';

DROP EXTENSION pgpubsub CASCADE;
CREATE EXTENSION pgpubsub;
DROP FUNCTION id_of, publish_many, verdict;
