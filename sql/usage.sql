-- grant_usage() and revoke_usage(): what a role may call. purge_all(): everything of one's channels is removed.
CREATE ROLE regress_pgpubsub_app;
CREATE ROLE regress_pgpubsub_maker;
SELECT pgpubsub.grant_usage('regress_pgpubsub_app'), pgpubsub.grant_usage('regress_pgpubsub_maker', own_channels => true);
SELECT pgpubsub.grant_usage('regress_pgpubsub_app');
-- it opens no channel, and makes none
SELECT pgpubsub.create_channel('theirs'), pgpubsub.create_channel('news', 'broadcast');
SET ROLE regress_pgpubsub_app;
SELECT name FROM pgpubsub.channels;
SELECT pgpubsub.publish('theirs', '1');
SELECT pgpubsub.create_channel('mine');
SELECT pgpubsub.grant_usage('regress_pgpubsub_app');
RESET ROLE;
SELECT has_function_privilege('regress_pgpubsub_app', p.oid, 'EXECUTE') AS app, has_function_privilege('regress_pgpubsub_maker', p.oid, 'EXECUTE') AS maker, p.proname, p.pronargs
  FROM pg_proc p WHERE pronamespace = 'pgpubsub'::regnamespace AND p.proname IN ('publish_batch', 'take', 'wait', 'redrive', 'detach', 'attach', 'create_channel', 'drop_channel', 'purge_all', 'grant_usage', 'compact') ORDER BY p.proname, p.pronargs;
SELECT has_table_privilege('regress_pgpubsub_app', c.oid, 'SELECT') AS app, has_table_privilege('regress_pgpubsub_maker', c.oid, 'SELECT') AS maker, c.relname
  FROM pg_class c WHERE relnamespace = 'pgpubsub'::regnamespace AND relname IN ('channels', 'notifications', 'stat_channels', 'notification', 'channel_privilege') ORDER BY c.relname;
-- a channel of one's own, from the first to the last
SET ROLE regress_pgpubsub_maker;
CREATE TEMP TABLE t (x integer);
SELECT pgpubsub.create_channel('mine'), pgpubsub.create_channel('my news', 'broadcast'), pgpubsub.attach('t', 'captured');
SELECT pgpubsub.grant_channel('mine', 'regress_pgpubsub_app', 'publish'), pgpubsub.subscribe('mine', 'second', history => '1 day');
INSERT INTO t VALUES (1);
SET ROLE regress_pgpubsub_app;
SELECT count(pgpubsub.publish('mine', to_jsonb(i))) FROM generate_series(1, 3) i;
RESET ROLE;
SELECT pgpubsub.publish('theirs', '1') > 0 AS published, pgpubsub.publish('news', to_jsonb(repeat('x', 9000))) > 0 AS broadcast;
-- purge_all()
SET ROLE regress_pgpubsub_maker;
SELECT count(*) FROM pgpubsub.take('mine', 1, 'second');
SELECT pgpubsub.nack(array_agg(receipt), reject => true) FROM pgpubsub.claim('mine');
SELECT count(*) FROM pgpubsub.claim('mine');
SELECT pgpubsub.publish('my news', to_jsonb(repeat('x', 9000))) > 0 AS broadcast;
SELECT pgpubsub.purge_all() AS purged, pgpubsub.purge_all() AS purged;
RESET ROLE;
SELECT (SELECT count(*) FROM pgpubsub.notification) AS waiting, (SELECT count(*) FROM pgpubsub.dead_letter) AS dead, (SELECT count(*) FROM pgpubsub.processed) AS processed, (SELECT count(*) FROM pgpubsub.broadcast) AS broadcasts;
SELECT pgpubsub.purge_dead_letters('news') AS none, pgpubsub.purge_channel('news') AS purged, pgpubsub.purge_channel('news') AS none;
SELECT pgpubsub.purge_all() AS purged;
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.purge_all();
RESET ROLE;
BEGIN READ ONLY;
SELECT pgpubsub.purge_all();
ROLLBACK;
-- who can't be given anything
SELECT pgpubsub.grant_usage(NULL);
SELECT pgpubsub.grant_usage('regress_pgpubsub_app', NULL);
SELECT pgpubsub.grant_usage(0);
SELECT pgpubsub.revoke_usage(NULL);
-- given to a role that was made in a sub-transaction that is rolled back
BEGIN;
SAVEPOINT s;
CREATE ROLE regress_pgpubsub_undone;
SELECT pgpubsub.grant_usage('regress_pgpubsub_undone'), pgpubsub.grant_channel('theirs', 'regress_pgpubsub_undone', 'publish');
ROLLBACK TO s;
COMMIT;
-- in the order in which it was asked for
BEGIN;
SELECT pgpubsub.revoke_usage('regress_pgpubsub_app'), pgpubsub.grant_usage('regress_pgpubsub_app');
COMMIT;
SELECT has_schema_privilege('regress_pgpubsub_app', 'pgpubsub', 'USAGE') AS app;
-- the right stays, but can't be used; with it given back it can
SELECT pgpubsub.revoke_usage('regress_pgpubsub_app');
SELECT count(*) AS left_over FROM pg_proc p WHERE pronamespace = 'pgpubsub'::regnamespace AND has_function_privilege('regress_pgpubsub_app', p.oid, 'EXECUTE');
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.publish('mine', '1');
RESET ROLE;
SELECT pgpubsub.grant_usage('regress_pgpubsub_app');
SET ROLE regress_pgpubsub_app;
SELECT pgpubsub.publish('mine', '1') > 0 AS published;
RESET ROLE;

-- Names that were meant: of what one may see
SELECT pgpubsub.create_channel('orders');
SELECT pgpubsub.pause_channel('ordres');
SELECT pgpubsub.drop_channel('order');
SELECT pgpubsub.alter_channel('something else');
SELECT pgpubsub.redrive('Orders');
SELECT pgpubsub.revoke_channel('orders ', 'regress_pgpubsub_app', 'publish');
SET ROLE regress_pgpubsub_maker;
SELECT pgpubsub.purge_channel('ordres');
SELECT pgpubsub.purge_channel('mien');
RESET ROLE;
-- What a savepoint takes back is neither given nor taken
CREATE ROLE regress_pgpubsub_saved;
CREATE FUNCTION may(role text, function text) RETURNS boolean LANGUAGE sql
  AS $$ SELECT bool_or(has_function_privilege(role, oid, 'EXECUTE')) FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace AND proname = function $$;
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.grant_usage('regress_pgpubsub_saved', true);
ROLLBACK TO s;
COMMIT;
SELECT may('regress_pgpubsub_saved', 'purge_all');
DO $$ BEGIN BEGIN PERFORM pgpubsub.grant_usage('regress_pgpubsub_saved'); RAISE 'taken back'; EXCEPTION WHEN raise_exception THEN NULL; END; END $$;
SELECT may('regress_pgpubsub_saved', 'publish');
BEGIN;
SELECT pgpubsub.grant_usage('regress_pgpubsub_saved');
SAVEPOINT s;
SELECT pgpubsub.revoke_usage('regress_pgpubsub_saved');
SELECT pgpubsub.grant_usage('regress_pgpubsub_saved', true);
ROLLBACK TO s;
SAVEPOINT t;
SAVEPOINT u;
SELECT pgpubsub.grant_channel('orders', 'regress_pgpubsub_saved', 'consume');
RELEASE u;
ROLLBACK TO t;
COMMIT;
SELECT may('regress_pgpubsub_saved', 'publish') AS publish, may('regress_pgpubsub_saved', 'purge_all') AS purge_all;
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.revoke_usage('regress_pgpubsub_saved');
ROLLBACK TO s;
COMMIT;
SELECT may('regress_pgpubsub_saved', 'publish');
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.revoke_usage('regress_pgpubsub_saved');
RELEASE s;
COMMIT;
SELECT may('regress_pgpubsub_saved', 'publish');
DROP ROLE regress_pgpubsub_saved;

-- pg_monitor sees what is paused
CREATE ROLE regress_pgpubsub_monitor IN ROLE pg_monitor;
SELECT pgpubsub.pause_channel('orders');
SET ROLE regress_pgpubsub_monitor;
SELECT channel, subscription, paused FROM pgpubsub.stat_channels ORDER BY channel, subscription;
RESET ROLE;

DROP TABLE t;
DROP FUNCTION may;
SELECT count(pgpubsub.drop_channel(name)) AS dropped FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_app, regress_pgpubsub_maker;
DROP ROLE regress_pgpubsub_app, regress_pgpubsub_maker, regress_pgpubsub_monitor;
