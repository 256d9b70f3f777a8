-- The tables. They are private: extension/src/channel/table_columns.hpp knows the order of their columns.

-- The sequences begin again when they are used up; ids that are in use are passed over.
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

-- The roles are in a table of their own. If they were columns of pgpubsub.channel, a dump that is restored into a
-- cluster without one of the roles would lose all channels, not just that role's rights.
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

-- A row is either ready (due_at is null) or waits for due_at: a delay, a back-off or a lease. The indexes:
-- - The first two hold one of the two kinds each. So a row costs one index entry, and a million waiting rows don't
--   stand in the way of a claim.
-- - The third finds a receipt's row.
-- - The fourth finds the rows that wait without a lease, by their ids. So it costs a lease no further entry.
-- - The others hold rows only where a feature is used: the rows of ordered channels (order_key is a hash of the key),
--   and the rows with a dedup_key.
--
-- There is no primary key and no foreign key: either would add to the price of every captured row. An id is there once
-- for each subscription.
--
-- Autovacuum processes the table without pauses. Each of its runs removes as many rows as pass through the queue;
-- during pauses (cost_delay), as many would come again. A background process of the library (storage_job.cpp) gives
-- back the space that autovacuum can't give back. A lower fillfactor would gain nothing: a claim changes columns that
-- the indexes hold, so the row's new version needs new entries anyway.
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
-- In an index that ends in the id, no two entries are equal. To look for duplicates before a page is split would find
-- none.
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

-- The counts of the sessions. Nothing here is dumped, since it only says something about the last minutes. VACUUM
-- doesn't truncate the table: that would lock out the sessions that store their counts, and the space is needed again
-- at once.
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
-- The number of a role that is gone must not come back as the number of another role.
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.channel_privilege',
                                           'WHERE grantee IN (SELECT oid FROM pg_catalog.pg_roles)');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.notification_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.notification', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.processed', '');
SELECT pg_catalog.pg_extension_config_dump('pgpubsub.broadcast', '');
