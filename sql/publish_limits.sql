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
SELECT pgpubsub.drop_channel('limits'), pgpubsub.drop_channel('news');
DROP FUNCTION zeros;
