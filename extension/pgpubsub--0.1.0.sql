-- pgpubsub: the SQL objects of the extension.
--
-- Everything lives in the schema pgpubsub, which this script creates itself, so that it fails
-- rather than adopts a schema that somebody else prepared. Nothing is granted to PUBLIC: rights on a
-- channel are given with pgpubsub.grant_channel(), which also gives the role what it needs here.
--
-- The functions are C++ and read and write the tables below directly, without SQL, so no search_path
-- can lead them astray. They check the caller's right on the channel themselves, and the tables
-- stay closed to everybody else. The few functions that do run SQL pin their search_path.
\echo Use "CREATE EXTENSION pgpubsub" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA pgpubsub;
COMMENT ON SCHEMA pgpubsub IS 'message broker: channels, notifications and the functions that publish and consume them';

-- ---------------------------------------------------------------------------------------------
-- Tables (private: the column order is known to extension/src/notification.hpp and channel.cpp)
-- ---------------------------------------------------------------------------------------------

CREATE SEQUENCE pgpubsub.channel_id_seq AS integer;
COMMENT ON SEQUENCE pgpubsub.channel_id_seq IS 'ids of channels';

CREATE TABLE pgpubsub.channel (
    id          integer     NOT NULL CONSTRAINT channel_pkey PRIMARY KEY,
    name        text COLLATE "C" NOT NULL CONSTRAINT channel_name_key UNIQUE
                            CONSTRAINT channel_name_length CHECK (octet_length(name) BETWEEN 1 AND 63),
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE pgpubsub.channel IS 'private: the named streams; see the view pgpubsub.channels';

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
-- waiting rows don't stand in the way of a claim. The third finds a receipt's row.
-- There is no primary key and no foreign key: either would add to the price of every captured row.
CREATE TABLE pgpubsub.notification (
    id          bigint      NOT NULL,
    created_at  timestamptz NOT NULL,
    channel_id  integer     NOT NULL,
    priority    smallint    NOT NULL,
    attempts    smallint    NOT NULL,
    payload     jsonb       NOT NULL,
    key         text,
    headers     jsonb,
    db_version  integer,
    deliver_at  timestamptz,
    due_at      timestamptz,
    lease_token bigint,
    last_error  text
);
CREATE INDEX notification_ready  ON pgpubsub.notification (channel_id, priority DESC, id) WHERE due_at IS NULL;
CREATE INDEX notification_due    ON pgpubsub.notification (channel_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX notification_leased ON pgpubsub.notification (id) WHERE lease_token IS NOT NULL;
COMMENT ON TABLE pgpubsub.notification IS 'private: the stored notifications; see the view pgpubsub.notifications';

SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel', '');
-- The number of a role that is gone must not come back as the number of another one.
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel_privilege',
                                           'WHERE grantee IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.notification_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.notification', '');

CREATE FUNCTION pgpubsub.channels_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_channels_changed' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.channels_changed() IS 'private: tells all sessions to forget what they remember of the channels';
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.channel
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();
CREATE TRIGGER channels_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON pgpubsub.channel_privilege
    FOR EACH STATEMENT EXECUTE FUNCTION pgpubsub.channels_changed();

-- ---------------------------------------------------------------------------------------------
-- Channels and rights
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.create_channel(name text, if_not_exists boolean DEFAULT false) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_create_channel' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.create_channel(text, boolean) IS
    'makes a queue channel, owned by the caller; its name is also the name that LISTEN takes (1 to 63 bytes)';

CREATE FUNCTION pgpubsub.drop_channel(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_drop_channel' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.drop_channel(text) IS
    'removes a channel with its notifications and rights; refused while a table is attached to it';

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

CREATE FUNCTION pgpubsub.has_channel_privilege(channel text, privilege text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_has_channel_privilege' LANGUAGE C STABLE;
COMMENT ON FUNCTION pgpubsub.has_channel_privilege(text, text) IS
    'whether the current user may publish to or consume from a channel (privilege: publish or consume)';

-- ---------------------------------------------------------------------------------------------
-- Publishing
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.publish(channel text, payload jsonb, key text DEFAULT NULL, headers jsonb DEFAULT NULL,
                                 deliver_at timestamptz DEFAULT NULL, priority integer DEFAULT 0) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_publish' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.publish(text, jsonb, text, jsonb, timestamptz, integer) IS
    'stores a notification in this transaction, wakes the consumers at commit, and returns its id';

CREATE FUNCTION pgpubsub.capture() RETURNS trigger
    AS 'MODULE_PATHNAME', 'pgpubsub_capture' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.capture() IS
    'trigger function (AFTER, FOR EACH ROW): turns the row change into a notification on the channel that its argument names';

CREATE FUNCTION pgpubsub.attach("table" regclass, channel text,
                                events text[] DEFAULT '{insert,update,delete}') RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_attach' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.attach(regclass, text, text[]) IS
    'captures the changes of a table into a channel, which is made if it does not exist; the caller owns the table';

CREATE FUNCTION pgpubsub.detach("table" regclass, channel text) RETURNS void
    AS 'MODULE_PATHNAME', 'pgpubsub_detach' LANGUAGE C
    SET search_path = pg_catalog, pg_temp;
COMMENT ON FUNCTION pgpubsub.detach(regclass, text) IS
    'ends the capture of a table into a channel; what is stored stays';

-- ---------------------------------------------------------------------------------------------
-- Consuming
-- ---------------------------------------------------------------------------------------------

CREATE FUNCTION pgpubsub.take(channel text, max_count integer DEFAULT 1)
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer)
    AS 'MODULE_PATHNAME', 'pgpubsub_take' LANGUAGE C ROWS 10;
COMMENT ON FUNCTION pgpubsub.take(text, integer) IS
    'claims and removes up to max_count notifications in this transaction: gone if it commits, back if it rolls back';

CREATE FUNCTION pgpubsub.requeue(ids bigint[], delay interval DEFAULT '0', error text DEFAULT NULL) RETURNS integer
    AS 'MODULE_PATHNAME', 'pgpubsub_requeue' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.requeue(bigint[], interval, text) IS
    'puts notifications that this transaction took back, to be tried again after the delay; returns how many';

CREATE FUNCTION pgpubsub.claim(channel text, max_count integer DEFAULT 1, lease interval DEFAULT '30 seconds')
    RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz,
                   deliver_at timestamptz, priority integer, attempts integer, db_version integer, receipt text)
    AS 'MODULE_PATHNAME', 'pgpubsub_claim' LANGUAGE C ROWS 10;
COMMENT ON FUNCTION pgpubsub.claim(text, integer, interval) IS
    'leases up to max_count notifications: hidden from others until the lease ends, is acked, nacked or released';

CREATE FUNCTION pgpubsub.ack(receipts text[]) RETURNS integer
    AS 'MODULE_PATHNAME', 'pgpubsub_ack' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.ack(text[]) IS
    'removes leased notifications: their work is done; returns how many (a stale receipt counts nothing)';

CREATE FUNCTION pgpubsub.nack(receipts text[], delay interval DEFAULT '0', error text DEFAULT NULL) RETURNS integer
    AS 'MODULE_PATHNAME', 'pgpubsub_nack' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.nack(text[], interval, text) IS
    'ends leases whose work failed: to be tried again after the delay, the error kept; returns how many';

CREATE FUNCTION pgpubsub.extend(receipts text[], lease interval DEFAULT '30 seconds') RETURNS integer
    AS 'MODULE_PATHNAME', 'pgpubsub_extend' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.extend(text[], interval) IS
    'lets leases end only after the given time from now; returns how many';

CREATE FUNCTION pgpubsub.release(receipts text[]) RETURNS integer
    AS 'MODULE_PATHNAME', 'pgpubsub_release' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.release(text[]) IS
    'gives leased notifications back untried: ready at once, the attempt not counted; returns how many';

CREATE FUNCTION pgpubsub.recover(channel text DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_recover' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.recover(text) IS
    'ends the leases and delays whose time is over, wakes the consumers of each channel that has something ready, and returns how many it ended; null: all channels that the caller may consume';

CREATE FUNCTION pgpubsub.next_due(channel text) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'pgpubsub_next_due' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.next_due(text) IS
    'when the next delayed or leased notification of the channel becomes ready, possibly in the past; null: none waits';

-- ---------------------------------------------------------------------------------------------
-- Views
-- ---------------------------------------------------------------------------------------------

CREATE VIEW pgpubsub.channels WITH (security_barrier) AS
    SELECT c.name, p.grantee AS owner, c.created_at
      FROM pgpubsub.channel c
      LEFT JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id AND p.privilege = 'owner'
     WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
        OR pgpubsub.has_channel_privilege(c.name, 'consume');
COMMENT ON VIEW pgpubsub.channels IS 'the channels that the current user may publish to or consume from';

CREATE VIEW pgpubsub.channel_privileges WITH (security_barrier) AS
    SELECT c.name AS channel, p.grantee AS role, p.privilege
      FROM pgpubsub.channel c
      JOIN pgpubsub.channel_privilege p ON p.channel_id = c.id
     WHERE pgpubsub.has_channel_privilege(c.name, 'publish')
        OR pgpubsub.has_channel_privilege(c.name, 'consume');
COMMENT ON VIEW pgpubsub.channel_privileges IS 'who owns, publishes to and consumes from the channels that the current user may use';

CREATE VIEW pgpubsub.notifications WITH (security_barrier) AS
    SELECT n.id, c.name AS channel, n.payload, n.key, n.headers, n.created_at, n.deliver_at,
           n.priority::integer AS priority, n.attempts::integer AS attempts, n.db_version,
           CASE WHEN n.due_at IS NULL OR n.due_at <= clock_timestamp() THEN 'ready'
                WHEN n.lease_token IS NOT NULL THEN 'leased'
                ELSE 'delayed' END AS state,
           n.due_at, n.last_error
      FROM pgpubsub.notification n
      JOIN pgpubsub.channel c ON c.id = n.channel_id
     WHERE pgpubsub.has_channel_privilege(c.name, 'consume');
COMMENT ON VIEW pgpubsub.notifications IS
    'the stored notifications of the channels that the current user may consume, without taking them; state: ready, delayed or leased';

REVOKE ALL ON ALL TABLES    IN SCHEMA pgpubsub FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA pgpubsub FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA pgpubsub FROM PUBLIC;
REVOKE ALL ON SCHEMA pgpubsub FROM PUBLIC;
