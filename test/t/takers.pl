# Four takers on 4,000 rows of 9 kB, and then with a server that is killed under them: each row is processed once.
#
# An isolation spec steps through a race that somebody thought of; here real sessions run against each other, and what a crash
# leaves is only seen when a real process is killed.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;
use IPC::Run ();

my $rows = 4000;

my $node = PostgreSQL::Test::Cluster->new('takers');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('big');
	CREATE TABLE done (id bigint, n integer, length integer, mode text);
	CREATE FUNCTION fill(rows integer) RETURNS bigint LANGUAGE sql AS $$
		SELECT count(pgpubsub.publish('big', jsonb_build_object('n', n, 'text',
			(SELECT string_agg(md5(n || '/' || i), '') FROM generate_series(1, 282) i))))
		FROM generate_series(1, rows) n;
	$$;
});

my $take = PostgreSQL::Test::Utils::tempdir() . '/take.sql';
append_to_file($take, <<'SQL');
INSERT INTO done SELECT id, (payload ->> 'n')::integer, length(payload ->> 'text'), 'take' FROM pgpubsub.take('big', 7);
SQL
my $lease = PostgreSQL::Test::Utils::tempdir() . '/lease.sql';
append_to_file($lease, <<'SQL');
WITH claimed AS MATERIALIZED (SELECT * FROM pgpubsub.claim('big', 7, '1 hour')),
     work AS (INSERT INTO done SELECT id, (payload ->> 'n')::integer, length(payload ->> 'text'), 'lease' FROM claimed)
SELECT pgpubsub.ack(array_agg(receipt)) FROM claimed;
SQL

sub pgbench_command
{
	my (@options) = @_;
	return ('pgbench', '--no-vacuum', '--client=4', '--jobs=2', @options, $node->connstr('postgres'));
}

sub processed_once
{
	my ($name) = @_;
	is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT n), count(DISTINCT id), min(length), max(length) FROM done'),
		"$rows|$rows|$rows|9024|9024", "$name: each row once, and whole");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pgpubsub.notification'), '0', "$name: nothing is left");
	$node->safe_psql('postgres', 'TRUNCATE done');
}

foreach my $mode ([ 'take', $take ], [ 'lease', $lease ])
{
	my ($name, $script) = @$mode;
	is($node->safe_psql('postgres', "SELECT fill($rows)"), $rows, "$name: filled");
	command_ok([ pgbench_command("--file=$script", '--transactions=200') ], "$name: four takers ran");
	processed_once($name);
}

# The server is killed while four takers are at work, at a rate that leaves them enough of it. Those connections are gone;
# the next four finish.
is($node->safe_psql('postgres', "SELECT fill($rows)"), $rows, 'crash: filled');
my ($out, $err) = ('', '');
my $takers = IPC::Run::start([ pgbench_command("--file=$take", '--rate=100', '--transactions=100000') ], '>', \$out, '2>', \$err);
$node->poll_query_until('postgres', 'SELECT count(*) > 500 FROM done') or die 'the takers do nothing';
my $victim = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'INSERT INTO done%' LIMIT 1});
ok(kill('KILL', $victim), 'crash: a backend is killed');
$takers->finish;
isnt($takers->result(0), 0, 'crash: the takers lost their connections');
comes_back($node, 'postgres') or die 'the server did not come back';
my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM done');
cmp_ok($before, '<', $rows, 'crash: it came amid the work');
command_ok([ pgbench_command("--file=$take", '--transactions=200') ], 'crash: four new takers ran');
processed_once('crash');

$node->stop;
done_testing();
