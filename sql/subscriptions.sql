-- Subscriptions: each is a durable copy of a queue channel. It gets everything from its creation on, and what happens in one
-- does not touch another.
SELECT pgpubsub.create_channel('news');
CREATE VIEW queue AS
  SELECT subscription, string_agg(payload #>> '{}', ' ' ORDER BY id) AS items FROM pgpubsub.notifications
   WHERE channel = 'news' GROUP BY subscription ORDER BY subscription;
SELECT subscription, paused, max_attempts, backoff_base, backoff_factor, backoff_max, backoff_jitter, history, filter
  FROM pgpubsub.subscriptions;

-- from its creation on
SELECT pgpubsub.publish('news', '1') IS NOT NULL AS published;
SELECT pgpubsub.subscribe('news', 'mail');
SELECT pgpubsub.publish('news', '2') IS NOT NULL AS published;
SELECT count(pgpubsub.publish_batch('news', '{3,4}'::text[]::jsonb[])) AS published;
TABLE queue;
-- the same id in each
SELECT count(DISTINCT id) AS ids, count(*) FROM pgpubsub.notifications;
-- independently: what one takes, claims, rejects or purges stays in the others
SELECT payload FROM pgpubsub.take('news', 2);
TABLE queue;
SELECT payload, attempts FROM pgpubsub.claim('news', 2, '1 hour', 'mail');
SELECT payload FROM pgpubsub.take('news', 10, 'mail');
SELECT payload FROM pgpubsub.take('news', 10);
SELECT subscription, payload, state FROM pgpubsub.notifications ORDER BY id;
SELECT pgpubsub.purge_channel('news', 'mail') AS purged;
SELECT pgpubsub.publish('news', '5') IS NOT NULL AS published;
SELECT pgpubsub.purge_channel('news', 'default') AS purged;
TABLE queue;
SELECT pgpubsub.publish('news', '6') IS NOT NULL AS published;
SELECT pgpubsub.purge_channel('news') AS purged_of_all;

-- a receipt is that of one subscription, though the id stands in both
SELECT pgpubsub.publish('news', '1') IS NOT NULL AS published;
SELECT receipt FROM pgpubsub.claim('news', lease => '1 hour') \gset a_
SELECT receipt FROM pgpubsub.claim('news', lease => '1 hour', subscription => 'mail') \gset b_
SELECT split_part(:'a_receipt', '-', 1) = split_part(:'b_receipt', '-', 1) AS same_id;
SELECT pgpubsub.nack(ARRAY[:'b_receipt'], '1 hour', 'only here') AS nacked;
SELECT subscription, state, last_error FROM pgpubsub.notifications ORDER BY subscription;
SELECT pgpubsub.ack(ARRAY[:'a_receipt', :'b_receipt']) AS acked;
SELECT subscription, state, last_error FROM pgpubsub.notifications ORDER BY subscription;
SELECT pgpubsub.purge_channel('news') AS purged;
-- requeue() puts back the copy that this transaction took for a subscription, or all that it took
SELECT pgpubsub.publish('news', '1') AS id \gset
BEGIN;
SELECT count(*) FROM pgpubsub.take('news');
SELECT count(*) FROM pgpubsub.take('news', subscription => 'mail');
SELECT pgpubsub.requeue(ARRAY[:id], error => 'once', subscription => 'mail') AS requeued;
SELECT subscription, last_error FROM pgpubsub.notifications ORDER BY subscription;
SELECT pgpubsub.requeue(ARRAY[:id], error => 'twice') AS requeued;
SELECT pgpubsub.requeue(ARRAY[:id]) AS requeued;
COMMIT;
SELECT subscription, last_error FROM pgpubsub.notifications ORDER BY subscription;
SELECT pgpubsub.purge_channel('news') AS purged;
-- redrive() and purge_dead_letters() work on one
SELECT pgpubsub.publish('news', '1') AS id \gset
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected
  FROM (SELECT receipt FROM pgpubsub.claim('news') UNION ALL SELECT receipt FROM pgpubsub.claim('news', subscription => 'mail')) c;
SELECT id = :id AS same_id, subscription FROM pgpubsub.dead_letters ORDER BY subscription;
SELECT pgpubsub.redrive('news', ids => ARRAY[:id], subscription => 'mail') AS redriven;
TABLE queue;
SELECT pgpubsub.purge_dead_letters('news', ids => ARRAY[:id], subscription => 'mail') AS none, pgpubsub.purge_dead_letters('news', ids => ARRAY[:id]) AS purged;
SELECT pgpubsub.purge_channel('news') AS purged;

-- each has its own settings
SELECT pgpubsub.subscribe('news', 'audit', filter => '{"level": "error"}', max_attempts => 1, backoff_base => '1 hour', backoff_factor => 3,
                          backoff_max => '2 hours', backoff_jitter => 0, history => '1 day');
SELECT subscription, max_attempts, backoff_base, backoff_factor, backoff_max, backoff_jitter, history, filter
  FROM pgpubsub.subscriptions WHERE channel = 'news' ORDER BY subscription;
SELECT count(pgpubsub.publish('news', jsonb_build_object('level', l))) FROM unnest('{info,error}'::text[]) l;
TABLE queue;
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('news', subscription => 'audit');
SELECT subscription FROM pgpubsub.dead_letters;
SELECT pgpubsub.alter_channel('news', subscription => 'audit', max_attempts => 2, filter => '{}');
SELECT max_attempts, backoff_base, filter FROM pgpubsub.subscriptions WHERE subscription = 'audit';
SELECT pgpubsub.redrive('news', subscription => 'audit') AS redriven;
SELECT pgpubsub.nack(array_agg(receipt), error => 'again') AS nacked FROM pgpubsub.claim('news', subscription => 'audit');
SELECT state FROM pgpubsub.notifications WHERE subscription = 'audit';
-- pausing one
SELECT pgpubsub.pause_channel('news', 'mail');
SELECT subscription, paused FROM pgpubsub.subscriptions ORDER BY subscription;
SELECT count(*) FROM pgpubsub.take('news', subscription => 'mail');
SELECT count(*) FROM pgpubsub.take('news');
SELECT pgpubsub.resume_channel('news', 'mail');
SELECT count(*) FROM pgpubsub.take('news', subscription => 'mail');

-- unsubscribe: what it holds goes, dead letters and history too; the id is not handed on to the next of the name
SELECT pgpubsub.publish('news', '{"level": "error"}') IS NOT NULL AS published;
SELECT count(*) FROM pgpubsub.take('news', subscription => 'audit');
SELECT pgpubsub.publish('news', '{"level": "error"}') IS NOT NULL AS published;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('news', subscription => 'audit');
SELECT receipt FROM pgpubsub.claim('news', lease => '1 hour', subscription => 'mail') \gset
SELECT (SELECT count(*) FROM pgpubsub.dead_letter) AS dead, (SELECT count(*) FROM pgpubsub.processed) AS processed;
SELECT pgpubsub.unsubscribe('news', 'audit'), pgpubsub.unsubscribe('news', 'mail');
SELECT (SELECT count(*) FROM pgpubsub.dead_letter) AS dead, (SELECT count(*) FROM pgpubsub.processed) AS processed;
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
SELECT * FROM pgpubsub.take('news', subscription => 'mail');
SELECT pgpubsub.subscribe('news', 'mail');
SELECT count(*) FROM pgpubsub.take('news', subscription => 'mail');
SELECT pgpubsub.purge_channel('news') IS NOT NULL AS purged;
-- the default one can go, too: then who publishes needs another
SELECT pgpubsub.unsubscribe('news', 'default');
SELECT pgpubsub.publish('news', '1') IS NOT NULL AS published;
TABLE queue;
SELECT * FROM pgpubsub.take('news');
SELECT pgpubsub.next_due('news');
SELECT pgpubsub.unsubscribe('news', 'mail');
SELECT pgpubsub.publish('news', '2') IS NOT NULL AS published;
SELECT pgpubsub.publish('news', '2', dedup_key => 'a') IS NOT NULL AS published;
TABLE queue;
SELECT pgpubsub.recover('news'), pgpubsub.purge_channel('news');
SELECT pgpubsub.subscribe('news', 'default');
SELECT pgpubsub.publish('news', '3') IS NOT NULL AS published;
SELECT payload FROM pgpubsub.take('news', 10);

-- one that is rolled back was never there; nor is one gone whose end is
BEGIN;
SELECT pgpubsub.subscribe('news', 'undone');
SELECT pgpubsub.publish('news', '1') IS NOT NULL AS published;
SELECT payload FROM pgpubsub.take('news', 10, 'undone');
ROLLBACK;
SELECT pgpubsub.publish('news', '2') IS NOT NULL AS published;
TABLE queue;
SELECT * FROM pgpubsub.take('news', 10, 'undone');
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.unsubscribe('news', 'default');
ROLLBACK TO s;
COMMIT;
SELECT payload FROM pgpubsub.take('news', 10);

-- captured changes: one row for each subscription
CREATE TABLE t (x integer);
SELECT pgpubsub.attach('t', 'news'), pgpubsub.subscribe('news', 'mail'), pgpubsub.subscribe('news', 'deletes', '{"op": "delete"}');
INSERT INTO t SELECT generate_series(1, 3);
DELETE FROM t WHERE x = 2;
SELECT subscription, count(*), count(DISTINCT id) AS ids, array_agg(DISTINCT payload ->> 'op') AS ops
  FROM pgpubsub.notifications GROUP BY subscription ORDER BY subscription;
SELECT count(DISTINCT id) FROM pgpubsub.notifications;
DROP TABLE t;

-- names are any text of 1 to 63 bytes, and each channel's own
SELECT pgpubsub.create_channel('other');
SELECT pgpubsub.subscribe('other', 'mail'), pgpubsub.subscribe('other', 'It''s "quoted"; -- é');
SELECT pgpubsub.publish('other', '1') IS NOT NULL AS published;
SELECT payload FROM pgpubsub.take('other', subscription => 'It''s "quoted"; -- é');
SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'other';
SELECT pgpubsub.subscribe('other', '');
SELECT pgpubsub.subscribe('other', repeat('é', 31)), pgpubsub.subscribe('other', repeat('é', 32));
-- and other refusals
SELECT pgpubsub.subscribe('news', 'mail');
SELECT pgpubsub.subscribe('news', 'mail', if_not_exists => true);
SELECT pgpubsub.subscribe('news', NULL);
SELECT pgpubsub.subscribe('news', 'x', max_attempts => -1);
SELECT pgpubsub.subscribe('news', 'x', if_not_exists => NULL);
SELECT pgpubsub.unsubscribe('news', 'nope');
SELECT pgpubsub.unsubscribe('news', NULL);
SELECT * FROM pgpubsub.claim('news', subscription => NULL);
SELECT pgpubsub.next_due('news', 'nope');
SELECT pgpubsub.create_channel('loud', 'broadcast');
SELECT pgpubsub.subscribe('loud', 'x');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pgpubsub.unsubscribe('news', 'mail');
ROLLBACK;

-- only the owner subscribes others; all who may use the channel see the subscriptions
CREATE ROLE regress_pgpubsub_app;
SELECT pgpubsub.grant_channel('other', 'regress_pgpubsub_app', 'publish'), pgpubsub.grant_channel('other', 'regress_pgpubsub_app', 'consume');
GRANT EXECUTE ON FUNCTION pgpubsub.subscribe, pgpubsub.unsubscribe TO regress_pgpubsub_app;
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.subscribe('other', 'x');
SELECT pgpubsub.unsubscribe('other', 'mail');
SELECT channel, count(*) FROM pgpubsub.subscriptions GROUP BY channel;
SELECT payload FROM pgpubsub.take('other', subscription => 'mail');
RESET ROLE;

DROP VIEW queue;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
SELECT (SELECT count(*) FROM pgpubsub.subscription) AS subscriptions, (SELECT count(*) FROM pgpubsub.notification) AS left_over;
DROP OWNED BY regress_pgpubsub_app;
DROP ROLE regress_pgpubsub_app;
