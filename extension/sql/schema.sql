-- pgpubsub: the SQL objects of the extension.
--
-- Everything lives in the schema pgpubsub, which this script creates itself, so that it fails
-- rather than adopts a schema that somebody else prepared. Nothing is granted to PUBLIC, nor to anybody else by default privileges:
-- rights on a channel are given with pgpubsub.grant_channel(), which also gives the role what it needs here.
--
-- The functions are C++ and read and write the tables below directly, without SQL, so no search_path
-- can lead them astray. They check the caller's right on the channel themselves, and the tables
-- stay closed to everybody else. The few functions that do run SQL pin their search_path, or qualify every name.
--
-- The views show what they show by way of WITH, so that FOR UPDATE and FOR SHARE on a view lock no row of the tables behind
-- it: a framework adds them by itself, and such a lock would hold up the channel. (NOT MATERIALIZED: it is planned as if it
-- stood there.)
--
-- make puts this together from the files of extension/sql.
\echo Use "CREATE EXTENSION pgpubsub" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA pgpubsub;
COMMENT ON SCHEMA pgpubsub IS 'message broker: channels, notifications and the functions that publish and consume them';
