# The worker comes and goes with the databases that have the extension, and comes back whatever happened to it: DROP, RENAME and copies of its
# database, a signal, a crash, a restart, the promotion of a standby, settings that are not made for it, and too few worker processes.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils qw(slurp_file);
use Sessions;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = start_preloaded('lifecycle', "hot_standby = on\nrestart_after_crash = on\nmax_prepared_transactions = 10\n");
sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query) }
sub publish { my ($database) = @_; return sql(q{SELECT pgpubsub.publish('jobs', '1')}, $database) }
sub add_extension { my ($database) = @_; sql(q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel('jobs')}, $database); return }
sub workers { return $node->safe_psql('postgres', q{SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_stat_activity WHERE backend_type = 'pgpubsub worker' AND application_name = 'pgpubsub worker'}) }
# A session that listens is woken by the worker.
sub wakes
{
	my ($database, $what) = @_;
	my $listener = listener($node, $database, 'jobs');
	publish($database);
	my $worker = worker_pid($node, $database);
	eventually(sub { heard($listener) =~ /^jobs .*\[$worker\]$/m }, $what) or diag("worker $worker heard: " . heard($listener));
	end_probe($listener);
}
# The command succeeds: PostgreSQL itself waits for 5 s until others have left, and then gives up.
sub at_once
{
	my ($command, $what) = @_;
	my $begun = time;
	my ($out, $err);
	is($node->psql('postgres', $command, stderr => \$err), 0, $what) or diag($err);
	note sprintf('%s: %.0f ms', $command, (time - $begun) * 1000);
}

# ---- which databases -----------------------------------------------------------------------------
sql(q{SELECT pgpubsub.create_channel('jobs')});
has_worker($node, 'postgres', 'a worker, after CREATE EXTENSION');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pgpubsub launcher'}), 1, 'and a launcher');
sql("CREATE DATABASE $_") foreach ('plain', 'one');
sql('CREATE TABLE t (x integer); INSERT INTO t VALUES (1)', 'plain');
add_extension('one');
has_worker($node, 'one', 'a second database with the extension has one too');
wakes('one', 'that wakes');
sql('CREATE DATABASE bare');
sql('CREATE EXTENSION pgpubsub', 'bare');
has_worker($node, 'bare', 'by CREATE EXTENSION alone');
sql('DROP DATABASE bare');
sql('CREATE DATABASE template IS_TEMPLATE true');
add_extension('template');
like(sql('SELECT last_error FROM pgpubsub.stat_wakeup', 'template'), qr/template/, 'a template has none, as stat_wakeup says');
$node->restart;
has_worker($node, $_, "$_ has one after a restart, though no session has come") foreach ('one', 'postgres');
sleep 1;
is(workers(), 'one postgres', 'those without the extension have none, nor have templates');
is(sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pgpubsub worker'}), 2, 'nobody else is left of the search');

# ---- commands that PostgreSQL refuses while somebody is connected --------------------------------
my $before = worker_pid($node, 'one');
at_once('CREATE DATABASE two TEMPLATE one', 'a database with a worker can be copied');
has_worker($node, 'one', 'its worker comes back', $before);
wakes('two', 'the copy gets one, when it is used');
at_once('ALTER DATABASE two RENAME TO three', 'a database with a worker can be renamed');
has_worker($node, 'three', 'its worker comes back');
wakes('three', 'and wakes');
at_once('DROP DATABASE three', 'a database with a worker can be dropped');
my $err;
$node->psql('postgres', 'CREATE DATABASE one TEMPLATE one', stderr => \$err);
like($err, qr/already exists/, 'a command that fails');
has_worker($node, 'one', 'leaves a worker');
my $session = $node->background_psql('one');
$node->psql('postgres', 'DROP DATABASE one', stderr => \$err);
like($err, qr/is being accessed by other users.*1 other session/s, 'other sessions are still in the way of DROP DATABASE');
$session->quit;
has_worker($node, 'one', 'which leaves a worker too');
sql('CREATE ROLE nobody LOGIN');
$before = worker_pid($node, 'one');
$node->psql('postgres', 'DROP DATABASE one', stderr => \$err, extra_params => [ '-U', 'nobody' ]);
like($err, qr/must be owner/, 'who may not drop a database');
is(worker_pid($node, 'one'), $before, 'does not send its worker away');

# ---- settings ------------------------------------------------------------------------------------
sql("ALTER DATABASE one SET $_") foreach ('default_transaction_read_only = on', 'statement_timeout = 1', 'lock_timeout = 1', 'search_path = nowhere',
	'default_transaction_isolation = serializable', 'idle_in_transaction_session_timeout = 1', 'pgpubsub.wakeup = worker', 'default_transaction_deferrable = on', 'role = nobody');
sql(qq{SELECT pg_terminate_backend($before)});
has_worker($node, 'one', 'a worker that is terminated comes back', $before);
{
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=off -c statement_timeout=0 -c role=none';
	my $listener = listener($node, 'one', 'jobs');
	my $worker = worker_pid($node, 'one');
	publish('one');
	eventually(sub { heard($listener) =~ /^jobs .*\[$worker\]$/m }, 'settings of the database do not disturb it');
	is(sql('SELECT last_error FROM pgpubsub.stat_wakeup', 'one'), '', 'no error');
	end_probe($listener);
}
sql('ALTER DATABASE one RESET ALL');

# ---- DROP EXTENSION ------------------------------------------------------------------------------
sql('DROP EXTENSION pgpubsub CASCADE', 'one');
{
	local $ClientTest::deadline = 90;    # it looks once a minute, at the latest
	eventually(sub { worker_pid($node, 'one') == 0 }, 'DROP EXTENSION: the worker goes');
}
add_extension('one');
has_worker($node, 'one', 'and comes with the extension');
wakes('one', 'and wakes');
sql('DROP EXTENSION pgpubsub CASCADE', 'one');
add_extension('one');
wakes('one', 'dropped and made again at once: the hints go on');
# The worker may be looking just when there is no extension.
my $log_from = -s $node->logfile;
foreach my $ms (map { $_ * 4 } 0 .. 9)
{
	sql('DROP EXTENSION pgpubsub CASCADE', 'one');
	sleep $ms / 1000;
	sql('CREATE EXTENSION pgpubsub', 'one');
	has_worker($node, 'one', "dropped, and made again after $ms ms");
}
unlike(slurp_file($node->logfile, $log_from), qr/ERROR/, 'without a complaint');
sql(q{SELECT pgpubsub.create_channel('jobs')}, 'one');
sql('BEGIN; DROP EXTENSION pgpubsub CASCADE; ROLLBACK', 'one');
wakes('one', 'not dropped after all');

# ---- a database that takes no connections for a while --------------------------------------------
$before = worker_pid($node, 'one');
sql('ALTER DATABASE one ALLOW_CONNECTIONS false');
sql("SELECT pg_terminate_backend($before)");
eventually(sub { worker_pid($node, 'one') == 0 }, 'no connections are allowed: its worker does not come back');
sleep 0.5;
sql('ALTER DATABASE one ALLOW_CONNECTIONS true');
has_worker($node, 'one', 'but does when they are, by itself', $before);

# ---- away for a moment, or for long --------------------------------------------------------------
$before = worker_pid($node, 'one');
my $waiting = listener($node, 'one', 'jobs');
is((split /\n/, sql("SELECT pg_terminate_backend($before); SELECT mode FROM pgpubsub.stat_wakeup", 'one'))[1], 'worker', 'for a worker that is about to come back, marks are set');
sql("SELECT pg_terminate_backend(" . worker_pid($node, 'one') . q{); BEGIN; SELECT pgpubsub.publish('jobs', '1'); PREPARE TRANSACTION 'away'}, 'one');
pass('so what it will have to wake for can be prepared');
forget($waiting);
sql(q{COMMIT PREPARED 'away'}, 'one');
hears($waiting, 'jobs', 'and it does');
has_worker($node, 'one', 'it is back', $before);

my $inside = $node->background_psql('one');
$before = worker_pid($node, 'one');
sql('ALTER DATABASE one ALLOW_CONNECTIONS false');
sql("SELECT pg_terminate_backend($before)");
eventually(sub { $inside->query_safe('SELECT mode FROM pgpubsub.stat_wakeup') eq 'transaction' }, 'where none can come, the transactions wake');
forget($waiting);
$inside->query_safe(q{SELECT pgpubsub.publish('jobs', '1')});
hears($waiting, 'jobs', 'and do');
$inside->query_safe($_) foreach ('BEGIN', q{SELECT pgpubsub.publish('jobs', '1')}, q{PREPARE TRANSACTION 'long'});
pass('a transaction can be prepared there, too');
sql('ALTER DATABASE one ALLOW_CONNECTIONS true');
has_worker($node, 'one', 'a worker again', $before);
forget($waiting);
$inside->query_safe(q{COMMIT PREPARED 'long'});
hears($waiting, 'jobs', 'which then wakes for what was prepared without it');
$inside->quit;
end_probe($waiting);

# The session that makes the extension need not be there when it is committed.
sql('CREATE DATABASE prepared');
sql(q{BEGIN; CREATE EXTENSION pgpubsub; PREPARE TRANSACTION 'extension'}, 'prepared');
sql(q{COMMIT PREPARED 'extension'}, 'prepared');
has_worker($node, 'prepared', 'CREATE EXTENSION in a prepared transaction brings a worker');

# A worker that comes before the commit finds no extension, and goes.
sql('CREATE DATABASE slow');
my $maker = $node->background_psql('slow');
$maker->query_safe('BEGIN');
$maker->query_safe('CREATE EXTENSION pgpubsub');
sleep 1;
$maker->query_safe('COMMIT');
has_worker($node, 'slow', 'CREATE EXTENSION in a transaction that stays open for a while brings a worker');
$maker->quit;
sql('DROP DATABASE prepared');

# ---- crash ---------------------------------------------------------------------------------------
publish('postgres');
sql(q{SELECT pgpubsub.publish('jobs', '2')});
sql(q{BEGIN; SELECT pgpubsub.publish('jobs', '3'); PREPARE TRANSACTION 'p'});
$session = $node->background_psql('postgres');
my $victim = $session->query_safe('SELECT pg_backend_pid()');
$before = worker_pid($node, 'postgres');
kill KILL => $victim;
ok(comes_back($node, 'postgres'), 'the server has come back from a crash');
has_worker($node, 'postgres', 'with a worker', $before);
wakes('postgres', 'that wakes');
kill KILL => worker_pid($node, 'postgres');
$before = worker_pid($node, 'postgres') if comes_back($node, 'postgres');
has_worker($node, 'postgres', 'a worker that is killed comes back');
wakes('postgres', 'and wakes');

# ---- restart, with notifications stored and a transaction prepared -------------------------------
$node->restart;
has_worker($node, 'postgres', 'a worker after a restart');
my $listener = listener($node, 'postgres', 'jobs');
sleep 0.3;
forget($listener);
sql(q{COMMIT PREPARED 'p'});
hears($listener, 'jobs', 'COMMIT PREPARED of what was prepared before a crash and a restart wakes');
end_probe($listener);
cmp_ok(sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 100)}), '>=', 3, 'nothing is lost');

# ---- standby -------------------------------------------------------------------------------------
$node->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'b', has_streaming => 1);
$standby->start;
ok($standby->poll_query_until('postgres', 'SELECT pg_is_in_recovery()'), 'a standby');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'pgpubsub%'}), 0, 'has neither launcher nor worker');
is($standby->safe_psql('postgres', q{SELECT mode IS NOT NULL, last_error FROM pgpubsub.stat_wakeup}), 't|the server is a standby', 'stat_wakeup can be read there');
$node->stop;
$standby->promote;
$node = $standby;
has_worker($node, 'postgres', 'once promoted it has');
wakes('postgres', 'and wakes');
wakes('one', 'in each database');
$node->stop;

# ---- too few worker processes --------------------------------------------------------------------
# The launcher, and one worker, which the databases share (worker_places.pl has more of them).
$node->append_conf('postgresql.conf', "max_worker_processes = 2\nmax_logical_replication_workers = 0");
$node->start;
sql('CREATE EXTENSION IF NOT EXISTS pgpubsub', 'one');
foreach my $name ('postgres', 'one')
{
	$listener = listener($node, $name, 'jobs');
	publish($name);
	hears($listener, 'jobs', "room for one worker: $name is woken");
	end_probe($listener);
}
# Others have taken all places.
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
publish('one');
ok($node->poll_query_until('one', q{SELECT last_error LIKE '%max_worker_processes%' FROM pgpubsub.stat_wakeup}), 'no room for a worker, as stat_wakeup says');
is(sql('SELECT mode FROM pgpubsub.stat_wakeup', 'one'), 'transaction', 'there the transactions wake');
$listener = listener($node, 'one', 'jobs');
publish('one');
hears($listener, 'jobs', 'and do');
end_probe($listener);
sql(q{BEGIN; SELECT pgpubsub.publish('jobs', '1'); PREPARE TRANSACTION 'poor'}, 'one');
sql(q{COMMIT PREPARED 'poor'}, 'one');
pass('and can be prepared');
is(scalar(() = slurp_file($node->logfile) =~ /WARNING:  no background worker could be started for database "one"/g), 1, 'the log says so once');
$node->append_conf('postgresql.conf', 'max_worker_processes = 0');
$node->restart;
like(sql('SELECT last_error FROM pgpubsub.stat_wakeup'), qr/max_worker_processes/, 'no room for the launcher: stat_wakeup says so');
$node->append_conf('postgresql.conf', 'max_worker_processes = 20');
$node->restart;
has_worker($node, $_, "$_: a worker, with max_worker_processes raised") foreach ('postgres');
wakes('postgres', 'that wakes');
unlike($node->safe_psql('postgres', 'SELECT mode FROM pgpubsub.stat_wakeup'), qr/transaction/, 'as before');

# The sessions of this test that have ended are gone for the server as well.
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}), 'only the server is left');
my $log_before = -s $node->logfile;
$node->stop;
my $at_shutdown = slurp_file($node->logfile, $log_before);
$at_shutdown =~ s/^.*worker_lifecycle\.pl FATAL:  terminating connection.*\n//mg;    # the session of the query above may be on its way out still
unlike($at_shutdown, qr/FATAL|ERROR/, 'a shutdown alarms nobody');
done_testing();
