-- publish(), take(), claim() and what the holder of a lease may do.
SELECT pgpubsub.create_channel('jobs');

-- publish() gives ids that rise; take() gives the columns as they were published, oldest first
SELECT pgpubsub.publish('jobs', '{"n": 1}', key => 'k', headers => '{"h": 1}') AS first \gset
SELECT pgpubsub.publish('jobs', '[2]') AS second \gset
SELECT pgpubsub.publish('jobs', '"3"') AS third \gset
SELECT :first < :second AND :second < :third AS rising;
SELECT id = :first AS first, channel, payload, key, headers, deliver_at, priority, attempts, db_version FROM pgpubsub.take('jobs');
SELECT payload FROM pgpubsub.take('jobs', 10);

-- a take that rolls back, wholly or to a savepoint, leaves everything as it was
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
BEGIN;
SELECT payload, attempts FROM pgpubsub.take('jobs');
SELECT count(*) FROM pgpubsub.take('jobs');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT payload, attempts FROM pgpubsub.take('jobs');
ROLLBACK TO s;
SELECT payload, attempts FROM pgpubsub.take('jobs');
COMMIT;
SELECT count(*) FROM pgpubsub.take('jobs');

-- higher priority first, oldest first within
SELECT count(pgpubsub.publish('jobs', to_jsonb(p || ' ' || i), priority => p)) FROM generate_series(1, 2) i, unnest('{0,9,-3}'::integer[]) p;
SELECT payload, priority FROM pgpubsub.take('jobs', 10);

-- a delay: hidden until it is over, then in its place
SELECT pgpubsub.publish('jobs', '"late"', deliver_at => now() + interval '1 hour', priority => 5) IS NOT NULL AS published;
SELECT pgpubsub.publish('jobs', '"past"', deliver_at => now() - interval '1 hour') IS NOT NULL AS published;
SELECT pgpubsub.publish('jobs', '"low"', priority => -1) IS NOT NULL AS published;
SELECT payload, state, due_at = deliver_at AS due_then FROM pgpubsub.notifications ORDER BY id;
-- next_due(): in the past while something is ready, then when the delay ends
SELECT pgpubsub.next_due('jobs') < clock_timestamp() AS ready_now;
SELECT payload FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.next_due('jobs') = due_at AS next_due FROM pgpubsub.notifications WHERE state = 'delayed';
SELECT pgpubsub.publish('jobs', '"high"', priority => 7), pgpubsub.publish('jobs', '"mid"', priority => 3) \gset
UPDATE pgpubsub.notification SET due_at = clock_timestamp() WHERE due_at IS NOT NULL;
SELECT payload, deliver_at IS NOT NULL AS has_deliver_at FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.next_due('jobs');
-- several that are due at once: by priority, then by age, whatever the order in which they became due
SELECT count(pgpubsub.publish('jobs', to_jsonb(i), deliver_at => now() + interval '1 hour', priority => p))
  FROM unnest('{1,3,2,3}'::integer[]) WITH ORDINALITY t(p, i);
UPDATE pgpubsub.notification SET due_at = to_timestamp(priority * 1000 - id);
SET pgpubsub.max_skip_time = 0;  -- nobody expects such a time
SELECT payload, priority FROM pgpubsub.take('jobs', 10);
RESET pgpubsub.max_skip_time;

-- a lease hides, its receipt ends it
SELECT pgpubsub.publish('jobs', '"leased"') AS id \gset
SELECT id = :id AS same_id, payload, attempts, receipt ~ '^\d+-[0-9a-f]{16}$' AS receipt_form, receipt FROM pgpubsub.claim('jobs', lease => '1 hour') \gset one_
SELECT :'one_same_id' AS same_id, :'one_payload' AS payload, :one_attempts AS attempts, :'one_receipt_form' AS receipt_form;
SELECT count(*) FROM pgpubsub.claim('jobs');
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT state, due_at > now() + interval '59 minutes' AS for_the_lease FROM pgpubsub.notifications;
SELECT pgpubsub.extend(ARRAY[:'one_receipt'], '2 hours') AS extended;
SELECT pgpubsub.extend(ARRAY[:'one_receipt', :'one_receipt'], '2 hours') AS extended_once;
SELECT due_at > now() + interval '119 minutes' AS for_longer FROM pgpubsub.notifications;
-- twice in one array counts once
SELECT pgpubsub.ack(ARRAY[:'one_receipt', :'one_receipt']) AS acked;
SELECT pgpubsub.ack(ARRAY[:'one_receipt']) AS acked, pgpubsub.nack(ARRAY[:'one_receipt']) AS nacked,
       pgpubsub.extend(ARRAY[:'one_receipt']) AS extended, pgpubsub.release(ARRAY[:'one_receipt']) AS released;
SELECT count(*) FROM pgpubsub.notifications;

-- nack: again after the delay, with the error kept; release: at once, and not counted
SELECT pgpubsub.publish('jobs', '"retried"') IS NOT NULL AS published;
SELECT receipt FROM pgpubsub.claim('jobs') \gset
SELECT pgpubsub.nack(ARRAY[:'receipt'], delay => '0', error => 'it broke') AS nacked;
SELECT state, attempts, last_error FROM pgpubsub.notifications;
SELECT attempts, receipt FROM pgpubsub.claim('jobs') \gset
SELECT :attempts AS attempts, pgpubsub.release(ARRAY[:'receipt']) AS released;
SELECT state, attempts, last_error FROM pgpubsub.notifications;
SELECT attempts, receipt FROM pgpubsub.claim('jobs') \gset
SELECT :attempts AS attempts, pgpubsub.nack(ARRAY[:'receipt'], '1 hour', 'later') AS nacked;
SELECT state, attempts, last_error, due_at > now() + interval '59 minutes' AS delayed FROM pgpubsub.notifications;
SELECT count(*) FROM pgpubsub.take('jobs');

-- a lease that ended: the next one has it, and the late worker's receipt is worth nothing
UPDATE pgpubsub.notification SET due_at = now();
SELECT receipt FROM pgpubsub.claim('jobs', lease => '1 microsecond') \gset late_
SELECT pgpubsub.extend(ARRAY[:'late_receipt'], '1 microsecond') AS still_ours_while_nobody_else_claims;
SELECT attempts, receipt FROM pgpubsub.claim('jobs', lease => '1 hour') \gset next_
SELECT :next_attempts AS attempts, :'late_receipt' <> :'next_receipt' AS new_receipt;
SELECT pgpubsub.ack(ARRAY[:'late_receipt']) AS late_ack, pgpubsub.nack(ARRAY[:'late_receipt'], error => 'late') AS late_nack,
       pgpubsub.release(ARRAY[:'late_receipt']) AS late_release, pgpubsub.extend(ARRAY[:'late_receipt']) AS late_extend;
SELECT pgpubsub.ack(ARRAY[:'next_receipt']) AS ack;
-- a take is as good as a claim
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
SELECT receipt FROM pgpubsub.claim('jobs', lease => '1 microsecond') \gset late_
SELECT attempts FROM pgpubsub.take('jobs');
SELECT pgpubsub.ack(ARRAY[:'late_receipt']) AS late_ack;
-- an ack that rolls back leaves the lease
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
SELECT receipt FROM pgpubsub.claim('jobs') \gset
BEGIN;
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
ROLLBACK;
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;

-- a claim and its ack in one statement
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('jobs', 10);
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('jobs', 10);

-- receipts can't be made up, and a malformed one ends no lease
SELECT pgpubsub.publish('jobs', '1') AS id \gset
SELECT receipt FROM pgpubsub.claim('jobs') \gset
SELECT pgpubsub.ack(ARRAY[:'id' || '-0000000000000000']) AS acked;
SELECT pgpubsub.ack(ARRAY[:'receipt', 'nonsense']);
SELECT pgpubsub.ack(ARRAY[:'receipt', NULL]);
SELECT pgpubsub.ack('{}') AS none, pgpubsub.ack(NULL) AS none_either, pgpubsub.ack(ARRAY[:'receipt']) AS still_there;

-- no two receipts have the same token
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 300) i;
SELECT count(DISTINCT split_part(receipt, '-', 2)), pgpubsub.ack(array_agg(receipt)) AS acked
  FROM (SELECT receipt FROM pgpubsub.claim('jobs', 150) UNION ALL SELECT receipt FROM pgpubsub.claim('jobs', 150)) r;

-- publish_batch(): as many publish(), with the ids in the order of the payloads
SELECT ids[1] < ids[2] AND ids[2] < ids[3] AS rising, array_length(ids, 1)
  FROM pgpubsub.publish_batch('jobs', ARRAY['1', '{"two": 2}', 'null']::jsonb[], ARRAY['a', NULL, 'c'],
                              ARRAY[NULL, '{"h": 2}', '{"h": 3}']::jsonb[], now() - interval '1 hour', 4) AS b(ids);
SELECT payload, key, headers, deliver_at < now() AS due, priority FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.publish_batch('jobs', '{}') AS none;
-- all of it or nothing
SELECT pgpubsub.publish_batch('jobs', ARRAY['1', NULL]::jsonb[]);
SELECT pgpubsub.publish_batch('jobs', ARRAY['1', '2']::jsonb[], keys => '{a}');
SELECT pgpubsub.publish_batch('jobs', ARRAY['1']::jsonb[], headers => '{}');
SELECT pgpubsub.publish_batch('jobs', NULL);
SELECT pgpubsub.publish_batch('jobs', ARRAY['1']::jsonb[], priority => 32768);
SELECT pgpubsub.publish_batch('nowhere', '{}');
SELECT count(*) AS none FROM pgpubsub.notifications;

-- requeue(): in a batch that was taken, one fails and goes back with its error; the rest commits
SELECT pgpubsub.publish('jobs', '"good"') AS good, pgpubsub.publish('jobs', '"bad"') AS bad \gset
BEGIN;
SELECT payload FROM pgpubsub.take('jobs', 10);
SAVEPOINT handler;
SELECT 1 / 0;
ROLLBACK TO handler;
SELECT pgpubsub.requeue(ARRAY[:bad], delay => '0', error => 'division by zero') AS requeued;
SELECT pgpubsub.requeue(ARRAY[:bad]) AS again;
COMMIT;
SELECT id = :bad AS bad, state, attempts, last_error FROM pgpubsub.notifications;
-- only what this transaction took, and not what it rolled back
SELECT pgpubsub.requeue(ARRAY[:bad, :good, 0]) AS requeued;
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM pgpubsub.take('jobs');
ROLLBACK TO s;
SELECT pgpubsub.requeue(ARRAY[:bad]) AS requeued;
SELECT attempts FROM pgpubsub.take('jobs');
SAVEPOINT s;
SELECT pgpubsub.requeue(ARRAY[:bad], delay => '0', error => 'rolled back') AS requeued;
ROLLBACK TO s;
SELECT pgpubsub.requeue(ARRAY[:bad], '1 hour', 'kept') AS requeued;
COMMIT;
SELECT payload, state, attempts, last_error FROM pgpubsub.notifications;
DELETE FROM pgpubsub.notification;
-- a requeue() that was rolled back to a savepoint did not happen, so it can be done again
SELECT pgpubsub.publish('jobs', '1') AS id \gset
BEGIN;
SELECT attempts FROM pgpubsub.take('jobs');
SAVEPOINT s;
SELECT pgpubsub.requeue(ARRAY[:id], error => 'rolled back') AS requeued;
ROLLBACK TO s;
SELECT pgpubsub.requeue(ARRAY[:id], error => 'kept') AS requeued;
COMMIT;
SELECT count(*), min(last_error) FROM pgpubsub.notifications;
DELETE FROM pgpubsub.notification;
-- the count of attempts stays at its maximum (0: they have no end)
SELECT pgpubsub.alter_channel('jobs', max_attempts => 0);
SELECT pgpubsub.publish('jobs', '1') AS id \gset
UPDATE pgpubsub.notification SET attempts = 32767;
SELECT attempts, pgpubsub.nack(ARRAY[receipt], delay => '0') AS nacked FROM pgpubsub.claim('jobs');
SELECT attempts FROM pgpubsub.notifications;
BEGIN;
SELECT attempts FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
COMMIT;
SELECT attempts FROM pgpubsub.notifications;
DELETE FROM pgpubsub.notification;
-- nor what was claimed, taken once more, or truncated away, after a take that was rolled back
SELECT pgpubsub.publish('jobs', '1') AS id \gset
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM pgpubsub.take('jobs');
ROLLBACK TO s;
SELECT count(*) FROM pgpubsub.claim('jobs', lease => '1 microsecond');
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
SAVEPOINT s;
SELECT count(*) FROM pgpubsub.take('jobs');
ROLLBACK TO s;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id, :id], delay => '0') AS requeued;
-- a requeue that is undone can be done again, though the notification was taken meanwhile
SAVEPOINT s;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
ROLLBACK TO s;
SELECT count(*) FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
COMMIT;
SELECT count(*) FROM pgpubsub.notifications;
BEGIN;
SELECT count(*) FROM pgpubsub.take('jobs');
TRUNCATE pgpubsub.notification;
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
COMMIT;
-- a large one, too
SELECT pgpubsub.publish('jobs', to_jsonb(string_agg(md5(i::text), ''))) AS id FROM generate_series(1, 32768) i \gset
BEGIN;
SELECT length(payload #>> '{}') FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
COMMIT;
SELECT length(payload #>> '{}'), attempts FROM pgpubsub.take('jobs');

-- recover(): a lease that is over stays what it is, so its receipt is good
SELECT pgpubsub.publish('jobs', to_jsonb(i)) IS NOT NULL AS published FROM generate_series(1, 3) i;
SELECT array_agg(receipt) AS receipts FROM pgpubsub.claim('jobs', 2, '1 microsecond') \gset
SELECT pgpubsub.recover('jobs') AS recovered;
SELECT state, due_at <= now() AS due, attempts FROM pgpubsub.notifications ORDER BY id;
SELECT pgpubsub.ack((:'receipts'::text[])[1:1]) AS late_ack;
SELECT state, due_at <= now() AS due, attempts FROM pgpubsub.notifications ORDER BY id;
SELECT pgpubsub.recover() AS recovered;
SELECT payload FROM pgpubsub.take('jobs', 10);

-- the indexes hold just what the table holds, though they are written below the executor
CREATE EXTENSION amcheck;
SELECT pgpubsub.create_channel('ordered jobs', ordered => true);
CREATE FUNCTION pg_temp.use_all_states() RETURNS bigint LANGUAGE sql AS $$
  SELECT count(pgpubsub.publish('jobs', jsonb_build_object('tenant', i), priority => i % 2,
                                deliver_at => CASE WHEN i % 3 = 0 THEN now() + interval '1 hour' END,
                                dedup_key => CASE WHEN i % 3 < 2 THEN i::text END))
    FROM generate_series(1, 9) i;
  SELECT count(pgpubsub.publish('ordered jobs', jsonb_build_object('tenant', i), key => (i % 3)::text))
    FROM generate_series(1, 9) i;
  SELECT count(*) FROM pgpubsub.claim('ordered jobs', 2);
  SELECT count(*) FROM pgpubsub.take('ordered jobs', 2);
  SELECT count(*) FROM pgpubsub.claim('jobs', 3, '1 microsecond');
  SELECT pgpubsub.recover();
  SELECT count(*) FROM pgpubsub.claim('jobs', 2);
  SELECT count(*) FROM pgpubsub.take('jobs', 1);
$$;
SELECT pg_temp.use_all_states();
SELECT indexrelid::regclass AS index, bt_index_check(indexrelid, heapallindexed => true)
  FROM pg_index WHERE indrelid = 'pgpubsub.notification'::regclass ORDER BY 1;
-- a DBA's own index on the table, too
CREATE INDEX own_index ON pgpubsub.notification ((payload ->> 'tenant')) WHERE lease_token IS NULL;
SELECT pg_temp.use_all_states();
SELECT indexrelid::regclass AS index, bt_index_check(indexrelid, heapallindexed => true)
  FROM pg_index WHERE indrelid = 'pgpubsub.notification'::regclass ORDER BY 1;
SELECT state, count(*) FROM pgpubsub.notifications GROUP BY state ORDER BY state;
DROP INDEX pgpubsub.own_index;
DROP EXTENSION amcheck;

-- bad arguments
SELECT pgpubsub.publish('nowhere', '1');
SELECT pgpubsub.publish('jobs', NULL);
SELECT pgpubsub.publish(NULL, '1');
SELECT pgpubsub.publish('jobs', '1', priority => 40000);
SELECT * FROM pgpubsub.take('jobs', 0);
SELECT * FROM pgpubsub.take('jobs', NULL);
SELECT * FROM pgpubsub.take('nowhere');
SELECT * FROM pgpubsub.claim('jobs', lease => '0');
SELECT * FROM pgpubsub.claim('jobs', lease => '-1 hour');
SELECT * FROM pgpubsub.claim('jobs', 1, '1000000 years');
SELECT * FROM pgpubsub.claim('jobs', lease => '90001 years');
SELECT count(*) FROM pgpubsub.claim('jobs', 1, '90000 years', filter => '{"no": 1}');
SELECT pgpubsub.extend('{}', '2147483647 days');
SELECT pgpubsub.nack('{}', delay => '2562047788 hours');
SELECT pgpubsub.nack('{}', delay => '89000 years');
CALL pgpubsub.wait('{jobs}', '-178000000 years');
-- what is no time, no key and no headers
SELECT pgpubsub.publish('jobs', '1', deliver_at => 'infinity');
SELECT pgpubsub.publish('jobs', '1', deliver_at => '-infinity');
SELECT pgpubsub.publish_batch('jobs', '{1}', deliver_at => 'infinity');
SELECT pgpubsub.publish('jobs', '1', dedup_key => '');
SELECT pgpubsub.publish('jobs', '1', headers => '[1]');
SELECT pgpubsub.publish('jobs', '1', headers => '"x"');
SELECT cardinality(pgpubsub.publish_batch('jobs', '{1,2}', headers => '{"{}",null}')) AS published;
SELECT pgpubsub.publish_batch('jobs', '{1,2}', headers => '{"{}","7"}');
SELECT pgpubsub.nack('{}', delay => '-1 second');
SELECT pgpubsub.recover('nowhere');
BEGIN READ ONLY;
SELECT * FROM pgpubsub.take('jobs');
ROLLBACK;

DO $$ DECLARE call text; BEGIN
  SET LOCAL transaction_read_only = on;
  FOREACH call IN ARRAY ARRAY['publish(''jobs'', ''1'')', 'claim(''jobs'')', 'ack(''{}'')', 'nack(''{}'')',
      'extend(''{}'')', 'release(''{}'')', 'requeue(''{}'')', 'recover(''jobs'')', 'drop_channel(''jobs'')',
      'publish_batch(''jobs'', ''{}'')', 'next_due(''jobs'')', 'redrive(''jobs'')', 'purge_dead_letters(''jobs'')',
      'create_channel(''x'')', 'alter_channel(''jobs'')', 'pause_channel(''jobs'')', 'resume_channel(''jobs'')',
      'purge_channel(''jobs'')', 'subscribe(''jobs'', ''x'')', 'unsubscribe(''jobs'', ''default'')',
      'grant_channel(''jobs'', current_user::regrole, ''consume'')', 'revoke_channel(''jobs'', current_user::regrole, ''consume'')'] LOOP
    BEGIN EXECUTE 'SELECT pgpubsub.' || call; RAISE NOTICE '% went through', call;
    EXCEPTION WHEN read_only_sql_transaction THEN RAISE NOTICE '%', SQLERRM; END;
  END LOOP;
END $$;
SELECT pgpubsub.extend('{}', '0');

-- several calls in one statement don't meet what the others have taken
SELECT pgpubsub.purge_channel('jobs') >= 0 AS purged;
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 6) i;
SELECT c.payload, pgpubsub.ack(ARRAY[c.receipt]) AS acked FROM generate_series(1, 2) g, LATERAL pgpubsub.claim('jobs', 1 + g - g) c;
SELECT t.payload, pgpubsub.requeue(ARRAY[t.id], delay => '1 hour') AS requeued FROM generate_series(1, 2) g, LATERAL pgpubsub.take('jobs', 1 + g - g) t;
SELECT (SELECT count(*) FROM pgpubsub.take('jobs', 1)) AS taken, pgpubsub.purge_channel('jobs') AS purged,
       (SELECT count(*) FROM pgpubsub.take('jobs', 10)) AS taken;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
