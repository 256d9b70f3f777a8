# CALL recover() on many leases whose owner is gone: each chunk is committed by itself, and memory does not grow with their number.
#
# What a session uses can only be seen from outside, and that the work of finished chunks stays only when a real one is ended amid
# the work.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = 100_000;
my $allowed_kb = 4_096;    # a fraction of what the rows would take

my $node = PostgreSQL::Test::Cluster->new('recover');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('jobs');
	CREATE FUNCTION lose_leases(rows integer) RETURNS void LANGUAGE sql AS $$
		SELECT count(pgpubsub.publish('jobs', jsonb_build_object('n', i, 'text', repeat('x', 100)))) FROM generate_series(1, rows) i;
		SELECT count(*) FROM pgpubsub.claim('jobs', rows, '1 hour');
		UPDATE pgpubsub.notification SET lease_owner = 1;  -- a session that was never there
	$$;
});

sub leased { return $node->safe_psql('postgres', 'SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL') }

sub memory_of
{
	my ($pid) = @_;
	open(my $status, '<', "/proc/$pid/status") or die "no process $pid: $!";
	while (<$status>) { return $1 if /^RssAnon:\s+(\d+) kB/ }
	die "no RssAnon in /proc/$pid/status";
}

# Memory
$node->safe_psql('postgres', "SELECT lose_leases($rows)");
my $session = $node->background_psql('postgres');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_safe(q{SELECT pgpubsub.recover('jobs')});
my $before = memory_of($pid);
$session->query_safe(q{CALL pgpubsub.recover('jobs', 1000)});
my $grown = memory_of($pid) - $before;
cmp_ok($grown, '<', $allowed_kb, "$rows leases ended in chunks: memory grew by $grown kB");
is(leased(), '0', 'all are ended');

# An end amid the work
$node->safe_psql('postgres', "SELECT count(*) FROM pgpubsub.take('jobs', $rows + 1)");
$node->safe_psql('postgres', "SELECT lose_leases($rows)");
my $caller = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{CALL pgpubsub.recover('jobs', 500)} ],
	'>', \my $out, '2>', \my $err);
$node->poll_query_until('postgres', "SELECT count(*) < $rows FROM pgpubsub.notification WHERE lease_token IS NOT NULL")
  or die 'recover() has ended nothing';
$node->safe_psql('postgres', q{
	SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.recover%'});
$caller->finish;
my $left = leased();
cmp_ok($left, '>', 0, "it was ended amid the work ($left leases left)");
cmp_ok($left, '<', $rows, 'the chunks that were done stay done');

$session->quit;
$node->stop;
done_testing();
