-- pgpubsub.wait() in one session: what it returns, and what it refuses. (With others that publish, and with a pooler: the TAP test.)
SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('mails'), pgpubsub.subscribe('jobs', 'audit');
SELECT pgpubsub.create_channel('news', 'broadcast');

-- nothing: null, at the time-out
CALL pgpubsub.wait('{jobs}', '10 ms');
CALL pgpubsub.wait('{jobs,mails}', '0');
CALL pgpubsub.wait('{jobs,jobs}', timeout => '0');
-- what is there already
SELECT pgpubsub.publish('mails', '1') > 0 AS published;
CALL pgpubsub.wait('{mails}');
CALL pgpubsub.wait('{jobs,mails}');
CALL pgpubsub.wait(channels => '{mails,jobs}', channel => NULL);
CALL pgpubsub.wait('{jobs}', '0');
-- it takes nothing
SELECT count(*) FROM pgpubsub.take('mails', 10);
CALL pgpubsub.wait('{jobs,mails}', '0');
-- of its own subscription
SELECT pgpubsub.publish('jobs', '1') > 0 AS published;
SELECT count(*) FROM pgpubsub.take('jobs', 10);
CALL pgpubsub.wait('{jobs}', '0');
CALL pgpubsub.wait('{jobs}', '1 minute', 'audit');
SELECT count(*) FROM pgpubsub.take('jobs', 10, 'audit');
CALL pgpubsub.wait('{jobs}', '0', 'audit');
-- when it is due
SELECT pgpubsub.publish('jobs', '1', deliver_at => now() + '100 ms') > 0 AS published;
CALL pgpubsub.wait('{jobs}', '0');
CALL pgpubsub.wait('{jobs}', '1 minute');
SELECT count(*) FROM pgpubsub.take('jobs', 10);
SELECT pgpubsub.publish('jobs', '1', deliver_at => now() + '1 hour') > 0 AS published;
CALL pgpubsub.wait('{jobs}', '10 ms');
-- a lease that ends, a retry
SELECT pgpubsub.publish('mails', '1') > 0 AS published;
SELECT count(*) FROM pgpubsub.claim('mails', 1, '200 ms');
CALL pgpubsub.wait('{mails}', '0');
CALL pgpubsub.wait('{mails}', '1 minute');
-- paused: nothing to be had
SELECT pgpubsub.pause_channel('mails');
CALL pgpubsub.wait('{mails}', '10 ms');
SELECT pgpubsub.resume_channel('mails');
CALL pgpubsub.wait('{mails}', '1 minute');

-- in a procedure, and in DO
CREATE PROCEDURE work(INOUT done integer) LANGUAGE plpgsql AS $$
DECLARE c text;
BEGIN
    LOOP
        CALL pgpubsub.wait('{mails}', '10 ms', channel => c);
        EXIT WHEN c IS NULL;
        done := done + (SELECT count(*) FROM pgpubsub.take(c, 10));
        COMMIT;
    END LOOP;
END $$;
CALL work(0);
DO $$ DECLARE c text; BEGIN CALL pgpubsub.wait('{mails}', '0', channel => c); RAISE NOTICE 'channel %', c; END $$;

-- errors
CALL pgpubsub.wait('{nowhere}', '0');
CALL pgpubsub.wait('{jobs,nowhere}', '0');
CALL pgpubsub.wait('{news}', '0');
CALL pgpubsub.wait('{jobs}', '0', 'nobody');
CALL pgpubsub.wait('{}', '0');
CALL pgpubsub.wait(NULL, '0');
CALL pgpubsub.wait('{jobs,NULL}', '0');
CALL pgpubsub.wait('{{jobs},{mails}}', '0');
CALL pgpubsub.wait('{jobs}', NULL);
CALL pgpubsub.wait('{jobs}', '-1 s');
CALL pgpubsub.wait('{jobs}', '1 s', NULL);
BEGIN;
CALL pgpubsub.wait('{jobs}', '0');
ROLLBACK;
CREATE FUNCTION waits() RETURNS void LANGUAGE plpgsql AS $$ DECLARE c text; BEGIN CALL pgpubsub.wait('{jobs}', '0', channel => c); END $$;
SELECT waits();
CREATE ROLE wait_consumer;
CREATE ROLE wait_stranger;
SELECT pgpubsub.grant_channel('jobs', 'wait_consumer', 'consume'), pgpubsub.grant_channel('mails', 'wait_stranger', 'publish');
SET ROLE wait_consumer;
CALL pgpubsub.wait('{jobs}', '0');
CALL pgpubsub.wait('{mails}', '0');
CALL pgpubsub.wait('{jobs,mails}', '0');
SET ROLE wait_stranger;
CALL pgpubsub.wait('{jobs}', '0');
CALL pgpubsub.wait('{mails}', '0');
RESET ROLE;
SET default_transaction_read_only = on;
CALL pgpubsub.wait('{jobs}', '0');
RESET default_transaction_read_only;
SET statement_timeout = '50ms';
CALL pgpubsub.wait('{jobs}', '1 minute');
RESET statement_timeout;
-- as before
SELECT pgpubsub.publish('jobs', '1') > 0 AS published;
CALL pgpubsub.wait('{jobs}', '0');

SELECT pgpubsub.drop_channel(name) FROM pgpubsub.channels;
DROP FUNCTION waits;
DROP PROCEDURE work;
DROP OWNED BY wait_consumer, wait_stranger;
DROP ROLE wait_consumer, wait_stranger;
