-- pgpubsub: the SQL objects of the extension.
--
-- Everything is in the schema pgpubsub. This script creates the schema itself: it fails rather than adopts a schema
-- that somebody else prepared. Nothing is granted to PUBLIC, and nothing to other roles by default privileges.
-- pgpubsub.grant_channel() gives rights on a channel, and also gives the role the rights that it needs here.
--
-- The functions are written in C++. They read and write the tables below directly, without SQL, so no search_path can
-- lead them astray. They check the caller's right on the channel themselves, and the tables stay closed to all other
-- roles. The few functions that do run SQL pin their search_path, or qualify every name.
--
-- The views select from a WITH query. So FOR UPDATE and FOR SHARE on a view lock no row of the tables behind it:
-- frameworks add these clauses by themselves, and such a lock would hold up the channel. (NOT MATERIALIZED: the query
-- is planned as if it stood in the place where it is used.)
--
-- make puts this script together from the files of extension/sql.
\echo Use "CREATE EXTENSION pgpubsub" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

CREATE SCHEMA pgpubsub;
COMMENT ON SCHEMA pgpubsub IS 'message broker: channels, notifications and the functions that publish and consume them';
