-- pgpubsub 0.1.0 to 0.2.0: leads to exactly what pgpubsub--0.2.0.sql makes. test/t/upgrade.pl compares the two.
--
-- The library of 0.2.0 serves the catalog of 0.1.0 as well, so install the library first and run this when it suits.
-- Rules that keep that true:
--   - a column is added at the end of a table, and is nullable;
--   - a C function whose arguments or results change gets a new symbol, and the old symbol stays;
--   - the tables keep their identity: nothing that holds data is dropped and made again.
\echo Use "ALTER EXTENSION pgpubsub UPDATE TO '0.2.0'" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

-- ---------------------------------------------------------------------------------------------
-- Tables
-- ---------------------------------------------------------------------------------------------

-- ---------------------------------------------------------------------------------------------
-- Channels and rights
-- ---------------------------------------------------------------------------------------------

-- ---------------------------------------------------------------------------------------------
-- Publishing and capturing
-- ---------------------------------------------------------------------------------------------

-- ---------------------------------------------------------------------------------------------
-- Consuming
-- ---------------------------------------------------------------------------------------------

-- ---------------------------------------------------------------------------------------------
-- Monitoring and views
-- ---------------------------------------------------------------------------------------------
