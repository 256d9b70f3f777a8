-- A notification whose attempt fails is tried again, later and later, until its attempts are used up or it is rejected; then it
-- is a dead letter, until it is redriven or purged.
SELECT pgpubsub.create_channel('jobs', max_attempts => 3, backoff_base => '100 s', backoff_factor => 2, backoff_max => '10 min',
                               backoff_jitter => 0);
CREATE VIEW queue AS
  SELECT payload, state, attempts, round(extract(epoch FROM due_at - clock_timestamp()), -1) AS due_in, last_error
    FROM pgpubsub.notifications ORDER BY id;
CREATE VIEW dead AS
  SELECT payload, attempts, last_error, died_at BETWEEN created_at AND clock_timestamp() AS died_since
    FROM pgpubsub.dead_letters ORDER BY id;

-- Under lease: each failed attempt counts, and is followed by the back-off; the last one makes a dead letter
SELECT pgpubsub.publish('jobs', '"leased"', key => 'k', headers => '{"h": 1}', priority => 7) AS id \gset
SELECT pgpubsub.nack(array_agg(receipt), error => 'first') AS nacked FROM pgpubsub.claim('jobs');
TABLE queue;
SELECT count(*) AS not_yet FROM pgpubsub.claim('jobs');
UPDATE pgpubsub.notification SET due_at = now();
SELECT pgpubsub.nack(array_agg(receipt), error => 'second') AS nacked FROM pgpubsub.claim('jobs');
TABLE queue;
UPDATE pgpubsub.notification SET due_at = now();
SELECT pgpubsub.nack(array_agg(receipt), error => 'third') AS nacked FROM pgpubsub.claim('jobs');
TABLE queue;
SELECT id = :id AS same_id, channel, subscription, payload, key, headers, priority, attempts, last_error FROM pgpubsub.dead_letters;
-- an error is kept until there is another one
SELECT pgpubsub.redrive('jobs') AS redriven;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('jobs');
TABLE dead;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;

-- Under take: requeue() likewise
SELECT pgpubsub.publish('jobs', '"taken"') AS id \gset
DO $$ BEGIN FOR attempt IN 1 .. 3 LOOP
  PERFORM pgpubsub.requeue(array_agg(id), error => 'attempt ' || attempt) FROM pgpubsub.take('jobs');
  RAISE NOTICE '%', (SELECT queue FROM queue);
  UPDATE pgpubsub.notification SET due_at = clock_timestamp();
END LOOP; END $$;
TABLE dead;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;

-- A crash counts: the lease ends by itself, and there is no back-off, for nobody knows when it began. The attempt
-- after the last one is not begun: whoever meets the row, be it a claim, a take or the sweep, makes it a dead letter
SELECT count(pgpubsub.publish('jobs', to_jsonb(who))) FROM unnest('{claim,take,recover}'::text[]) who;
DO $$ BEGIN FOR attempt IN 1 .. 3 LOOP
  PERFORM pgpubsub.claim('jobs', 3, '1 microsecond');
END LOOP; END $$;
SELECT payload, state, attempts FROM queue;
UPDATE pgpubsub.notification SET due_at = now() + interval '1 hour' WHERE payload <> '"claim"';
SELECT count(*) FROM pgpubsub.claim('jobs', 10);
TABLE dead;
UPDATE pgpubsub.notification SET due_at = now() WHERE payload = '"take"';
SELECT count(*) FROM pgpubsub.take('jobs', 10);
UPDATE pgpubsub.notification SET due_at = now();
SELECT pgpubsub.recover('jobs');
TABLE dead;
TABLE queue;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;
-- so does next_due(), which else would tell of a row that nobody can have
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
UPDATE pgpubsub.notification SET attempts = 3;
SELECT pgpubsub.next_due('jobs');
TABLE dead;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;

-- An attempt that was rolled back by its handler's own error does not count; nor does one that is released
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
DO $$ BEGIN FOR attempt IN 1 .. 5 LOOP
  BEGIN
    PERFORM pgpubsub.take('jobs');
    RAISE division_by_zero;
  EXCEPTION WHEN division_by_zero THEN NULL; END;
  PERFORM pgpubsub.release(array_agg(receipt)) FROM pgpubsub.claim('jobs');
END LOOP; END $$;
TABLE queue;

-- reject: a dead letter at once, by nack() and by requeue(), whatever the delay
SELECT pgpubsub.nack(array_agg(receipt), delay => '1 hour', error => 'unreadable', reject => true) AS rejected
  FROM pgpubsub.claim('jobs');
SELECT pgpubsub.publish('jobs', '2') IS NOT NULL AS published;
BEGIN;
SELECT pgpubsub.requeue(array_agg(id), error => 'unreadable too', reject => true) AS rejected FROM pgpubsub.take('jobs');
-- not what went back already
SELECT pgpubsub.requeue(array_agg(id)) AS requeued FROM pgpubsub.dead_letters;
COMMIT;
TABLE dead;
TABLE queue;
-- what is rejected in a transaction that rolls back is not dead
SELECT pgpubsub.publish('jobs', '3') IS NOT NULL AS published;
SELECT receipt FROM pgpubsub.claim('jobs') \gset
BEGIN;
SELECT pgpubsub.nack(ARRAY[:'receipt'], reject => true) AS rejected;
ROLLBACK;
SELECT payload FROM dead;
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;

-- redrive(): by id, by filter, all; the attempts begin anew, in the old place of the line
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;
SELECT count(pgpubsub.publish('jobs', jsonb_build_object('n', i, 'tenant', i % 2))) FROM generate_series(1, 6) i;
SELECT pgpubsub.nack(array_agg(receipt), error => 'all of them', reject => true) AS rejected FROM pgpubsub.claim('jobs', 10);
SELECT pgpubsub.publish('jobs', '{"n": 7}') IS NOT NULL AS published;
SELECT array_agg(id ORDER BY id) AS ids FROM pgpubsub.dead_letters \gset
SELECT pgpubsub.redrive('jobs', ids => (:'ids'::bigint[])[6:6] || 0::bigint || (:'ids'::bigint[])[6:6]) AS redriven;
SELECT payload, state, attempts, last_error FROM queue;
SELECT pgpubsub.redrive('jobs', filter => '{"tenant": 1}') AS redriven;
SELECT payload -> 'n' AS n, attempts FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.redrive('jobs', ids => (:'ids'::bigint[])[2:2]) AS redriven;
-- no ids are none, not all: array_agg() of nothing is null
SELECT pgpubsub.redrive('jobs', ids => '{}') AS none, pgpubsub.redrive('jobs', ids => NULL) AS none,
       pgpubsub.redrive('jobs', filter => '{"n": 77}') AS none;
SELECT pgpubsub.redrive('jobs') AS redriven;
SELECT payload -> 'n' AS n FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.redrive('jobs') AS redriven;
SELECT pgpubsub.redrive('jobs', ids => '{NULL}');
SELECT pgpubsub.redrive('jobs', subscription => 'nope');
SELECT pgpubsub.redrive('nowhere');

-- purge_dead_letters(): by id, by filter, by age, all
SELECT count(pgpubsub.publish('jobs', jsonb_build_object('n', i))) FROM generate_series(1, 5) i;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('jobs', 10);
UPDATE pgpubsub.dead_letter SET died_at = now() - interval '1 hour' WHERE payload ->> 'n' IN ('3', '4');
SELECT pgpubsub.purge_dead_letters('jobs', ids => ARRAY[min(id)]) AS purged FROM pgpubsub.dead_letters;
SELECT pgpubsub.purge_dead_letters('jobs', filter => '{"n": 2}') AS purged;
SELECT pgpubsub.purge_dead_letters('jobs', older_than => '2 hours') AS none;
SELECT pgpubsub.purge_dead_letters('jobs', filter => '{"n": 5}', older_than => '30 min') AS none;
SELECT pgpubsub.purge_dead_letters('jobs', older_than => '30 min') AS purged;
SELECT payload FROM dead;
SELECT pgpubsub.purge_dead_letters('jobs', ids => NULL) AS none, pgpubsub.purge_dead_letters('jobs', ids => '{}') AS none;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;
SELECT pgpubsub.purge_dead_letters('jobs', ids => '{NULL}');
SELECT pgpubsub.purge_dead_letters('jobs', older_than => '-1 s');
SELECT pgpubsub.purge_dead_letters('nowhere');

-- The back-off: base x factor^(attempt - 1), at most max
SELECT pgpubsub.alter_channel('jobs', max_attempts => 0);
SELECT pgpubsub.publish('jobs', '1') IS NOT NULL AS published;
DO $$ BEGIN FOR attempt IN 1 .. 5 LOOP
  PERFORM pgpubsub.nack(array_agg(receipt)) FROM pgpubsub.claim('jobs');
  RAISE NOTICE 'after attempt %: %', attempt, (SELECT due_in FROM queue);
  UPDATE pgpubsub.notification SET due_at = clock_timestamp();
END LOOP; END $$;
-- 0 attempts: no end of them, and of the delay no overflow
UPDATE pgpubsub.notification SET attempts = 32767;
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('jobs');
SELECT attempts, due_in FROM queue;
UPDATE pgpubsub.notification SET due_at = now();
-- no base, no delay
SELECT pgpubsub.alter_channel('jobs', backoff_base => '0');
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('jobs');
SELECT state FROM queue;
-- base and max as long as can be
SELECT pgpubsub.alter_channel('jobs', backoff_base => '170000000 years', backoff_max => '170000000 years');
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('jobs');
SELECT state, due_at > '290000-01-01' AS never FROM pgpubsub.notifications;
-- jitter takes a random part away: what failed together comes back spread out
SELECT pgpubsub.purge_channel('jobs') AS purged;
SELECT pgpubsub.alter_channel('jobs', backoff_base => '1000 s', backoff_max => '1000 s', backoff_jitter => 0.5);
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 200) i;
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('jobs', 200);
SELECT min(due_in) BETWEEN 490 AND 550 AS at_least_half, max(due_in) BETWEEN 950 AND 1000 AS at_most_whole,
       avg(due_in) BETWEEN 650 AND 850 AS even FROM queue;
SELECT pgpubsub.purge_channel('jobs') AS purged;

-- Fewer attempts are allowed from now on: what waits with more is not tried again, and keeps its error
SELECT pgpubsub.publish('jobs', '"tried twice"') AS twice, pgpubsub.publish('jobs', '"tried once"') AS once \gset
UPDATE pgpubsub.notification SET attempts = 2, last_error = 'the second' WHERE id = :twice;
UPDATE pgpubsub.notification SET attempts = 1 WHERE id = :once;
SELECT pgpubsub.alter_channel('jobs', max_attempts => 2);
SELECT payload, attempts FROM pgpubsub.take('jobs', 10);
TABLE dead;
TABLE queue;

-- In a batch a bad one harms only itself
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 4) i;
UPDATE pgpubsub.notification SET attempts = 1;
BEGIN;
SELECT array_agg(id ORDER BY id) AS ids FROM pgpubsub.take('jobs', 10) \gset
SELECT pgpubsub.requeue((:'ids'::bigint[])[2:3], error => 'bad') AS requeued;
COMMIT;
TABLE dead;
TABLE queue;

-- What is large stays whole all the way
SELECT pgpubsub.publish('jobs', to_jsonb(string_agg(md5(i::text), '')), repeat('key', 5000)) IS NOT NULL AS published
  FROM generate_series(1, 32768) i;
SELECT pgpubsub.nack(array_agg(receipt), error => repeat('error', 5000), reject => true) AS rejected FROM pgpubsub.claim('jobs');
SELECT length(payload #>> '{}'), length(key) AS key, length(last_error) AS error FROM pgpubsub.dead_letters WHERE key IS NOT NULL;
SELECT pgpubsub.redrive('jobs', filter => payload) AS redriven FROM pgpubsub.dead_letters WHERE key IS NOT NULL;
SELECT md5(payload #>> '{}') = (SELECT md5(string_agg(md5(i::text), '')) FROM generate_series(1, 32768) i) AS same, length(key) AS key
  FROM pgpubsub.take('jobs');

-- A DBA's own indexes on the archives are kept as well
CREATE INDEX own_expression ON pgpubsub.dead_letter ((payload ->> 'tenant'));
CREATE INDEX own_partial ON pgpubsub.dead_letter (id) WHERE last_error IS NULL;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;
SELECT pgpubsub.publish('jobs', '{"tenant": "a"}') IS NOT NULL AS published;
SELECT pgpubsub.nack(array_agg(receipt), error => 'e', reject => true) AS rejected FROM pgpubsub.claim('jobs');
SET enable_seqscan = off;
SELECT count(*) FROM pgpubsub.dead_letter WHERE payload ->> 'tenant' = 'a';
SELECT count(*) AS none FROM pgpubsub.dead_letter WHERE last_error IS NULL AND id > 0;
RESET enable_seqscan;
DROP INDEX pgpubsub.own_expression, pgpubsub.own_partial;

-- Bad arguments
SELECT pgpubsub.nack('{}', reject => NULL);
SELECT pgpubsub.requeue('{}', reject => NULL);
SELECT pgpubsub.requeue('{}', delay => '-1 s');
SELECT pgpubsub.requeue(NULL) AS none, pgpubsub.nack(NULL) AS none;

-- Who may consume may redrive and purge; who publishes may not even look
CREATE ROLE regress_pgpubsub_publisher;
CREATE ROLE regress_pgpubsub_consumer;
CREATE ROLE regress_pgpubsub_nobody;
SELECT pgpubsub.create_channel('other');
SELECT pgpubsub.grant_channel('jobs', 'regress_pgpubsub_publisher', 'publish'),
       pgpubsub.grant_channel('jobs', 'regress_pgpubsub_consumer', 'consume'),
       pgpubsub.grant_channel('other', 'regress_pgpubsub_publisher', 'consume');
SET ROLE regress_pgpubsub_publisher;
SELECT pgpubsub.redrive('jobs');
SELECT pgpubsub.purge_dead_letters('jobs');
SELECT count(*) AS none FROM pgpubsub.dead_letters;
SET ROLE regress_pgpubsub_nobody;
SELECT pgpubsub.redrive('jobs');
SET ROLE regress_pgpubsub_consumer;
SELECT payload, last_error FROM pgpubsub.dead_letters;
SELECT pgpubsub.redrive('jobs') AS redriven;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('jobs');
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;
RESET ROLE;

-- an error is cut where it is too long, between characters, whichever way it came
SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 4) i;
SELECT pgpubsub.nack(array_agg(receipt), delay => '1 hour', error => 'begin' || repeat('é', 1000000) || 'end') AS nacked FROM pgpubsub.claim('jobs');
SELECT pgpubsub.nack(array_agg(receipt), error => 'begin' || repeat('€', 1000000) || 'end', reject => true) AS nacked FROM pgpubsub.claim('jobs');
BEGIN;
SELECT pgpubsub.requeue(array_agg(id), delay => '1 hour', error => 'begin' || repeat('x', 1000000) || 'end') AS requeued FROM pgpubsub.take('jobs');
SELECT pgpubsub.requeue(array_agg(id), error => repeat('y', 8193), reject => true) AS requeued FROM pgpubsub.take('jobs');
COMMIT;
CREATE VIEW errors AS
  SELECT e.place, octet_length(last_error) BETWEEN 8000 AND 8192 AS is_cut, regexp_replace(last_error, '(.)\1{2,}', '\1+', 'g') AS last_error
    FROM (SELECT 'queue' AS place, id, last_error FROM pgpubsub.notifications UNION ALL SELECT 'dead', id, last_error FROM pgpubsub.dead_letters) e
   WHERE last_error IS NOT NULL ORDER BY e.id;
TABLE errors;
SELECT pgpubsub.redrive('jobs') AS redriven;
TABLE errors;
DROP VIEW errors;
SELECT pgpubsub.purge_channel('jobs') > 0 AS purged;
-- what fits is stored as it is
SELECT pgpubsub.publish('jobs', '1') > 0 AS published;
SELECT pgpubsub.nack(array_agg(receipt), error => repeat('z', 8192), reject => true) AS nacked FROM pgpubsub.claim('jobs');
SELECT last_error = repeat('z', 8192) AS whole FROM pgpubsub.dead_letters;
SELECT pgpubsub.purge_dead_letters('jobs') AS purged;

DROP VIEW queue, dead;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
SELECT count(*) AS left_over FROM pgpubsub.dead_letter;
DROP OWNED BY regress_pgpubsub_publisher, regress_pgpubsub_consumer;
DROP ROLE regress_pgpubsub_publisher, regress_pgpubsub_consumer, regress_pgpubsub_nobody;
