-- What no consumer could read is not stored: it would hold up all that is behind it. A few bytes may stand for a text that PostgreSQL
-- can't allocate.
SELECT pgpubsub.create_channel('limits'), pgpubsub.create_channel('news', 'broadcast');
CREATE FUNCTION zeros(count integer) RETURNS jsonb LANGUAGE sql AS $$ SELECT ('[' || repeat('1e131000,', count - 1) || '1e131000]')::jsonb $$;
SELECT pg_column_size(zeros(8400)) < 200000 AS few_bytes;
SELECT pgpubsub.publish('limits', zeros(8400));
SELECT pgpubsub.publish('limits', '1', headers => jsonb_build_object('zeros', zeros(8400)));
SELECT pgpubsub.publish('news', zeros(8400));
SELECT pgpubsub.publish_batch('limits', ARRAY['1', zeros(8400), '2']);
SELECT pgpubsub.publish_batch('limits', '{1,2}', headers => ARRAY['{}', jsonb_build_object('zeros', zeros(8400))]);
SELECT count(*) FROM pgpubsub.notification;
-- many bytes that are short as text
SELECT pgpubsub.publish('limits', to_jsonb(repeat('x', 200000))) > 0 AS published, pgpubsub.publish('limits', zeros(10)) > 0 AS published;
SELECT length(payload::text) FROM pgpubsub.take('limits', 10) ORDER BY id;
-- it all goes in one message
SELECT pgpubsub.publish('limits', zeros(5000), headers => jsonb_build_object('zeros', zeros(5000)));
SELECT pgpubsub.publish_batch('limits', ARRAY[zeros(5000)], headers => ARRAY[jsonb_build_object('zeros', zeros(5000))]);
SELECT pgpubsub.publish('limits', zeros(4200), headers => jsonb_build_object('zeros', zeros(3000))) > 0 AS published;
SELECT id > 0 AS taken, payload -> 4199 = '1e131000' AS payload, headers #> '{zeros,2999}' = '1e131000' AS headers FROM pgpubsub.take('limits', 10);

-- What earlier versions have stored becomes a dead letter when it is its turn, and holds up nothing.
CREATE FUNCTION publish_as_before(channel text, payload jsonb, headers jsonb DEFAULT NULL, key text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  id_of_it bigint := pgpubsub.publish($1, '0', key => $4);
BEGIN
  UPDATE pgpubsub.notification SET payload = $2, headers = $3 WHERE id = id_of_it;
END $$;
CREATE FUNCTION publish_some(channel text, key text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
  SELECT pgpubsub.publish($1, '"first"', key => $2);
  SELECT publish_as_before($1, zeros(8400), NULL, $2);
  SELECT publish_as_before($1, '"headers"', jsonb_build_object('zeros', zeros(8400)), $2);
  SELECT publish_as_before($1, zeros(5000), jsonb_build_object('zeros', zeros(5000)), $2);
  SELECT pgpubsub.publish($1, '"last"', key => $2);
$$;
SELECT pgpubsub.create_channel('ordered', ordered => true), pgpubsub.subscribe('limits', 'more', max_attempts => 0);
SELECT publish_some('limits'), publish_some('ordered', 'key');
-- those who only look see the rest of it, and what can be sent
SELECT payload, jsonb_typeof(headers) AS headers, state FROM pgpubsub.peek('limits');
SELECT g.payload, jsonb_typeof(g.headers) AS headers, g.state FROM pgpubsub.peek('ordered') p, pgpubsub.get(p.id) g ORDER BY g.id;
SELECT payload FROM pgpubsub.take('limits', 10);
SELECT payload, attempts FROM pgpubsub.claim('limits', 2, subscription => 'more');
SELECT payload, attempts FROM pgpubsub.claim('limits', 2, subscription => 'more');
SELECT payload FROM pgpubsub.take('ordered', 10);
SELECT channel, subscription, attempts, key, last_error, count(*) FROM pgpubsub.dead_letters GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3;
-- one at a time; what only looks for work leaves it to who comes for it
SELECT publish_as_before('ordered', zeros(8400));
SELECT pgpubsub.next_due('ordered') IS NOT NULL AS due;
SELECT payload FROM pgpubsub.take('ordered');
SELECT pgpubsub.next_due('ordered') IS NOT NULL AS due;
-- put back it is a dead letter again
SELECT pgpubsub.redrive('ordered');
SELECT payload FROM pgpubsub.claim('ordered', 10);
SELECT count(*) FROM pgpubsub.dead_letters WHERE channel = 'ordered';
SELECT g.state, g.payload, jsonb_typeof(g.headers) AS headers, g.last_error FROM pgpubsub.dead_letters d, pgpubsub.get(d.id) g WHERE d.channel = 'ordered' ORDER BY d.id;
SELECT pgpubsub.purge_dead_letters('limits');
SELECT pgpubsub.drop_channel('limits'), pgpubsub.drop_channel('news'), pgpubsub.drop_channel('ordered');
DROP FUNCTION publish_some, publish_as_before;
DROP FUNCTION zeros;
