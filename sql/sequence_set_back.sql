-- Somebody sets the sequence of the ids back, and a new session publishes so much that it has passed where it was before anybody claims.
SET pgpubsub.max_skip_time = '1h';
SELECT pgpubsub.create_channel('jobs');
SELECT count(pgpubsub.publish('jobs', '1')) FROM generate_series(1, 1000);
SELECT count(*) FROM pgpubsub.take('jobs', 1000);
SELECT count(*) FROM pgpubsub.take('jobs', 1000);
SELECT setval('pgpubsub.notification_id_seq', last_value - 900) IS NOT NULL AS set_back FROM pgpubsub.notification_id_seq;
\c -
SELECT count(pgpubsub.publish('jobs', '1')) FROM generate_series(1, 2000);
SELECT count(*) FROM pgpubsub.take('jobs', 10000);
SELECT pgpubsub.drop_channel('jobs');
