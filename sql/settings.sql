-- The settings that captured changes carry.
CREATE TABLE t (x integer);
SELECT pgpubsub.attach('t', 't');

-- unset: an empty context, no version
INSERT INTO t VALUES (1);
-- for the session, for the transaction, and gone at its end
SET pgpubsub.notification_context = '{"user": "é", "n": 1.10}';
SET pgpubsub.db_version = 42;
INSERT INTO t VALUES (2);
BEGIN;
SET LOCAL pgpubsub.notification_context = '{"tenant": [1, 2]}';
SET LOCAL pgpubsub.db_version = 43;
INSERT INTO t VALUES (3);
SAVEPOINT s;
SET LOCAL pgpubsub.notification_context = '{"inner": true}';
INSERT INTO t VALUES (4);
ROLLBACK TO s;
INSERT INTO t VALUES (5);
COMMIT;
INSERT INTO t VALUES (6);
SET pgpubsub.notification_context = '';
RESET pgpubsub.db_version;
INSERT INTO t VALUES (7);
SELECT payload #>> '{new,x}' AS x, payload -> 'context' AS context, db_version FROM pgpubsub.take('t', 10);

-- created_at is the transaction's time
BEGIN;
INSERT INTO t VALUES (8);
SELECT created_at = now() AS now FROM pgpubsub.take('t');
COMMIT;
-- publish() is stamped with the version, too
BEGIN;
SET LOCAL pgpubsub.db_version = 0;
SELECT pgpubsub.publish('t', '{}') > 0 AS published;
SELECT db_version, created_at = now() AS now FROM pgpubsub.take('t');
COMMIT;

-- anything but an object is refused at SET
SET pgpubsub.notification_context = '{"a": ';
SET pgpubsub.notification_context = '[1]';
SET pgpubsub.notification_context = '"text"';
SET pgpubsub.notification_context = 'null';
SET pgpubsub.notification_context = '{"a": "\u0000"}';
SET pgpubsub.notification_context = '{"a": 1e999999}';
SET LOCAL pgpubsub.notification_context = 'x';
SELECT set_config('pgpubsub.notification_context', '{', false);
ALTER ROLE CURRENT_USER SET pgpubsub.notification_context = '{"a"}';
SHOW pgpubsub.notification_context;
SET pgpubsub.db_version = -2;
-- the range is told with its unit or without, as the version has it
DO $$ BEGIN SET pgpubsub.max_join_time = -2; EXCEPTION WHEN invalid_parameter_value THEN RAISE NOTICE '%', split_part(SQLERRM, '(', 1); END $$;
SET pgpubsub.wakeup = 'sometimes';
SET pgpubsub.no_such_setting = 1;
-- what is set for the server; it is known though the library is not preloaded
SET pgpubsub.wakeup_delay = '5ms';
SET pgpubsub.storage_interval = '5s';
SET pgpubsub.shared_channels = 100;
SHOW pgpubsub.shared_channels;

-- a context that changes with each transaction leaves nothing behind in the session
CREATE FUNCTION pg_temp.change_context(times integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. times LOOP
    PERFORM set_config('pgpubsub.notification_context', jsonb_build_object('request', i, 'user', repeat('x', 100))::text, true);
    INSERT INTO t VALUES (i);
    DELETE FROM pgpubsub.notification;
  END LOOP;
END $$;
SELECT pg_temp.change_context(10);
SELECT sum(used_bytes) AS before FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext' \gset
SELECT pg_temp.change_context(500);
SELECT sum(used_bytes) - :before < 50000 AS does_not_grow FROM pg_backend_memory_contexts WHERE name = 'TopMemoryContext';

-- values that are no good, given before the library was loaded: what holds is said
\c -
SET pgpubsub.lease_scope = 'forever';
SET pgpubsub.wakeup = 'bogus';
SET pgpubsub.db_version = '-2';
SET pgpubsub.max_skip_time = '5 apples';
SET pgpubsub.max_join_time = 'seven';
SET pgpubsub.notification_context = '[]';
SET pgpubsub.max_workers = 'many';
SELECT count(*) FROM pgpubsub.take('t', 100);
SELECT name, setting FROM pg_settings WHERE name LIKE 'pgpubsub.%' AND context = 'user' ORDER BY name COLLATE "C";
-- those that are good are taken silently
\c -
SET pgpubsub.lease_scope = 'TIME';
SET pgpubsub.wakeup = 'off';
SET pgpubsub.db_version = '0x10';
SET pgpubsub.max_skip_time = '0.5 min';
SET pgpubsub.max_join_time = '2s';
SET pgpubsub.notification_context = '{"a": 1}';
SELECT count(*) FROM pgpubsub.take('t', 100);
SELECT name, setting FROM pg_settings WHERE name LIKE 'pgpubsub.%' AND context = 'user' ORDER BY name COLLATE "C";

-- a role sets it for itself: PostgreSQL lets it once the library is loaded, as any function of the extension does
CREATE ROLE regress_pgpubsub_settings LOGIN;
SELECT pgpubsub.grant_channel('t', 'regress_pgpubsub_settings', 'consume');
\c -
SET SESSION AUTHORIZATION regress_pgpubsub_settings;
ALTER ROLE CURRENT_USER SET pgpubsub.lease_scope = 'time';
SELECT pgpubsub.has_channel_privilege('t', 'consume');
ALTER ROLE CURRENT_USER SET pgpubsub.lease_scope = 'time';
RESET SESSION AUTHORIZATION;
SELECT rolconfig FROM pg_roles WHERE rolname = 'regress_pgpubsub_settings';
DROP OWNED BY regress_pgpubsub_settings;
DROP ROLE regress_pgpubsub_settings;
DROP TABLE t;
SELECT pgpubsub.drop_channel('t');
