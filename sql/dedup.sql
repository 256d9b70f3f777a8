-- dedup_key: of the notifications with one key, at most one waits that was not handed out yet. (Several sessions at once: the
-- isolation specs.)
SELECT pgpubsub.create_channel('jobs');
SET pgpubsub.max_join_time = '1h';  -- however slow the machine is
CREATE VIEW queue AS SELECT payload, dedup_key, state, attempts FROM pgpubsub.notifications ORDER BY id, subscription;

-- a second publish gives the id of the one that waits, and stores nothing; another key, or none, is another notification
SELECT pgpubsub.publish('jobs', '"first"', key => 'k', headers => '{"h": 1}', dedup_key => 'a') AS a \gset
SELECT pgpubsub.publish('jobs', '"second"', key => 'l', headers => '{"h": 2}', priority => 5, dedup_key => 'a') = :a AS same;
SELECT pgpubsub.publish('jobs', '"other"', dedup_key => 'b') = :a AS same;
SELECT pgpubsub.publish('jobs', '"none"') = :a AS same, pgpubsub.publish('jobs', '"none"') = :a AS same;
SELECT payload, key, headers, priority, dedup_key FROM pgpubsub.notifications ORDER BY id;
-- replace gives it the new payload, and nothing else
SELECT pgpubsub.publish('jobs', '"replaced"', key => 'l', headers => '{"h": 2}', dedup_key => 'a', replace => true) = :a AS same;
SELECT payload, key, headers, dedup_key FROM pgpubsub.notifications WHERE dedup_key = 'a';
SELECT pgpubsub.publish('jobs', '"new"', dedup_key => 'c', replace => true) = :a AS same;
-- the place in the line stays
SELECT payload FROM pgpubsub.take('jobs', 10);
-- gone, it waits no longer
SELECT pgpubsub.publish('jobs', '"again"', dedup_key => 'a') > :a AS new;
SELECT payload FROM pgpubsub.take('jobs', 10);

-- within one statement and one transaction, too
SELECT count(*) AS published, count(DISTINCT id) AS stored
  FROM (SELECT pgpubsub.publish('jobs', to_jsonb(i), dedup_key => (i % 3)::text) AS id FROM generate_series(1, 9) i) p;
BEGIN;
SELECT pgpubsub.publish('jobs', '"x"', dedup_key => '0') IS NOT NULL AS published;
SELECT pgpubsub.publish('jobs', '"y"', dedup_key => '0', replace => true) IS NOT NULL AS published;
SELECT pgpubsub.publish('jobs', '"z"', dedup_key => '0', replace => true) IS NOT NULL AS published;
COMMIT;
TABLE queue;
SELECT pgpubsub.purge_channel('jobs') AS purged;
-- what rolls back leaves the one that was there, or none
SELECT pgpubsub.publish('jobs', '"kept"', dedup_key => 'a') AS a \gset
BEGIN;
SELECT pgpubsub.publish('jobs', '"undone"', dedup_key => 'a', replace => true) = :a AS same;
SELECT pgpubsub.publish('jobs', '"undone"', dedup_key => 'b') IS NOT NULL AS published;
ROLLBACK;
TABLE queue;
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.publish('jobs', '"undone"', dedup_key => 'b') IS NOT NULL AS published;
ROLLBACK TO s;
SELECT pgpubsub.publish('jobs', '"stays"', dedup_key => 'b') IS NOT NULL AS published;
COMMIT;
TABLE queue;
SELECT pgpubsub.purge_channel('jobs') AS purged;

-- one that waits for its time waits
SELECT pgpubsub.publish('jobs', '"later"', deliver_at => now() + interval '1 hour', dedup_key => 'a') AS a \gset
SELECT pgpubsub.publish('jobs', '"now"', dedup_key => 'a') = :a AS same;
TABLE queue;
SELECT pgpubsub.purge_channel('jobs') AS purged;
-- one that was handed out no longer does, whatever becomes of it: for its handler may not have seen what this publish is about
SELECT pgpubsub.publish('jobs', '"leased"', dedup_key => 'a') AS a \gset
SELECT receipt FROM pgpubsub.claim('jobs', lease => '1 hour') \gset
SELECT pgpubsub.publish('jobs', '"during"', dedup_key => 'a') > :a AS new;
SELECT pgpubsub.nack(ARRAY[:'receipt'], delay => '0') AS nacked;
TABLE queue;
SELECT payload FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.publish('jobs', '"released"', dedup_key => 'a') AS a \gset
SELECT pgpubsub.release(array_agg(receipt)) AS released FROM pgpubsub.claim('jobs');
SELECT pgpubsub.publish('jobs', '"after"', dedup_key => 'a') > :a AS new;
SELECT payload FROM pgpubsub.take('jobs', 10);
BEGIN;
SELECT pgpubsub.publish('jobs', '"taken"', dedup_key => 'a') AS a \gset
SELECT pgpubsub.requeue(array_agg(id), delay => '0') AS requeued FROM pgpubsub.take('jobs');
SELECT pgpubsub.publish('jobs', '"after"', dedup_key => 'a') > :a AS new;
COMMIT;
TABLE queue;
SELECT pgpubsub.purge_channel('jobs') AS purged;
-- all of that in one transaction, too
BEGIN;
SELECT pgpubsub.publish('jobs', '1', dedup_key => 'a') AS a \gset
SELECT pgpubsub.publish('jobs', '1', dedup_key => 'a') = :a AS same;
SELECT pgpubsub.release(array_agg(receipt)) AS released FROM pgpubsub.claim('jobs');
SELECT attempts, receipt FROM pgpubsub.claim('jobs', lease => '1 microsecond') \gset late_
SELECT pgpubsub.extend(ARRAY[:'late_receipt'], '1 microsecond') AS extended;
SELECT pgpubsub.nack(array_agg(receipt), delay => '0') AS nacked FROM pgpubsub.claim('jobs');
SELECT payload, attempts FROM pgpubsub.take('jobs', 10);
COMMIT;
-- a take that was rolled back did not happen
SELECT pgpubsub.publish('jobs', '1', dedup_key => 'a') AS a \gset
BEGIN;
SELECT count(*) FROM pgpubsub.take('jobs');
ROLLBACK;
SELECT pgpubsub.publish('jobs', '2', dedup_key => 'a') = :a AS same;
-- nor does a dead letter wait
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('jobs');
SELECT pgpubsub.publish('jobs', '3', dedup_key => 'a') > :a AS new;
SELECT pgpubsub.redrive('jobs') AS redriven;
TABLE queue;
SELECT pgpubsub.purge_channel('jobs') AS purged;

-- each channel has its own keys
SELECT pgpubsub.create_channel('others');
SELECT pgpubsub.publish('jobs', '1', dedup_key => 'a') <> pgpubsub.publish('others', '1', dedup_key => 'a') AS two;
-- and each subscription: where it waits, it stays; where it is done, there is a new one
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.subscribe('jobs', 'second');
SELECT pgpubsub.publish('jobs', '"old"', dedup_key => 'a') AS a \gset
SELECT pgpubsub.publish('jobs', '"new"', dedup_key => 'a') = :a AS same;
SELECT payload FROM pgpubsub.take('jobs', 10, 'second');
SELECT pgpubsub.publish('jobs', '"new"', dedup_key => 'a') > :a AS new;
SELECT subscription, payload FROM pgpubsub.notifications WHERE channel = 'jobs' ORDER BY id;
SELECT pgpubsub.publish('jobs', '"both"', dedup_key => 'a', replace => true) IS NOT NULL AS published;
SELECT subscription, payload FROM pgpubsub.notifications WHERE channel = 'jobs' ORDER BY id;
-- a filter is asked about the new payload
SELECT pgpubsub.alter_channel('jobs', subscription => 'second', filter => '{"to": "second"}');
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.publish('jobs', '{"to": "first"}', dedup_key => 'a') IS NOT NULL AS published;
SELECT pgpubsub.publish('jobs', '{"to": "second"}', dedup_key => 'a') IS NOT NULL AS published;
SELECT subscription, payload FROM pgpubsub.notifications WHERE channel = 'jobs' ORDER BY id;
SELECT pgpubsub.unsubscribe('jobs', 'second'), pgpubsub.purge_channel('jobs') AS purged;

-- keys: any text of up to 1024 bytes
SELECT pgpubsub.publish('jobs', '1', dedup_key => k) = pgpubsub.publish('jobs', '2', dedup_key => k) AS same
  FROM unnest(ARRAY['x', ' ', repeat('é', 512), (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 32) i)]) k;
SELECT pgpubsub.publish('jobs', '1', dedup_key => repeat('é', 512) || 'x');
SELECT pgpubsub.purge_channel('jobs') AS purged;

-- a large payload is replaced whole
SELECT pgpubsub.publish('jobs', to_jsonb(repeat('x', 100000)), dedup_key => 'a') IS NOT NULL AS published;
SELECT pgpubsub.publish('jobs', to_jsonb(string_agg(md5(i::text), '')), dedup_key => 'a', replace => true) IS NOT NULL AS published
  FROM generate_series(1, 10000) i;
SELECT md5(payload #>> '{}') = (SELECT md5(string_agg(md5(i::text), '')) FROM generate_series(1, 10000) i) AS same FROM pgpubsub.take('jobs');

-- bad arguments
SELECT pgpubsub.publish('jobs', '1', replace => true);
SELECT pgpubsub.publish('jobs', '1', dedup_key => 'a', replace => NULL);

-- Beside a DBA's index of a kind that is told of changes within a page (BRIN), the others are not: what is taken later is of
-- the channel that was asked for.
SELECT pgpubsub.purge_channel('jobs') AS purged;
CREATE INDEX own_index ON pgpubsub.notification USING brin ((payload ->> 'x'));
SELECT count(pgpubsub.publish('jobs', '{"x": "1"}', dedup_key => i::text)) FROM generate_series(1, 3) i;
SELECT pgpubsub.publish('jobs', '{"x": "2"}', dedup_key => '3', replace => true) IS NOT NULL AS published;
SELECT count(*) FROM pgpubsub.take('jobs', 3);
VACUUM (INDEX_CLEANUP ON, TRUNCATE OFF) pgpubsub.notification;
SELECT pgpubsub.create_channel('secret');
SELECT count(pgpubsub.publish('secret', to_jsonb(i))) FROM generate_series(1, 5) i;
SELECT count(*) AS of_another_channel FROM pgpubsub.take('jobs', 10);
SELECT count(*) FROM pgpubsub.take('secret', 10);
DROP INDEX pgpubsub.own_index;

DROP VIEW queue;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
