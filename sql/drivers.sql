-- What drivers send: parameters without a type, numbers as bigint, arguments by name.
-- Each name is one function, so that parameters without a type find it; recover() is a function and a procedure.
SELECT proname, prokind, count(*) FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace GROUP BY 1, 2 HAVING count(*) > 1;
-- no argument has to be quoted
SELECT proname, argument FROM pg_proc, unnest(proargnames) WITH ORDINALITY a(argument, n), pg_get_keywords() k
 WHERE pronamespace = 'pgpubsub'::regnamespace AND n <= pronargs AND word = argument AND catcode = 'R';

SELECT pgpubsub.create_channel('jobs', max_attempts => 1);
PREPARE publish AS SELECT pgpubsub.publish($1, $2) > 0 AS published;
PREPARE publish_batch AS SELECT cardinality(pgpubsub.publish_batch($1, $2, $3)) AS published;
PREPARE take AS SELECT payload FROM pgpubsub.take($1, $2, $3, $4);
PREPARE claim AS SELECT payload, receipt FROM pgpubsub.claim($1, $2, $3, $4, $5);
PREPARE ack AS SELECT pgpubsub.ack($1);
PREPARE nack AS SELECT pgpubsub.nack($1, $2, $3, $4);
PREPARE extend AS SELECT pgpubsub.extend($1, $2);
PREPARE release AS SELECT pgpubsub.release($1);
PREPARE requeue AS SELECT pgpubsub.requeue($1, $2, $3, $4);
PREPARE redrive AS SELECT pgpubsub.redrive($1, $2) AS redriven;
PREPARE redrive_ids AS SELECT pgpubsub.redrive($1, ids => $2) AS redriven;
PREPARE purge AS SELECT pgpubsub.purge_dead_letters($1, $2, $3) AS purged;
PREPARE purge_ids AS SELECT pgpubsub.purge_dead_letters($1, ids => $2) AS purged;
PREPARE recover AS SELECT pgpubsub.recover($1);
PREPARE next_due AS SELECT pgpubsub.next_due($1, $2, $3);
PREPARE attach AS SELECT pgpubsub.attach(relation => $1, channel => $2);
PREPARE detach AS SELECT pgpubsub.detach(relation => $1, channel => $2);
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;

EXECUTE publish('jobs', '{"n": 1}');
-- a driver that sends a list as text[] casts it: jsonb has no implicit cast from text or json, and a second form of the function
-- would leave parameters without a type without one
-- terse: the words beside the message are others in PostgreSQL 19
\set VERBOSITY terse
SELECT pgpubsub.publish_batch('jobs', ARRAY['{"n": 2}']);
SELECT pgpubsub.publish('jobs', '{"n": 2}'::json);
\set VERBOSITY default
EXECUTE publish_batch('jobs', ARRAY['{"n": 2}', '{"n": 3}', '{"n": 4}', '{"n": 5}', '{"n": 6}']::jsonb[], NULL);
-- numbers of any width; beyond an integer there is no limit
SELECT payload FROM pgpubsub.take('jobs', 1::bigint) UNION ALL SELECT payload FROM pgpubsub.take('jobs', 1::smallint);
BEGIN;
SELECT payload FROM pgpubsub.take('jobs', 9223372036854775807);
ROLLBACK;
BEGIN;
SELECT count(*) > 1 AS all_of_them FROM pgpubsub.take('jobs', 4294967297);
ROLLBACK;
SELECT count(*) FROM pgpubsub.take('jobs', -3000000000);
CALL pgpubsub.recover('jobs', 5000000000);
CALL pgpubsub.recover('jobs', 100::smallint);
-- counts are bigint
SELECT proname, pg_get_function_result(oid) FROM pg_proc
 WHERE pronamespace = 'pgpubsub'::regnamespace AND proname IN ('ack', 'nack', 'extend', 'release', 'requeue', 'redrive', 'purge_dead_letters', 'purge_channel', 'recover')
 ORDER BY proname COLLATE "C", prokind;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS nacked FROM pgpubsub.claim('jobs', 10);

-- an argument of redrive() and purge_dead_letters() that is left out or null does not restrict; but no ids are none
SELECT array_agg(id ORDER BY id) AS ids FROM pgpubsub.dead_letters \gset
EXECUTE redrive('jobs', '{"n": 33}');
EXECUTE redrive_ids('jobs', NULL);
EXECUTE redrive_ids('jobs', '{}');
EXECUTE purge_ids('jobs', NULL);
EXECUTE purge_ids('jobs', '{}');
SELECT pgpubsub.purge_dead_letters('jobs', ids => array_agg(id)) AS none FROM pgpubsub.dead_letters WHERE id = 0;
EXECUTE purge('jobs', NULL, '1 hour');
-- all that are given restrict
SELECT pgpubsub.redrive('jobs', '{"n": 4}', ids => (:'ids'::bigint[])[1:1]) AS none;
SELECT pgpubsub.redrive('jobs', '{"n": 4}', ids => :'ids') AS redriven;
SELECT pgpubsub.purge_dead_letters('jobs', '{"n": 5}', ids => (:'ids'::bigint[])[1:1]) AS none;
SELECT pgpubsub.purge_dead_letters('jobs', older_than => '1 hour', ids => :'ids') AS none;
EXECUTE purge_ids('jobs', (:'ids'::bigint[])[1:1]);
EXECUTE redrive('jobs', NULL);
EXECUTE purge('jobs', NULL, NULL);
SELECT payload FROM pgpubsub.take('jobs', 10);
DEALLOCATE ALL;

-- the planner expects as many rows as are asked for
CREATE FUNCTION planned_rows(query text, OUT rows bigint) LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
  rows := plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT planned_rows($$SELECT * FROM pgpubsub.take('jobs')$$) AS one, planned_rows($$SELECT * FROM pgpubsub.take('jobs', 500)$$) AS "500",
       planned_rows($$SELECT * FROM pgpubsub.claim('jobs', max_count => 20 + 5)$$) AS "25", planned_rows($$SELECT * FROM pgpubsub.claim('jobs', lease => '1 h')$$) AS one,
       planned_rows($$SELECT * FROM generate_series(1, 1) g, LATERAL pgpubsub.take('jobs', g)$$) AS unknown,
       planned_rows($$SELECT * FROM pgpubsub.take('jobs', NULL)$$) AS unknown, planned_rows($$SELECT * FROM pgpubsub.take('jobs', -1)$$) AS refused;
PREPARE take AS SELECT * FROM pgpubsub.take('jobs', $1);
SELECT planned_rows('EXECUTE take(70)') AS "70";
SELECT planned_rows($$SELECT * FROM pgpubsub.take('jobs', length(current_setting('search_path')) * 0 + 40)$$) AS "40";
DEALLOCATE take;
DROP FUNCTION planned_rows;
SELECT pgpubsub.drop_channel('jobs');
