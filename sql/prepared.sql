-- Prepared transactions (two-phase commit): what they publish, capture, take and count. A file of its own, since a server has none
-- unless max_prepared_transactions is set: "make installcheck" leaves it out then.
-- A transaction that is prepared where that should fail would hold up the others for ever.
SET lock_timeout = '30s';
CREATE FUNCTION captured(channel text DEFAULT 'c') RETURNS TABLE ("table" text, op text, old jsonb, new jsonb) LANGUAGE sql AS $$
  SELECT payload ->> 'table', payload ->> 'op', payload -> 'old', payload -> 'new' FROM pgpubsub.take(channel, 100000) t ORDER BY t.id $$;
SELECT pgpubsub.create_channel('c');
CREATE TABLE t (id integer PRIMARY KEY, v text);
INSERT INTO t VALUES (30, 'last'), (31, 'last');
SELECT pgpubsub.attach('t', 'c');

-- capture: the notifications are there with COMMIT PREPARED, with or without a hint
BEGIN;
SET LOCAL pgpubsub.wakeup = off;
INSERT INTO t VALUES (40, 'prepared'), (41, 'prepared');
PREPARE TRANSACTION 'regress_pgpubsub_1';
BEGIN;
SET LOCAL pgpubsub.wakeup = off;
DELETE FROM t WHERE id IN (30, 31);
PREPARE TRANSACTION 'regress_pgpubsub_2';
SELECT * FROM captured();
ROLLBACK PREPARED 'regress_pgpubsub_2';
SELECT * FROM captured();
COMMIT PREPARED 'regress_pgpubsub_1';
SELECT op, new FROM captured();
BEGIN;
SET LOCAL pgpubsub.wakeup = transaction;
INSERT INTO t VALUES (42, 'with a hint');
PREPARE TRANSACTION 'regress_pgpubsub_3';
SELECT * FROM captured();
COMMIT PREPARED 'regress_pgpubsub_3';
SELECT op, new FROM captured();

-- an ordered channel: a prepared transaction keeps its keys until its end
SELECT pgpubsub.create_channel('o', ordered => true);
CREATE FUNCTION pub(VARIADIC items text[]) RETURNS bigint LANGUAGE sql  -- 'a1' is published with the key 'a'
  AS $$ SELECT count(pgpubsub.publish('o', to_jsonb(item), key => left(item, 1))) FROM unnest(items) item $$;
CREATE FUNCTION take(max_count integer DEFAULT 100) RETURNS text LANGUAGE sql
  AS $$ SELECT string_agg(payload #>> '{}', ' ') FROM pgpubsub.take('o', max_count) $$;
SET pgpubsub.wakeup = off;
SELECT pub('a1', 'a2', 'b1');
BEGIN;
SELECT take(1);
PREPARE TRANSACTION 'regress_pgpubsub_ordered';
SELECT take();
ROLLBACK PREPARED 'regress_pgpubsub_ordered';
SELECT take();
RESET pgpubsub.wakeup;

-- the counts: storing them fails no PREPARE; they come with the next transaction
SELECT pgpubsub.create_channel('counted');
CREATE VIEW counted AS
  SELECT sum(n.published) FROM pgpubsub.stat_count n JOIN pgpubsub.subscription s ON s.id = n.subscription_id
    JOIN pgpubsub.channel c ON c.id = s.channel_id WHERE c.name = 'counted';
\c -
SET lock_timeout = '30s';
BEGIN;
SET LOCAL pgpubsub.wakeup = transaction;
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
PREPARE TRANSACTION 'regress_pgpubsub_stats_notify';
COMMIT PREPARED 'regress_pgpubsub_stats_notify';
SET pgpubsub.wakeup = off;
BEGIN;
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
PREPARE TRANSACTION 'regress_pgpubsub_stats';
COMMIT PREPARED 'regress_pgpubsub_stats';
SELECT * FROM counted;
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
SELECT * FROM counted;

-- a role's first right on a channel brings plain grants on functions, which all others would wait for: that can't be prepared
CREATE ROLE regress_pgpubsub_app;
BEGIN;
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_app', 'publish');
PREPARE TRANSACTION 'regress_pgpubsub_grant';
SELECT count(*) AS rights FROM pgpubsub.channel_privileges WHERE role = 'regress_pgpubsub_app'::regrole;
BEGIN;
SELECT pgpubsub.alter_channel('c', owner => 'regress_pgpubsub_app');
PREPARE TRANSACTION 'regress_pgpubsub_grant';
BEGIN;
SELECT pgpubsub.grant_usage('regress_pgpubsub_app');
PREPARE TRANSACTION 'regress_pgpubsub_grant';
-- rolled back to a savepoint, it is none; nor where the role has them
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_app', 'publish');
ROLLBACK TO s;
PREPARE TRANSACTION 'regress_pgpubsub_grant';
COMMIT PREPARED 'regress_pgpubsub_grant';
SELECT pgpubsub.grant_usage('regress_pgpubsub_app');
BEGIN;
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_app', 'publish');
PREPARE TRANSACTION 'regress_pgpubsub_grant';
COMMIT PREPARED 'regress_pgpubsub_grant';
SELECT privilege FROM pgpubsub.channel_privileges WHERE role = 'regress_pgpubsub_app'::regrole;
BEGIN;
SELECT pgpubsub.revoke_usage('regress_pgpubsub_app');
PREPARE TRANSACTION 'regress_pgpubsub_grant';
DROP OWNED BY regress_pgpubsub_app;
DROP ROLE regress_pgpubsub_app;

DROP VIEW counted;
DROP TABLE t;
DROP FUNCTION captured, pub, take;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
