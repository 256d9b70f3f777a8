# A publication FOR ALL TABLES has the extension's private tables too. Nothing of it harms: the subscription goes on whatever the publisher's consumers do,
# the subscriber's channels hand out only what is theirs, and who reads the changes (CDC) sees none of notifications and is not stopped. And the way to
# another server by logical replication (blue and green): what is stored, and the numbering, is carried over by pg_dump.
#
# Only two real servers show it.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub start
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', "fsync = off\nmax_worker_processes = 20\nshared_preload_libraries = 'pgpubsub'\nlogical_decoding_work_mem = '64kB'\n");
	$node->start;
	return $node;
}
my ($blue, $subscriber) = (start('blue'), start('subscriber'));
sub blue { return $blue->safe_psql('postgres', 'SET client_min_messages = warning;' . $_[0]) }
sub subscriber { return $subscriber->safe_psql('postgres', 'SET client_min_messages = warning;' . $_[0]) }

# Both have channels and subscriptions with the same ids, and notifications with the same ids, but they are others.
blue(q{
	CREATE EXTENSION pgpubsub;
	CREATE ROLE app;
	CREATE TABLE item (id integer PRIMARY KEY, v text);
	SELECT pgpubsub.create_channel('jobs', history => '1 hour', max_attempts => 1), pgpubsub.create_channel('news', 'broadcast');
	SELECT pgpubsub.attach('item', 'jobs');
	SELECT pgpubsub.publish('jobs', to_jsonb(repeat('blue', 10000))) FROM generate_series(1, 100);
	SELECT pgpubsub.nack(array_agg(receipt)) FROM pgpubsub.claim('jobs', 10);
	SELECT FROM pgpubsub.take('jobs', 10);
	CREATE PUBLICATION everything FOR ALL TABLES;
	SELECT pg_create_logical_replication_slot('cdc', 'test_decoding'), pg_create_logical_replication_slot('cdc_pgoutput', 'pgoutput')});
subscriber(q{
	CREATE ROLE app;
	CREATE EXTENSION pgpubsub;
	CREATE TABLE item (id integer PRIMARY KEY, v text);
	SELECT pgpubsub.create_channel('mine', history => '1 hour'), pgpubsub.create_channel('others', 'broadcast');
	SELECT pgpubsub.publish('mine', to_jsonb(i)) FROM generate_series(1, 5) i});
my $own = q{SELECT (SELECT string_agg(name, ' ' ORDER BY id) FROM pgpubsub.channel), (SELECT count(*) FROM pgpubsub.subscription), (SELECT count(*) FROM pgpubsub.channel_privilege),
	(SELECT count(*) FROM pgpubsub.notification), (SELECT count(*) FROM pgpubsub.dead_letter), (SELECT count(*) FROM pgpubsub.processed), (SELECT count(*) FROM pgpubsub.broadcast)};
is(subscriber($own), 'mine others|1|2|5|0|0|0', 'what the subscriber has');
subscriber("CREATE SUBSCRIPTION s CONNECTION '" . $blue->connstr . " dbname=postgres' PUBLICATION everything");
$subscriber->wait_for_subscription_sync($blue, 's');
is(subscriber($own), 'mine others|1|2|5|0|0|0', 'the initial copy adds nothing to it');

# All that the publisher's side does to the tables, with roles that the subscriber lacks.
blue('CREATE ROLE blue_only');
my $work = q{
	INSERT INTO item VALUES (%1$d, 'x'), (-%1$d, 'y');
	SELECT pgpubsub.publish('jobs', to_jsonb(repeat('blue', 10000))), pgpubsub.publish('jobs', '"dedup"', dedup_key => 'd'), pgpubsub.publish('jobs', '"dedup"', dedup_key => 'd', replace => true);
	SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 10000)));
	SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('jobs', 2);
	SELECT pgpubsub.extend(array_agg(receipt)), pgpubsub.release(array_agg(receipt)) FROM pgpubsub.claim('jobs', 2);
	SELECT pgpubsub.nack(array_agg(receipt), '0 s', 'no') FROM pgpubsub.claim('jobs', 2);
	SELECT pgpubsub.redrive('jobs');
	SELECT FROM pgpubsub.take('jobs', 2);
	SELECT pgpubsub.create_channel('other'), pgpubsub.alter_channel('jobs', max_attempts => %1$d), pgpubsub.pause_channel('jobs'), pgpubsub.resume_channel('jobs'),
		pgpubsub.subscribe('jobs', 'second'), pgpubsub.grant_channel('jobs', 'app', 'consume'), pgpubsub.revoke_channel('jobs', 'app', 'consume'), pgpubsub.grant_channel('jobs', 'blue_only', 'publish'), pgpubsub.unsubscribe('jobs', 'second');
	SELECT pgpubsub.drop_channel('other');
	SELECT pgpubsub.recover();
	UPDATE item SET v = v || 'changed'};
blue(sprintf $work, 1);
$blue->wait_for_catchup('s');
is(subscriber('SELECT string_agg(id || v, $$ $$ ORDER BY id) FROM item'), '-1ychanged 1xchanged', 'the user\'s table is replicated');
is(subscriber($own), 'mine others|1|2|5|0|0|0', 'and nothing of channels and notifications');
is(subscriber(q{SELECT string_agg(payload::text, ' ' ORDER BY id) FROM pgpubsub.take('mine', 100)}), '1 2 3 4 5', 'a consumer of the subscriber gets what is its own');
# PostgreSQL 19 counts tables and sequences apart.
is(subscriber(q{SELECT sum(count::bigint) FROM pg_stat_subscription_stats s, jsonb_each_text(to_jsonb(s)) AS c (name, count) WHERE name ~ 'error_count$'}), '0', 'no attempt has failed');

# CDC
my $changes = q{SELECT count(*) FILTER (WHERE data ~ 'public.item'), count(*) FILTER (WHERE data ~ 'pgpubsub.(notification|channel_privilege|dead_letter|processed|broadcast|stat_count):') FROM pg_logical_slot_get_changes('%s', NULL, NULL)};
is(blue(sprintf $changes, 'cdc'), '4|0', 'who decodes the changes gets the user\'s, and no notifications');
is(blue(q{SELECT count(*) > 0 FROM pg_logical_slot_get_binary_changes('cdc_pgoutput', NULL, NULL, 'proto_version', '1', 'publication_names', 'everything')}), 't', 'pgoutput goes on');

# The mark is put back where it was lost, as by pg_upgrade.
my $unmarked = q{SELECT count(*) FROM pg_class c WHERE relrewrite = 0 AND EXISTS (SELECT FROM pg_class t WHERE c.oid IN (t.oid, t.reltoastrelid) AND t.oid IN
	('pgpubsub.notification'::regclass, 'pgpubsub.channel_privilege'::regclass, 'pgpubsub.dead_letter'::regclass, 'pgpubsub.processed'::regclass, 'pgpubsub.broadcast'::regclass, 'pgpubsub.stat_count'::regclass))};
is(blue($unmarked), 0, 'all these tables are marked');
blue('VACUUM FULL pgpubsub.notification');
is(blue($unmarked), 0, 'and stay so');
blue(q{UPDATE pg_class SET relrewrite = 0 WHERE oid = 'pgpubsub.dead_letter'::regclass});
is(blue($unmarked), 1, 'one is not any more');
blue(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgpubsub worker'});
query_is($blue, $unmarked, '0', 'a worker that starts sees to it');
blue(q{UPDATE pg_class SET relrewrite = 0 WHERE oid = 'pgpubsub.dead_letter'::regclass; SELECT pgpubsub.hide_from_decoding()});
is(blue($unmarked), 0, 'and so does the function');
# What rewrites a table leaves it the mark.
my $tables = q{'pgpubsub.notification'::regclass, 'pgpubsub.channel_privilege'::regclass, 'pgpubsub.dead_letter'::regclass, 'pgpubsub.processed'::regclass, 'pgpubsub.broadcast'::regclass, 'pgpubsub.stat_count'::regclass};
blue(q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE other LOCATION ''});
foreach my $command ('VACUUM FULL pgpubsub.channel_privilege', 'CLUSTER pgpubsub.channel_privilege USING channel_privilege_pkey', 'REINDEX TABLE pgpubsub.channel_privilege',
	'ALTER TABLE pgpubsub.stat_count SET UNLOGGED; ALTER TABLE pgpubsub.stat_count SET LOGGED', 'ALTER TABLE pgpubsub.processed SET TABLESPACE other', 'ALTER TABLE pgpubsub.processed SET TABLESPACE pg_default',
	'ALTER TABLE pgpubsub.processed ADD COLUMN x double precision DEFAULT random(); ALTER TABLE pgpubsub.processed DROP COLUMN x')
{
	$blue->safe_psql('postgres', $command);
	is(blue("SELECT count(*) FROM pg_class WHERE oid IN ($tables) AND relrewrite = oid AND relreplident = 'n'"), 6, $command);
}
blue('SELECT pgpubsub.hide_from_decoding()');    # an ALTER TABLE made a new TOAST table
is(blue($unmarked), 0, 'and all have it again');
blue(sprintf $work, 2);
blue('REINDEX TABLE pgpubsub.notification; VACUUM FULL pgpubsub.notification; VACUUM pgpubsub.notification');
blue(sprintf $work, 3);
$blue->wait_for_catchup('s');
is(subscriber('SELECT count(*) FROM item'), '6', 'the subscription goes on');
is(blue(sprintf $changes, 'cdc'), '14|0', 'and so does who decodes');

# Only what another server sends is skipped.
is(subscriber(q{SET session_replication_role = replica; INSERT INTO pgpubsub.stat_count VALUES (1, now(), 0, 0, 0); SELECT count(*) FROM pgpubsub.stat_count WHERE published = 0 AND processed = 0}),
	'1', 'a restore that takes the role of a replica writes its rows');
is(subscriber(q{SELECT pg_replication_origin_create('o'); SELECT pg_replication_origin_session_setup('o'); SET session_replication_role = replica;
	UPDATE pgpubsub.stat_count SET failed = 1; DELETE FROM pgpubsub.stat_count WHERE published = 0; INSERT INTO pgpubsub.stat_count VALUES (2, now(), 9, 9, 9);
	SELECT count(*) FILTER (WHERE failed = 1), count(*) FILTER (WHERE published = 9), count(*) > 0 FROM pgpubsub.stat_count}) =~ s/^\d*\n\n//r, '0|0|t', 'another program that replicates does not');
subscriber('DROP SUBSCRIPTION s');

# Blue and green, as doc/reference/operations.md has it: the schema, the rows by replication, and when the writers have stopped, what is stored.
my $green = start('green');
sub green { return $green->safe_psql('postgres', 'SET client_min_messages = warning;' . $_[0]) }
my $file = $blue->basedir . '/dump.sql';
$green->safe_psql('postgres', 'CREATE ROLE app; CREATE ROLE blue_only');
$blue->command_ok([ 'pg_dump', '--schema-only', '--no-publications', '-f', $file, '-d', $blue->connstr('postgres') ], 'the schema is dumped');
$green->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $green->connstr('postgres') ], 'and restored');
green("CREATE SUBSCRIPTION green CONNECTION '" . $blue->connstr . " dbname=postgres' PUBLICATION everything");
$green->wait_for_subscription_sync($blue, 'green');
blue(sprintf $work, 4);
blue(q{SELECT count(*) FROM pgpubsub.claim('jobs', 3)});
blue(q{SELECT pgpubsub.publish('jobs', '"last"')});
$blue->wait_for_catchup('green');
green('DROP SUBSCRIPTION green');
my $stored = q{SELECT md5(string_agg(t::text, E'\n' ORDER BY t::text)) FROM (SELECT n::text FROM pgpubsub.notification n UNION ALL SELECT n::text FROM pgpubsub.dead_letter n
	UNION ALL SELECT n::text FROM pgpubsub.processed n UNION ALL SELECT n::text FROM pgpubsub.broadcast n UNION ALL SELECT n::text FROM pgpubsub.channel n
	UNION ALL SELECT n::text FROM pgpubsub.subscription n) t};
my ($before, $last) = (blue($stored), blue('SELECT max(id) FROM pgpubsub.notification'));
$blue->command_ok([ 'pg_dump', '--data-only', '-t', 'pgpubsub.*', '-f', $file, '-d', $blue->connstr('postgres') ], 'what is stored is dumped');
$green->command_ok([ 'psql', '-X', '-q', '-1', '-v', 'ON_ERROR_STOP=1', '-f', $file, '-d', $green->connstr('postgres') ], 'and restored');
is(green($stored), $before, 'green has what blue had');
cmp_ok(green(q{SELECT pgpubsub.publish('jobs', '"first"')}), '>', $last, 'ids go on');
is(green('SELECT count(*) FROM item'), '8', 'the rows are there');
green(q{INSERT INTO item VALUES (1000, 'green')});
green(q{SELECT pgpubsub.recover('jobs')});
ok($green->poll_query_until('postgres', q{SELECT count(*) FILTER (WHERE state = 'leased') FROM pgpubsub.notifications}, '0'), 'leases of sessions that blue had are released');
is(green(q{SELECT count(*), count(*) FILTER (WHERE payload = '"last"'), count(*) FILTER (WHERE payload #>> '{new,id}' = '1000') FROM pgpubsub.take('jobs', 1000)}),
	(blue(q{SELECT count(*) + 2 FROM pgpubsub.notification n JOIN pgpubsub.subscription s ON s.id = n.subscription_id}) . '|1|1'), 'all of it is handed out, and what came then');

$_->stop foreach ($green, $subscriber, $blue);
done_testing();
