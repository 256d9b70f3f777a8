-- Rights: the owner's, whatever default privileges say, and these. Who may see all of PostgreSQL's statistics, as members of
-- pg_monitor may, sees those of the channels too. They say nothing of payloads.
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
