# More databases than there are places for workers: each database's consumers are woken within a bound, places are left for others, and a shortage
# is said. A database that was copied, or takes connections again, is found. It needs a server with few places, and real time.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = PostgreSQL::Test::Cluster->new('places');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\nfsync = off\nautovacuum = off\nmax_worker_processes = 8\nmax_connections = 120\n" .
	"max_prepared_transactions = 5\npgpubsub.storage_interval = 500ms\nmax_parallel_workers_per_gather = 2\nwal_retrieve_retry_interval = 500ms\n");
$node->start;
sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query) }
sub publish { my ($database) = @_; return sql(q{SELECT pgpubsub.publish('jobs', '1')}, $database) }
sub processes { my ($type) = @_; return sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = '$type'") }
sub warnings { my ($pattern) = @_; return scalar(() = slurp_file($node->logfile) =~ /WARNING:  $pattern/g) }

# ---- new databases -------------------------------------------------------------------------------
sql('CREATE DATABASE pattern');
sql(q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('later')}, 'pattern');
has_worker($node, 'pattern', 'a database');
my $later;
foreach my $seconds (4, 12, 40)    # a machine may be so slow that it is due before anybody listens
{
	sql("SELECT pgpubsub.publish('later', '1', deliver_at => clock_timestamp() + interval '$seconds seconds')", 'pattern');
	sql('CREATE DATABASE copy TEMPLATE pattern');
	$later = listener($node, 'copy', 'later');
	last if sql(q{SELECT count(*) FROM pgpubsub.notifications WHERE state = 'delayed'}, 'pattern') > 0;    # in the copy it would ask for a worker
	end_probe($later);
	sql('DROP DATABASE copy');
}
hears($later, 'later', 'in a copy of it, what becomes due wakes who only listens');
end_probe($later);
sql(q{SELECT pgpubsub.publish('later', '1', deliver_at => clock_timestamp() + interval '1 hour')}, 'pattern');
sql('CREATE DATABASE another TEMPLATE pattern');
has_worker($node, 'another', 'a copy gets its worker without any session');
sql('ALTER DATABASE another ALLOW_CONNECTIONS false');
sql(q{SELECT pg_terminate_backend(} . worker_pid($node, 'another') . ')');
eventually(sub { worker_pid($node, 'another') == 0 }, 'no connections: no worker');
sql('ALTER DATABASE another ALLOW_CONNECTIONS true');
has_worker($node, 'another', 'it comes back');
sql("DROP DATABASE $_") foreach ('copy', 'another');

# ---- twelve databases, eight places --------------------------------------------------------------
my @names = map { "d$_" } 1 .. 12;
sql("CREATE DATABASE $_ TEMPLATE pattern") foreach @names;
my $workers = 3;    # half of the eight, less one for packing
eventually(sub { warnings('there is no free background worker') > 0 }, 'more databases than places: the log says so');
my %listener = map { $_ => listener($node, $_, 'jobs') } @names;
cmp_ok(processes('pgpubsub worker'), '<=', $workers, 'there are no more workers than places for them');
foreach my $round (1 .. 3)
{
	my $begun = time;
	publish($_) foreach @names;
	foreach my $name (@names)
	{
		eventually(sub { heard($listener{$name}) =~ /^jobs /m }, "round $round: $name is woken");
		forget($listener{$name});
		cmp_ok(processes('pgpubsub worker'), '<=', $workers, 'by no more workers than there are places for') if $name eq 'd6';
	}
	note sprintf('12 databases: %.1f s', time - $begun);
}
is(sql(q{SELECT mode FROM pgpubsub.stat_wakeup}, $_), 'worker', "$_: none of them has to be without") foreach ('d1', 'd12');

# What becomes due, where no worker is.
foreach my $seconds (3, 12, 40)    # here too
{
	sql("SELECT pgpubsub.publish('jobs', '1', deliver_at => clock_timestamp() + interval '$seconds seconds')", $_) foreach @names;
	sleep 0.5;
	forget($_) foreach values %listener;
	last if sql(q{SELECT max(deliver_at) > clock_timestamp() FROM pgpubsub.notifications WHERE channel = 'jobs'}, 'd1') eq 't';
}
foreach my $name (@names) { hears($listener{$name}, 'jobs', "$name is woken for what is due") }

# A busy database does not keep its worker for ever.
my $script = PostgreSQL::Test::Utils::tempdir() . '/publish.sql';
write_file($script, "SELECT pgpubsub.publish('jobs', '1');\n");
my $busy = background('pgbench', '-n', '-c', 2, '-T', 60, '-f', $script, $node->connstr('d1'));
forget($_) foreach values %listener;
publish($_) foreach @names;
hears($listener{$_}, 'jobs', "beside a busy one, $_ is woken") foreach @names;
kill INT => $busy->{pid};
wait_for_exit($busy);

# ---- places for others ---------------------------------------------------------------------------
sql(q{CREATE TABLE t AS SELECT i FROM generate_series(1, 100000) i; ANALYZE t}, 'd2');
my $parallel = q{SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; EXPLAIN (ANALYZE, COSTS off, TIMING off) SELECT count(*) FROM t};
like(sql($parallel, 'd2'), qr/Workers Launched: 2/, 'a parallel query gets its workers');
sql(q{SELECT count(pgpubsub.publish_batch('jobs', array_fill('1'::jsonb, '{60000}')))}, 'd3');
sql(q{SELECT pgpubsub.purge_channel('jobs')}, 'd3');
eventually(sub { sql(q{SELECT pg_relation_size('pgpubsub.notification')}, 'd3') < 1_000_000 }, 'and the storage is packed');

# A subscription to another server gets places for the worker that applies, and for one at least that copies a table, while all of the twelve want
# theirs; and so does a parallel query beside it.
my $source = PostgreSQL::Test::Cluster->new('source');
$source->init(allows_streaming => 'logical');
$source->start;
my @tables = map { "copied$_" } 1 .. 4;
$source->safe_psql('postgres', join(';', (map { "CREATE TABLE $_ AS SELECT i AS id FROM generate_series(1, 1000) i; ALTER TABLE $_ ADD PRIMARY KEY (id)" } @tables),
	'CREATE PUBLICATION p FOR TABLE ' . join(', ', @tables)));
sql(join(';', map { "CREATE TABLE $_ (id integer PRIMARY KEY)" } @tables), 'd2');
sql("CREATE SUBSCRIPTION s CONNECTION '" . $source->connstr . " dbname=postgres' PUBLICATION p", 'd2');
my $all_publish = sub { publish($_) foreach @names; return 1 };
eventually(sub { $all_publish->() && sql(q{SELECT count(*) FILTER (WHERE srsubstate = 'r') FROM pg_subscription_rel}, 'd2') == @tables }, 'a subscription copies its tables');
$source->safe_psql('postgres', join ';', map { "INSERT INTO $_ VALUES (1001)" } @tables);
my $rows = join ' + ', map { "(SELECT count(*) FROM $_)" } @tables;
eventually(sub { $all_publish->() && sql("SELECT $rows", 'd2') == 1001 * @tables }, 'and applies what comes then');
eventually(sub { $all_publish->() && sql($parallel, 'd2') =~ /Workers Launched: [12]/ }, 'a parallel query gets a worker beside it');
forget($_) foreach values %listener;
publish($_) foreach @names;
hears($listener{$_}, 'jobs', "beside a subscription, $_ is woken") foreach @names;
sql('DROP SUBSCRIPTION s', 'd2');
$source->stop;

# ---- a shortage that others make -----------------------------------------------------------------
end_probe($_) foreach values %listener;
cmp_ok(warnings('there is no free background worker'), '<=', 13, 'each database is named once');
$node->append_conf('postgresql.conf', "max_worker_processes = 2\nmax_logical_replication_workers = 0\n");
$node->restart;
eventually(sub { processes('pgpubsub worker') >= 1 }, 'room for the launcher and one more');
%listener = map { $_ => listener($node, $_, 'jobs') } ('d4', 'd5');
publish($_) foreach ('d4', 'd5');
hears($listener{$_}, 'jobs', "$_ is woken all the same") foreach ('d4', 'd5');
sql(q{SELECT count(pgpubsub.publish_batch('jobs', array_fill('1'::jsonb, '{60000}')))}, 'd4');
sql(q{SELECT pgpubsub.purge_channel('jobs')}, 'd4');
eventually(sub { warnings('no background worker could be started to pack the notifications for database "d4"') == 1 || warnings('no background worker could be started') > 0 }, 'that nothing can be packed is said');
ok($node->poll_query_until('d4', q{SELECT last_error LIKE '%max_worker_processes%' FROM pgpubsub.stat_wakeup}), 'in stat_wakeup too');
end_probe($_) foreach values %listener;

# ---- no place at all -----------------------------------------------------------------------------
# The launcher of logical replication has the other one.
$node->append_conf('postgresql.conf', "max_worker_processes = 2\nmax_logical_replication_workers = 4\n");
my $log_ends_at = -s $node->logfile;
$node->restart;
is(sql(q{SELECT pgpubsub.publish('jobs', '1') > 0}, $_), 't', "no place for any worker: $_ publishes all the same") foreach ('d6', 'd7');
my $unstarted = sub { scalar(() = slurp_file($node->logfile, $log_ends_at) =~ /WARNING:  no background worker could be started for database "$_[0]"/g) };
foreach my $name ('d6', 'd7')
{
	ok($node->poll_query_until($name, q{SELECT mode = 'transaction' AND worker_pid IS NULL AND last_error LIKE '%max_worker_processes%' FROM pgpubsub.stat_wakeup}), "$name: stat_wakeup says why");
	is($unstarted->($name), 1, "$name: the log says so, once");
}
sql(q{SELECT pgpubsub.publish('jobs', '1')}, 'd6');
is($unstarted->('d6'), 1, 'not again');
is($unstarted->('d8'), 0, 'nothing is said of a database in which nobody has found the extension');
$node->append_conf('postgresql.conf', 'max_worker_processes = 30');
$node->restart;
has_worker($node, $_, "with places for all, $_ has its worker") foreach ('d1', 'd12');
unlike(slurp_file($node->logfile), qr/(ERROR|PANIC|TRAP): .*(?:background|worker)/, 'no errors');
$node->stop;
done_testing();
