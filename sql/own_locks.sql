-- A row that only this transaction has locked is not in another one's hands, however many of its sub-transactions have locked it.
SELECT pgpubsub.create_channel('own');
SET pgpubsub.max_join_time = '1h';  -- however slow the machine is
SELECT pgpubsub.publish('own', '1', dedup_key => 'k') > 0 AS published;

-- Joined, taken in a savepoint that is rolled back: taken again.
BEGIN;
SELECT pgpubsub.publish('own', '1', dedup_key => 'k') > 0 AS joined;
SAVEPOINT s;
SELECT payload FROM pgpubsub.take('own');
ROLLBACK TO s;
SELECT payload FROM pgpubsub.take('own');
ROLLBACK;

-- The same, and leased.
BEGIN;
SELECT pgpubsub.publish('own', '1', dedup_key => 'k') > 0 AS joined;
SAVEPOINT s;
SELECT payload FROM pgpubsub.claim('own');
ROLLBACK TO s;
SELECT payload FROM pgpubsub.claim('own');
ROLLBACK;

-- The same, and purged.
BEGIN;
SELECT pgpubsub.publish('own', '1', dedup_key => 'k') > 0 AS joined;
SAVEPOINT s;
SELECT pgpubsub.purge_channel('own');
ROLLBACK TO s;
SELECT pgpubsub.purge_channel('own');
ROLLBACK;

-- The same, and replaced; also when the savepoint is kept.
BEGIN;
SELECT pgpubsub.publish('own', '1', dedup_key => 'k') > 0 AS joined;
SAVEPOINT s;
SELECT pgpubsub.publish('own', '2', dedup_key => 'k', replace => true) > 0 AS joined;
ROLLBACK TO s;
SELECT pgpubsub.publish('own', '3', dedup_key => 'k', replace => true) > 0 AS joined;
SAVEPOINT t;
SELECT payload FROM pgpubsub.take('own');
ROLLBACK TO t;
SELECT payload FROM pgpubsub.claim('own');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT pgpubsub.publish('own', '1', dedup_key => 'k') > 0 AS joined;
RELEASE s;
SAVEPOINT t;
SELECT payload FROM pgpubsub.take('own');
ROLLBACK TO t;
SELECT pgpubsub.requeue(array_agg(id), '0') AS requeued FROM pgpubsub.take('own');
SELECT payload FROM pgpubsub.take('own');
ROLLBACK;

-- Leased, and given back in a savepoint that is rolled back: the receipt is good.
BEGIN;
SELECT receipt FROM pgpubsub.claim('own', lease => '1 microsecond') \gset
SAVEPOINT s;
SELECT pgpubsub.nack(ARRAY[:'receipt'], '1 hour');
ROLLBACK TO s;
SELECT pgpubsub.ack(ARRAY[:'receipt']);
SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'own';
ROLLBACK;

-- A lease that is over, in the hands of the transaction that got it: each savepoint may go on with it.
BEGIN;
SELECT receipt FROM pgpubsub.claim('own', lease => '1 microsecond') \gset
SAVEPOINT s;
SELECT pgpubsub.extend(ARRAY[:'receipt'], '1 microsecond');
SELECT pgpubsub.extend(ARRAY[:'receipt'], '1 microsecond');
SELECT pgpubsub.nack(ARRAY[:'receipt'], '1 hour');
ROLLBACK TO s;
SELECT pgpubsub.extend(ARRAY[:'receipt'], '1 microsecond');
SAVEPOINT t;
SELECT pgpubsub.release(ARRAY[:'receipt']);
ROLLBACK TO t;
SELECT pgpubsub.ack(ARRAY[:'receipt']);
COMMIT;
SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'own';

-- Leased and given back many times in one transaction, in savepoints and outside of them.
SELECT pgpubsub.publish('own', '2') > 0 AS published;
DO $$
DECLARE r text;
BEGIN
    FOR i IN 1..10 LOOP
        BEGIN
            SELECT receipt INTO STRICT r FROM pgpubsub.claim('own');
            IF i % 3 = 0 THEN
                RAISE division_by_zero;
            END IF;
        EXCEPTION WHEN division_by_zero THEN
            SELECT receipt INTO STRICT r FROM pgpubsub.claim('own');
        END;
        ASSERT pgpubsub.extend(ARRAY[r], '1 hour') = 1, 'extended';
        ASSERT pgpubsub.release(ARRAY[r]) = 1, 'released';
    END LOOP;
END $$;
SELECT payload, attempts FROM pgpubsub.take('own');
SELECT pgpubsub.drop_channel('own');
