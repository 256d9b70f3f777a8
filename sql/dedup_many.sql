-- Many dedup_keys in one transaction.
SELECT pgpubsub.create_channel('many');
SELECT count(pgpubsub.publish('many', to_jsonb(i), dedup_key => (i % 20000)::text)) AS published FROM generate_series(1, 40000) i;
SELECT count(*) AS stored FROM pgpubsub.notifications WHERE channel = 'many';
SELECT pgpubsub.drop_channel('many');
