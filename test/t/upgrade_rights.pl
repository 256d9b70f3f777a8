# What roles may do goes on through ALTER EXTENSION UPDATE, with the library of this version before and after it: the functions that an
# update brings reach those who may call the others of their kind, a dump carries that, and DROP ROLE knows who has rights on channels.
# It needs a release to begin from, and a dump.
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('upgrade_rights');
$node->init;
$node->append_conf('postgresql.conf', 'max_prepared_transactions = 1');
$node->start;
sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query) }
sub fails { my ($query) = @_; my $err; $node->psql('postgres', $query, stderr => \$err); return $err }
sub may
{
	my ($role, $database) = @_;
	return sql(qq{SELECT string_agg(f, ' ' ORDER BY f) FROM unnest('{attach,detach,publish_batch,purge_all,take,grant_usage}'::text[]) f
		WHERE (SELECT bool_and(has_schema_privilege('$role', 'pgpubsub', 'USAGE') AND has_function_privilege('$role', p.oid, 'EXECUTE')) FROM pg_proc p WHERE proname = f AND pronamespace = 'pgpubsub'::regnamespace)}, $database);
}

sql(q{
	CREATE EXTENSION pgpubsub VERSION '0.1.0';
	CREATE ROLE owner; CREATE ROLE publisher; CREATE ROLE consumer; CREATE ROLE maker; CREATE ROLE nobody; CREATE ROLE late;
	SELECT pgpubsub.create_channel('jobs');
	SELECT pgpubsub.alter_channel('jobs', owner => 'owner');
	SELECT pgpubsub.grant_channel('jobs', 'publisher', 'publish'), pgpubsub.grant_channel('jobs', 'consumer', 'consume');
	GRANT USAGE ON SCHEMA pgpubsub TO maker;
	GRANT EXECUTE ON FUNCTION pgpubsub.create_channel, pgpubsub.attach, pgpubsub.capture TO maker;
	SET ROLE publisher;
	SELECT pgpubsub.publish('jobs', '1');
});
# The catalog of 0.1.0, served by this library.
is(sql(q{SET ROLE owner; SELECT pgpubsub.alter_channel('jobs', max_attempts => 3), pgpubsub.pause_channel('jobs'), pgpubsub.resume_channel('jobs');
	SELECT max_attempts FROM pgpubsub.subscriptions}), "||\n3", 'the owner changes the channel');
sql(q{SET ROLE owner; SELECT pgpubsub.grant_channel('jobs', 'late', 'publish'); SELECT pgpubsub.subscribe('jobs', 'more'), pgpubsub.unsubscribe('jobs', 'more')});
is(sql(q{SET ROLE late; SELECT pgpubsub.publish('jobs', '2') > 0}), 't', 'gives a right');
sql(q{SET ROLE maker; SELECT pgpubsub.create_channel('made')});

# An update that is in vain ends by the user's timeouts, and leaves the session as it was.
sql(q{BEGIN; LOCK TABLE pgpubsub.channel IN SHARE MODE; PREPARE TRANSACTION 'in the way'});
foreach my $timeout ('lock', 'statement')
{
	my ($code, $out, $err) = $node->psql('postgres', qq{SET ${timeout}_timeout = '1200ms'; ALTER EXTENSION pgpubsub UPDATE; RESET ${timeout}_timeout;
		SET statement_timeout = '1300ms'; BEGIN; LOCK TABLE pgpubsub.channel IN ROW EXCLUSIVE MODE; ROLLBACK; SELECT 'alive'}, on_error_stop => 0);
	like($err, qr/due to $timeout timeout.*due to statement timeout/s, "$timeout timeout of the update, and of what comes then");
	is($out, 'alive', 'the session goes on');
}
sql(q{ROLLBACK PREPARED 'in the way'});

# Default privileges, and a GRANT by hand that is not committed when the update begins: that is waited for.
sql(q{CREATE ROLE by_hand; ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO owner});
my $hand = start_session($node, 'hand', q{
	BEGIN;
	GRANT EXECUTE ON FUNCTION pgpubsub.ack(text[]) TO by_hand;
	GRANT SELECT ON pgpubsub.channels TO by_hand;
	SELECT pg_advisory_lock(1);
	DO 'BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE ''ALTER EXTENSION%'' AND wait_event_type = ''Lock'') LOOP PERFORM pg_sleep(0.01); PERFORM pg_stat_clear_snapshot(); END LOOP; END';
	COMMIT});
$node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 1});
sql('ALTER EXTENSION pgpubsub UPDATE');
end_well('a GRANT by hand', $hand);
is(sql(q{SELECT has_function_privilege('by_hand', 'pgpubsub.ack(text[])', 'EXECUTE'), has_table_privilege('by_hand', 'pgpubsub.channels', 'SELECT')}), 't|t', 'a grant that was committed meanwhile stays');
sql(q{DROP OWNED BY by_hand; DROP ROLE by_hand; ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM owner});
is(may('publisher'), 'detach publish_batch', 'who may publish');
is(may('late'), 'detach publish_batch', 'who was given that by this library before the update');
is(may('consumer'), 'take', 'who may consume');
is(may('owner'), 'detach publish_batch purge_all take', 'who owns a channel');
is(may('maker'), 'attach detach', 'who may make channels');
is(may('nobody'), '', 'nobody else');
like(fails("DROP ROLE $_"), qr/privileges for type pgpubsub\.channel_rights/, "role $_ can't be dropped unnoticed") foreach ('owner', 'publisher', 'maker');
is(sql(q{SET ROLE consumer; SELECT count(*) FROM pgpubsub.take('jobs', 10)}), 2, 'what was stored is there');

# ---- a dump --------------------------------------------------------------------------------------
sql('CREATE DATABASE copy');
$node->command_ok(['pg_dump', '-Fc', '-f', $node->basedir . '/dump', $node->connstr('postgres')], 'dump');
$node->command_ok(['pg_restore', '-e', '-d', $node->connstr('copy'), $node->basedir . '/dump'], 'restore');
is(may($_, 'copy'), may($_), "what $_ may call is restored") foreach ('publisher', 'consumer', 'owner', 'maker', 'nobody');
is(sql(q{SELECT count(*) FROM pg_shdepend WHERE dbid = (SELECT oid FROM pg_database WHERE datname = 'copy') AND classid = 'pg_type'::regclass AND refobjid = 'owner'::regrole}),
	1, 'and who has rights is noted in the copy too');
is(sql(q{SET ROLE publisher; SELECT pgpubsub.publish('jobs', '3') > 0}, 'copy'), 't', 'the right counts there');
sql('DROP DATABASE copy');

# ---- the three commands --------------------------------------------------------------------------
sql(q{REASSIGN OWNED BY owner, maker TO publisher; DROP OWNED BY owner, maker; DROP ROLE owner; DROP ROLE maker});
# (without preload, in a session that had not used the library, the channels have no owner then)
is(sql(q{SELECT count(*) FROM pgpubsub.channel_privilege p WHERE NOT EXISTS (SELECT FROM pg_roles r WHERE r.oid = p.grantee)}), 0, 'nothing of them is left');
is(sql(q{SELECT count(*) FROM pgpubsub.channel}), 2, 'but their channels');
sql(q{DROP OWNED BY publisher, consumer, late; DROP ROLE publisher; DROP ROLE consumer; DROP ROLE late; DROP ROLE nobody; DROP EXTENSION pgpubsub});

$node->stop;
done_testing();
