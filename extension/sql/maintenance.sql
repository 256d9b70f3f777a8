-- For administrators: recovering, dead letters, space.

CREATE FUNCTION pgpubsub.recover(channel text DEFAULT NULL) RETURNS bigint
    AS 'MODULE_PATHNAME', 'pgpubsub_recover' LANGUAGE C;
COMMENT ON FUNCTION pgpubsub.recover(text) IS
    'ends leases whose owner is gone, makes dead letters of what is over and has used up its attempts (at most 10,000 together), wakes the consumers of each channel that has something ready, and returns how many it ended; null: all channels that the caller may consume';

CREATE PROCEDURE pgpubsub.recover(channel text, chunk_size bigint, INOUT recovered bigint DEFAULT 0)
    AS 'MODULE_PATHNAME', 'pgpubsub_recover_in_chunks_0_2' LANGUAGE C;
COMMENT ON PROCEDURE pgpubsub.recover(text, bigint, bigint) IS
    'as the function, for all there is, with a commit after each chunk_size notifications';

-- The default of ids stands for "left out". Null and an empty array stand for no ids, as array_agg() returns null for
-- no rows.
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

CREATE FUNCTION pgpubsub.compact() RETURNS boolean
    AS 'MODULE_PATHNAME', 'pgpubsub_compact' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION pgpubsub.compact() IS
    'starts a process that vacuums the stored notifications and gives back the space they do not need, without holding up anybody; false: there is no free process';
