-- Rights: those of the owner, whatever default privileges say, and the ones below. A role that may see all of
-- PostgreSQL's statistics, such as a member of pg_monitor, sees those of the channels, too. They say nothing of
-- payloads.
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
