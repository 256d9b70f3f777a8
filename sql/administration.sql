-- Making, changing, pausing, purging and dropping channels; what contradicts itself or can't be is refused.
CREATE VIEW settings AS
  SELECT c.name, c.kind, c.ordered, c.retention, s.subscription, s.paused, s.max_attempts, s.backoff_base, s.backoff_factor, s.backoff_max, s.backoff_jitter, s.history, s.filter
    FROM pgpubsub.channels c LEFT JOIN pgpubsub.subscriptions s ON s.channel = c.name ORDER BY c.name, s.subscription;

-- create: the defaults, and each setting
SELECT pgpubsub.create_channel('plain');
SELECT pgpubsub.create_channel('full', 'queue', true, 7, '2 s', 3.5, '1 day', 0.25, '1 week');
SELECT pgpubsub.create_channel('loud', 'broadcast', retention => '5 min');
SELECT pgpubsub.create_channel('explicit', 'queue', ordered => false);
SELECT pgpubsub.create_channel('loud too', 'broadcast', ordered => false);
\x on
TABLE settings;
\x off
-- a channel that is there stays as it is
SELECT pgpubsub.create_channel('full', max_attempts => 1, if_not_exists => true);
SELECT max_attempts FROM settings WHERE name = 'full';
-- a role owns what it creates
SELECT name, owner = current_user::regrole AS mine FROM pgpubsub.channels ORDER BY name;
-- one that is rolled back was never there
BEGIN;
SELECT pgpubsub.create_channel('undone', max_attempts => 3);
ROLLBACK;
SELECT pgpubsub.publish('undone', '1');

-- alter: what is given changes, what is null stays
SELECT pgpubsub.alter_channel('full');
SELECT pgpubsub.alter_channel('full', max_attempts => 0);
SELECT pgpubsub.alter_channel('full', backoff_base => '3 s', backoff_factor => 1, backoff_max => '3 s', backoff_jitter => 1);
SELECT pgpubsub.alter_channel('full', history => '0', filter => '{"a": 1}', ordered => false);
SELECT pgpubsub.alter_channel('loud', retention => '1 s');
\x on
SELECT * FROM settings WHERE name IN ('full', 'loud');
\x off
-- all of it or nothing
SELECT pgpubsub.alter_channel('full', max_attempts => 9, backoff_jitter => 2);
SELECT pgpubsub.publish('plain', '1') IS NOT NULL AS published;
SELECT pgpubsub.alter_channel('plain', max_attempts => 9, ordered => true);
SELECT name, max_attempts FROM settings WHERE name IN ('full', 'plain');
SELECT pgpubsub.purge_channel('plain') AS purged;

-- Contradictions, with both names
SELECT pgpubsub.create_channel('x', 'broadcast', ordered => true);
SELECT pgpubsub.create_channel('x', 'broadcast', max_attempts => 1);
SELECT pgpubsub.create_channel('x', 'broadcast', backoff_base => '1 s');
SELECT pgpubsub.create_channel('x', 'broadcast', backoff_factor => 1);
SELECT pgpubsub.create_channel('x', 'broadcast', backoff_max => '1 s');
SELECT pgpubsub.create_channel('x', 'broadcast', backoff_jitter => 0);
SELECT pgpubsub.create_channel('x', 'broadcast', history => '1 s');
SELECT pgpubsub.create_channel('x', 'queue', retention => '1 s');
SELECT pgpubsub.create_channel('x', backoff_base => '2 s', backoff_max => '1 s');
SELECT pgpubsub.create_channel('x', backoff_base => '2 hours');
SELECT pgpubsub.create_channel('x', backoff_max => '1 ms');
SELECT pgpubsub.subscribe('plain', 'x', backoff_base => '2 hours');
-- what is too long for a count of microseconds is named as it was given
SELECT pgpubsub.subscribe('plain', 'x', backoff_base => '170000000 years');
SELECT pgpubsub.subscribe('plain', 'x', backoff_base => '170000000 years', backoff_max => '3 years');
SELECT pgpubsub.alter_channel('plain', backoff_max => '1 ms');
SELECT pgpubsub.alter_channel('loud', ordered => true);
SELECT pgpubsub.alter_channel('loud', max_attempts => 1);
SELECT pgpubsub.alter_channel('loud', filter => '{"a": 1}');
SELECT pgpubsub.alter_channel('loud', subscription => 'default');
SELECT pgpubsub.alter_channel('plain', retention => '1 s');
SELECT count(*) AS not_made FROM pgpubsub.channels WHERE name = 'x';

-- Bad values
\set VERBOSITY sqlstate
SELECT pgpubsub.create_channel('x', kind => 'x');
SELECT pgpubsub.create_channel('x', kind => NULL);
SELECT pgpubsub.create_channel('x', if_not_exists => NULL);
SELECT pgpubsub.create_channel('x', max_attempts => -1);
SELECT pgpubsub.create_channel('x', max_attempts => 32768);
SELECT pgpubsub.create_channel('x', backoff_base => '-1 s');
SELECT pgpubsub.create_channel('x', backoff_base => '-1 month', backoff_max => '-1 month');
SELECT pgpubsub.create_channel('x', backoff_factor => 0.9);
SELECT pgpubsub.create_channel('x', backoff_factor => 1001);
SELECT pgpubsub.create_channel('x', backoff_factor => 'NaN');
SELECT pgpubsub.create_channel('x', backoff_factor => 'infinity');
SELECT pgpubsub.create_channel('x', backoff_jitter => -0.1);
SELECT pgpubsub.create_channel('x', backoff_jitter => 1.1);
SELECT pgpubsub.create_channel('x', backoff_jitter => 'NaN');
SELECT pgpubsub.create_channel('x', history => '-1 s');
SELECT pgpubsub.create_channel('x', 'broadcast', retention => '0');
SELECT pgpubsub.create_channel('x', 'broadcast', retention => '-1 s');
SELECT pgpubsub.create_channel('plain');
SELECT pgpubsub.create_channel('loud', if_not_exists => true);
SELECT pgpubsub.alter_channel('nowhere');
SELECT pgpubsub.alter_channel(NULL);
SELECT pgpubsub.alter_channel('plain', subscription => 'nope');
SELECT pgpubsub.alter_channel('plain', subscription => 'nope', max_attempts => 1);
SELECT pgpubsub.alter_channel('plain', max_attempts => -1);
SELECT pgpubsub.alter_channel('loud', retention => '0');
SELECT pgpubsub.alter_channel('plain', owner => 0);
SELECT pgpubsub.alter_channel('plain', owner => 'regress_pgpubsub_nobody');
SELECT pgpubsub.pause_channel('nowhere'), 'pause';
SELECT pgpubsub.pause_channel('plain', 'nope');
SELECT pgpubsub.pause_channel('loud');
SELECT pgpubsub.resume_channel('nowhere');
SELECT pgpubsub.resume_channel('plain', 'nope');
SELECT pgpubsub.purge_channel('nowhere');
SELECT pgpubsub.purge_channel('plain', 'nope');
SELECT pgpubsub.drop_channel('nowhere');
\set VERBOSITY default
SELECT pgpubsub.create_channel('x', backoff_factor => 0.9);
SELECT pgpubsub.create_channel('x', history => '-1 s');
SELECT count(*) AS not_made FROM pgpubsub.channels WHERE name = 'x';

-- Pause: what is published is stored, and nothing handed out; what is out may end. Resume: all goes on
SELECT count(pgpubsub.publish('plain', to_jsonb(i))) FROM generate_series(1, 3) i;
SELECT pgpubsub.subscribe('plain', 'second');
SELECT receipt FROM pgpubsub.claim('plain') \gset
SELECT pgpubsub.pause_channel('plain');
SELECT subscription, paused FROM pgpubsub.subscriptions WHERE channel = 'plain' ORDER BY subscription;
SELECT pgpubsub.pause_channel('plain');
SELECT pgpubsub.publish('plain', '4') IS NOT NULL AS published;
SELECT * FROM pgpubsub.take('plain', 10);
SELECT * FROM pgpubsub.claim('plain', 10, subscription => 'second');
SELECT pgpubsub.next_due('plain') AS never;
SELECT pgpubsub.nack(ARRAY[:'receipt'], delay => '0') AS nacked;
SELECT subscription, payload, state FROM pgpubsub.notifications WHERE channel = 'plain' ORDER BY id, subscription;
SELECT pgpubsub.resume_channel('plain', 'second');
SELECT payload FROM pgpubsub.take('plain', 10, 'second');
SELECT payload FROM pgpubsub.take('plain', 10);
SELECT pgpubsub.resume_channel('plain');
SELECT payload FROM pgpubsub.take('plain', 2);
-- a pause that is rolled back is none
BEGIN;
SELECT pgpubsub.pause_channel('plain');
SELECT count(*) FROM pgpubsub.take('plain', 10);
ROLLBACK;
SELECT count(*) FROM pgpubsub.take('plain', 10);

-- Purge: everything that waits, leased or not, and no more than that
SELECT count(pgpubsub.publish('plain', to_jsonb(i), deliver_at => CASE WHEN i = 3 THEN now() + interval '1 hour' END)) FROM generate_series(1, 3) i;
SELECT pgpubsub.publish('full', '{"a": 1}') IS NOT NULL AS published;
SELECT receipt FROM pgpubsub.claim('plain') \gset
BEGIN;
SELECT pgpubsub.purge_channel('plain') AS purged;
ROLLBACK;
SELECT pgpubsub.purge_channel('plain', 'second') AS purged;
SELECT pgpubsub.purge_channel('plain') AS purged;
SELECT pgpubsub.purge_channel('plain') AS purged;
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
SELECT channel, count(*) FROM pgpubsub.notifications GROUP BY channel;

-- Drop: with all that it has, of all subscriptions
SELECT count(pgpubsub.publish('plain', to_jsonb(i))) FROM generate_series(1, 3) i;
SELECT pgpubsub.alter_channel('plain', subscription => 'second', history => '1 day');
SELECT count(*) FROM pgpubsub.take('plain', subscription => 'second');
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('plain', subscription => 'second');
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('plain');
SELECT pgpubsub.publish('loud', to_jsonb(repeat('x', 8000))) IS NOT NULL AS published;
SELECT pgpubsub.drop_channel('plain'), pgpubsub.drop_channel('loud');
SELECT (SELECT count(*) FROM pgpubsub.notification) AS waiting, (SELECT count(*) FROM pgpubsub.dead_letter) AS dead, (SELECT count(*) FROM pgpubsub.processed) AS processed,
       (SELECT count(*) FROM pgpubsub.broadcast) AS broadcasts, (SELECT count(*) FROM pgpubsub.subscription s WHERE NOT EXISTS (SELECT FROM pgpubsub.channel c WHERE c.id = s.channel_id)) AS subscriptions;
-- the next of the name begins with the defaults
SELECT pgpubsub.create_channel('loud');
SELECT kind, retention, max_attempts FROM settings WHERE name = 'loud';
-- dropped in a transaction that took from it, and rolled back
SELECT pgpubsub.publish('loud', '1') AS id \gset
BEGIN;
SELECT count(*) FROM pgpubsub.take('loud');
SELECT pgpubsub.drop_channel('loud');
SELECT pgpubsub.requeue(ARRAY[:id]) AS requeued;
ROLLBACK;
SELECT payload FROM pgpubsub.take('loud');

-- Owners: only they change a channel, and may hand it to a role that they are a member of
CREATE ROLE regress_pgpubsub_owner;
CREATE ROLE regress_pgpubsub_team;
CREATE ROLE regress_pgpubsub_app;
SELECT pgpubsub.grant_channel('loud', 'regress_pgpubsub_app', 'publish'), pgpubsub.grant_channel('loud', 'regress_pgpubsub_app', 'consume');
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_owner, regress_pgpubsub_team;
GRANT EXECUTE ON FUNCTION pgpubsub.create_channel, pgpubsub.alter_channel, pgpubsub.pause_channel, pgpubsub.resume_channel, pgpubsub.purge_channel, pgpubsub.drop_channel
   TO regress_pgpubsub_owner, regress_pgpubsub_team, regress_pgpubsub_app;
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.alter_channel('loud', max_attempts => 1);
SELECT pgpubsub.pause_channel('loud');
SELECT pgpubsub.resume_channel('loud');
SELECT pgpubsub.purge_channel('loud');
SELECT pgpubsub.drop_channel('loud');
SELECT pgpubsub.create_channel('loud', if_not_exists => true);
SET ROLE regress_pgpubsub_owner;
SELECT pgpubsub.create_channel('mine', max_attempts => 1, ordered => true);
SELECT pgpubsub.publish('mine', '1') IS NOT NULL AS published;
RESET ROLE;
SELECT pgpubsub.alter_channel('mine', owner => 'regress_pgpubsub_owner');
SET ROLE regress_pgpubsub_owner;
SELECT pgpubsub.publish('mine', '1') IS NOT NULL AS published;
SELECT pgpubsub.alter_channel('mine', max_attempts => 2);
SELECT pgpubsub.pause_channel('mine'), pgpubsub.resume_channel('mine'), pgpubsub.purge_channel('mine');
SELECT name, owner, ordered FROM pgpubsub.channels;
DO $$  -- in the words of each version: a member need not be able to SET ROLE
BEGIN
  PERFORM pgpubsub.alter_channel('mine', owner => 'regress_pgpubsub_team');
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE '%', replace(SQLERRM, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'be able to SET ROLE'
                                          ELSE 'be member of role' END, 'have');
END $$;
RESET ROLE;
GRANT regress_pgpubsub_team TO regress_pgpubsub_owner;
SET ROLE regress_pgpubsub_owner;
SELECT pgpubsub.alter_channel('mine', owner => 'regress_pgpubsub_team', max_attempts => 3);
RESET ROLE;
REVOKE regress_pgpubsub_team FROM regress_pgpubsub_owner;
SET ROLE regress_pgpubsub_owner;
SELECT pgpubsub.alter_channel('mine', max_attempts => 4);
SET ROLE regress_pgpubsub_team;
SELECT pgpubsub.alter_channel('mine', max_attempts => 5);
SELECT count(*) FROM pgpubsub.take('mine');
SELECT role, privilege FROM pgpubsub.channel_privileges;
SELECT pgpubsub.drop_channel('mine');
RESET ROLE;

DROP VIEW settings;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_owner, regress_pgpubsub_team, regress_pgpubsub_app;
DROP ROLE regress_pgpubsub_owner, regress_pgpubsub_team, regress_pgpubsub_app;
