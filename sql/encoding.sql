-- A database that is not UTF-8, and settings that were given before the library was loaded.
CREATE DATABASE regress_pgpubsub_ascii ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C';
\c regress_pgpubsub_ascii
SET client_min_messages = warning;
CREATE EXTENSION pgpubsub;
CREATE TABLE t (x integer, j json, "t" text);
SELECT pgpubsub.attach('t', 't');

-- an escape beyond ASCII can't be translated here: the value stays a string, the INSERT goes through
INSERT INTO t VALUES (1, '{"a": "\u20ac"}'), (2, '{"a": "\u0041"}');
SELECT jsonb_typeof(payload #> '{new,j}') AS j FROM pgpubsub.take('t', 10);

-- a setting that is no good is warned of when the library is loaded, and the default holds
\c -
SET pgpubsub.notification_context = '{"a": "\u20ac"}';
INSERT INTO t VALUES (3);
RESET pgpubsub.notification_context;
INSERT INTO t VALUES (4);
SELECT payload #>> '{new,x}' AS x, payload -> 'context' AS context FROM pgpubsub.take('t', 10);
-- so deep that a parser would run out of stack
\c -
SELECT length(set_config('pgpubsub.notification_context', '{"a":' || repeat('[', 100000), false));
SET client_min_messages = error;
INSERT INTO t VALUES (5);
RESET client_min_messages;
INSERT INTO t VALUES (6);
SELECT payload #>> '{new,x}' AS x, payload -> 'context' AS context FROM pgpubsub.take('t', 10);

\c contrib_regression
DROP DATABASE regress_pgpubsub_ascii;
