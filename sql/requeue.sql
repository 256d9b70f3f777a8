-- requeue(): what the ids of its array name, in whatever order, and what goes back with it.
SELECT pgpubsub.create_channel('o', ordered => true, max_attempts => 3), pgpubsub.create_channel('jobs');
CREATE VIEW queue AS SELECT channel, subscription, payload, state, attempts, last_error FROM pgpubsub.notifications ORDER BY channel, subscription, id;
CREATE VIEW dead AS SELECT channel, subscription, payload, attempts, last_error FROM pgpubsub.dead_letters ORDER BY channel, subscription, id;

-- Of several of one key each one that is named has failed; those behind them, named by nobody, go back untried
SELECT array_agg(pgpubsub.publish('o', to_jsonb(p), key => 'k')) AS ids FROM unnest('{a,b,c,d}'::text[]) p \gset
BEGIN;
SELECT count(*) FROM pgpubsub.take('o', 10);
SAVEPOINT s;
SELECT pgpubsub.requeue(array[(:'ids'::bigint[])[1], (:'ids'::bigint[])[3]], error => 'bad', reject => true) AS requeued;
TABLE dead;
TABLE queue;
ROLLBACK TO s;
SELECT pgpubsub.requeue(array[(:'ids'::bigint[])[3], (:'ids'::bigint[])[1]], error => 'bad', reject => true) AS requeued;
TABLE dead;
TABLE queue;
ROLLBACK TO s;
SELECT pgpubsub.requeue(array[(:'ids'::bigint[])[2], (:'ids'::bigint[])[3], (:'ids'::bigint[])[2]], '0', 'bad') AS requeued;
TABLE queue;
-- what was put back and taken again goes back as the one it is now
SELECT payload, attempts FROM pgpubsub.take('o', 10);
SELECT pgpubsub.requeue((:'ids'::bigint[])[1:1], '0', 'worse') AS requeued;
TABLE queue;
ROLLBACK;
SELECT pgpubsub.purge_channel('o') AS purged;

-- Many of one key, the last one first. A look at each that was taken, for each that is named, would take minutes.
SELECT count(pgpubsub.publish('o', to_jsonb(i), key => 'k')) FROM generate_series(1, 100000) i;
SET statement_timeout = '1min';
SELECT pgpubsub.requeue(array_agg(id ORDER BY id DESC), '0') AS requeued FROM pgpubsub.take('o', 100000);
RESET statement_timeout;
SELECT attempts, count(*) FROM queue GROUP BY 1;
SELECT pgpubsub.purge_channel('o') AS purged;

-- An id that was taken for several subscriptions names a copy for each: all of them, or that of one
SELECT pgpubsub.subscribe('jobs', 'second', history => '1 hour'), pgpubsub.subscribe('o', 'second');
SELECT pgpubsub.publish('jobs', '"twice"') AS id \gset
BEGIN;
SELECT payload FROM pgpubsub.take('jobs');
SELECT payload FROM pgpubsub.take('jobs', subscription => 'second');
SAVEPOINT s;
SELECT pgpubsub.requeue(array[:id], '0', 'bad') AS requeued;
TABLE queue;
ROLLBACK TO s;
SELECT pgpubsub.requeue(array[:id], '0', 'bad', subscription => 'default') AS requeued;
TABLE queue;
SELECT count(*) AS kept FROM pgpubsub.processed;
ROLLBACK TO s;
SELECT pgpubsub.requeue(array[:id], '0', 'bad', subscription => 'second') AS requeued;
TABLE queue;
SELECT count(*) AS kept FROM pgpubsub.processed;
SELECT pgpubsub.requeue(array[:id], '0', 'bad', subscription => 'second') AS again, pgpubsub.requeue(array[:id], subscription => 'nobody') AS nobody;
ROLLBACK;
-- with what is behind it in that subscription only
SELECT array_agg(pgpubsub.publish('o', to_jsonb(p), key => 'k')) AS ids FROM unnest('{a,b}'::text[]) p \gset
BEGIN;
SELECT count(*) FROM pgpubsub.take('o', 10);
SELECT count(*) FROM pgpubsub.take('o', 10, 'second');
SELECT pgpubsub.requeue((:'ids'::bigint[])[1:1], '0', 'bad', subscription => 'second') AS requeued;
TABLE queue;
ROLLBACK;
SELECT pgpubsub.purge_channel('o') AS purged, pgpubsub.purge_channel('jobs') AS purged;

-- What was taken before the table was emptied is gone, and no other notification is taken for it; so in the history. (A second TRUNCATE
-- in one transaction keeps the file.)
SELECT pgpubsub.unsubscribe('jobs', 'default');
BEGIN;
TRUNCATE pgpubsub.notification, pgpubsub.processed;
SELECT pgpubsub.publish('jobs', '"first"') IS NOT NULL AS published;
SELECT id FROM pgpubsub.take('jobs', subscription => 'second') \gset
SAVEPOINT s;
TRUNCATE pgpubsub.notification;
SELECT pgpubsub.requeue(array[:id]) AS requeued;
SELECT pgpubsub.publish('jobs', '"second"') IS NOT NULL AS published;
SELECT pgpubsub.requeue(array[:id]) AS requeued;
TABLE queue;
ROLLBACK;
BEGIN;
TRUNCATE pgpubsub.notification, pgpubsub.processed;
SELECT pgpubsub.publish('jobs', '"first"') IS NOT NULL AS published;
SELECT id FROM pgpubsub.take('jobs', subscription => 'second') \gset
TRUNCATE pgpubsub.notification;
SELECT pgpubsub.requeue(array[:id]) AS requeued;
SELECT pgpubsub.publish('jobs', '"second"') IS NOT NULL AS published;
SELECT pgpubsub.requeue(array[:id]) AS requeued;
TABLE queue;
ROLLBACK;
BEGIN;
TRUNCATE pgpubsub.processed;
SELECT pgpubsub.publish('jobs', '"first"') IS NOT NULL AS published;
SELECT id FROM pgpubsub.take('jobs', subscription => 'second') \gset
TRUNCATE pgpubsub.processed;
SAVEPOINT s;
SELECT pgpubsub.requeue(array[:id], '1 hour') AS requeued;
ROLLBACK TO s;
SELECT pgpubsub.publish('jobs', '"second"') IS NOT NULL AS published;
SELECT payload FROM pgpubsub.take('jobs', subscription => 'second');
SELECT pgpubsub.requeue(array[:id], '1 hour') AS requeued;
SELECT payload FROM pgpubsub.processed;
ROLLBACK;

DROP VIEW queue, dead;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
