-- pgpubsub 0.1.0 to 0.2.0: leads to exactly what pgpubsub--0.2.0.sql makes. test/t/upgrade.pl compares the two.
--
-- The library of 0.2.0 serves the catalog of 0.1.0 as well, so install the library first and run this when it suits.
-- Rules that keep that true:
--   - a column is added at the end of a table, and is nullable;
--   - a C function whose arguments or results change gets a new symbol, and the old symbol stays;
--   - the tables keep their identity: nothing that holds data is dropped and made again;
--   - no GRANT: PostgreSQL would take what users have granted on the object for initial rights, and pg_dump leaves those out.
\echo Use "ALTER EXTENSION pgpubsub UPDATE TO '0.2.0'" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

-- Refused while the extension's schema has another name. Takes all locks, so that nobody gets into a deadlock with this update.
CREATE FUNCTION pgpubsub.begin_update() RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_begin_update' LANGUAGE C;
SELECT pgpubsub.begin_update();
DROP FUNCTION pgpubsub.begin_update();

-- What default privileges gave on the objects that there are. On those that this script makes: at its end.
CREATE FUNCTION pgpubsub.set_initial_privileges(readers text[]) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_set_initial_privileges' LANGUAGE C;
SELECT pgpubsub.set_initial_privileges('{}');

-- A function whose arguments or result change is replaced; where both can't have the name, the former one gets another one
-- until it is dropped. Who could call it can call its successor.
CREATE FUNCTION pgpubsub.pass_on_privileges(former regprocedure, successor regprocedure) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_pass_on_privileges' LANGUAGE C;

-- ---------------------------------------------------------------------------------------------
-- Tables
-- ---------------------------------------------------------------------------------------------

CREATE INDEX notification_waiting ON pgpubsub.notification (subscription_id, id)
    WITH (deduplicate_items = off) WHERE due_at IS NOT NULL AND lease_token IS NULL;
-- They begin again when they are used up; ids that are taken are passed over.
ALTER SEQUENCE pgpubsub.channel_id_seq CYCLE;
ALTER SEQUENCE pgpubsub.subscription_id_seq CYCLE;

-- Nothing is of this type. Roles with rights on channels depend on it, so that they can't be dropped unnoticed (role_rights.hpp). That
-- PUBLIC may use it gives nothing, and lets a role that is not the extension's owner run DROP OWNED.
CREATE TYPE pgpubsub.channel_rights AS ENUM ();
COMMENT ON TYPE pgpubsub.channel_rights IS 'private: stands for the rights of roles on channels where PostgreSQL notes what depends on a role';
GRANT USAGE ON TYPE pgpubsub.channel_rights TO PUBLIC;

CREATE FUNCTION pgpubsub.after_drop_owned() RETURNS event_trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_after_drop_owned' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.after_drop_owned() IS 'private: takes the rights on channels from the roles of DROP OWNED';
CREATE EVENT TRIGGER pgpubsub_drop_owned ON ddl_command_end WHEN TAG IN ('DROP OWNED')
    EXECUTE FUNCTION pgpubsub.after_drop_owned();
COMMENT ON EVENT TRIGGER pgpubsub_drop_owned IS 'DROP OWNED takes the rights on channels too';
ALTER EVENT TRIGGER pgpubsub_drop_owned ENABLE ALWAYS;
REVOKE ALL ON FUNCTION pgpubsub.after_drop_owned() FROM PUBLIC;
-- Fires the trigger that notes which roles have rights.
UPDATE pgpubsub.channel_privilege SET privilege = privilege WHERE false;

-- What a subscription of logical replication, as to a publication FOR ALL TABLES, would copy from another server's tables is not for
-- these: ids mean other channels there. Only an apply worker's rows are skipped, not those that a restore writes.
CREATE FUNCTION pgpubsub.skip_replicated() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_skip_replicated' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.skip_replicated() IS 'private: keeps the rows of other servers, which logical replication brings, out of the private tables';
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.channel
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.subscription
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.channel_privilege
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.notification
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.dead_letter
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.processed
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.broadcast
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
CREATE TRIGGER skip_replicated BEFORE INSERT OR UPDATE OR DELETE ON pgpubsub.stat_count
    FOR EACH ROW EXECUTE FUNCTION pgpubsub.skip_replicated();
ALTER TABLE pgpubsub.channel           ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.subscription      ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.channel_privilege ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.notification      ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.dead_letter       ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.processed         ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.broadcast         ENABLE REPLICA TRIGGER skip_replicated;
ALTER TABLE pgpubsub.stat_count        ENABLE REPLICA TRIGGER skip_replicated;

-- Claims remember where nothing is left to claim. What is written by hand, or by a restore, may be anywhere.
CREATE FUNCTION pgpubsub.notifications_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_notifications_changed' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.notifications_changed() IS 'private: tells claims to forget where they have found nothing';
CREATE TRIGGER notifications_changed AFTER INSERT OR UPDATE ON pgpubsub.notification
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.notifications_changed();
ALTER TABLE pgpubsub.notification      ENABLE ALWAYS TRIGGER notifications_changed;

-- Nor does logical decoding hand on what happens to the notifications here: see replication.hpp in extension/src.
CREATE FUNCTION pgpubsub.hide_from_decoding() RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_hide_from_decoding' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.hide_from_decoding() IS
    'private: makes logical decoding skip the changes of the stored notifications; to be called after pg_upgrade where no worker does it';

-- ---------------------------------------------------------------------------------------------
-- Channels and rights
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.purge_all() RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_purge_all' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.purge_all() IS
    'removes notifications, dead letters, history and broadcasts of all channels that the caller owns (a superuser: of all), as between tests; returns how many';

CREATE FUNCTION pgpubsub.grant_usage(role regrole, own_channels boolean DEFAULT false) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_grant_usage' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.grant_usage(regrole, boolean) IS
    'lets a role call what publishes and consumes, and read the views, for the channels that it has rights on; own_channels: also what makes and administers channels of its own';

CREATE FUNCTION pgpubsub.revoke_usage(role regrole) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_revoke_usage' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.revoke_usage(regrole) IS
    'takes back what grant_usage gave, and what went with rights on channels; the rights stay';

CREATE FUNCTION pgpubsub.complete_usage() RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_complete_usage' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.complete_usage() IS
    'private: gives the roles that may call some of what grant_usage gives the functions that an update has brought';

REVOKE ALL ON FUNCTION pgpubsub.purge_all(), pgpubsub.grant_usage(regrole, boolean), pgpubsub.revoke_usage(regrole),
                       pgpubsub.complete_usage() FROM PUBLIC;

-- ---------------------------------------------------------------------------------------------
-- Publishing and capturing
-- ---------------------------------------------------------------------------------------------

ALTER FUNCTION pgpubsub.attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean) RENAME TO former_attach;
CREATE FUNCTION pgpubsub.attach(
        relation regclass, channel text, events text[] DEFAULT NULL, columns text[] DEFAULT NULL, condition text DEFAULT NULL,
        granularity text DEFAULT NULL, payload text DEFAULT NULL, payload_columns text[] DEFAULT NULL,
        key_columns text[] DEFAULT NULL, always boolean DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_attach' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean) IS
    'captures the changes of a table into a channel, which is made if it does not exist, or changes how it captures them; the caller owns the table';

REVOKE ALL ON FUNCTION pgpubsub.attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean)', 'pgpubsub.attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean)');
DROP FUNCTION pgpubsub.former_attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean);

ALTER FUNCTION pgpubsub.detach(regclass, text) RENAME TO former_detach;
CREATE FUNCTION pgpubsub.detach(relation regclass, channel text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_detach' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.detach(regclass, text) IS
    'ends the capture of a table into a channel; what is stored stays';

REVOKE ALL ON FUNCTION pgpubsub.detach(regclass, text) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_detach(regclass, text)', 'pgpubsub.detach(regclass, text)');
DROP FUNCTION pgpubsub.former_detach(regclass, text);

-- ---------------------------------------------------------------------------------------------
-- Consuming
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.claim_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'pgpubsub_claim_support' LANGUAGE C STRICT;
COMMENT ON FUNCTION pgpubsub.claim_support(internal) IS
    'private: tells the planner that take() and claim() return as many rows as max_count says';

REVOKE ALL ON FUNCTION pgpubsub.claim_support(internal) FROM PUBLIC;

CREATE FUNCTION pgpubsub.take(channel text, max_count bigint DEFAULT 1, subscription text DEFAULT 'default',
                              filter jsonb DEFAULT NULL)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer)
    AS 'MODULE_PATHNAME', 'pgpubsub_take_0_2' LANGUAGE C ROWS 10 SUPPORT pgpubsub.claim_support;
COMMENT ON FUNCTION pgpubsub.take(text, bigint, text, jsonb) IS
    'claims and removes up to max_count notifications in this transaction: gone if it commits, back if it rolls back';

REVOKE ALL ON FUNCTION pgpubsub.take(text, bigint, text, jsonb) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.take(text, integer, text, jsonb)', 'pgpubsub.take(text, bigint, text, jsonb)');
DROP FUNCTION pgpubsub.take(text, integer, text, jsonb);

CREATE FUNCTION pgpubsub.idempotency_key(id bigint, created_at timestamptz) RETURNS text
    AS 'MODULE_PATHNAME', 'pgpubsub_idempotency_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION pgpubsub.idempotency_key(bigint, timestamptz) IS
    'by which effects outside the database recognise a repetition: the same for each attempt of a notification, and never for another one, not after a fail-over either';
REVOKE ALL ON FUNCTION pgpubsub.idempotency_key(bigint, timestamptz) FROM PUBLIC;

CREATE FUNCTION pgpubsub.requeue(ids bigint[], delay interval DEFAULT NULL, error text DEFAULT NULL,
                                 reject boolean DEFAULT false, subscription text DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_requeue' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.requeue(bigint[], interval, text, boolean, text) IS
    'puts notifications that this transaction took for the subscription (null: for any) back, to be tried again after the delay (null: the back-off of the subscription), or among the dead letters; returns how many';

REVOKE ALL ON FUNCTION pgpubsub.requeue(bigint[], interval, text, boolean, text) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.requeue(bigint[], interval, text, boolean)', 'pgpubsub.requeue(bigint[], interval, text, boolean, text)');
DROP FUNCTION pgpubsub.requeue(bigint[], interval, text, boolean);

CREATE FUNCTION pgpubsub.claim(channel text, max_count bigint DEFAULT 1, lease interval DEFAULT '30 seconds',
                               subscription text DEFAULT 'default', filter jsonb DEFAULT NULL)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer, receipt text)
    AS 'MODULE_PATHNAME', 'pgpubsub_claim_0_2' LANGUAGE C ROWS 10 SUPPORT pgpubsub.claim_support;
COMMENT ON FUNCTION pgpubsub.claim(text, bigint, interval, text, jsonb) IS
    'leases up to max_count notifications: hidden from others until the lease ends, is acked, nacked or released';

REVOKE ALL ON FUNCTION pgpubsub.claim(text, bigint, interval, text, jsonb) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.claim(text, integer, interval, text, jsonb)', 'pgpubsub.claim(text, bigint, interval, text, jsonb)');
DROP FUNCTION pgpubsub.claim(text, integer, interval, text, jsonb);

ALTER FUNCTION pgpubsub.ack(text[]) RENAME TO former_ack;
CREATE FUNCTION pgpubsub.ack(receipts text[]) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_ack' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.ack(text[]) IS
    'removes leased notifications: their work is done; returns how many (a stale receipt counts nothing)';

REVOKE ALL ON FUNCTION pgpubsub.ack(text[]) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_ack(text[])', 'pgpubsub.ack(text[])');
DROP FUNCTION pgpubsub.former_ack(text[]);

ALTER FUNCTION pgpubsub.nack(text[], interval, text, boolean) RENAME TO former_nack;
CREATE FUNCTION pgpubsub.nack(receipts text[], delay interval DEFAULT NULL, error text DEFAULT NULL,
                              reject boolean DEFAULT false) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_nack' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.nack(text[], interval, text, boolean) IS
    'ends leases whose work failed: to be tried again after the delay (null: the back-off of the subscription), or dead letters when the attempts are used up or reject is set; returns how many';

REVOKE ALL ON FUNCTION pgpubsub.nack(text[], interval, text, boolean) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_nack(text[], interval, text, boolean)', 'pgpubsub.nack(text[], interval, text, boolean)');
DROP FUNCTION pgpubsub.former_nack(text[], interval, text, boolean);

ALTER FUNCTION pgpubsub.extend(text[], interval) RENAME TO former_extend;
CREATE FUNCTION pgpubsub.extend(receipts text[], lease interval DEFAULT '30 seconds') RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_extend' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.extend(text[], interval) IS
    'lets leases end only after the given time from now; returns how many';

REVOKE ALL ON FUNCTION pgpubsub.extend(text[], interval) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_extend(text[], interval)', 'pgpubsub.extend(text[], interval)');
DROP FUNCTION pgpubsub.former_extend(text[], interval);

ALTER FUNCTION pgpubsub.release(text[]) RENAME TO former_release;
CREATE FUNCTION pgpubsub.release(receipts text[]) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_release' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.release(text[]) IS
    'gives leased notifications back untried: ready at once, the attempt not counted; returns how many';

REVOKE ALL ON FUNCTION pgpubsub.release(text[]) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_release(text[])', 'pgpubsub.release(text[])');
DROP FUNCTION pgpubsub.former_release(text[]);

COMMENT ON FUNCTION pgpubsub.recover(text) IS
    'ends leases whose owner is gone, makes dead letters of what is over and has used up its attempts (at most 10,000 together), wakes the consumers of each channel that has something ready, and returns how many it ended; null: all channels that the caller may consume';

CREATE PROCEDURE pgpubsub.recover(channel text, chunk_size bigint, INOUT recovered bigint DEFAULT 0)
    AS 'MODULE_PATHNAME', 'pgpubsub_recover_in_chunks_0_2' LANGUAGE C;
COMMENT ON PROCEDURE pgpubsub.recover(text, bigint, bigint) IS
    'as the function, for all there is, with a commit after each chunk_size notifications';

REVOKE ALL ON PROCEDURE pgpubsub.recover(text, bigint, bigint) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.recover(text, integer, bigint)', 'pgpubsub.recover(text, bigint, bigint)');
DROP PROCEDURE pgpubsub.recover(text, integer, bigint);

-- The default of ids stands for "left out": null and an empty array are none, as array_agg() has it.
CREATE FUNCTION pgpubsub.redrive(channel text, filter jsonb DEFAULT NULL, subscription text DEFAULT 'default',
                                 ids bigint[] DEFAULT '[0:0]={0}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_redrive_0_2' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.redrive(text, jsonb, text, bigint[]) IS
    'makes dead letters ready again, with no attempt counted: all, or those whose payload contains the filter, or with these ids; returns how many';

REVOKE ALL ON FUNCTION pgpubsub.redrive(text, jsonb, text, bigint[]) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.redrive(text, jsonb, text)', 'pgpubsub.redrive(text, jsonb, text, bigint[])');
SELECT pgpubsub.pass_on_privileges('pgpubsub.redrive(text, bigint[], text)', 'pgpubsub.redrive(text, jsonb, text, bigint[])');
DROP FUNCTION pgpubsub.redrive(text, jsonb, text);
DROP FUNCTION pgpubsub.redrive(text, bigint[], text);

CREATE FUNCTION pgpubsub.purge_dead_letters(channel text, filter jsonb DEFAULT NULL, older_than interval DEFAULT NULL,
                                            subscription text DEFAULT 'default', ids bigint[] DEFAULT '[0:0]={0}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_purge_dead_letters_0_2' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.purge_dead_letters(text, jsonb, interval, text, bigint[]) IS
    'removes dead letters: all, or those whose payload contains the filter, that died longer ago, or with these ids; returns how many';

REVOKE ALL ON FUNCTION pgpubsub.purge_dead_letters(text, jsonb, interval, text, bigint[]) FROM PUBLIC;
SELECT pgpubsub.pass_on_privileges('pgpubsub.purge_dead_letters(text, jsonb, interval, text)', 'pgpubsub.purge_dead_letters(text, jsonb, interval, text, bigint[])');
SELECT pgpubsub.pass_on_privileges('pgpubsub.purge_dead_letters(text, bigint[], text)', 'pgpubsub.purge_dead_letters(text, jsonb, interval, text, bigint[])');
DROP FUNCTION pgpubsub.purge_dead_letters(text, jsonb, interval, text);
DROP FUNCTION pgpubsub.purge_dead_letters(text, bigint[], text);
CREATE FUNCTION pgpubsub.peek(channel text, subscription text DEFAULT 'default', state text DEFAULT NULL,
                              filter jsonb DEFAULT NULL, after_id bigint DEFAULT NULL, max_count bigint DEFAULT 100)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer, subscription text,
                   state text, due_at timestamptz, dedup_key text, last_error text)
    AS 'MODULE_PATHNAME', 'pgpubsub_peek' LANGUAGE C STABLE ROWS 100;
COMMENT ON FUNCTION pgpubsub.peek(text, text, text, jsonb, bigint, bigint) IS
    'a page of what is stored, without taking it, in the order of ids: the first max_count notifications after after_id, of one state or of all; as the view pgpubsub.notifications, in milliseconds at any size';

CREATE FUNCTION pgpubsub.get(id bigint)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer, subscription text,
                   state text, due_at timestamptz, dedup_key text, last_error text)
    AS 'MODULE_PATHNAME', 'pgpubsub_get' LANGUAGE C STABLE ROWS 1;
COMMENT ON FUNCTION pgpubsub.get(bigint) IS
    'a stored notification by its id, once for each subscription, without taking it; state: as in the view pgpubsub.notifications, or dead; whoever may only publish to the channel does not see what is in it';

REVOKE ALL ON FUNCTION pgpubsub.peek(text, text, text, jsonb, bigint, bigint), pgpubsub.get(bigint) FROM PUBLIC;

-- ---------------------------------------------------------------------------------------------
-- Monitoring and views
-- ---------------------------------------------------------------------------------------------

-- So that a query on the views can be parallel.
ALTER FUNCTION pgpubsub.has_channel_privilege(text, text) PARALLEL SAFE;
ALTER FUNCTION pgpubsub.attachment_list() PARALLEL RESTRICTED;
ALTER FUNCTION pgpubsub.stat_backlog() PARALLEL RESTRICTED;
ALTER FUNCTION pgpubsub.stat_rates() PARALLEL RESTRICTED;
ALTER FUNCTION pgpubsub.stat_leases() PARALLEL RESTRICTED;

ALTER FUNCTION pgpubsub.wakeup_state() RENAME TO former_wakeup_state;
CREATE FUNCTION pgpubsub.wakeup_state(
        OUT mode text, OUT worker_pid integer, OUT worker_started_at timestamptz, OUT hints bigint, OUT notifies bigint,
        OUT woken bigint, OUT coalesced bigint, OUT last_error text, OUT last_error_at timestamptz, OUT listeners integer[],
        OUT unread_listener integer, OUT unread_since timestamptz)
    AS 'MODULE_PATHNAME', 'pgpubsub_wakeup_state_0_2' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.wakeup_state() IS
    'private: what is known of the worker of this database; see the view pgpubsub.stat_wakeup';

REVOKE ALL ON FUNCTION pgpubsub.wakeup_state() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION pgpubsub.wakeup_state() TO pg_read_all_stats;
SELECT pgpubsub.pass_on_privileges('pgpubsub.former_wakeup_state()', 'pgpubsub.wakeup_state()');

-- A listener that has a transaction open, or reads nothing, keeps the server's queue of NOTIFYs from being emptied.
CREATE OR REPLACE VIEW pgpubsub.stat_wakeup WITH (security_barrier) AS
    SELECT w.mode, w.worker_pid, w.worker_started_at, w.hints, w.notifies, w.woken, w.coalesced,
           pg_catalog.pg_notification_queue_usage() AS queue_usage,
           pg_catalog.cardinality(w.listeners) AS listeners,
           l.pid AS oldest_listener, l.since AS oldest_listener_since,
           w.last_error, w.last_error_at
      FROM pgpubsub.wakeup_state() w
      LEFT JOIN LATERAL (SELECT o.pid, o.since
                           FROM (SELECT a.pid, a.xact_start FROM pg_catalog.pg_stat_activity a WHERE a.pid = ANY (w.listeners)
                                 UNION ALL SELECT w.unread_listener, w.unread_since) o (pid, since)
                          WHERE o.since IS NOT NULL
                          ORDER BY o.since LIMIT 1) l ON true;
COMMENT ON VIEW pgpubsub.stat_wakeup IS
    'how the consumers of this database are woken: the worker, how many hints it was given and how many NOTIFYs it sent, how full the server''s queue of NOTIFYs is, and which listener keeps it from being emptied, by an open transaction or since it reads nothing';

DROP FUNCTION pgpubsub.former_wakeup_state();

DROP FUNCTION pgpubsub.pass_on_privileges(regprocedure, regprocedure);
CREATE OR REPLACE VIEW pgpubsub.stat_channels WITH (security_barrier) AS
    SELECT c.name AS channel, s.name AS subscription,
           b.ready, b.delayed, b.in_flight, b.retrying, b.dead,
           greatest(clock_timestamp(), b.oldest_created_at) - b.oldest_created_at AS oldest_age,
           coalesce(r.published_per_second, 0) AS published_per_second,
           coalesce(r.processed_per_second, 0) AS processed_per_second,
           coalesce(r.failed_per_second, 0) AS failed_per_second,
           b.estimated, s.paused
      FROM pgpubsub.stat_backlog() b
      JOIN pgpubsub.subscription s ON s.id = b.subscription_id
      JOIN pgpubsub.channel c ON c.id = s.channel_id
      LEFT JOIN pgpubsub.stat_rates() r ON r.subscription_id = b.subscription_id;

CREATE OR REPLACE VIEW pgpubsub.attachments WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT a."table", a.channel, a.events, a.granularity, a.payload, a.columns, a.condition, a.payload_columns, a.key_columns,
               a.always, a.enabled, a.filter_lost, a.triggers,
               NOT EXISTS (SELECT FROM pgpubsub.channel c WHERE c.name = a.channel)
               OR EXISTS (SELECT FROM pgpubsub.channel c
                            JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id AND p.privilege IN ('owner', 'publish')
                           WHERE c.name = a.channel AND pg_catalog.pg_has_role(t.relowner, p.grantee, 'USAGE'))
               OR EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = t.relowner AND r.rolsuper) AS can_publish
          FROM pgpubsub.attachment_list() a
          JOIN pg_catalog.pg_class t ON t.oid = a."table"
         WHERE pg_catalog.pg_has_role(t.relowner, 'USAGE')
            OR pgpubsub.has_channel_privilege(a.channel, 'publish')
            OR pgpubsub.has_channel_privilege(a.channel, 'consume')
    )
    SELECT * FROM shown;

-- FOR UPDATE on a view locks no row of the tables behind it.
CREATE OR REPLACE VIEW pgpubsub.channels WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name, c.kind, c.ordered, p.grantee AS owner, c.retention, c.created_at
          FROM pgpubsub.channel c
          LEFT JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id AND p.privilege = 'owner'
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;

CREATE OR REPLACE VIEW pgpubsub.subscriptions WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name AS channel, s.name AS subscription, s.paused, s.max_attempts,
               s.backoff_base, s.backoff_factor, s.backoff_max, s.backoff_jitter, s.history, s.filter, s.created_at
          FROM pgpubsub.subscription s
          JOIN pgpubsub.channel c ON c.id = s.channel_id
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;

CREATE OR REPLACE VIEW pgpubsub.channel_privileges WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name AS channel, p.grantee AS role, p.privilege
          FROM pgpubsub.channel c
          JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;

CREATE OR REPLACE VIEW pgpubsub.notifications WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT n.id, c.name AS channel, n.payload, n.key, n.headers, n.created_at, n.deliver_at,
               n.priority::integer AS priority, n.attempts::integer AS attempts, n.db_version,
               s.name AS subscription,
               CASE WHEN n.due_at IS NULL OR n.due_at <= clock_timestamp() THEN 'ready'
                    WHEN n.lease_token IS NOT NULL THEN 'leased'
                    WHEN n.attempts > 0 THEN 'retrying'
                    ELSE 'delayed' END AS state,
               n.due_at, n.dedup_key, n.last_error
          FROM pgpubsub.notification n
          JOIN pgpubsub.subscription s ON s.id = n.subscription_id
          JOIN pgpubsub.channel c ON c.id = s.channel_id
         WHERE pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;

CREATE OR REPLACE VIEW pgpubsub.dead_letters WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT d.id, c.name AS channel, d.payload, d.key, d.headers, d.created_at, d.deliver_at,
               d.priority::integer AS priority, d.attempts::integer AS attempts, d.db_version,
               s.name AS subscription, d.died_at, d.last_error
          FROM pgpubsub.dead_letter d
          JOIN pgpubsub.subscription s ON s.id = d.subscription_id
          JOIN pgpubsub.channel c ON c.id = s.channel_id
         WHERE pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;

CREATE OR REPLACE VIEW pgpubsub.history WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT h.id, c.name AS channel, h.payload, h.key, h.headers, h.created_at, h.deliver_at,
               h.priority::integer AS priority, h.attempts::integer AS attempts, h.db_version,
               s.name AS subscription, h.processed_at
          FROM pgpubsub.processed h
          JOIN pgpubsub.subscription s ON s.id = h.subscription_id
          JOIN pgpubsub.channel c ON c.id = s.channel_id
         WHERE pgpubsub.has_channel_privilege(c.name, 'consume')
           -- not a difference of infinite times, which is an error
           AND CASE WHEN isfinite(h.processed_at) THEN clock_timestamp() - h.processed_at < s.history
                    ELSE h.processed_at = 'infinity' END
    )
    SELECT * FROM shown;

-- ---------------------------------------------------------------------------------------------
-- Rights
-- ---------------------------------------------------------------------------------------------

-- Of what this script has made, pg_read_all_stats may use these, as in pgpubsub--0.2.0.sql.
SELECT pgpubsub.set_initial_privileges('{}');
DROP FUNCTION pgpubsub.set_initial_privileges(text[]);
-- At the very end: the roles that may publish, consume or own channels get the functions that belong to that and are new.
SELECT pgpubsub.complete_usage();
SELECT pgpubsub.hide_from_decoding();
