-- pgpubsub: the SQL objects of the extension.
--
-- Everything lives in the schema pgpubsub, which this script creates itself, so that it fails
-- rather than adopts a schema that somebody else prepared. Nothing is granted to PUBLIC, nor to anybody else by default privileges:
-- rights on a channel are given with pgpubsub.grant_channel(), which also gives the role what it needs here.
--
-- The functions are C++ and read and write the tables below directly, without SQL, so no search_path
-- can lead them astray. They check the caller's right on the channel themselves, and the tables
-- stay closed to everybody else. The few functions that do run SQL pin their search_path, or qualify every name.
\echo Use "CREATE EXTENSION pgpubsub" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA pgpubsub;
COMMENT ON SCHEMA pgpubsub IS 'message broker: channels, notifications and the functions that publish and consume them';

-- ---------------------------------------------------------------------------------------------
-- Tables (private: the column order is known to extension/src/channel/table_columns.hpp)
-- ---------------------------------------------------------------------------------------------

-- They begin again when they are used up; ids that are taken are passed over.
CREATE SEQUENCE pgpubsub.channel_id_seq AS integer CYCLE;
COMMENT ON SEQUENCE pgpubsub.channel_id_seq IS 'ids of channels';

CREATE TABLE pgpubsub.channel (
    id          integer     NOT NULL CONSTRAINT channel_pkey PRIMARY KEY,
    name        text COLLATE "C" NOT NULL CONSTRAINT channel_name_key UNIQUE
                            CONSTRAINT channel_name_length CHECK (octet_length(name) BETWEEN 1 AND 63),
    kind        text        NOT NULL CONSTRAINT channel_kind_known CHECK (kind IN ('queue', 'broadcast')),
    ordered     boolean     NOT NULL,
    retention   interval,   -- broadcast only: how long a payload that does not fit NOTIFY is kept
    created_at  timestamptz NOT NULL,
    CONSTRAINT channel_ordered_is_queue CHECK (kind = 'queue' OR NOT ordered),
    CONSTRAINT channel_retention_of_broadcast CHECK ((kind = 'broadcast') = (retention IS NOT NULL))
);
COMMENT ON TABLE pgpubsub.channel IS 'private: the named streams; see the view pgpubsub.channels';

CREATE SEQUENCE pgpubsub.subscription_id_seq AS integer CYCLE;
COMMENT ON SEQUENCE pgpubsub.subscription_id_seq IS 'ids of subscriptions';

CREATE TABLE pgpubsub.subscription (
    id              integer     NOT NULL CONSTRAINT subscription_pkey PRIMARY KEY,
    channel_id      integer     NOT NULL,
    name            text COLLATE "C" NOT NULL
                                CONSTRAINT subscription_name_length CHECK (octet_length(name) BETWEEN 1 AND 63),
    paused          boolean     NOT NULL,
    max_attempts    integer     NOT NULL CONSTRAINT subscription_max_attempts CHECK (max_attempts BETWEEN 0 AND 32767),
    backoff_base    interval    NOT NULL,
    backoff_factor  float8      NOT NULL CONSTRAINT subscription_backoff_factor CHECK (backoff_factor BETWEEN 1 AND 1000),
    backoff_max     interval    NOT NULL,
    backoff_jitter  float8      NOT NULL CONSTRAINT subscription_backoff_jitter CHECK (backoff_jitter BETWEEN 0 AND 1),
    history         interval    NOT NULL,
    filter          jsonb,
    created_at      timestamptz NOT NULL,
    CONSTRAINT subscription_name_key UNIQUE (channel_id, name)
);
COMMENT ON TABLE pgpubsub.subscription IS
    'private: the durable copies of queue channels, with their settings; see the view pgpubsub.subscriptions';

-- Roles stand in a table of their own: were they columns of pgpubsub.channel, then a dump restored
-- into a cluster that lacks one role would lose all channels, and not just that role's rights.
CREATE TABLE pgpubsub.channel_privilege (
    channel_id  integer NOT NULL,
    grantee     regrole NOT NULL,
    privilege   text    NOT NULL
                CONSTRAINT channel_privilege_known CHECK (privilege IN ('owner', 'publish', 'consume')),
    CONSTRAINT channel_privilege_pkey PRIMARY KEY (channel_id, grantee, privilege)
);
COMMENT ON TABLE pgpubsub.channel_privilege IS
    'private: who owns, publishes to and consumes from a channel; see the view pgpubsub.channel_privileges';

CREATE SEQUENCE pgpubsub.notification_id_seq AS bigint;
COMMENT ON SEQUENCE pgpubsub.notification_id_seq IS 'ids of notifications';

-- A row is either ready (due_at is null) or waits for due_at: a delay, a back-off or a lease. Each of
-- the first two indexes holds one of the two kinds, so that a row costs one index entry, and a million
-- waiting rows don't stand in the way of a claim. The third finds a receipt's row, the fourth those that wait without a lease,
-- by their ids: a lease costs no entry more for that. The others hold rows only where
-- a feature is used: of ordered channels (order_key is a hash of the key), and those with a dedup_key.
-- There is no primary key and no foreign key: either would add to the price of every captured row. An id stands once
-- for each subscription.
--
-- Autovacuum goes over it without pauses: as much as a queue passes through its table, it removes in each of its runs, and
-- while it paused (cost_delay) as much would come again. What it can't give back, a process of the library does (storage_job.cpp).
-- A lower fillfactor would gain nothing: a claim changes what the indexes hold, so the row's new version needs new entries anyway.
CREATE TABLE pgpubsub.notification (
    id              bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    subscription_id integer     NOT NULL,
    priority        smallint    NOT NULL,
    attempts        smallint    NOT NULL,
    payload         jsonb       NOT NULL,
    key             text,
    headers         jsonb,
    db_version      integer,
    deliver_at      timestamptz,
    due_at          timestamptz,
    lease_token     bigint,
    lease_owner     bigint,
    order_key       bigint,
    dedup_key       text COLLATE "C",
    last_error      text
) WITH (autovacuum_vacuum_cost_delay = 0, toast.autovacuum_vacuum_cost_delay = 0);
-- Where an entry ends in the id, none is like another one, and looking for duplicates before a page is split would find none.
CREATE INDEX notification_ready  ON pgpubsub.notification (subscription_id, priority DESC, id)
    WITH (deduplicate_items = off) WHERE due_at IS NULL;
CREATE INDEX notification_due    ON pgpubsub.notification (subscription_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notification_leased ON pgpubsub.notification (id)
    WITH (deduplicate_items = off) WHERE lease_token IS NOT NULL;
CREATE INDEX notification_waiting ON pgpubsub.notification (subscription_id, id)
    WITH (deduplicate_items = off) WHERE due_at IS NOT NULL AND lease_token IS NULL;
CREATE INDEX notification_ordered ON pgpubsub.notification (subscription_id, order_key, id)
    WITH (deduplicate_items = off) WHERE order_key IS NOT NULL AND lease_token IS NULL;
CREATE INDEX notification_held ON pgpubsub.notification (subscription_id, order_key, id)
    WITH (deduplicate_items = off) WHERE order_key IS NOT NULL AND due_at IS NOT NULL;
CREATE INDEX notification_in_flight ON pgpubsub.notification (subscription_id, order_key)
    WHERE order_key IS NOT NULL AND lease_token IS NOT NULL;
CREATE INDEX notification_dedup ON pgpubsub.notification (subscription_id, dedup_key) WHERE dedup_key IS NOT NULL;
COMMENT ON TABLE pgpubsub.notification IS 'private: the stored notifications; see the view pgpubsub.notifications';

CREATE TABLE pgpubsub.dead_letter (
    id              bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    subscription_id integer     NOT NULL,
    priority        smallint    NOT NULL,
    attempts        smallint    NOT NULL,
    payload         jsonb       NOT NULL,
    key             text,
    headers         jsonb,
    db_version      integer,
    deliver_at      timestamptz,
    died_at         timestamptz NOT NULL,
    last_error      text
);
CREATE INDEX dead_letter_id ON pgpubsub.dead_letter (subscription_id, id);
COMMENT ON TABLE pgpubsub.dead_letter IS
    'private: notifications whose attempts are used up or that were rejected; see the view pgpubsub.dead_letters';

CREATE TABLE pgpubsub.processed (
    id              bigint      NOT NULL,
    created_at      timestamptz NOT NULL,
    subscription_id integer     NOT NULL,
    priority        smallint    NOT NULL,
    attempts        smallint    NOT NULL,
    payload         jsonb       NOT NULL,
    key             text,
    headers         jsonb,
    db_version      integer,
    deliver_at      timestamptz,
    processed_at    timestamptz NOT NULL
);
CREATE INDEX processed_at ON pgpubsub.processed (subscription_id, processed_at);
COMMENT ON TABLE pgpubsub.processed IS
    'private: processed notifications of subscriptions that keep a history; see the view pgpubsub.history';

CREATE TABLE pgpubsub.broadcast (
    channel_id  integer     NOT NULL,
    id          bigint      NOT NULL,
    envelope    jsonb       NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX broadcast_id ON pgpubsub.broadcast (channel_id, id);
CREATE INDEX broadcast_expires_at ON pgpubsub.broadcast (channel_id, expires_at);
COMMENT ON TABLE pgpubsub.broadcast IS
    'private: broadcasts that are too large for NOTIFY, kept for the retention time of their channel; see pgpubsub.read_broadcast()';

-- What the sessions have counted. Nothing here is dumped: it says something about the last minutes only. It isn't truncated
-- by VACUUM, since that would lock out those who store their counts, and the space is needed again at once.
CREATE TABLE pgpubsub.stat_count (
    subscription_id integer     NOT NULL,
    counted_at      timestamptz NOT NULL,
    published       bigint      NOT NULL,
    processed       bigint      NOT NULL,
    failed          bigint      NOT NULL
) WITH (vacuum_truncate = false);
CREATE INDEX stat_count_at ON pgpubsub.stat_count (subscription_id, counted_at);
COMMENT ON TABLE pgpubsub.stat_count IS
    'private: how much the sessions published, processed and failed in the last minutes; see the view pgpubsub.stat_channels';

SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.subscription_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.subscription', '');
-- The number of a role that is gone must not come back as the number of another one.
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel_privilege',
                                           'WHERE grantee IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.notification_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.notification', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.processed', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.broadcast', '');

CREATE FUNCTION pgpubsub.channels_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_channels_changed' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.channels_changed() IS 'private: tells all sessions to forget what they remember of the channels';
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.channel
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.subscription
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.channel_privilege
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
-- With session_replication_role = replica too, as a restore may set it.
ALTER TABLE pgpubsub.channel           ENABLE ALWAYS TRIGGER channels_changed;
ALTER TABLE pgpubsub.subscription      ENABLE ALWAYS TRIGGER channels_changed;
ALTER TABLE pgpubsub.channel_privilege ENABLE ALWAYS TRIGGER channels_changed;

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

-- In the functions that set something, null stands for the default, or for what is there: doc/reference.md has both.
CREATE FUNCTION pgpubsub.create_channel(
        name text, kind text DEFAULT 'queue', ordered boolean DEFAULT NULL, max_attempts integer DEFAULT NULL,
        backoff_base interval DEFAULT NULL, backoff_factor double precision DEFAULT NULL, backoff_max interval DEFAULT NULL,
        backoff_jitter double precision DEFAULT NULL, history interval DEFAULT NULL, retention interval DEFAULT NULL,
        if_not_exists boolean DEFAULT false) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_create_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.create_channel(text, text, boolean, integer, interval, double precision, interval, double precision, interval, interval, boolean) IS
    'makes a channel, owned by the caller; its name is also the name that LISTEN takes (1 to 63 bytes); kind: queue or broadcast';

CREATE FUNCTION pgpubsub.alter_channel(
        name text, ordered boolean DEFAULT NULL, max_attempts integer DEFAULT NULL,
        backoff_base interval DEFAULT NULL, backoff_factor double precision DEFAULT NULL, backoff_max interval DEFAULT NULL,
        backoff_jitter double precision DEFAULT NULL, history interval DEFAULT NULL, retention interval DEFAULT NULL,
        filter jsonb DEFAULT NULL, subscription text DEFAULT NULL, owner regrole DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_alter_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.alter_channel(text, boolean, integer, interval, double precision, interval, double precision, interval, interval, jsonb, text, regrole) IS
    'changes the settings of a channel and of one of its subscriptions (the default one unless named); null: as it is';

CREATE FUNCTION pgpubsub.drop_channel(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_drop_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.drop_channel(text) IS
    'removes a channel with its notifications, dead letters, history and rights; refused while a table is attached to it';

CREATE FUNCTION pgpubsub.pause_channel(channel text, subscription text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_pause_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.pause_channel(text, text) IS
    'stops handing out notifications of a subscription (null: of all); what is published is stored';

CREATE FUNCTION pgpubsub.resume_channel(channel text, subscription text DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_resume_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.resume_channel(text, text) IS
    'hands out notifications of a paused subscription again (null: of all) and wakes the consumers';

CREATE FUNCTION pgpubsub.purge_channel(channel text, subscription text DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_purge_channel' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.purge_channel(text, text) IS
    'removes what is stored for a subscription (null: for all), leased or not, but not what a transaction is taking just now; returns how many';

CREATE FUNCTION pgpubsub.purge_all() RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_purge_all' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.purge_all() IS
    'removes notifications, dead letters, history and broadcasts of all channels that the caller owns (a superuser: of all), as between tests; returns how many';

CREATE FUNCTION pgpubsub.subscribe(
        channel text, subscription text, filter jsonb DEFAULT NULL, max_attempts integer DEFAULT NULL,
        backoff_base interval DEFAULT NULL, backoff_factor double precision DEFAULT NULL, backoff_max interval DEFAULT NULL,
        backoff_jitter double precision DEFAULT NULL, history interval DEFAULT NULL,
        if_not_exists boolean DEFAULT false) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_subscribe' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.subscribe(text, text, jsonb, integer, interval, double precision, interval, double precision, interval, boolean) IS
    'adds a durable copy of a queue channel: it gets everything from now on whose payload contains the filter, independently of the others';

CREATE FUNCTION pgpubsub.unsubscribe(channel text, subscription text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_unsubscribe' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.unsubscribe(text, text) IS
    'removes a subscription with its notifications, dead letters and history';

CREATE FUNCTION pgpubsub.grant_channel(channel text, role regrole, privilege text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_grant_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.grant_channel(text, regrole, text) IS
    'lets a role publish to a channel or consume from it (privilege: publish or consume)';

CREATE FUNCTION pgpubsub.revoke_channel(channel text, role regrole, privilege text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_revoke_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.revoke_channel(text, regrole, text) IS
    'takes back what grant_channel gave';

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

CREATE FUNCTION pgpubsub.has_channel_privilege(channel text, privilege text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_has_channel_privilege' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION pgpubsub.has_channel_privilege(text, text) IS
    'whether the current user may publish to or consume from a channel (privilege: publish or consume)';

-- ---------------------------------------------------------------------------------------------
-- Publishing
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.publish(channel text, payload jsonb, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
                                 deliver_at timestamptz DEFAULT NULL, priority integer DEFAULT 0,
                                 dedup_key text DEFAULT NULL, replace boolean DEFAULT false) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_publish' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.publish(text, jsonb, text, jsonb, timestamptz, integer, text, boolean) IS
    'stores a notification in this transaction, wakes the consumers at commit, and returns its id; where one with the same dedup_key still waits, returns that one''s id (replace: gives it the new payload)';

CREATE FUNCTION pgpubsub.publish_batch(channel text, payloads jsonb[], keys text[] DEFAULT NULL, headers jsonb[] DEFAULT NULL,
                                       deliver_at timestamptz DEFAULT NULL, priority integer DEFAULT 0) RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'pgpubsub_publish_batch' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.publish_batch(text, jsonb[], text[], jsonb[], timestamptz, integer) IS
    'publishes a notification for each payload, and returns their ids in the same order; keys and headers are null or as many as the payloads';

CREATE FUNCTION pgpubsub.read_broadcast(channel text, id bigint) RETURNS jsonb
    AS 'MODULE_PATHNAME', 'pgpubsub_read_broadcast' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.read_broadcast(text, bigint) IS
    'the envelope of a broadcast that was sent by reference, with its payload; null when its retention time is over';

CREATE FUNCTION pgpubsub.capture() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_capture' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.capture() IS
    'trigger function (AFTER): turns each row change into a notification on the channel that its first argument names';

CREATE FUNCTION pgpubsub.capture_filter(condition boolean DEFAULT NULL, columns record DEFAULT NULL, payload record DEFAULT NULL,
                                        key record DEFAULT NULL) RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_capture_filter' LANGUAGE C IMMUTABLE;
COMMENT ON FUNCTION pgpubsub.capture_filter(boolean, record, record, record) IS
    'private: holds the filter of a capture in the WHEN of a trigger that never fires; it is never called';

-- attach() and detach() pin no search_path, so that the condition is read by the caller's, as that of a trigger would be.
CREATE FUNCTION pgpubsub.attach(
        relation regclass, channel text, events text[] DEFAULT NULL, columns text[] DEFAULT NULL, condition text DEFAULT NULL,
        granularity text DEFAULT NULL, payload text DEFAULT NULL, payload_columns text[] DEFAULT NULL,
        key_columns text[] DEFAULT NULL, always boolean DEFAULT NULL) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_attach' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.attach(regclass, text, text[], text[], text, text, text, text[], text[], boolean) IS
    'captures the changes of a table into a channel, which is made if it does not exist, or changes how it captures them; the caller owns the table';

CREATE FUNCTION pgpubsub.detach(relation regclass, channel text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_detach' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.detach(regclass, text) IS
    'ends the capture of a table into a channel; what is stored stays';

CREATE FUNCTION pgpubsub.attachment_list()
    RETURNS TABLE ("table" regclass, channel text, events text[], granularity text, payload text, columns name[],
                   condition text, payload_columns name[], key_columns name[], always boolean, enabled boolean, filter_lost boolean, triggers name[])
    AS 'MODULE_PATHNAME', 'pgpubsub_attachment_list' LANGUAGE C STABLE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.attachment_list() IS
    'private: how the tables of the database are captured, by their triggers; see the view pgpubsub.attachments';

-- ---------------------------------------------------------------------------------------------
-- Consuming
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.claim_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'pgpubsub_claim_support' LANGUAGE C STRICT;
COMMENT ON FUNCTION pgpubsub.claim_support(internal) IS
    'private: tells the planner that take() and claim() return as many rows as max_count says';

CREATE FUNCTION pgpubsub.take(channel text, max_count bigint DEFAULT 1, subscription text DEFAULT 'default',
                              filter jsonb DEFAULT NULL)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer)
    AS 'MODULE_PATHNAME', 'pgpubsub_take_0_2' LANGUAGE C ROWS 10 SUPPORT pgpubsub.claim_support;
COMMENT ON FUNCTION pgpubsub.take(text, bigint, text, jsonb) IS
    'claims and removes up to max_count notifications in this transaction: gone if it commits, back if it rolls back';

CREATE FUNCTION pgpubsub.idempotency_key(id bigint, created_at timestamptz) RETURNS text
    AS 'MODULE_PATHNAME', 'pgpubsub_idempotency_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION pgpubsub.idempotency_key(bigint, timestamptz) IS
    'by which effects outside the database recognise a repetition: the same for each attempt of a notification, and never for another one, not after a fail-over either';

CREATE FUNCTION pgpubsub.requeue(ids bigint[], delay interval DEFAULT NULL, error text DEFAULT NULL,
                                 reject boolean DEFAULT false, subscription text DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_requeue' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.requeue(bigint[], interval, text, boolean, text) IS
    'puts notifications that this transaction took for the subscription (null: for any) back, to be tried again after the delay (null: the back-off of the subscription), or among the dead letters; returns how many';

CREATE FUNCTION pgpubsub.claim(channel text, max_count bigint DEFAULT 1, lease interval DEFAULT '30 seconds',
                               subscription text DEFAULT 'default', filter jsonb DEFAULT NULL)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer, receipt text)
    AS 'MODULE_PATHNAME', 'pgpubsub_claim_0_2' LANGUAGE C ROWS 10 SUPPORT pgpubsub.claim_support;
COMMENT ON FUNCTION pgpubsub.claim(text, bigint, interval, text, jsonb) IS
    'leases up to max_count notifications: hidden from others until the lease ends, is acked, nacked or released';

CREATE FUNCTION pgpubsub.ack(receipts text[]) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_ack' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.ack(text[]) IS
    'removes leased notifications: their work is done; returns how many (a stale receipt counts nothing)';

CREATE FUNCTION pgpubsub.nack(receipts text[], delay interval DEFAULT NULL, error text DEFAULT NULL,
                              reject boolean DEFAULT false) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_nack' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.nack(text[], interval, text, boolean) IS
    'ends leases whose work failed: to be tried again after the delay (null: the back-off of the subscription), or dead letters when the attempts are used up or reject is set; returns how many';

CREATE FUNCTION pgpubsub.extend(receipts text[], lease interval DEFAULT '30 seconds') RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_extend' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.extend(text[], interval) IS
    'lets leases end only after the given time from now; returns how many';

CREATE FUNCTION pgpubsub.release(receipts text[]) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_release' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.release(text[]) IS
    'gives leased notifications back untried: ready at once, the attempt not counted; returns how many';

CREATE FUNCTION pgpubsub.recover(channel text DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_recover' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.recover(text) IS
    'ends leases whose owner is gone, makes dead letters of what is over and has used up its attempts (at most 10,000 together), wakes the consumers of each channel that has something ready, and returns how many it ended; null: all channels that the caller may consume';

CREATE PROCEDURE pgpubsub.recover(channel text, chunk_size bigint, INOUT recovered bigint DEFAULT 0)
    AS 'MODULE_PATHNAME', 'pgpubsub_recover_in_chunks_0_2' LANGUAGE C;
COMMENT ON PROCEDURE pgpubsub.recover(text, bigint, bigint) IS
    'as the function, for all there is, with a commit after each chunk_size notifications';

-- The default of ids stands for "left out": null and an empty array are none, as array_agg() has it.
CREATE FUNCTION pgpubsub.redrive(channel text, filter jsonb DEFAULT NULL, subscription text DEFAULT 'default',
                                 ids bigint[] DEFAULT '[0:0]={0}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_redrive_0_2' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.redrive(text, jsonb, text, bigint[]) IS
    'makes dead letters ready again, with no attempt counted: all, or those whose payload contains the filter, or with these ids; returns how many';

CREATE FUNCTION pgpubsub.purge_dead_letters(channel text, filter jsonb DEFAULT NULL, older_than interval DEFAULT NULL,
                                            subscription text DEFAULT 'default', ids bigint[] DEFAULT '[0:0]={0}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_purge_dead_letters_0_2' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.purge_dead_letters(text, jsonb, interval, text, bigint[]) IS
    'removes dead letters: all, or those whose payload contains the filter, that died longer ago, or with these ids; returns how many';

CREATE FUNCTION pgpubsub.next_due(channel text, subscription text DEFAULT 'default', filter jsonb DEFAULT NULL)
    RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'pgpubsub_next_due' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.next_due(text, text, jsonb) IS
    'when the next notification can be claimed: in the past when one is ready (another consumer may be at it), else when a delay or a lease ends; null: none waits, or the subscription is paused';

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

-- ---------------------------------------------------------------------------------------------
-- Monitoring
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.stat_backlog()
    RETURNS TABLE (subscription_id integer, ready bigint, delayed bigint, in_flight bigint, retrying bigint, dead bigint,
                   oldest_created_at timestamptz, estimated text[])
    AS 'MODULE_PATHNAME', 'pgpubsub_stat_backlog' LANGUAGE C STABLE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.stat_backlog() IS
    'private: the numbers of notifications in each state, of what the current user may consume, or of all for pg_read_all_stats; see the view pgpubsub.stat_channels';

CREATE FUNCTION pgpubsub.compact() RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_compact' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION pgpubsub.compact() IS
    'starts a process that vacuums the stored notifications and gives back the space they do not need, without holding up anybody; false: there is no free process';

CREATE FUNCTION pgpubsub.stat_rates()
    RETURNS TABLE (subscription_id integer, published_per_second double precision, processed_per_second double precision,
                   failed_per_second double precision)
    AS 'MODULE_PATHNAME', 'pgpubsub_stat_rates' LANGUAGE C VOLATILE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.stat_rates() IS
    'private: the rates of the last minute, of what the current user may consume, or of all for pg_read_all_stats; see the view pgpubsub.stat_channels';

CREATE PROCEDURE pgpubsub.wait(channels text[], timeout interval DEFAULT '1 minute', subscription text DEFAULT 'default',
                               INOUT channel text DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'pgpubsub_wait' LANGUAGE C;
COMMENT ON PROCEDURE pgpubsub.wait(text[], interval, text, text) IS
    'waits, without a snapshot, until one of the channels may have work for the subscription, and gives its name; null when the time is over';

CREATE FUNCTION pgpubsub.wakeup_state(
        OUT mode text, OUT worker_pid integer, OUT worker_started_at timestamptz, OUT hints bigint, OUT notifies bigint,
        OUT woken bigint, OUT coalesced bigint, OUT last_error text, OUT last_error_at timestamptz, OUT listeners integer[],
        OUT unread_listener integer, OUT unread_since timestamptz)
    AS 'MODULE_PATHNAME', 'pgpubsub_wakeup_state_0_2' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.wakeup_state() IS
    'private: what is known of the worker of this database; see the view pgpubsub.stat_wakeup';

CREATE FUNCTION pgpubsub.stat_leases()
    RETURNS TABLE (subscription_id integer, pid integer, alive boolean, leases bigint, expired bigint,
                   oldest_created_at timestamptz, first_end timestamptz, last_end timestamptz)
    AS 'MODULE_PATHNAME', 'pgpubsub_stat_leases' LANGUAGE C VOLATILE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.stat_leases() IS
    'private: who holds how many leases, of what the current user may consume, or of all for pg_read_all_stats; see the view pgpubsub.stat_consumers';

-- ---------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------

-- What these show is shown by way of WITH, so that FOR UPDATE and FOR SHARE on a view lock no row of the tables behind it: a framework
-- adds them by itself, and such a lock would hold up the channel. (NOT MATERIALIZED: it is planned as if it stood there.)
CREATE VIEW pgpubsub.channels WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name, c.kind, c.ordered, p.grantee AS owner, c.retention, c.created_at
          FROM pgpubsub.channel c
          LEFT JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id AND p.privilege = 'owner'
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;
COMMENT ON VIEW pgpubsub.channels IS 'the channels that the current user may publish to or consume from';

CREATE VIEW pgpubsub.subscriptions WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name AS channel, s.name AS subscription, s.paused, s.max_attempts,
               s.backoff_base, s.backoff_factor, s.backoff_max, s.backoff_jitter, s.history, s.filter, s.created_at
          FROM pgpubsub.subscription s
          JOIN pgpubsub.channel c ON c.id = s.channel_id
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;
COMMENT ON VIEW pgpubsub.subscriptions IS
    'the durable copies of the queue channels that the current user may use, with their settings';

CREATE VIEW pgpubsub.channel_privileges WITH (security_barrier) AS
    WITH shown AS NOT MATERIALIZED (
        SELECT c.name AS channel, p.grantee AS role, p.privilege
          FROM pgpubsub.channel c
          JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id
         WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
            OR pgpubsub.has_channel_privilege(c.name, 'consume')
    )
    SELECT * FROM shown;
COMMENT ON VIEW pgpubsub.channel_privileges IS 'who owns, publishes to and consumes from the channels that the current user may use';

-- A table's owner sees its attachments even while its channel does not exist yet.
CREATE VIEW pgpubsub.attachments WITH (security_barrier) AS
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
COMMENT ON VIEW pgpubsub.attachments IS
    'which changes of which tables are captured into the channels that the current user may use, and of the tables that the user owns';

CREATE VIEW pgpubsub.notifications WITH (security_barrier) AS
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
COMMENT ON VIEW pgpubsub.notifications IS
    'the stored notifications of the channels that the current user may consume, without taking them; state: ready, delayed, leased or retrying';

CREATE VIEW pgpubsub.dead_letters WITH (security_barrier) AS
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
COMMENT ON VIEW pgpubsub.dead_letters IS
    'notifications whose attempts are used up or that were rejected, of the channels that the current user may consume';

CREATE VIEW pgpubsub.history WITH (security_barrier) AS
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
COMMENT ON VIEW pgpubsub.history IS
    'processed notifications of the subscriptions that keep them for a time (setting history)';

-- Both functions give only what the current user may consume; of all channels to those who may read all statistics.
CREATE VIEW pgpubsub.stat_channels WITH (security_barrier) AS
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
COMMENT ON VIEW pgpubsub.stat_channels IS
    'for what the current user may consume, and for pg_read_all_stats for all: how many notifications are in each state, the age of the oldest ready one, and the rates of the last minute; estimated names the numbers that are estimates because they are large';

-- A listener that has a transaction open, or reads nothing, keeps the server's queue of NOTIFYs from being emptied.
CREATE VIEW pgpubsub.stat_wakeup WITH (security_barrier) AS
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

-- What pg_stat_activity hides from the current user is null here too.
CREATE VIEW pgpubsub.stat_consumers WITH (security_barrier) AS
    SELECT c.name AS channel, s.name AS subscription, l.pid, l.alive, a.usename, a.application_name, a.client_addr, a.state,
           a.state_change, l.leases, l.expired, l.oldest_created_at, l.first_end AS first_lease_end, l.last_end AS last_lease_end
      FROM pgpubsub.stat_leases() l
      JOIN pgpubsub.subscription s ON s.id = l.subscription_id
      JOIN pgpubsub.channel c ON c.id = s.channel_id
      LEFT JOIN pg_catalog.pg_stat_activity a ON l.alive AND a.pid = l.pid;
COMMENT ON VIEW pgpubsub.stat_consumers IS
    'for what the current user may consume, and for pg_read_all_stats for all: the sessions that hold leases, how many, and until when; alive: false where the session is gone, null for leases that no session owns';

-- ---------------------------------------------------------------------------------------------
-- Rights: the owner's, whatever default privileges say, and these. Who may see all of PostgreSQL's statistics, as members of
-- pg_monitor may, sees those of the channels too. They say nothing of payloads.
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.set_initial_privileges(readers text[]) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_set_initial_privileges' LANGUAGE C;
SELECT pgpubsub.set_initial_privileges('{
    USAGE ON SCHEMA pgpubsub,
    EXECUTE ON FUNCTION pgpubsub.stat_backlog(),
    EXECUTE ON FUNCTION pgpubsub.stat_rates(),
    EXECUTE ON FUNCTION pgpubsub.stat_leases(),
    EXECUTE ON FUNCTION pgpubsub.wakeup_state(),
    SELECT ON pgpubsub.stat_channels,
    SELECT ON pgpubsub.stat_consumers,
    SELECT ON pgpubsub.stat_wakeup}');
DROP FUNCTION pgpubsub.set_initial_privileges(text[]);
SELECT pgpubsub.hide_from_decoding();
