# CALL pgpubsub.wait() with others that publish: it returns when there is work, holds nothing meanwhile, and as many return as there
# is work; with the library preloaded, without, and through a pooler. What one session sees: the regression test.
use strict;
use warnings;

use ClientTest;
use File::Temp ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = start_preloaded('wait');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
sub publish { my ($channel, $more) = @_; return sql("SELECT pgpubsub.publish('$channel', '1'" . ($more ? ", $more" : '') . ')') }
sub empty { my ($channel) = @_; sql("SELECT pgpubsub.purge_channel('$channel')"); return }

# Starts psql with a CALL; returned() waits for what it gives.
sub waiting
{
	my ($arguments, $dsn) = @_;
	my $before = sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active'});
	my $program = background('psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $dsn // $node->connstr('postgres'), '-c', "CALL pgpubsub.wait($arguments)");
	query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active' AND wait_event = 'Extension'}, $before + 1, "wait($arguments) waits");
	return $program;
}
sub returned { my ($program, $expected, $what) = @_; wait_for_exit($program); is(text_of($program->{out}) . text_of($program->{err}), "$expected\n", $what); return }
sub backend_of { return sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active'}) }

sub check_all
{
	my ($kind) = @_;
	empty($_) foreach ('jobs', 'mails');
	my $waiter = waiting(q{'{jobs}'});
	publish('jobs');
	returned($waiter, 'jobs', "$kind: returns at a publish()");
	empty('jobs');
	$waiter = waiting(q{'{jobs,mails}'});
	publish('mails');
	returned($waiter, 'mails', "$kind: the channel that has work, of several");
	empty('mails');
	$waiter = waiting(q{'{captured}'});
	sql('INSERT INTO orders VALUES (1)');
	returned($waiter, 'captured', "$kind: a captured change");
	empty('captured');
	$waiter = waiting(q{'{audited}', '1 minute', 'audit'});
	publish('audited');
	returned($waiter, 'audited', "$kind: another subscription");
	empty('audited');
	$waiter = waiting(q{'{jobs}'});
	my $begun = time;
	publish('jobs', "deliver_at => now() + '500 ms'");
	returned($waiter, 'jobs', "$kind: returns when something that was published meanwhile is due");
	cmp_ok(time - $begun, '>', 0.4, 'not before');
	empty('jobs');
	publish('jobs');
	my $open = $node->background_psql('postgres');
	$open->query_safe($_) foreach ('BEGIN', q{SELECT pgpubsub.take('jobs')});
	$waiter = waiting(q{'{jobs}'});
	$open->query_safe('ROLLBACK');
	returned($waiter, 'jobs', "$kind: what another one has taken and gives back");
	empty('jobs');
	$open->query_safe($_) foreach ('BEGIN', q{SELECT pgpubsub.publish('jobs', '1')});
	$waiter = waiting(q{'{jobs}', '300 ms'});
	returned($waiter, '', "$kind: null at the time-out; what is not committed does not count");
	$open->query_safe('ROLLBACK');
	$open->quit;

	# What is changed of the channel meanwhile
	publish('jobs');
	sql(q{SELECT pgpubsub.pause_channel('jobs')});
	$waiter = waiting(q{'{jobs}', '5 s'});
	sql(q{SELECT pgpubsub.resume_channel('jobs')});
	returned($waiter, 'jobs', "$kind: returns when the channel is resumed");
	empty('jobs');
	$waiter = waiting(q{'{jobs}', '5 s'});
	sql(q{BEGIN; SELECT pgpubsub.drop_channel('jobs'); SELECT pgpubsub.create_channel('jobs'); SELECT pgpubsub.publish('jobs', '1'); COMMIT});
	returned($waiter, 'jobs', "$kind: a channel that was made anew");
	empty('jobs');

	# What it holds
	$waiter = waiting(q{'{jobs}'});
	my $pid = backend_of();
	is(sql("SELECT backend_xmin IS NULL, backend_xid IS NULL, wait_event FROM pg_stat_activity WHERE pid = $pid"), 't|t|Extension', "$kind: holds no snapshot and no transaction while it waits");
	is(sql("SELECT string_agg(locktype || ' ' || coalesce(relation::regclass::text, ''), ',') FROM pg_locks WHERE pid = $pid"), 'virtualxid ', 'and no lock');
	sql("SELECT pg_cancel_backend($pid)");
	wait_for_exit($waiter);
	like(text_of($waiter->{err}), qr/57014.*canceling statement due to user request/, 'and can be cancelled');
	$waiter = waiting(q{'{jobs}'});
	sql('SELECT pg_terminate_backend(' . backend_of() . ')');
	wait_for_exit($waiter);
	like(text_of($waiter->{err}), qr/57P01/, 'and terminated');
	# Those are not waited for.
	$waiter = waiting(q{'{jobs}'});
	publish('jobs');
	returned($waiter, 'jobs', 'the next hint goes to who waits still');
	empty('jobs');
	$waiter = waiting(q{'{doomed}'});
	sql("BEGIN; SELECT pgpubsub.publish('doomed', '1'); SELECT pgpubsub.drop_channel('doomed'); COMMIT") if $kind ne 'preloaded';
	if ($kind eq 'preloaded')
	{
		sql('SELECT pg_cancel_backend(' . backend_of() . ')');
		wait_for_exit($waiter);
		sql("SELECT pgpubsub.drop_channel('doomed')");
	}
	else
	{
		wait_for_exit($waiter);
		like(text_of($waiter->{err}), qr/42704/, 'a channel that is dropped meanwhile');
	}
	return;
}

sub set_up
{
	sql(q{
		SELECT pgpubsub.create_channel(c) FROM unnest('{jobs,mails,audited,captured,doomed}'::text[]) c;
		SELECT count(pgpubsub.create_channel('c' || i)) FROM generate_series(1, 100) i;
		SELECT pgpubsub.subscribe('audited', 'audit');
		CREATE TABLE orders (id integer);
		SET client_min_messages = warning;
		SELECT pgpubsub.attach('orders', 'captured');
	});
}
set_up();
has_worker($node, 'postgres', 'there is a worker');
check_all('preloaded');

sql('CREATE ROLE stranger LOGIN');
sql(q{SELECT pgpubsub.grant_channel('mails', 'stranger', 'consume')});
foreach my $case ([ q{'{nowhere}'}, '42704' ], [ q{'{jobs,nowhere}'}, '42704' ], [ q{'{jobs}', '1 s', 'nobody'}, '42704' ], [ q{'{jobs}'}, '42501', 'stranger' ],
	[ q{NULL}, '22004' ], [ q{'{jobs,NULL}'}, '22004' ], [ q{'{jobs}', NULL}, '22004' ], [ q{'{jobs}', '-1 s'}, '22023' ], [ q{'{}'}, '22023' ])
{
	my ($arguments, $state, $user) = @$case;
	my $stderr;
	$node->psql('postgres', "\\set VERBOSITY sqlstate\nCALL pgpubsub.wait($arguments)", stderr => \$stderr, extra_params => $user ? [ '-U', $user ] : []);
	like($stderr, qr/ERROR:  $state$/, "wait($arguments): $state" . ($user ? " for $user" : ''));
}

# A session that waits for one channel, and listens to another one too
my $session = $node->background_psql('postgres');
$session->set_query_timer_restart;
$session->query_safe('LISTEN mails');
$session->query_until(qr/begun/, "\\echo begun\nCALL pgpubsub.wait('{jobs}', '1 minute');\n\\echo ended\n");
query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active' AND wait_event = 'Extension'}, 1, 'a session that listens waits');
publish('mails');
publish('jobs');
$session->query_until(qr/ended/, '');
eventually(sub { $session->query_safe('SELECT 1') =~ /Asynchronous notification "mails"/ }, 'it gets the hint that came for the other channel meanwhile');
$session->quit;
empty($_) foreach ('jobs', 'mails');

# More channels than there is room for
my $waiter = waiting("'{" . join(',', map { "c$_" } 1 .. 100) . "}', '10 min'");
publish('c99');
returned($waiter, 'c99', 'a wait for 100 channels');

# An event between an empty take() and wait(): the hint is over, and there is work
for my $i (1 .. 3)
{
	is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), 0, 'a take() that finds nothing') if $i == 1;
	publish('jobs');
	is(sql(q{CALL pgpubsub.wait('{jobs}', '1 minute')}), 'jobs', 'what comes between it and wait() is not lost');
	is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), 1, 'and taken');
}

# ---- 20 waiters ----------------------------------------------------------------------------------
# One that is woken has some ms to take before others are: on a busy machine some wake in vain, so the best of some rounds counts.
my $herd = probe('wait', $node->connstr('postgres'), 'jobs', 20);
my $all_wait = q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active' AND wait_event = 'Extension'};
query_is($node, $all_wait, 20, '20 wait');
my $best = 1e9;
foreach my $round (1 .. 15)
{
	forget($herd);
	publish('jobs');
	eventually(sub { (taken_by($herd))[2] >= 1 }, "round $round: one notification, and one takes it");
	sleep 0.1;
	query_is($node, $all_wait, 20, 'all wait again');
	my ($full, $empty, $sum) = taken_by($herd);
	is("$full $sum", '1 1', 'it is taken once');
	$best = $empty if $empty < $best;
	last if $best == 0;
}
is($best, 0, 'the others go on waiting');
my $woken = sql('SELECT woken FROM pgpubsub.stat_wakeup');
cmp_ok($woken, '>', 0, 'stat_wakeup counts who was woken');
foreach my $round (1 .. 3)
{
	forget($herd);
	sql(q{SELECT count(pgpubsub.publish('jobs', '1')) FROM generate_series(1, 5)});
	eventually(sub { (taken_by($herd))[2] == 5 }, '5 notifications at once, taken one by one: 5 find work');
	query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'jobs'}, 0, 'and nothing is left');
}
end_probe($herd);
sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND backend_type = 'client backend' AND pid <> pg_backend_pid()});
eventually(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND pid <> pg_backend_pid()}) == 0 }, 'they end');
my $hints = sql('SELECT hints FROM pgpubsub.stat_wakeup');
publish('jobs');
is(sql('SELECT hints FROM pgpubsub.stat_wakeup'), $hints, 'nobody is there any more');
empty('jobs');

# ---- the worker ends meanwhile -------------------------------------------------------------------
$waiter = waiting(q{'{jobs}'});
my $worker = worker_pid($node, 'postgres');
sql("SELECT pg_terminate_backend($worker)");
has_worker($node, 'postgres', 'another worker', $worker);
publish('jobs');
returned($waiter, 'jobs', 'who waited is woken by the next worker');
empty('jobs');

# ---- a pooler that gives each transaction another session ---------------------------------------
my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
{
	die "there is no pgbouncer: make deps installs it\n" unless $pgbouncer;
	my $dir = File::Temp->newdir('bouncerXXXXXX', TMPDIR => 1);
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my $user = sql('SELECT current_user');
	write_file("$dir/users", qq{"$user" ""\n});
	write_file("$dir/ini", <<"INI");
[databases]
postgres = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = $dir
listen_port = $port
pool_mode = transaction
default_pool_size = 3
auth_type = trust
auth_file = $dir/users
logfile = $dir/log
INI
	my $pooler = background($pgbouncer, '-q', "$dir/ini");
	eventually(sub { -S "$dir/.s.PGSQL.$port" }, 'a pooler runs');
	my $dsn = "host=$dir port=$port dbname=postgres user=$user";
	my $first = waiting(q{'{jobs}'}, $dsn);
	my $second = waiting(q{'{mails}'}, $dsn);
	publish('mails');
	returned($second, 'mails', 'through the pooler');
	publish('jobs');
	returned($first, 'jobs', 'the other one too');
	empty($_) foreach ('jobs', 'mails');
	$waiter = waiting(q{'{jobs}', '200 ms'}, $dsn);
	returned($waiter, '', 'and the time-out');
	kill TERM => $pooler->{pid};
	wait_for_exit($pooler);
}
$node->stop;

# ---- without shared memory -----------------------------------------------------------------------
$node = PostgreSQL::Test::Cluster->new('lazy');
$node->init;
$node->start;
sql('CREATE EXTENSION pgpubsub');
set_up();
my $err;
$node->psql('postgres', q{SELECT pgpubsub.publish('jobs', '1'); SET pgpubsub.wakeup = worker}, stderr => \$err);
like($err, qr/ERROR:  invalid value for parameter "pgpubsub.wakeup": "worker".*only where the library is preloaded.*shared_preload_libraries/s, 'not preloaded: there is no worker to be had');
is(sql('SELECT mode, worker_pid IS NULL, hints IS NULL FROM pgpubsub.stat_wakeup'), 'transaction|t|t', 'as stat_wakeup says');
like(sql('SELECT last_error FROM pgpubsub.stat_wakeup'), qr/not preloaded.*shared_preload_libraries/, 'with the reason');
check_all('not preloaded');

$node->stop;
done_testing();
