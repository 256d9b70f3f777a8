-- An ordered channel: the notifications of a key are handed out strictly in the order of publishing, one at a time, and a key
-- that is blocked holds up no other. (Several sessions at once: the isolation specs.)
SELECT pgpubsub.create_channel('o', ordered => true, max_attempts => 3, backoff_base => '1 hour', backoff_jitter => 0);
CREATE FUNCTION pub(VARIADIC items text[]) RETURNS bigint LANGUAGE sql  -- 'a1' is published with the key 'a'
  AS $$ SELECT count(pgpubsub.publish('o', to_jsonb(item), key => nullif(left(item, 1), '-'))) FROM unnest(items) item $$;
CREATE FUNCTION take(max_count integer DEFAULT 100) RETURNS text LANGUAGE sql
  AS $$ SELECT string_agg(payload #>> '{}', ' ') FROM pgpubsub.take('o', max_count) $$;
CREATE FUNCTION claim(max_count integer DEFAULT 100) RETURNS TABLE (item text, receipt text) LANGUAGE sql
  AS $$ SELECT payload #>> '{}', receipt FROM pgpubsub.claim('o', max_count) $$;
CREATE FUNCTION id_of(item text) RETURNS bigint LANGUAGE sql
  AS $$ SELECT id FROM pgpubsub.notification WHERE payload = to_jsonb(item) $$;
CREATE VIEW queue AS SELECT payload #>> '{}' AS item, state, attempts, last_error FROM pgpubsub.notifications ORDER BY id;

-- take: a batch carries the run of a key to one consumer, in order
SELECT pub('a1', 'b1', 'a2', 'a3', 'b2', 'c1');
SELECT take(4);
SELECT take();

-- claim: one of each key at a time; the next one when it is acked
SELECT pub('a1', 'b1', 'a2', 'a3', 'b2', 'c1');
SELECT string_agg(item, ' ') AS claimed, array_agg(receipt) AS receipts FROM claim() \gset
\echo :claimed
-- what is in flight blocks take, too
SELECT take();
SELECT pgpubsub.ack((:'receipts'::text[])[1:1]) AS acked;
SELECT string_agg(item, ' ') AS claimed, array_agg(receipt) AS receipts2 FROM claim() \gset
\echo :claimed
SELECT take();
SELECT pgpubsub.ack(:'receipts'), pgpubsub.ack(:'receipts2');
SELECT take();

-- nack: its key waits for the back-off, and only that one
SELECT pub('a1', 'b1', 'a2', 'b2');
SELECT pgpubsub.nack(array_agg(receipt) FILTER (WHERE item = 'a1')) AS nacked, pgpubsub.release(array_agg(receipt) FILTER (WHERE item = 'b1')) AS released
  FROM claim();
TABLE queue;
SELECT take();
UPDATE pgpubsub.notification SET due_at = now() WHERE due_at IS NOT NULL;
SELECT take();

-- release: the same one again, and what follows
SELECT pub('a1', 'a2');
SELECT item, pgpubsub.release(ARRAY[receipt]) AS released FROM claim();
SELECT item, pgpubsub.release(ARRAY[receipt]) AS released FROM claim();
SELECT take();

-- a lease that ended: the same one again, and what follows
SELECT pub('a1', 'a2');
SELECT payload, pgpubsub.extend(ARRAY[receipt], '1 microsecond') AS extended FROM pgpubsub.claim('o', lease => '1 microsecond');
SELECT item, receipt FROM claim() \gset
\echo :item
SELECT count(*) FROM claim();
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
SELECT take();

-- requeue: what was taken behind it goes back too, untried, and stays behind it
SELECT pub('a1', 'a2', 'b1', 'a3');
BEGIN;
SELECT id_of('a2') AS a2, id_of('a3') AS a3, take() \gset
\echo :take
SELECT pgpubsub.requeue(ARRAY[:a2], error => 'bad') AS requeued;
SELECT pgpubsub.requeue(ARRAY[:a2, :a3]) AS again;
COMMIT;
TABLE queue;
SELECT pub('a4');
SELECT take();
UPDATE pgpubsub.notification SET due_at = now() WHERE due_at IS NOT NULL;
SELECT take();
-- without a delay it can be taken again by the same transaction
SELECT pub('a1', 'a2');
BEGIN;
SELECT pgpubsub.requeue(array_agg(id), delay => '0') AS requeued FROM pgpubsub.take('o', 1);
SELECT take();
ROLLBACK;
TABLE queue;
SELECT take();

-- a dead letter no longer blocks; redriven, it is the first of its key again
SELECT pub('a1', 'a2', 'a3');
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM claim();
SELECT take(1);
SELECT pgpubsub.redrive('o') AS redriven;
SELECT take();
-- so in a batch: what was taken behind it goes back untried, and is the next
SELECT pub('a1', 'a2');
BEGIN;
SELECT id_of('a1') AS a1, take() \gset
SELECT pgpubsub.requeue(ARRAY[:a1], reject => true) AS rejected;
COMMIT;
TABLE queue;
-- the next of the key may be in flight by then: one at a time all the same
SELECT pub('a3', 'a4');
SELECT item, receipt FROM claim() \gset
SELECT pgpubsub.redrive('o') AS redriven;
SELECT take();
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
SELECT take();
-- attempts that are used up let the key go on, in the same claim
SELECT pub('a1', 'a2', 'b1');
UPDATE pgpubsub.notification SET attempts = 3 WHERE payload = '"a1"';
SELECT string_agg(item, ' ') AS claimed, array_agg(receipt) AS receipts FROM claim() \gset
\echo :claimed
SELECT pgpubsub.ack(:'receipts') AS acked;
SELECT payload FROM pgpubsub.dead_letters;
SELECT pgpubsub.purge_dead_letters('o') AS purged;

-- a delay blocks its key, for what was published first comes first
SELECT pgpubsub.publish('o', '"a1"', key => 'a', deliver_at => now() + interval '1 hour') IS NOT NULL AS published;
SELECT pub('a2', 'b1');
SELECT take();
UPDATE pgpubsub.notification SET due_at = now() WHERE due_at IS NOT NULL;
SELECT take();
-- also where the later ones are due earlier
SELECT pgpubsub.publish('o', '"a0"', key => 'a', deliver_at => now() + interval '1 hour') IS NOT NULL AS published;
SELECT count(pgpubsub.publish('o', to_jsonb('a' || i), key => 'a', deliver_at => now() + interval '1 hour')) FROM generate_series(1, 60) i;
SELECT pub('a61');
UPDATE pgpubsub.notification SET due_at = now() - CASE payload WHEN '"a0"' THEN interval '1 s' ELSE '1 min' END WHERE due_at IS NOT NULL;
SET pgpubsub.max_skip_time = 0;  -- nobody expects such times
SELECT take(1);
SELECT item, pgpubsub.ack(ARRAY[receipt]) AS acked FROM claim(1);
SELECT take(1);
SELECT array_length(string_to_array(take(), ' '), 1) AS others;
RESET pgpubsub.max_skip_time;

-- what has no key waits for nothing; each key is one, however long
SELECT pub('-1', '-2', '-3');
SELECT count(*) FROM claim();
SELECT pgpubsub.purge_channel('o') AS purged;
SELECT count(pgpubsub.publish('o', to_jsonb(i), key => repeat('k', 100000) || i / 2)) FROM generate_series(0, 3) i;
SELECT item FROM claim();
SELECT pgpubsub.purge_channel('o') AS purged;
-- the empty key is a key
SELECT count(pgpubsub.publish('o', '1', key => '')) FROM generate_series(1, 2);
SELECT count(*) FROM claim();
SELECT pgpubsub.purge_channel('o') AS purged;

-- a roll-back to a savepoint gives back what was taken
SELECT pub('a1', 'a2', 'b1');
BEGIN;
SELECT take(1);
SAVEPOINT s;
SELECT take();
ROLLBACK TO s;
SELECT take();
ROLLBACK;
SELECT take();
SELECT count(pgpubsub.publish('o', to_jsonb(i), key => i::text)) FROM generate_series(1, 200) i;
BEGIN;
SAVEPOINT s;
SELECT count(*) > 0 AS some FROM pgpubsub.take('o', 200);
ROLLBACK TO s;
SELECT count(*) > 0 AS some FROM pgpubsub.take('o', 200);
ROLLBACK;
-- however many sub-transactions deep: what is undone counts no longer among the keys that a transaction may hold, what is not does
CREATE FUNCTION take_deep(depth integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE taken bigint;
BEGIN
    BEGIN
        IF depth > 0 THEN
            RETURN take_deep(depth - 1);
        END IF;
        FOR i IN 1..5 LOOP
            BEGIN
                PERFORM pgpubsub.take('o', 60);
                RAISE division_by_zero;
            EXCEPTION WHEN division_by_zero THEN
            END;
        END LOOP;
        SELECT count(*) INTO taken FROM pgpubsub.take('o', 60);
        RETURN taken;
    EXCEPTION WHEN raise_exception THEN
    END;
END $$;
BEGIN;
SELECT take_deep(1) AS shallow, take_deep(70) AS deep;
SELECT current_setting('max_locks_per_transaction')::integer * 2 - 120 = count(*) AS no_more FROM pgpubsub.take('o', 200);
ROLLBACK;
DROP FUNCTION take_deep;
SELECT pgpubsub.purge_channel('o') AS purged;

-- each subscription has its own order
SELECT pgpubsub.subscribe('o', 'second');
SELECT pub('a1', 'a2');
SELECT item, receipt FROM claim() \gset
SELECT payload FROM pgpubsub.take('o', 10, 'second');
SELECT pgpubsub.ack(ARRAY[:'receipt']) AS acked;
SELECT take();
SELECT pgpubsub.unsubscribe('o', 'second');

-- a filter lets nothing overtake: what does not match holds its key
SELECT count(pgpubsub.publish('o', jsonb_build_object('tenant', t, 'n', n), key => k))
  FROM (VALUES ('x', 1, 'a'), ('y', 2, 'a'), ('x', 3, 'a'), ('x', 4, 'b')) v(t, n, k);
SELECT payload FROM pgpubsub.take('o', 10, filter => '{"tenant": "x"}');
SELECT payload FROM pgpubsub.take('o', 10, filter => '{"tenant": "y"}');
SELECT payload FROM pgpubsub.take('o', 10);

-- thousands of rows of blocked keys in front: the others still come
SELECT count(pgpubsub.publish('o', '"blocked"', key => 'blocked ' || i % 3)) FROM generate_series(1, 3000) i;
SELECT pub('a1', 'b1', 'a2');
SELECT count(*) FROM claim(3);
SELECT length(t) AS all_three, position('a1' IN t) < position('a2' IN t) AS in_order FROM take() t;
SELECT pub('a1', 'b1');
SELECT item FROM claim() ORDER BY item;
SELECT count(*) FROM claim();
SELECT pgpubsub.purge_channel('o') AS purged;

-- more keys than a transaction may lock: the next one has the rest
SELECT count(pgpubsub.publish('o', to_jsonb(i), key => i::text)) FROM generate_series(1, 3000) i;
SELECT count(*) BETWEEN 1 AND 3000 AS some FROM pgpubsub.take('o', 3000);
DO $$ DECLARE batches integer := 0; taken integer; BEGIN
  LOOP
    SELECT count(*) INTO taken FROM pgpubsub.take('o', 3000);
    EXIT WHEN taken = 0;
    batches := batches + 1;
    COMMIT;
  END LOOP;
  RAISE NOTICE 'the last key was % taken, in % one batch', CASE WHEN EXISTS (SELECT FROM pgpubsub.notification) THEN 'not' ELSE 'also' END,
    CASE WHEN batches > 0 THEN 'more than' ELSE 'just' END;
END $$;

-- priorities would contradict the order
SELECT pgpubsub.publish('o', '1', priority => 1);
SELECT pgpubsub.publish_batch('o', '{}', priority => 1);
-- a channel can't change its mind over what is stored, dead letters and what this transaction took included
SELECT pgpubsub.create_channel('p');
SELECT pgpubsub.publish('p', '1', key => 'k', priority => 5) AS id \gset
SELECT pgpubsub.alter_channel('p', ordered => true);
BEGIN;
SELECT count(*) FROM pgpubsub.take('p');
SELECT pgpubsub.alter_channel('p', ordered => true);
SELECT pgpubsub.requeue(ARRAY[:id], delay => '0') AS requeued;
COMMIT;
SELECT payload FROM pgpubsub.take('p');
SELECT pgpubsub.alter_channel('p', ordered => true);
SELECT ordered FROM pgpubsub.channels WHERE name = 'p';
SELECT count(pgpubsub.publish('p', to_jsonb(i), key => 'k')) FROM generate_series(1, 2) i;
SELECT payload FROM pgpubsub.claim('p', 10);
SELECT pgpubsub.alter_channel('p', ordered => false);
SELECT pgpubsub.purge_channel('p') AS purged;
SELECT pgpubsub.alter_channel('p', ordered => false);
-- dead letters from before, with priorities, fall into line
SELECT count(pgpubsub.publish('p', to_jsonb(i), key => 'k', priority => i)) FROM generate_series(1, 3) i;
SELECT pgpubsub.nack(array_agg(receipt), reject => true) AS rejected FROM pgpubsub.claim('p', 10);
SELECT pgpubsub.alter_channel('p', ordered => true);
SELECT pgpubsub.redrive('p') AS redriven;
SELECT pgpubsub.ack(array_agg(receipt)) AS acked, min(payload::text) AS payload FROM pgpubsub.claim('p', 10);
SELECT pgpubsub.ack(array_agg(receipt)) AS acked, min(payload::text) AS payload FROM pgpubsub.claim('p', 10);
SELECT pgpubsub.ack(array_agg(receipt)) AS acked, min(payload::text) AS payload FROM pgpubsub.claim('p', 10);
-- publishing and changing in one statement
SELECT pgpubsub.create_channel('q');
SELECT pgpubsub.publish('q', '1') IS NOT NULL, pgpubsub.alter_channel('q', ordered => true);
SELECT count(*) FROM pgpubsub.take('q');

-- Captured rows have their primary key as the key: so the changes of a row stay in order
SET client_min_messages = warning;
CREATE TABLE single (id integer PRIMARY KEY, x text);
CREATE TABLE composite (x text, a integer, b text, PRIMARY KEY (b, a));
CREATE TABLE textual (id text PRIMARY KEY);
CREATE TABLE uuids (id uuid PRIMARY KEY);
CREATE TABLE dates (id date PRIMARY KEY);
CREATE TABLE numbers (id numeric PRIMARY KEY);
CREATE TABLE included (id bigint, x text, PRIMARY KEY (id) INCLUDE (x));
CREATE TABLE identity (x text, id integer NOT NULL);
CREATE UNIQUE INDEX identity_id ON identity (id);
ALTER TABLE identity REPLICA IDENTITY USING INDEX identity_id;
CREATE TABLE both_of_them (id integer PRIMARY KEY, other integer NOT NULL UNIQUE);
ALTER TABLE both_of_them REPLICA IDENTITY USING INDEX both_of_them_other_key;
CREATE TABLE none (id integer UNIQUE);
CREATE TABLE deferred (id integer PRIMARY KEY DEFERRABLE);
CREATE TABLE parted (x text, id integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE parted_other_columns (id integer NOT NULL, dropped text, x text);
ALTER TABLE parted_other_columns DROP COLUMN dropped;
ALTER TABLE parted ATTACH PARTITION parted_other_columns FOR VALUES FROM (0) TO (10);
RESET client_min_messages;
SELECT pgpubsub.attach(t::regclass, 'o') FROM unnest('{single,composite,textual,uuids,dates,numbers,included,identity,both_of_them,none,deferred,parted}'::text[]) t;
INSERT INTO single VALUES (42);
INSERT INTO composite VALUES ('x', 1, 'it''s "b"');
INSERT INTO textual VALUES ('some text'), (E'"quo\\ted"\n'), ('');
INSERT INTO uuids VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
INSERT INTO dates VALUES ('2026-01-31');
INSERT INTO numbers VALUES (1.50);
INSERT INTO included VALUES (9007199254740993, 'x');
INSERT INTO identity VALUES ('x', 7);
INSERT INTO both_of_them VALUES (1, 2);
INSERT INTO none VALUES (1);
INSERT INTO deferred VALUES (1);
INSERT INTO parted VALUES ('x', 5);
SELECT payload ->> 'table' AS "table", key FROM pgpubsub.notifications WHERE channel = 'o' ORDER BY id;
SELECT pgpubsub.purge_channel('o') AS purged;
-- an update has the new key, a delete the old one
INSERT INTO single VALUES (1);
UPDATE single SET id = 2 WHERE id = 1;
DELETE FROM single WHERE id = 2;
SELECT payload ->> 'op' AS op, key FROM pgpubsub.notifications WHERE channel = 'o' ORDER BY id;
SELECT payload ->> 'op' AS op, key FROM pgpubsub.claim('o', 10);
SELECT pgpubsub.purge_channel('o') AS purged;
-- the primary key is that of now
ALTER TABLE single DROP CONSTRAINT single_pkey;
DELETE FROM single;
INSERT INTO single VALUES (3, 'three');
ALTER TABLE single ADD PRIMARY KEY (x);
UPDATE single SET id = 4 WHERE x = 'three';
SELECT key FROM pgpubsub.notifications WHERE channel = 'o' ORDER BY id;
SELECT pgpubsub.purge_channel('o') AS purged;
-- in a channel that is not ordered captured rows have no key
SELECT pgpubsub.detach('textual', 'o'), pgpubsub.attach('textual', 'plain');
INSERT INTO textual VALUES ('x');
SELECT key IS NULL AS no_key FROM pgpubsub.take('plain');

-- The lock of a key lasts as long as what was taken of it, whoever ran when it was got: a cursor that fails in a later
-- sub-transaction does not lose it, and one that is first fetched in a sub-transaction that is undone does not keep it.
CREATE FUNCTION key_locks() RETURNS bigint LANGUAGE sql AS
    'SELECT count(*) FROM pg_locks WHERE locktype = ''advisory'' AND objsubid = 3 AND pid = pg_backend_pid()';
SELECT pub('a1', 'b1');
BEGIN;
DECLARE c CURSOR FOR SELECT CASE WHEN g = 1 THEN t.payload ELSE to_jsonb(1 / (g - 2)) END AS item
    FROM pgpubsub.take('o') t, generate_series(1, 3) g;
FETCH 1 FROM c;
SAVEPOINT s;
FETCH 5 FROM c;
ROLLBACK TO s;
SELECT key_locks();
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT payload AS item FROM pgpubsub.take('o');
SAVEPOINT s;
FETCH 1 FROM c;
ROLLBACK TO s;
SELECT key_locks();
ROLLBACK;
-- extend() keeps none, however many it extends
SELECT array_agg(receipt) AS receipts FROM pgpubsub.claim('o', 10) \gset
BEGIN;
SELECT pgpubsub.extend(:'receipts') AS extended;
SELECT key_locks();
COMMIT;
SELECT pgpubsub.ack(:'receipts') AS acked;
-- a lease that has ended is found behind more than a thousand rows that are held back, too
SELECT pgpubsub.publish('o', '"poison"', key => 'poison', deliver_at => now() + interval '1 hour') IS NOT NULL AS published;
SELECT count(pgpubsub.publish('o', '"behind it"', key => 'poison')) FROM generate_series(1, 1100);
SELECT pub('l1', 'l2');
SELECT payload FROM pgpubsub.claim('o', 1, '1 microsecond');
SELECT payload FROM pgpubsub.take('o', 10);
SELECT pgpubsub.purge_channel('o') AS purged;
-- what goes back into a channel that has become ordered is in order
SELECT pgpubsub.create_channel('later');
SELECT count(pgpubsub.publish('later', to_jsonb(i), key => 'k')) FROM generate_series(1, 3) i;
BEGIN;
SELECT array_agg(id ORDER BY id) AS ids FROM pgpubsub.take('later', 10) \gset
SELECT pgpubsub.alter_channel('later', ordered => true);
SELECT pgpubsub.requeue(:'ids', delay => '0') AS requeued;
COMMIT;
SELECT payload FROM pgpubsub.claim('later', 10);
DROP FUNCTION key_locks;

DROP TABLE single, composite, textual, uuids, dates, numbers, included, identity, both_of_them, none, deferred, parted;
DROP VIEW queue;
DROP FUNCTION pub, take, claim, id_of;
SELECT count(pgpubsub.drop_channel(name)) FROM (SELECT name FROM pgpubsub.channels) c;
