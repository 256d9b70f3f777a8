-- Rights on channels do not outlive their role: it can't be dropped unnoticed, and DROP OWNED and REASSIGN OWNED know them.
CREATE ROLE regress_pgpubsub_group;
CREATE ROLE regress_pgpubsub_member IN ROLE regress_pgpubsub_group;
CREATE ROLE regress_pgpubsub_heir;
CREATE ROLE regress_pgpubsub_app;
SELECT pgpubsub.grant_usage('regress_pgpubsub_group', own_channels => true);
-- by a group's right to make channels
SET ROLE regress_pgpubsub_member;
SELECT pgpubsub.create_channel('a'), pgpubsub.create_channel('b');
SELECT pgpubsub.grant_channel('a', 'regress_pgpubsub_app', 'publish'), pgpubsub.grant_channel('a', 'regress_pgpubsub_app', 'consume');
RESET ROLE;
DROP ROLE regress_pgpubsub_member;
-- of its plain grants nothing is left
\set VERBOSITY terse
DROP ROLE regress_pgpubsub_app;
\set VERBOSITY default
SELECT pgpubsub.revoke_usage('regress_pgpubsub_app');
DROP ROLE regress_pgpubsub_app;
-- a grant that is rolled back leaves nothing
CREATE ROLE regress_pgpubsub_never;
BEGIN;
SELECT pgpubsub.grant_channel('a', 'regress_pgpubsub_never', 'publish');
ROLLBACK;
DROP ROLE regress_pgpubsub_never;

-- REASSIGN OWNED hands over the channels, and no other right
REASSIGN OWNED BY regress_pgpubsub_member, regress_pgpubsub_app TO regress_pgpubsub_heir;
SELECT channel, role, privilege FROM pgpubsub.channel_privileges ORDER BY channel, role::text, privilege;
DROP OWNED BY regress_pgpubsub_member;
DROP ROLE regress_pgpubsub_member;
SET ROLE regress_pgpubsub_heir;
SELECT pgpubsub.alter_channel('a', max_attempts => 5);
RESET ROLE;
-- to one of them, and rolled back
BEGIN;
REASSIGN OWNED BY regress_pgpubsub_heir TO regress_pgpubsub_app;
SELECT name, owner FROM pgpubsub.channels ORDER BY name;
ROLLBACK;
REASSIGN OWNED BY regress_pgpubsub_heir TO regress_pgpubsub_heir;
SELECT name, owner FROM pgpubsub.channels ORDER BY name;
\set VERBOSITY terse
DROP ROLE regress_pgpubsub_heir;
\set VERBOSITY default

-- DROP OWNED takes the rights; a channel and what is stored in it stay. Rolled back, nothing happened
SELECT pgpubsub.publish('a', '1') > 0 AS published;
BEGIN;
DROP OWNED BY regress_pgpubsub_heir;
SELECT name, owner FROM pgpubsub.channels ORDER BY name;
ROLLBACK;
SELECT name, owner FROM pgpubsub.channels ORDER BY name;
-- by a role itself, which owns nothing of the extension
SET ROLE regress_pgpubsub_app;
SET client_min_messages = error;
DROP OWNED BY CURRENT_USER;
RESET client_min_messages;
RESET ROLE;
SELECT channel, role, privilege FROM pgpubsub.channel_privileges ORDER BY channel, role::text, privilege;
DROP OWNED BY regress_pgpubsub_app, regress_pgpubsub_heir;
DROP ROLE regress_pgpubsub_app, regress_pgpubsub_heir;
SELECT name, owner FROM pgpubsub.channels ORDER BY name;
SELECT count(*) FROM pgpubsub.take('a');
SELECT count(*) AS rights FROM pgpubsub.channel_privilege;

-- rights that are restored, or written by hand, count too
CREATE ROLE regress_pgpubsub_app;
INSERT INTO pgpubsub.channel_privilege SELECT id, 'regress_pgpubsub_app', 'owner' FROM pgpubsub.channel WHERE name = 'a';
DROP ROLE regress_pgpubsub_app;
DROP OWNED BY regress_pgpubsub_app;
DROP ROLE regress_pgpubsub_app;

-- one that is gone all the same is shown by its number, has no right, and its right can be taken away
INSERT INTO pgpubsub.channel_privilege SELECT id, 987654321, p FROM pgpubsub.channel, unnest('{owner,publish}'::text[]) p WHERE name = 'a';
SELECT channel, role, privilege FROM pgpubsub.channel_privileges ORDER BY channel, privilege;
SELECT pgpubsub.has_channel_privilege('a', 'consume') AS superuser;
SELECT pgpubsub.grant_channel('a', 987654321, 'consume');
SELECT pgpubsub.revoke_channel('a', 987654321, 'publish');
SELECT pgpubsub.revoke_channel('a', 987654321, 'publish');
SELECT channel, role, privilege FROM pgpubsub.channel_privileges ORDER BY channel, privilege;
SELECT pgpubsub.alter_channel('a', owner => current_user::regrole);
SELECT channel, privilege FROM pgpubsub.channel_privileges ORDER BY channel, privilege;

-- attach() to a channel of somebody else tells so
CREATE TABLE mine (x integer);
CREATE ROLE regress_pgpubsub_table IN ROLE regress_pgpubsub_group;
ALTER TABLE mine OWNER TO regress_pgpubsub_table;
GRANT CREATE ON SCHEMA public TO regress_pgpubsub_table;
SELECT pgpubsub.grant_channel('b', 'regress_pgpubsub_table', 'publish');
SELECT pgpubsub.alter_channel('b', owner => 'regress_pgpubsub_group');
SET ROLE regress_pgpubsub_table;
SELECT pgpubsub.attach('mine', 'own'), pgpubsub.attach('mine', 'b');
RESET ROLE;
CREATE ROLE regress_pgpubsub_other;
SELECT pgpubsub.alter_channel('b', owner => 'regress_pgpubsub_other');
SET ROLE regress_pgpubsub_table;
SELECT pgpubsub.attach('mine', 'b', '{insert}');
-- again, with nothing to do
SELECT pgpubsub.attach('mine', 'b', '{insert}');
-- who owns a table and may publish can detach what a superuser attached, with no other right
RESET ROLE;
REVOKE regress_pgpubsub_group FROM regress_pgpubsub_table;
SET ROLE regress_pgpubsub_table;
SELECT pgpubsub.detach('mine', 'b');
RESET ROLE;

-- GRANT and REVOKE by hand on the type that stands for the rights: the role is kept all the same
CREATE ROLE regress_pgpubsub_kept IN ROLE regress_pgpubsub_group;
SET ROLE regress_pgpubsub_kept;
SELECT pgpubsub.create_channel('kept');
RESET ROLE;
GRANT USAGE ON TYPE pgpubsub.channel_rights TO regress_pgpubsub_kept;
REVOKE USAGE ON TYPE pgpubsub.channel_rights FROM regress_pgpubsub_kept;
\set VERBOSITY terse
DROP ROLE regress_pgpubsub_kept;
-- where the library is not loaded, after the next recover()
\c -
GRANT USAGE ON TYPE pgpubsub.channel_rights TO regress_pgpubsub_kept;
REVOKE USAGE ON TYPE pgpubsub.channel_rights FROM regress_pgpubsub_kept;
SELECT pgpubsub.recover();
DROP ROLE regress_pgpubsub_kept;
\c -
REVOKE USAGE ON TYPE pgpubsub.channel_rights FROM regress_pgpubsub_kept;
CALL pgpubsub.recover(NULL, 10);
DROP ROLE regress_pgpubsub_kept;
\set VERBOSITY default
-- which also removes the rights of a role that is gone
INSERT INTO pgpubsub.channel_privilege SELECT id, 987654321, 'publish' FROM pgpubsub.channel WHERE name = 'a';
SELECT pgpubsub.recover();
SELECT count(*) AS rights FROM pgpubsub.channel_privilege WHERE grantee = 987654321;

DROP TABLE mine;
SELECT count(pgpubsub.drop_channel(name)) AS dropped FROM (SELECT name FROM pgpubsub.channels) c;
DROP OWNED BY regress_pgpubsub_group, regress_pgpubsub_table, regress_pgpubsub_other, regress_pgpubsub_kept;
DROP ROLE regress_pgpubsub_group, regress_pgpubsub_table, regress_pgpubsub_other, regress_pgpubsub_kept;
