-- Channels and subscriptions.

-- In the functions that change settings, null stands for the default, or for the present value: see
-- doc/reference/channels.md.
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
