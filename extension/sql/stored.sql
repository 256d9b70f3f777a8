-- Looking at stored notifications, without taking them.

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
           -- no difference of infinite times, which would be an error
           AND CASE WHEN isfinite(h.processed_at) THEN clock_timestamp() - h.processed_at < s.history
                    ELSE h.processed_at = 'infinity' END
    )
    SELECT * FROM shown;
COMMENT ON VIEW pgpubsub.history IS
    'processed notifications of the subscriptions that keep them for a time (setting history)';
