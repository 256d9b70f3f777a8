-- Channels: their names, and what attach(), detach() and drop_channel() do.
SELECT pgpubsub.create_channel('media');
SELECT pgpubsub.create_channel('media');
SELECT pgpubsub.create_channel('media', if_not_exists => true);
SELECT pgpubsub.create_channel('');
SELECT pgpubsub.create_channel(NULL);
SELECT pgpubsub.create_channel(repeat('x', 64));
-- 63 bytes; the last character here has two
SELECT pgpubsub.create_channel(repeat('x', 61) || 'é');
SELECT pgpubsub.create_channel(repeat('x', 62) || 'é');

-- any characters
CREATE TABLE t (x integer);
SELECT pgpubsub.attach('t', channel) FROM (VALUES ('Some "quoted" Name'), ('it''s'), ('a.b, c;--'), ('媒体'), (E'new\nline')) v(channel);
SELECT channel, triggers FROM pgpubsub.attachments WHERE "table" = 't'::regclass ORDER BY channel COLLATE "C";
INSERT INTO t VALUES (1);
SELECT c.name, n.channel = c.name AS same, n.payload #>> '{new,x}' AS x
  FROM pgpubsub.channels c, LATERAL pgpubsub.take(c.name, 2) n ORDER BY c.name COLLATE "C";
-- in a trigger, too; a name that is too long is refused
CREATE TABLE long (x integer);
CREATE TRIGGER t AFTER INSERT ON long FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx');

-- two long names have triggers of their own, cut between two characters
CREATE TABLE l (x integer);
SELECT pgpubsub.attach('l', repeat('x', 62) || 'a', '{insert,truncate}'), pgpubsub.attach('l', repeat('x', 62) || 'b', '{insert,truncate}');
SELECT count(*), max(length(tgname)), max(length(tgname)) FILTER (WHERE tgname LIKE '%truncate') AS truncate FROM pg_trigger WHERE tgrelid = 'l'::regclass;
SELECT pgpubsub.attach('l', repeat('媒', 21)), pgpubsub.detach('l', repeat('媒', 21));
SELECT pgpubsub.detach('l', repeat('x', 62) || 'a'), pgpubsub.detach('l', repeat('x', 62) || 'b');

SELECT pgpubsub.attach('l', 'media', '{insert}');
-- a channel that a table is attached to can't be dropped; what is stored stays when it is detached
INSERT INTO l VALUES (1);
SELECT pgpubsub.drop_channel('media');
SELECT pgpubsub.detach('l', 'media');
SELECT pgpubsub.detach('l', 'media');
INSERT INTO l VALUES (2);
SELECT payload #>> '{new,x}' AS x FROM pgpubsub.notifications WHERE channel = 'media';
SELECT pgpubsub.drop_channel('media');
SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'media';
SELECT pgpubsub.drop_channel('media');
SELECT * FROM pgpubsub.take('media');

-- what attach() refuses
SELECT pgpubsub.attach('no_such_table', 'media');
SELECT pgpubsub.attach(0::regclass, 'media');
SELECT pgpubsub.attach(NULL, 'media');
SELECT pgpubsub.attach('l', NULL);
SELECT pgpubsub.attach('l', 'media', '{upsert}');
SELECT pgpubsub.attach('l', 'media', '{}');
SELECT pgpubsub.attach('l', 'media', '{insert,NULL}');
SELECT pgpubsub.attach('l', repeat('x', 64));
CREATE VIEW v AS SELECT 1 AS x;
SELECT pgpubsub.attach('v', 'media');
SELECT count(*) FROM pgpubsub.channels WHERE name = 'media';

-- partitioned tables capture the rows of their partitions
CREATE TABLE parted (x integer) PARTITION BY RANGE (x);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
SELECT pgpubsub.attach('parted', 'parted');
CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES (1), (11);
SELECT payload ->> 'table' AS "table", payload #>> '{new,x}' AS x FROM pgpubsub.take('parted', 10);

SELECT pgpubsub.attach('parted_low', 'parted');
SELECT pgpubsub.detach('parted_low', 'parted');

-- drop_channel() sees all that is committed, or refuses; a publication of all tables does not hinder it
SELECT pgpubsub.create_channel('dropped');
SELECT count(pgpubsub.publish('dropped', '1', deliver_at => CASE WHEN i > 1 THEN now() + interval '1 hour' END)) FROM generate_series(1, 3) i;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT pgpubsub.drop_channel('dropped');
ROLLBACK;
SET client_min_messages = error; -- wal_level is not logical
CREATE PUBLICATION everything FOR ALL TABLES;
RESET client_min_messages;
SELECT pgpubsub.drop_channel('dropped');
DROP PUBLICATION everything;
BEGIN READ ONLY;
SELECT pgpubsub.create_channel('read only');
ROLLBACK;

DROP VIEW v;
DROP TABLE t, long, l, parted;
SELECT pgpubsub.drop_channel(name) FROM (SELECT name FROM pgpubsub.channels) c;
SELECT count(*) AS left_over FROM pgpubsub.notification;
SELECT count(*) AS left_over FROM pgpubsub.channel_privilege;
