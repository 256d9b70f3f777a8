-- Who may do what: nothing by default, and then by channel.
CREATE ROLE regress_pgpubsub_owner;
CREATE ROLE regress_pgpubsub_app;
CREATE ROLE regress_pgpubsub_writer;
GRANT CREATE ON SCHEMA public TO regress_pgpubsub_owner;
SELECT pgpubsub.create_channel('ours'), pgpubsub.create_channel('theirs');
SELECT pgpubsub.publish('ours', '1') AS ours, pgpubsub.publish('theirs', '1') AS theirs \gset

-- a role without any right
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.publish('ours', '1');
SELECT * FROM pgpubsub.take('ours');
SELECT * FROM pgpubsub.notifications;
SELECT * FROM pgpubsub.notification;
RESET ROLE;

-- publish is not consume, and one channel is not another
SELECT pgpubsub.grant_channel('ours', 'regress_pgpubsub_app', 'publish');
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.publish('ours', '2') IS NOT NULL AS published;
DO $$ BEGIN PERFORM pgpubsub.publish('theirs', '1'); EXCEPTION WHEN insufficient_privilege THEN RAISE NOTICE '%: %', SQLSTATE, SQLERRM; END $$;
SELECT pgpubsub.publish('theirs', '1');
SELECT * FROM pgpubsub.take('ours');
RESET ROLE;
SELECT pgpubsub.grant_channel('ours', 'regress_pgpubsub_app', 'consume');
SET ROLE regress_pgpubsub_app;
SELECT * FROM pgpubsub.take('theirs');
SELECT * FROM pgpubsub.claim('theirs');
SELECT pgpubsub.recover('theirs');
SELECT pgpubsub.next_due('theirs');
SELECT name FROM pgpubsub.channels;
SELECT channel, privilege FROM pgpubsub.channel_privileges ORDER BY role::text, privilege;
SELECT channel, payload, state FROM pgpubsub.notifications ORDER BY id;
SELECT pgpubsub.recover() AS recovered;
SELECT receipt FROM pgpubsub.claim('ours') \gset
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
SELECT payload FROM pgpubsub.take('ours', 10);
-- nor may it give rights, drop or create
SELECT pgpubsub.grant_channel('ours', 'regress_pgpubsub_app', 'consume');
SELECT pgpubsub.drop_channel('ours');
SELECT pgpubsub.create_channel('mine');
RESET ROLE;

-- a receipt of a channel that one may not consume
SELECT receipt FROM pgpubsub.claim('theirs') \gset
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.ack(ARRAY[:'receipt']);
RESET ROLE;
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
-- the right to call a function is not the right on the channel
SELECT pgpubsub.publish('theirs', '"x"') AS x \gset
SELECT count(*) FROM pgpubsub.claim('theirs', 1, '1 microsecond');
GRANT EXECUTE ON FUNCTION pgpubsub.grant_channel, pgpubsub.revoke_channel, pgpubsub.drop_channel TO regress_pgpubsub_app;
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.grant_channel('theirs', 'regress_pgpubsub_app', 'consume');
SELECT pgpubsub.revoke_channel('theirs', 'regress_pgpubsub_app', 'consume');
SELECT pgpubsub.drop_channel('theirs');
SELECT pgpubsub.recover() AS not_theirs;
RESET ROLE;
BEGIN;
SELECT count(*) FROM pgpubsub.take('theirs');
SET LOCAL ROLE regress_pgpubsub_app;
SELECT pgpubsub.requeue(ARRAY[:x]);
ROLLBACK;
REVOKE EXECUTE ON FUNCTION pgpubsub.grant_channel, pgpubsub.revoke_channel, pgpubsub.drop_channel FROM regress_pgpubsub_app;
SELECT count(*) FROM pgpubsub.take('theirs');
-- taking one right back leaves the others
SELECT pgpubsub.grant_channel('theirs', 'regress_pgpubsub_app', 'consume'), pgpubsub.revoke_channel('theirs', 'regress_pgpubsub_app', 'consume');
SET ROLE regress_pgpubsub_app;
SELECT count(*) FROM pgpubsub.take('ours');
RESET ROLE;

-- privileges are inherited from roles, and seen at once by a session that has used the channel before
GRANT regress_pgpubsub_app TO regress_pgpubsub_writer;
SET ROLE regress_pgpubsub_writer;
SELECT pgpubsub.publish('ours', '3') IS NOT NULL AS published;
RESET ROLE;
SELECT pgpubsub.revoke_channel('ours', 'regress_pgpubsub_app', 'publish');
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.publish('ours', '4');
SELECT payload FROM pgpubsub.take('ours');
RESET ROLE;
SELECT pgpubsub.grant_channel('theirs', 'regress_pgpubsub_app', 'publish');
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.publish('ours', '4');
RESET ROLE;
SELECT pgpubsub.revoke_channel('theirs', 'regress_pgpubsub_app', 'publish');
SELECT pgpubsub.revoke_channel('ours', 'regress_pgpubsub_app', 'consume');
REVOKE regress_pgpubsub_app FROM regress_pgpubsub_writer;
SET ROLE regress_pgpubsub_app;
SELECT * FROM pgpubsub.take('ours');
RESET ROLE;
SELECT pgpubsub.grant_channel('ours', 'regress_pgpubsub_app', 'everything');
SELECT pgpubsub.grant_channel('ours', 'regress_pgpubsub_nobody', 'consume');
SELECT pgpubsub.grant_channel('nowhere', 'regress_pgpubsub_app', 'consume');

-- the owner of one channel takes nothing away that belongs to another
SELECT pgpubsub.create_channel('evil');
UPDATE pgpubsub.channel_privilege SET grantee = 'regress_pgpubsub_writer'
 WHERE channel_id = (SELECT id FROM pgpubsub.channel WHERE name = 'evil');
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_writer;
GRANT EXECUTE ON FUNCTION pgpubsub.grant_channel, pgpubsub.revoke_channel TO regress_pgpubsub_writer;
SELECT pgpubsub.grant_channel('ours', 'regress_pgpubsub_app', 'consume');
SET ROLE regress_pgpubsub_writer;
SELECT pgpubsub.revoke_channel('evil', 'regress_pgpubsub_app', 'consume');
SELECT pgpubsub.grant_channel('evil', 'regress_pgpubsub_app', 'consume'), pgpubsub.revoke_channel('evil', 'regress_pgpubsub_app', 'consume');
SELECT pgpubsub.revoke_channel('ours', 'regress_pgpubsub_app', 'consume');
SET ROLE regress_pgpubsub_app;
SELECT count(*) FROM pgpubsub.take('ours');
RESET ROLE;

-- a role that may attach: the channel that attach() makes is the table owner's
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_owner;
GRANT EXECUTE ON FUNCTION pgpubsub.attach, pgpubsub.detach, pgpubsub.capture, pgpubsub.take, pgpubsub.grant_channel TO regress_pgpubsub_owner;
SET ROLE regress_pgpubsub_owner;
CREATE TABLE owned (x integer);
SELECT pgpubsub.attach('owned', 'owned');
-- whoever may write to the table fires the capture, without any other right
GRANT INSERT ON owned TO regress_pgpubsub_writer;
SET ROLE regress_pgpubsub_writer;
INSERT INTO owned VALUES (1);
SELECT * FROM pgpubsub.take('owned');
SET ROLE regress_pgpubsub_owner;
SELECT payload #>> '{new,x}' AS x FROM pgpubsub.take('owned');
SELECT pgpubsub.grant_channel('owned', 'regress_pgpubsub_writer', 'consume');
-- neither by attach() nor by a trigger into somebody else's channel
SELECT pgpubsub.attach('owned', 'theirs');
CREATE TRIGGER t AFTER INSERT ON owned FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('theirs');
INSERT INTO owned VALUES (2);
DROP TRIGGER t ON owned;
RESET ROLE;
CREATE TABLE not_owned (x integer);
GRANT TRIGGER ON not_owned TO regress_pgpubsub_owner;
SET ROLE regress_pgpubsub_owner;
SELECT pgpubsub.attach('not_owned', 'owned');
SELECT pgpubsub.detach('not_owned', 'owned');
RESET ROLE;
SET ROLE regress_pgpubsub_writer;
CREATE TRIGGER t AFTER INSERT ON owned FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('owned');
RESET ROLE;

-- who may read all statistics sees the numbers of all channels, and nothing else
CREATE ROLE regress_pgpubsub_monitor IN ROLE pg_monitor;
SELECT pgpubsub.publish('theirs', '"x"') > 0 AS published FROM generate_series(1, 2);
SELECT count(*) AS claimed FROM pgpubsub.claim('theirs', 1, '1 hour');
SET ROLE regress_pgpubsub_monitor;
SELECT channel, ready, in_flight FROM pgpubsub.stat_channels WHERE channel = 'theirs';
SELECT published_per_second > 0 AS rates FROM pgpubsub.stat_channels WHERE channel = 'theirs';
SELECT channel, pid = pg_backend_pid() AS ours, leases FROM pgpubsub.stat_consumers;
SELECT mode IS NOT NULL AS mode FROM pgpubsub.stat_wakeup;
SELECT count(*) FROM pgpubsub.notifications;
SELECT count(*) FROM pgpubsub.channel;
SELECT pgpubsub.take('theirs');
SELECT pgpubsub.compact();
-- the views show others no more than before
SET ROLE regress_pgpubsub_app;
SELECT channel FROM pgpubsub.stat_channels WHERE channel = 'theirs';
SELECT channel FROM pgpubsub.stat_consumers;
RESET ROLE;
DROP ROLE regress_pgpubsub_monitor;

-- a role that has a right can't be dropped unnoticed
DROP ROLE regress_pgpubsub_writer;

DROP TABLE owned, not_owned;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_owner, regress_pgpubsub_app, regress_pgpubsub_writer;
DROP ROLE regress_pgpubsub_owner, regress_pgpubsub_app, regress_pgpubsub_writer;

-- the views are for looking: FOR UPDATE and FOR SHARE lock none of what is behind them
SELECT pgpubsub.create_channel('looked at'), pgpubsub.publish('looked at', '1') IS NOT NULL AS published;
CREATE TABLE looked_at (id integer PRIMARY KEY);
SELECT pgpubsub.attach('looked_at', 'looked at');
BEGIN;
SELECT channel, payload FROM pgpubsub.notifications WHERE channel = 'looked at' FOR UPDATE;
SELECT name FROM pgpubsub.channels WHERE name = 'looked at' FOR SHARE;
SELECT subscription FROM pgpubsub.subscriptions WHERE channel = 'looked at' FOR UPDATE;
SELECT privilege FROM pgpubsub.channel_privileges WHERE channel = 'looked at' FOR UPDATE;
SELECT count(*) FROM (SELECT FROM pgpubsub.dead_letters FOR UPDATE) d;
SELECT count(*) FROM (SELECT FROM pgpubsub.history FOR UPDATE) h;
SELECT "table" FROM pgpubsub.attachments WHERE channel = 'looked at' FOR UPDATE;
SELECT relation::regclass, mode FROM pg_locks WHERE pid = pg_backend_pid() AND relation::regclass::text ~ '^(pg_class|pgpubsub\.(channel|subscription|channel_privilege|notification|dead_letter|processed))$' AND mode <> 'AccessShareLock';
ROLLBACK;
DROP TABLE looked_at;
SELECT pgpubsub.drop_channel('looked at');
