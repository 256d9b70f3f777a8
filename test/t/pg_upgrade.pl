# pg_upgrade carries everything over: what is stored, its states, rights, captures, the numbering. It does not carry the mark by which logical decoding
# skips the private tables (replication.hpp): the worker sets it again, or a call where there is none.
#
# It needs two clusters and the real program.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $marked = q{SELECT count(*) FILTER (WHERE c.relrewrite <> 0), count(*) FILTER (WHERE c.relreplident = 'n') FROM pg_class c JOIN pg_class t ON c.oid IN (t.oid, t.reltoastrelid)
	WHERE t.oid IN ('pgpubsub.notification'::regclass, 'pgpubsub.channel_privilege'::regclass, 'pgpubsub.dead_letter'::regclass, 'pgpubsub.processed'::regclass, 'pgpubsub.broadcast'::regclass, 'pgpubsub.stat_count'::regclass)};
my $stored = q{SELECT md5(string_agg(t::text, E'\n' ORDER BY t::text)) FROM (SELECT n::text FROM pgpubsub.notification n UNION ALL SELECT n::text FROM pgpubsub.dead_letter n
	UNION ALL SELECT n::text FROM pgpubsub.processed n UNION ALL SELECT n::text FROM pgpubsub.channel n UNION ALL SELECT n::text FROM pgpubsub.channel_privilege n UNION ALL SELECT n::text FROM pgpubsub.subscription n) t};

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\n");
$old->start;
$old->safe_psql('postgres', q{
	CREATE ROLE app;
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('jobs', history => '1 hour', max_attempts => 1), pgpubsub.subscribe('jobs', 'second', filter => '{"n": 1}'), pgpubsub.grant_channel('jobs', 'app', 'consume');
	CREATE TABLE item (id serial PRIMARY KEY);
	SELECT pgpubsub.attach('item', 'jobs', condition => 'NEW.id > 1');
	SELECT pgpubsub.publish('jobs', to_jsonb(repeat('x', 10000))), pgpubsub.publish('jobs', '{"n": 1}'), pgpubsub.publish('jobs', '2', deliver_at => 'tomorrow'), pgpubsub.publish('jobs', '3');
	SELECT FROM pgpubsub.take('jobs');
	SELECT pgpubsub.nack(array_agg(receipt)) FROM pgpubsub.claim('jobs');
	SET pgpubsub.lease_scope = 'time';
	SELECT FROM pgpubsub.claim('jobs', 1, '1 hour');
	SELECT pgpubsub.publish('jobs', to_jsonb(repeat('y', 100000)))});
my ($before, $last, $all) = ($old->safe_psql('postgres', $stored), $old->safe_psql('postgres', 'SELECT max(id) FROM pgpubsub.notification'), $old->safe_psql('postgres', $marked));
like($all, qr/^(\d+)\|\1$/, 'the private tables are marked');
$old->stop;

foreach my $preload (0, 1)
{
	my $new = PostgreSQL::Test::Cluster->new("new$preload");
	$new->init;
	$new->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\nmax_worker_processes = 20\n" . ($preload ? "shared_preload_libraries = 'pgpubsub'\n" : ''));
	my $bin = $new->config_data('--bindir');
	my $where = PostgreSQL::Test::Utils::tempdir();
	chdir $where or die "chdir: $!";
	command_ok([ 'pg_upgrade', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin, '-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
	$new->start;
	my $sql = sub { return $new->safe_psql('postgres', $_[0]) };
	is($sql->($stored), $before, 'what was stored is there');
	if ($preload) { query_is($new, $marked, $all, 'the worker marks the tables again') }
	else
	{
		my ($left, $replident) = split /\|/, $sql->($marked);
		is($left, 0, 'the mark is not carried over');
		is("$replident|$replident", $all, 'nor have they a replica identity meanwhile');
		is($sql->("SELECT pgpubsub.hide_from_decoding(); $marked"), "\n$all", 'it is set by a call');
	}
	cmp_ok($sql->(q{SELECT pgpubsub.publish('jobs', '"new"')}), '>', $last, 'ids go on');
	$sql->('INSERT INTO item DEFAULT VALUES; INSERT INTO item DEFAULT VALUES');
	is($sql->(q{SELECT string_agg(coalesce(payload #>> '{new,id}', left(payload::text, 5)), ' ' ORDER BY id) FROM pgpubsub.take('jobs', 10)}), '"yyyy "new" 2', 'all that is ready is handed out');
	is($sql->(q{SELECT count(*) FROM pgpubsub.take('jobs', 10, 'second')}), '1', 'to the other subscription too');
	is($sql->(q{SELECT string_agg(DISTINCT state, ' ') FROM pgpubsub.notifications; SET ROLE app; SELECT pgpubsub.has_channel_privilege('jobs', 'consume'), pgpubsub.has_channel_privilege('jobs', 'publish')}),
		"delayed leased\nt|f", 'the rest waits as before, and the rights are the same');
	is($sql->(q{SELECT pgpubsub.redrive('jobs')}), '1', 'so do the dead');
	$new->stop;
}
chdir '/';
done_testing();
