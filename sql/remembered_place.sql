-- Claims pass over what is remembered to be gone (extension/src/place/place.hpp). What comes back, and what is new in front of it, is found
-- all the same, and so is what could not have been expected. Without preload all is forgotten now and then: not here.
SET pgpubsub.max_skip_time = '1h';
SELECT pgpubsub.create_channel('jobs');

CREATE PROCEDURE take_all(INOUT taken bigint DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE got bigint; BEGIN
  LOOP
    SELECT count(*) INTO got FROM pgpubsub.take('jobs', 10);
    COMMIT;
    taken := taken + got;
    EXIT WHEN got = 0;
  END LOOP;
END $$;

-- A claim does not walk over what is gone.
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 1000) i;
CREATE PROCEDURE take_some(times integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. times LOOP PERFORM pgpubsub.take('jobs', 10); COMMIT; END LOOP;
END $$;
CALL take_some(50);
-- Whether an attempt with takes of one notification each reads few entries: with a commit after each, or in one transaction. What
-- others do in the cluster may delay that. As many are left as before, whatever it took.
CREATE PROCEDURE take_by_one(commits boolean) LANGUAGE plpgsql AS $$
DECLARE before bigint; n bigint; BEGIN
  FOR attempt IN 1 .. 100 LOOP
    PERFORM pgpubsub.publish('jobs', '"one more"') FROM generate_series(1, 10);
    COMMIT;
    n := 0;
    FOR i IN 1 .. 10 LOOP
      before := pg_stat_get_xact_tuples_returned('pgpubsub.notification_ready'::regclass);
      PERFORM pgpubsub.take('jobs');
      n := n + pg_stat_get_xact_tuples_returned('pgpubsub.notification_ready'::regclass) - before;
      IF commits THEN COMMIT; END IF;
    END LOOP;
    IF n < 400 THEN RAISE NOTICE 'few entries are read'; RETURN; END IF;
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
CALL take_by_one(true);
CALL take_by_one(true);
CALL take_by_one(false);
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1001, 1100) i;

-- a take that is rolled back; and one that is rolled back to a savepoint
BEGIN;
SELECT count(*), min(payload::text) FROM pgpubsub.take('jobs', 10);
SELECT count(*), min(payload::text) FROM pgpubsub.take('jobs', 10);
ROLLBACK;
BEGIN;
SELECT count(*), min(payload::text) FROM pgpubsub.take('jobs', 10);
SAVEPOINT s;
SELECT count(*), min(payload::text) FROM pgpubsub.take('jobs', 10);
SELECT count(*), min(payload::text) FROM pgpubsub.take('jobs', 10);
ROLLBACK TO s;
SELECT count(*), min(payload::text) FROM pgpubsub.take('jobs', 5);
COMMIT;
CALL take_all();

-- what the statement itself has published that walks: among the ready ones, and among those that become due
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published, pgpubsub.next_due('jobs') IS NOT NULL, pgpubsub.next_due('jobs') IS NOT NULL, pgpubsub.next_due('jobs') IS NOT NULL;
SELECT count(*) FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.publish('jobs', '1', deliver_at => clock_timestamp() + interval '1 ms') IS NOT NULL AS published, pg_sleep(0.002) IS NOT NULL AS slept,
       pgpubsub.next_due('jobs') IS NOT NULL, pgpubsub.next_due('jobs') IS NOT NULL, pgpubsub.next_due('jobs') IS NOT NULL;
SELECT count(*) FROM pgpubsub.take('jobs', 10);

-- what is given back: by release(), nack(), requeue(), redrive(), and recover()
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 100) i;
SELECT array_agg(receipt) AS held FROM pgpubsub.claim('jobs', 10) \gset
CALL take_all();
SELECT pgpubsub.release(:'held') AS released;
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 100) i;
SELECT array_agg(receipt) AS held FROM pgpubsub.claim('jobs', 10) \gset
CALL take_all();
SELECT pgpubsub.nack(:'held', delay => '0') AS nacked;
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 100) i;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('jobs', 10);
CALL take_all();
SELECT pgpubsub.redrive('jobs') AS redriven;
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 100) i;
BEGIN;
SELECT pgpubsub.requeue(array_agg(id), delay => '0') AS requeued FROM pgpubsub.take('jobs', 10);
COMMIT;
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 100) i;
SELECT count(*) FROM pgpubsub.claim('jobs', 10, '1 hour');
CALL take_all();
UPDATE pgpubsub.notification SET due_at = now();
SELECT pgpubsub.recover('jobs') AS recovered;
CALL take_all();

-- priorities that come later: above, between and below those that are known; more of them than are remembered
SELECT count(pgpubsub.publish('jobs', '1', priority => p)) FROM unnest('{10,0}'::integer[]) p, generate_series(1, 30);
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(p), priority => p)) FROM unnest('{0,-32768,-5,5,32767,10,15,9,11}'::integer[]) p;
SELECT payload FROM pgpubsub.take('jobs', 100);
SELECT count(pgpubsub.publish('jobs', to_jsonb(p), priority => p)) FROM generate_series(1, 20) p, generate_series(1, 10);
CALL take_all();
SELECT count(pgpubsub.publish('jobs', to_jsonb(p), priority => p)) FROM generate_series(1, 20) p;
SELECT payload FROM pgpubsub.take('jobs', 100);

-- ids that begin anew: after TRUNCATE, and after DROP EXTENSION
TRUNCATE pgpubsub.notification;
SELECT setval('pgpubsub.notification_id_seq', 1) AS began_anew;
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 100) i;
CALL take_all();

-- what could not have been expected: somebody sets the sequence back
SELECT setval('pgpubsub.notification_id_seq', 1) AS set_back;
SELECT pgpubsub.publish('jobs', '"unexpected"') IS NOT NULL AS published;
SELECT pgpubsub.next_due('jobs') < clock_timestamp() AS is_there;
SELECT payload FROM pgpubsub.take('jobs', 10);
-- or writes, or changes, rows by hand; also where triggers are not to fire
INSERT INTO pgpubsub.notification (id, created_at, subscription_id, priority, attempts, payload)
    SELECT -1, now(), s.id, 0, 0, '"by hand"' FROM pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id AND c.name = 'jobs';
SELECT payload FROM pgpubsub.take('jobs', 10);
SET session_replication_role = replica;
INSERT INTO pgpubsub.notification (id, created_at, subscription_id, priority, attempts, payload)
    SELECT -2, now(), s.id, 0, 0, '"as a replica"' FROM pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id AND c.name = 'jobs';
RESET session_replication_role;
SELECT payload FROM pgpubsub.take('jobs', 10);
-- or behind the triggers' back: then recover() finds it, and a setting that has claims look everywhere
ALTER TABLE pgpubsub.notification DISABLE TRIGGER notifications_changed;
INSERT INTO pgpubsub.notification (id, created_at, subscription_id, priority, attempts, payload)
    SELECT i, now(), s.id, 0, 0, '"unnoticed"' FROM generate_series(-4, -3) i, pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id AND c.name = 'jobs';
ALTER TABLE pgpubsub.notification ENABLE ALWAYS TRIGGER notifications_changed;
SET pgpubsub.max_skip_time = 0;
SELECT payload FROM pgpubsub.take('jobs', 1);
SET pgpubsub.max_skip_time = '1h';
SELECT pgpubsub.recover('jobs') AS recovered;
SELECT payload FROM pgpubsub.take('jobs', 1);
SELECT pgpubsub.publish('jobs', '"moved"', deliver_at => now() + interval '1 day') IS NOT NULL AS published;
SELECT count(*) FROM pgpubsub.take('jobs', 10);
UPDATE pgpubsub.notification SET due_at = '2000-01-01';
SELECT payload FROM pgpubsub.take('jobs', 10);

-- That a number is drawn shows in the transaction, though no row is stored: it has an id by then, also where the sequence needs none.
SELECT pgpubsub.unsubscribe('jobs', 'default'), pgpubsub.subscribe('jobs', 'none', '{"never": true}');
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published, pg_current_xact_id_if_assigned() IS NOT NULL AS has_id;
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published, pg_current_xact_id_if_assigned() IS NOT NULL AS has_id;
SELECT pgpubsub.publish_batch('jobs', '{1}') IS NOT NULL AS published, pg_current_xact_id_if_assigned() IS NOT NULL AS has_id;

RESET pgpubsub.max_skip_time;
SHOW pgpubsub.max_skip_time;
SELECT pgpubsub.drop_channel('jobs');
DROP PROCEDURE take_all, take_some, take_by_one, publish_unexpected;
