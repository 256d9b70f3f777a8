-- Consuming: in one transaction (take, requeue), or by leases (claim, and the functions that end a lease).

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

CREATE FUNCTION pgpubsub.idempotency_key(id bigint, created_at timestamptz) RETURNS text
    AS 'MODULE_PATHNAME', 'pgpubsub_idempotency_key' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION pgpubsub.idempotency_key(bigint, timestamptz) IS
    'by which effects outside the database recognise a repetition: the same for each attempt of a notification, and never for another one, not after a fail-over either';

CREATE FUNCTION pgpubsub.next_due(channel text, subscription text DEFAULT 'default', filter jsonb DEFAULT NULL)
    RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'pgpubsub_next_due' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.next_due(text, text, jsonb) IS
    'when the next notification can be claimed: in the past when one is ready (another consumer may be at it), else when a delay or a lease ends; null: none waits, or the subscription is paused';

CREATE PROCEDURE pgpubsub.wait(channels text[], timeout interval DEFAULT '1 minute', subscription text DEFAULT 'default',
                               INOUT channel text DEFAULT NULL)
    AS 'MODULE_PATHNAME', 'pgpubsub_wait' LANGUAGE C;
COMMENT ON PROCEDURE pgpubsub.wait(text[], interval, text, text) IS
    'waits, without a snapshot, until one of the channels may have work for the subscription, and gives its name; null when the time is over';
