-- Each kind of call once, in few statements: the suite "discard" runs this where a statement takes seconds.
CREATE TYPE each_mood AS ENUM ('sad', 'ok');
CREATE TYPE each_pair AS (a integer, b each_mood);
CREATE TABLE each_row (id integer PRIMARY KEY, m each_mood, p each_pair, ps each_pair[], r int4range, n numeric(6, 2), t text);
SELECT pgpubsub.create_channel('each', ordered => true, history => '1 hour');
SELECT pgpubsub.subscribe('each', 'more', filter => '{"op": "insert"}');
-- rows of one statement, each subscription's copy
SELECT pgpubsub.attach('each_row', 'each', condition => 'NEW.id < 3');
INSERT INTO each_row VALUES (1, 'ok', '(1,sad)', '{"(2,ok)",NULL}', '[1,2)', 1.5, 'x'), (2, NULL, NULL, NULL, NULL, NULL, NULL), (3, NULL, NULL, NULL, NULL, NULL, NULL);
UPDATE each_row SET m = 'sad', t = repeat('long ', 1000) WHERE id = 1;
SELECT payload -> 'op' AS op, key, payload -> 'new' AS new FROM pgpubsub.take('each', 2, 'more');
SELECT key, receipt FROM pgpubsub.claim('each', 1, lease => '1 hour') \gset
SELECT :'key' AS key, pgpubsub.extend(ARRAY[:'receipt'], '2 hours') AS extended;
SELECT pgpubsub.nack(ARRAY[:'receipt'], delay => '0', error => 'again') AS nacked;
SELECT pgpubsub.ack(array_agg(receipt)) AS acked FROM pgpubsub.claim('each', 1, lease => '1 hour');
-- the table changes in mid-session
ALTER TABLE each_row ADD COLUMN more text DEFAULT 'more', DROP COLUMN r;
UPDATE each_row SET n = n + 1 WHERE id = 1;
SELECT payload ->> 'op' AS op, length(payload #>> '{new,t}') AS long, payload #>> '{new,n}' AS n, payload #>> '{new,more}' AS more FROM pgpubsub.take('each', 10);
-- published: with all that can be said of it, in bulk, joined, and peeked at
SELECT pgpubsub.create_channel('told', max_attempts => 1);
SELECT pgpubsub.publish('told', '{"a": 1}', key => 'k', headers => '{"h": 1}', priority => 3, dedup_key => 'd') AS id \gset
SELECT pgpubsub.publish('told', '{"a": 2}', dedup_key => 'd') = :id AS joined;
SELECT array_length(pgpubsub.publish_batch('told', ARRAY['1', '2']::jsonb[], deliver_at => now() + interval '1 hour'), 1);
SELECT payload, key, headers, priority FROM pgpubsub.peek('told');
-- dead, and back
SELECT pgpubsub.nack(array_agg(receipt)) AS nacked FROM pgpubsub.claim('told');
SELECT ready, delayed, dead FROM pgpubsub.stat_channels WHERE channel = 'told';
SELECT pgpubsub.redrive('told') AS redriven;
SELECT payload FROM pgpubsub.take('told', 10);
-- a role that may only consume
CREATE ROLE regress_pgpubsub_each;
SELECT pgpubsub.grant_channel('told', 'regress_pgpubsub_each', 'consume');
SET ROLE regress_pgpubsub_each;
SELECT count(*) FROM pgpubsub.take('told');
SELECT pgpubsub.publish('told', '1');
RESET ROLE;
SELECT pgpubsub.revoke_channel('told', 'regress_pgpubsub_each', 'consume');
SELECT pgpubsub.detach('each_row', 'each');
SELECT pgpubsub.drop_channel('told'), pgpubsub.drop_channel('each');
DROP TABLE each_row;
DROP TYPE each_pair, each_mood;
DROP OWNED BY regress_pgpubsub_each;
DROP ROLE regress_pgpubsub_each;
