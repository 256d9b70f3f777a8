-- What the functions behind the views show when they are called directly: the same. And queries on the views can be parallel.
SET client_min_messages = warning;
CREATE ROLE regress_pgpubsub_alice;
CREATE ROLE regress_pgpubsub_bob;
CREATE TABLE hers (id integer PRIMARY KEY);
CREATE TABLE ours (id integer PRIMARY KEY);
ALTER TABLE hers OWNER TO regress_pgpubsub_alice;
SELECT pgpubsub.create_channel(c), pgpubsub.publish(c, '1') > 0 AS published FROM unnest('{hers,ours}'::text[]) c;
SELECT pgpubsub.grant_channel('hers', 'regress_pgpubsub_alice', 'publish'), pgpubsub.grant_channel('ours', 'regress_pgpubsub_bob', 'consume');
SELECT pgpubsub.attach('hers', 'hers'), pgpubsub.attach('ours', 'ours');
-- whoever may call it
GRANT EXECUTE ON FUNCTION pgpubsub.attachment_list() TO PUBLIC;
CREATE FUNCTION seen() RETURNS TABLE (by_function text, by_view text) LANGUAGE sql AS $$
    SELECT (SELECT string_agg("table"::text, ' ' ORDER BY "table"::text) FROM pgpubsub.attachment_list() WHERE "table" IN ('hers'::regclass, 'ours'::regclass)),
           (SELECT string_agg("table"::text, ' ' ORDER BY "table"::text) FROM pgpubsub.attachments WHERE "table" IN ('hers'::regclass, 'ours'::regclass)) $$;
SELECT * FROM seen();
SET ROLE regress_pgpubsub_alice;
SELECT * FROM seen();
SET ROLE regress_pgpubsub_bob;
SELECT * FROM seen();
RESET ROLE;
CREATE ROLE regress_pgpubsub_carol;
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_carol;
SET ROLE regress_pgpubsub_carol;
SELECT count(*) FROM pgpubsub.attachment_list();
RESET ROLE;

-- in parallel, by workers that look up channels and rights themselves, also when the session's own memory of them is empty
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE FUNCTION is_parallel(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        IF line ~ 'Gather' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;
-- Whatever the tables' sizes are; the setting has another name since PostgreSQL 16.
SELECT count(set_config(name, 'on', false)) AS settings FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
SELECT is_parallel('SELECT count(*) FROM pgpubsub.channels') AS channels, is_parallel('SELECT count(*) FROM pgpubsub.notifications') AS notifications;
SET parallel_leader_participation = off;
SELECT name FROM pgpubsub.channels WHERE name IN ('hers', 'ours') ORDER BY 1;
SET ROLE regress_pgpubsub_bob;
SELECT channel, payload FROM pgpubsub.notifications WHERE channel IN ('hers', 'ours') ORDER BY 1;
RESET ROLE;
SET parallel_leader_participation = on;
\c -
SET client_min_messages = warning;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT channel, count(*) FROM pgpubsub.notifications WHERE channel IN ('hers', 'ours') GROUP BY 1 ORDER BY 1;
SELECT channel, ready FROM pgpubsub.stat_channels WHERE channel IN ('hers', 'ours') ORDER BY 1;
SELECT proname, proparallel FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace AND proparallel <> 'u' ORDER BY 1;

REVOKE EXECUTE ON FUNCTION pgpubsub.attachment_list() FROM PUBLIC;
SELECT pgpubsub.detach('hers', 'hers'), pgpubsub.detach('ours', 'ours');
SELECT pgpubsub.drop_channel('hers'), pgpubsub.drop_channel('ours');
DROP TABLE hers, ours;
DROP FUNCTION seen, is_parallel;
DROP OWNED BY regress_pgpubsub_alice, regress_pgpubsub_bob, regress_pgpubsub_carol;
DROP ROLE regress_pgpubsub_alice, regress_pgpubsub_bob, regress_pgpubsub_carol;
