-- Monitoring.

CREATE FUNCTION pgpubsub.stat_backlog()
    RETURNS TABLE (subscription_id integer, ready bigint, delayed bigint, in_flight bigint, retrying bigint, dead bigint,
                   oldest_created_at timestamptz, estimated text[])
    AS 'MODULE_PATHNAME', 'pgpubsub_stat_backlog' LANGUAGE C STABLE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.stat_backlog() IS
    'private: the numbers of notifications in each state, of what the current user may consume, or of all for pg_read_all_stats; see the view pgpubsub.stat_channels';

CREATE FUNCTION pgpubsub.stat_rates()
    RETURNS TABLE (subscription_id integer, published_per_second double precision, processed_per_second double precision,
                   failed_per_second double precision)
    AS 'MODULE_PATHNAME', 'pgpubsub_stat_rates' LANGUAGE C VOLATILE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.stat_rates() IS
    'private: the rates of the last minute, of what the current user may consume, or of all for pg_read_all_stats; see the view pgpubsub.stat_channels';

CREATE FUNCTION pgpubsub.stat_leases()
    RETURNS TABLE (subscription_id integer, pid integer, alive boolean, leases bigint, expired bigint,
                   oldest_created_at timestamptz, first_end timestamptz, last_end timestamptz)
    AS 'MODULE_PATHNAME', 'pgpubsub_stat_leases' LANGUAGE C VOLATILE ROWS 10 PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.stat_leases() IS
    'private: who holds how many leases, of what the current user may consume, or of all for pg_read_all_stats; see the view pgpubsub.stat_consumers';

CREATE FUNCTION pgpubsub.wakeup_state(
        OUT mode text, OUT worker_pid integer, OUT worker_started_at timestamptz, OUT hints bigint, OUT notifies bigint,
        OUT woken bigint, OUT coalesced bigint, OUT last_error text, OUT last_error_at timestamptz, OUT listeners integer[],
        OUT unread_listener integer, OUT unread_since timestamptz)
    AS 'MODULE_PATHNAME', 'pgpubsub_wakeup_state_0_2' LANGUAGE C VOLATILE PARALLEL RESTRICTED;
COMMENT ON FUNCTION pgpubsub.wakeup_state() IS
    'private: what is known of the worker of this database; see the view pgpubsub.stat_wakeup';

-- Both functions return only the subscriptions that the current user may consume. A role that may read all statistics
-- gets those of all channels.
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

-- Columns that pg_stat_activity hides from the current user are null here, too.
CREATE VIEW pgpubsub.stat_consumers WITH (security_barrier) AS
    SELECT c.name AS channel, s.name AS subscription, l.pid, l.alive, a.usename, a.application_name, a.client_addr, a.state,
           a.state_change, l.leases, l.expired, l.oldest_created_at, l.first_end AS first_lease_end, l.last_end AS last_lease_end
      FROM pgpubsub.stat_leases() l
      JOIN pgpubsub.subscription s ON s.id = l.subscription_id
      JOIN pgpubsub.channel c ON c.id = s.channel_id
      LEFT JOIN pg_catalog.pg_stat_activity a ON l.alive AND a.pid = l.pid;
COMMENT ON VIEW pgpubsub.stat_consumers IS
    'for what the current user may consume, and for pg_read_all_stats for all: the sessions that hold leases, how many, and until when; alive: false where the session is gone, null for leases that no session owns';

-- A listener that has a transaction open, or that reads nothing, keeps the server's queue of NOTIFYs from being
-- emptied.
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
