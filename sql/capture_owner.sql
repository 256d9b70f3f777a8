-- The right to publish is the table's owner's. Where it goes missing, writes go through; it is told, and nothing is published.
SET client_min_messages = warning;
CREATE ROLE regress_pgpubsub_may;
CREATE ROLE regress_pgpubsub_may_not;
GRANT USAGE ON SCHEMA pgpubsub TO regress_pgpubsub_may, regress_pgpubsub_may_not;
GRANT EXECUTE ON FUNCTION pgpubsub.attach, pgpubsub.capture TO regress_pgpubsub_may, regress_pgpubsub_may_not;
GRANT ALL ON SCHEMA public TO regress_pgpubsub_may, regress_pgpubsub_may_not;
SELECT pgpubsub.create_channel('c');
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_may', 'publish');
CREATE FUNCTION captured() RETURNS TABLE (payload jsonb) LANGUAGE sql AS $$
  SELECT t.payload - 'context' - 'schema' - 'old' FROM pgpubsub.take('c', 100) t ORDER BY t.id $$;

SET ROLE regress_pgpubsub_may;
CREATE TABLE given (id integer);
SELECT pgpubsub.attach('given', 'c');
INSERT INTO given VALUES (1);
RESET ROLE;
SELECT "table", channel, can_publish FROM pgpubsub.attachments;
-- it is given away: said at once, and at the first write; the write goes through
ALTER TABLE given OWNER TO regress_pgpubsub_may_not;
SELECT "table", channel, can_publish FROM pgpubsub.attachments;
SET ROLE regress_pgpubsub_may_not;
INSERT INTO given VALUES (2);
INSERT INTO given VALUES (3), (4);
UPDATE given SET id = id + 1;
RESET ROLE;
SELECT count(*) FROM given;
SELECT * FROM captured();
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_may_not', 'publish');
INSERT INTO given VALUES (5);
SELECT * FROM captured();
SELECT pgpubsub.revoke_channel('c', 'regress_pgpubsub_may_not', 'publish');
INSERT INTO given VALUES (6);
SELECT * FROM captured();
ALTER TABLE given OWNER TO regress_pgpubsub_may;
INSERT INTO given VALUES (7);
SELECT * FROM captured();
REASSIGN OWNED BY regress_pgpubsub_may TO regress_pgpubsub_may_not;
INSERT INTO given VALUES (8);
SELECT * FROM captured();
DROP TABLE given;

-- each way to take the right says so; whoever still has it, or had none before, is not named
CREATE ROLE regress_pgpubsub_group;
GRANT regress_pgpubsub_group TO regress_pgpubsub_may;
CREATE FUNCTION reset_rights() RETURNS void LANGUAGE sql AS $$
  SELECT pgpubsub.alter_channel('c', owner => 'regress_pgpubsub_group');
  SELECT pgpubsub.revoke_channel('c', r, 'publish')
  FROM unnest('{regress_pgpubsub_may,regress_pgpubsub_may_not,regress_pgpubsub_group}'::regrole[]) r $$;
SELECT pgpubsub.create_channel('other');
SELECT pgpubsub.grant_channel('other', 'regress_pgpubsub_may', 'publish');
SET ROLE regress_pgpubsub_may;
CREATE TABLE one_table (id integer);
CREATE TABLE two_tables (id integer) PARTITION BY LIST (id);
CREATE TABLE two_one PARTITION OF two_tables DEFAULT;
SELECT pgpubsub.attach('one_table', 'c'), pgpubsub.attach('two_tables', 'c'), pgpubsub.attach('one_table', 'other');
SET ROLE regress_pgpubsub_may_not;
CREATE TABLE never_could (id integer);
CREATE TRIGGER by_hand AFTER INSERT ON never_could FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
RESET ROLE;
SELECT reset_rights();
-- the right to consume is another one; and this one is still there by membership
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_may', 'consume');
SELECT pgpubsub.revoke_channel('c', 'regress_pgpubsub_may', 'consume');
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_may', 'publish');
SELECT pgpubsub.revoke_channel('c', 'regress_pgpubsub_may', 'publish');
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_may', 'publish');
SELECT pgpubsub.alter_channel('c', owner => 'regress_pgpubsub_may_not');
SELECT pgpubsub.revoke_channel('c', 'regress_pgpubsub_may', 'publish');
SELECT reset_rights();
SELECT pgpubsub.alter_channel('c', owner => 'regress_pgpubsub_may');
SELECT pgpubsub.alter_channel('c', owner => 'regress_pgpubsub_may_not');
SELECT reset_rights();
-- commands for roles
REVOKE regress_pgpubsub_group FROM regress_pgpubsub_may;
GRANT regress_pgpubsub_group TO regress_pgpubsub_may;
ALTER GROUP regress_pgpubsub_group DROP USER regress_pgpubsub_may;
GRANT regress_pgpubsub_group TO regress_pgpubsub_may;
REASSIGN OWNED BY regress_pgpubsub_group TO regress_pgpubsub_may_not;
SELECT reset_rights();
CREATE ROLE regress_pgpubsub_between;
GRANT regress_pgpubsub_group TO regress_pgpubsub_between;
GRANT regress_pgpubsub_between TO regress_pgpubsub_may;
REVOKE regress_pgpubsub_group FROM regress_pgpubsub_may;
DROP ROLE regress_pgpubsub_between;
GRANT regress_pgpubsub_group TO regress_pgpubsub_may;
DROP OWNED BY regress_pgpubsub_group;
ALTER ROLE regress_pgpubsub_may SUPERUSER;
ALTER ROLE regress_pgpubsub_may NOSUPERUSER;
ALTER ROLE regress_pgpubsub_may NOCREATEDB;
DROP TABLE one_table, two_tables, never_could;
SELECT pgpubsub.drop_channel('other');
SELECT pgpubsub.alter_channel('c', owner => current_user::regrole);
SELECT pgpubsub.grant_channel('c', 'regress_pgpubsub_may', 'publish');
DROP FUNCTION reset_rights;
DROP ROLE regress_pgpubsub_group;

-- a stranger can't publish: neither by attach() nor by a trigger made by hand, whatever the arguments say
SET ROLE regress_pgpubsub_may_not;
CREATE TABLE strange (id integer);
SELECT pgpubsub.attach('strange', 'c');
CREATE TRIGGER by_hand AFTER INSERT ON strange FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
INSERT INTO strange VALUES (1);
CREATE TABLE strange_parted (id integer) PARTITION BY LIST (id);
CREATE TABLE strange_one PARTITION OF strange_parted DEFAULT;
CREATE TRIGGER by_hand AFTER INSERT ON strange_parted FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('c');
RESET ROLE;
ALTER TABLE strange_one OWNER TO regress_pgpubsub_may;
SET ROLE regress_pgpubsub_may_not;
INSERT INTO strange_parted VALUES (1);
RESET ROLE;
SELECT * FROM captured();
SELECT "table", channel, can_publish FROM pgpubsub.attachments ORDER BY 1;
-- nor does a stranger's trigger keep the channel; one that publishes does
SET ROLE regress_pgpubsub_may;
CREATE TABLE of_publisher (id integer) PARTITION BY LIST (id);
CREATE TABLE one_of_publisher PARTITION OF of_publisher DEFAULT;
SELECT pgpubsub.attach('of_publisher', 'c');
RESET ROLE;
ALTER TABLE one_of_publisher OWNER TO regress_pgpubsub_may_not;
SELECT pgpubsub.drop_channel('c');
DROP TABLE of_publisher;
BEGIN;
SELECT pgpubsub.drop_channel('c');
ROLLBACK;
DROP TABLE strange, strange_parted;

-- of a partition, the owner of the table that was attached is asked
SET ROLE regress_pgpubsub_may;
CREATE TABLE parted (id integer) PARTITION BY LIST (id);
CREATE TABLE one PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE more PARTITION OF parted FOR VALUES IN (2, 3) PARTITION BY LIST (id);
CREATE TABLE two PARTITION OF more FOR VALUES IN (2);
SELECT pgpubsub.attach('parted', 'c');
RESET ROLE;
ALTER TABLE one OWNER TO regress_pgpubsub_may_not;
ALTER TABLE two OWNER TO regress_pgpubsub_may_not;
CREATE TABLE three (id integer);
ALTER TABLE three OWNER TO regress_pgpubsub_may_not;
ALTER TABLE more ATTACH PARTITION three FOR VALUES IN (3);
INSERT INTO parted VALUES (1), (2), (3);
INSERT INTO one VALUES (1);
INSERT INTO three VALUES (3);
SELECT * FROM captured();
SELECT "table", channel, can_publish FROM pgpubsub.attachments ORDER BY 1;
ALTER TABLE parted OWNER TO regress_pgpubsub_may_not;
INSERT INTO parted VALUES (1), (2);
INSERT INTO one VALUES (1);
SELECT count(*) FROM captured();
DROP TABLE parted;
-- a channel that is not there yet will be the owner's
SET ROLE regress_pgpubsub_may_not;
CREATE TABLE fresh (id integer);
CREATE TRIGGER by_hand AFTER INSERT ON fresh FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('later');
RESET ROLE;
SELECT "table", channel, can_publish FROM pgpubsub.attachments;
INSERT INTO fresh VALUES (1);
SELECT "table", channel, can_publish FROM pgpubsub.attachments;
DROP TABLE fresh;
SELECT pgpubsub.drop_channel('c'), pgpubsub.drop_channel('later');
DROP FUNCTION captured;
SET client_min_messages = warning;
DROP OWNED BY regress_pgpubsub_may, regress_pgpubsub_may_not;
DROP ROLE regress_pgpubsub_may, regress_pgpubsub_may_not;
