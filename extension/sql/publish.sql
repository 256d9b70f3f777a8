-- Publishing.

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
