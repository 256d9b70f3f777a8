-- The ids of channels and subscriptions can't be used up: their sequences begin again, and pass over what is taken.
SELECT pgpubsub.create_channel('first'), pgpubsub.create_channel('second');
SELECT pgpubsub.subscribe('second', 'more');
CREATE TEMP TABLE taken AS SELECT (SELECT last_value FROM pgpubsub.channel_id_seq) AS channel, (SELECT last_value FROM pgpubsub.subscription_id_seq) AS subscription;
SELECT pgpubsub.publish('first', '1') > 0 AS published;
SELECT setval('pgpubsub.channel_id_seq', 2147483646) IS NOT NULL AS nearly, setval('pgpubsub.subscription_id_seq', 2147483646) IS NOT NULL AS nearly;
SELECT pgpubsub.create_channel('last');
DO $$ BEGIN FOR i IN 1..20 LOOP BEGIN PERFORM pgpubsub.create_channel('undone'); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$;
SELECT count(pgpubsub.create_channel('c' || i)) FROM generate_series(1, 5) i;
SELECT count(*) AS channels, count(DISTINCT id) AS ids, max(id) FROM pgpubsub.channel;
SELECT count(*) AS subscriptions, count(DISTINCT id) AS ids, max(id) FROM pgpubsub.subscription;
SELECT count(pgpubsub.publish(name, to_jsonb(name))) FROM pgpubsub.channels WHERE name <> 'first';
SELECT c.name, n.payload FROM pgpubsub.channels c, LATERAL pgpubsub.take(c.name) n ORDER BY c.name;
-- an id that is taken is passed over
SELECT setval('pgpubsub.channel_id_seq', min(id), false) IS NOT NULL AS back FROM pgpubsub.channel WHERE name IN ('first', 'second');
SELECT setval('pgpubsub.subscription_id_seq', min(s.id), false) IS NOT NULL AS back FROM pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id WHERE c.name IN ('first', 'second');
SELECT pgpubsub.create_channel('third'), pgpubsub.subscribe('first', 'more');
SELECT count(*) = count(DISTINCT id) AS distinct FROM pgpubsub.channel;
SELECT count(pgpubsub.drop_channel(name)) AS dropped FROM (SELECT name FROM pgpubsub.channels) c;
SELECT setval('pgpubsub.channel_id_seq', channel) IS NOT NULL AS back, setval('pgpubsub.subscription_id_seq', subscription) IS NOT NULL AS back FROM taken;
