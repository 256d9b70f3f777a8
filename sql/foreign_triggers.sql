-- What somebody else has put on the private tables, as a role could that was granted all on them, does not fire by our functions; nor
-- does any setting of the session change what they do.
CREATE ROLE regress_pgpubsub_stranger;
CREATE ROLE regress_pgpubsub_owner;
CREATE ROLE regress_pgpubsub_app;
GRANT CREATE ON SCHEMA public TO regress_pgpubsub_stranger;
SELECT pgpubsub.create_channel('mine'), pgpubsub.create_channel('loud', 'broadcast');
SELECT pgpubsub.alter_channel(c, owner => 'regress_pgpubsub_owner') FROM (VALUES ('mine'), ('loud')) v(c);
SELECT pgpubsub.grant_usage('regress_pgpubsub_owner', own_channels => true);

GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_stranger;
GRANT ALL ON ALL TABLES IN SCHEMA pgpubsub TO regress_pgpubsub_stranger;
SET ROLE regress_pgpubsub_stranger;
CREATE TABLE fired (as_role name, on_table text, event text);
GRANT ALL ON fired TO PUBLIC;
CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.fired VALUES (current_user, TG_TABLE_NAME, TG_OP); RETURN NULL; END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY '{channel,subscription,channel_privilege,notification,dead_letter,processed,broadcast,stat_count}'::text[] LOOP
    EXECUTE format('CREATE TRIGGER fire BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.%I FOR EACH STATEMENT EXECUTE FUNCTION public.fire()', t);
    EXECUTE format('CREATE TRIGGER fire_row AFTER INSERT OR UPDATE OR DELETE ON pgpubsub.%I FOR EACH ROW EXECUTE FUNCTION public.fire()', t);
    EXECUTE format('CREATE CONSTRAINT TRIGGER fire_late AFTER INSERT OR UPDATE OR DELETE ON pgpubsub.%I DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.fire()', t);
  END LOOP;
END $$;
RESET ROLE;

CREATE TABLE t (x integer);
ALTER TABLE t OWNER TO regress_pgpubsub_owner;
SET ROLE regress_pgpubsub_owner;
\set VERBOSITY terse
SELECT pgpubsub.create_channel('fresh', max_attempts => 3, ordered => true), pgpubsub.create_channel('fresh loud', 'broadcast', retention => '1 hour');
SELECT pgpubsub.attach('t', 'first use');
INSERT INTO t VALUES (1);
SELECT pgpubsub.alter_channel('mine', ordered => true, max_attempts => 2, filter => '{"a": 1}'), pgpubsub.alter_channel('loud', retention => '2 hours');
SELECT pgpubsub.pause_channel('mine'), pgpubsub.resume_channel('mine'), pgpubsub.subscribe('mine', 'second', history => '1 day');
SELECT pgpubsub.grant_channel('mine', 'regress_pgpubsub_app', 'consume'), pgpubsub.revoke_channel('mine', 'regress_pgpubsub_app', 'consume');
SELECT pgpubsub.publish('mine', '{"a": 1}') > 0 AS published, pgpubsub.publish('loud', to_jsonb(repeat('x', 9000))) > 0 AS broadcast;
SELECT count(*) FROM pgpubsub.take('mine', 10, 'second');
SELECT pgpubsub.nack(array_agg(receipt), reject => true) FROM pgpubsub.claim('mine', 10);
SELECT pgpubsub.redrive('mine'), pgpubsub.purge_channel('mine');
SELECT pgpubsub.unsubscribe('mine', 'second'), pgpubsub.drop_channel('mine'), pgpubsub.drop_channel('loud');
SELECT pgpubsub.detach('t', 'first use'), pgpubsub.drop_channel('first use');
SELECT pgpubsub.purge_all();
RESET ROLE;
DROP OWNED BY regress_pgpubsub_owner;
SELECT pgpubsub.drop_channel('fresh'), pgpubsub.drop_channel('fresh loud');
TABLE fired;
-- SQL of the stranger's own does
SET ROLE regress_pgpubsub_stranger;
DELETE FROM pgpubsub.channel;
RESET ROLE;
TABLE fired;
DROP OWNED BY regress_pgpubsub_stranger CASCADE;
SELECT count(*) AS left_over FROM pg_trigger WHERE tgname LIKE 'fire%';

-- odd settings
CREATE TABLE t (x integer);
ALTER TABLE t OWNER TO regress_pgpubsub_owner;
-- PostgreSQL 19 knows the strings of the standard only
SELECT current_setting('server_version_num')::integer < 190000 AS has_other_strings \gset
\if :has_other_strings
SET standard_conforming_strings = off;
SET escape_string_warning = on;
\endif
SET backslash_quote = off;
SET quote_all_identifiers = on;
SET transform_null_equals = on;
SET array_nulls = off;
SET row_security = off;
SET search_path = '';
SET session_replication_role = replica;
SET check_function_bodies = off;
SET intervalstyle = sql_standard;
SET bytea_output = escape;
SET client_encoding = sql_ascii;
SELECT pgpubsub.create_channel('it''s', ordered => true, backoff_base => '2 s', history => '1 day');
SELECT pgpubsub.create_channel('loud', 'broadcast', retention => '2 days');
SELECT pgpubsub.alter_channel('it''s', filter => '{"a": "b"}', max_attempts => 3, owner => 'regress_pgpubsub_owner');
SELECT pgpubsub.subscribe('it''s', 'sub''s', filter => '{}'), pgpubsub.pause_channel('it''s', 'sub''s');
SELECT pgpubsub.grant_channel('it''s', 'regress_pgpubsub_app', 'publish');
RESET ALL;
SELECT subscription, paused, max_attempts, backoff_base, history, filter FROM pgpubsub.subscriptions ORDER BY subscription;
SELECT role, privilege FROM pgpubsub.channel_privileges WHERE channel = 'it''s' ORDER BY role::text;
\if :has_other_strings
SET standard_conforming_strings = off;
\endif
SET session_replication_role = replica;
SELECT pgpubsub.attach('public.t', 'it''s');
SELECT pgpubsub.drop_channel('it''s');
INSERT INTO t VALUES (1);
SELECT pgpubsub.detach('public.t', 'it''s'), pgpubsub.unsubscribe('it''s', 'sub''s');
SELECT pgpubsub.drop_channel('it''s'), pgpubsub.drop_channel('loud');
RESET ALL;
SELECT count(*) AS channels FROM pgpubsub.channel;

DROP TABLE t;
DROP OWNED BY regress_pgpubsub_owner, regress_pgpubsub_app, regress_pgpubsub_stranger;
DROP ROLE regress_pgpubsub_owner, regress_pgpubsub_app, regress_pgpubsub_stranger;
