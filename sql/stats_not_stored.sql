-- pgpubsub.stat_channels: the counts of a transaction can't be stored when it commits. The error goes to the log, the
-- transaction goes through. By itself, for a server built with assertions can't run it: RollbackAndReleaseCurrentSubTransaction()
-- asserts that no COMMIT is under way, also where a deferred trigger in PL/pgSQL catches an error.
SELECT pgpubsub.create_channel('counted');
ALTER INDEX pgpubsub.stat_count_at RENAME TO regress_pgpubsub_stats;
CREATE VIEW pgpubsub.stat_count_at AS SELECT 1 AS not_an_index;
\c -
SELECT pgpubsub.publish('counted', '"autocommit"') > 0 AS published;
\c -
BEGIN;
SELECT pgpubsub.publish('counted', '"explicit"') > 0 AS published;
SAVEPOINT s;
COMMIT;
SELECT payload FROM pgpubsub.notifications ORDER BY id;
SELECT count(*) FROM pgpubsub.stat_count;
DROP VIEW pgpubsub.stat_count_at;
ALTER INDEX pgpubsub.regress_pgpubsub_stats RENAME TO stat_count_at;
-- and is stored again by the next session
\c -
SELECT pgpubsub.publish('counted', '1') > 0 AS published;
SELECT published FROM pgpubsub.stat_count;
SELECT pgpubsub.drop_channel('counted');
