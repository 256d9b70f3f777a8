# Who listens is woken by what was committed, and by nothing else: through the worker, whatever kind of transaction it was, with many
# channels, with too many of them, and after an error of the worker. No listener here ever polls: a hint that is lost shows.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = start_preloaded('wakeup', "max_prepared_transactions = 20\nwal_level = replica\nmax_wal_senders = 1\n" .
	"synchronous_standby_names = 'nobody'\nsynchronous_commit = local\n");
sub sql { my ($query, $database) = @_; return $node->safe_psql($database // 'postgres', $query) }
# Each of the commands goes alone, in one session; errors are expected.
sub session { my ($commands) = @_; my ($out, $err) = ('', ''); $node->psql('postgres', $commands, stdout => \$out, stderr => \$err, on_error_stop => 0); return $err }
sub publish { my ($channel, $database) = @_; return sql("SELECT pgpubsub.publish('$channel', '1')", $database) }
sub marker { publish('marker') }
sub stat_of { my ($column, $database) = @_; return sql("SELECT $column FROM pgpubsub.stat_wakeup", $database) }

sql(q{
	SELECT pgpubsub.create_channel(c) FROM unnest('{jobs,captured,marker,lonely}'::text[]) c;
	CREATE TABLE orders (id integer, note text);
	CREATE TABLE once (id integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
	SET client_min_messages = warning;
	SELECT pgpubsub.attach('orders', 'captured');
});
has_worker($node, 'postgres', 'there is a worker');
is(stat_of('mode'), 'worker', 'that wakes the consumers');
is(stat_of('worker_pid'), worker_pid($node, 'postgres'), 'and is shown');

# ---- nobody listens ------------------------------------------------------------------------------
my $hints = stat_of('hints');
sql(q{SELECT pgpubsub.publish('lonely', '1') FROM generate_series(1, 20); INSERT INTO orders SELECT i FROM generate_series(1, 20) i});
is(stat_of('hints'), $hints, 'where nobody listens, no hint is given');

# ---- what wakes ----------------------------------------------------------------------------------
my $listener = listener($node, 'postgres', 'jobs', 'captured', 'marker');
is(stat_of('listeners'), 1, 'a session that listens is counted');
publish('jobs');
my $worker = worker_pid($node, 'postgres');
eventually(sub { heard($listener) =~ /^jobs  ?\[$worker\]$/m }, 'publish() wakes, by the worker') or diag(heard($listener));
forget($listener);
sql('INSERT INTO orders VALUES (1)');
hears($listener, 'captured', 'a captured INSERT wakes');
sql("COPY orders FROM STDIN;\n2\tcopied\n3\tcopied\n\\.\n");
hears($listener, 'captured', 'COPY wakes');
sql('UPDATE orders SET id = id + 1; DELETE FROM orders');
hears($listener, 'captured', 'UPDATE and DELETE wake');
sql(q{BEGIN; SAVEPOINT s; SELECT pgpubsub.publish('jobs', '1'); RELEASE s; COMMIT});
hears($listener, 'jobs', 'a sub-transaction that is released wakes');
sql(q{BEGIN; SAVEPOINT s; SELECT pgpubsub.publish('jobs', '1'); SAVEPOINT t; SELECT pgpubsub.publish('jobs', '1'); ROLLBACK TO t; RELEASE s; COMMIT});
hears($listener, 'jobs', 'also when one within it is not');
sql(q{BEGIN; SELECT pgpubsub.publish('jobs', '1'); SAVEPOINT t; SELECT pgpubsub.publish('jobs', '1'); ROLLBACK TO t; COMMIT});
hears($listener, 'jobs', 'nor does one that is rolled back take away the hint before it');
sql(q{DO $$ BEGIN PERFORM pgpubsub.publish('jobs', '1'); COMMIT; PERFORM pgpubsub.publish('captured', '1'); ROLLBACK; END $$});
hears($listener, 'jobs', 'a COMMIT within a procedure wakes');

# ---- what does not -------------------------------------------------------------------------------
my %silent = (
	'a transaction that is rolled back' => q{BEGIN; SELECT pgpubsub.publish('jobs', '1'); ROLLBACK;},
	'a sub-transaction that is rolled back' => q{BEGIN; SAVEPOINT s; SELECT pgpubsub.publish('jobs', '1'); ROLLBACK TO s; COMMIT;},
	'one that is released within one that is rolled back' =>
	  q{BEGIN; SAVEPOINT s; SAVEPOINT t; SELECT pgpubsub.publish('jobs', '1'); RELEASE t; ROLLBACK TO s; COMMIT;},
	'a block whose exception is caught' =>
	  q{DO $$ BEGIN BEGIN PERFORM pgpubsub.publish('jobs', '1'); INSERT INTO orders VALUES (1); RAISE EXCEPTION 'x'; EXCEPTION WHEN raise_exception THEN NULL; END; END $$;},
	'an error at commit' => q{INSERT INTO once VALUES (1); BEGIN; SELECT pgpubsub.publish('jobs', '1'); INSERT INTO once VALUES (1); COMMIT;},
);
foreach my $what (sort keys %silent)
{
	my $err = session($silent{$what});
	like($err, qr/duplicate key/, 'it failed') if $what =~ /error/;
	hears_nothing($listener, \&marker, "$what wakes nobody");
}

# ---- what was taken is there again ---------------------------------------------------------------
sql(q{SET pgpubsub.wakeup = off; SELECT pgpubsub.purge_channel('jobs'), pgpubsub.publish('jobs', '1')});
hears_nothing($listener, \&marker, 'with wakeup = off nobody is woken');
sql(q{BEGIN; SELECT pgpubsub.take('jobs'); ROLLBACK});
hears($listener, 'jobs', 'a take() that is rolled back wakes');
# While they were removed, consumers found nothing.
sql(q{SELECT pgpubsub.subscribe('jobs', 'second'); SET pgpubsub.wakeup = off; SELECT pgpubsub.publish('jobs', '1')});
foreach my $removes ("pgpubsub.purge_channel('jobs')", 'pgpubsub.purge_all()', "pgpubsub.unsubscribe('jobs', 'second')", "pgpubsub.drop_channel('jobs')")
{
	sql("BEGIN; SELECT $removes; ROLLBACK");
	hears($listener, 'jobs', "$removes that is rolled back wakes");
}
sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 1); SELECT pgpubsub.unsubscribe('jobs', 'second')});
my $open = $node->background_psql('postgres');
$open->query_safe(q{BEGIN});
$open->query_safe(q{SAVEPOINT s});
is($open->query_safe(q{SELECT count(*) FROM pgpubsub.take('jobs')}), 1, 'taken in a sub-transaction');
$open->query_safe(q{ROLLBACK TO s});
hears($listener, 'jobs', 'rolled back: wakes, though the transaction goes on');
$open->query_safe('COMMIT');
sql(q{BEGIN; SELECT pgpubsub.take('jobs'); COMMIT});
hears_nothing($listener, \&marker, 'a take() that is committed wakes nobody');

# ---- modes ---------------------------------------------------------------------------------------
sql(q{SET pgpubsub.wakeup = worker; SELECT pgpubsub.publish('jobs', '1')});
eventually(sub { heard($listener) =~ /^jobs .*\[$worker\]$/m }, 'wakeup = worker: by the worker');
forget($listener);
my $sender = (split /\n/, sql(q{SET pgpubsub.wakeup = transaction; SELECT pg_backend_pid(); SELECT pgpubsub.publish('jobs', '1')}))[0];
eventually(sub { heard($listener) =~ /^jobs .*\[$sender\]$/m }, 'wakeup = transaction: by the session itself');
forget($listener);
is(sql(q{SET pgpubsub.wakeup = transaction; SELECT mode FROM pgpubsub.stat_wakeup}), 'transaction', 'as stat_wakeup says');
is(session(q{SET pgpubsub.wakeup = transaction; BEGIN; SELECT pgpubsub.publish('jobs', '1'); PREPARE TRANSACTION 'notifies'}), '', 'it can be prepared all the same');
hears_nothing($listener, \&marker, 'what is prepared wakes nobody');
sql(q{COMMIT PREPARED 'notifies'});
eventually(sub { heard($listener) =~ /^jobs .*\[$worker\]$/m }, 'and when it is committed, the worker does it');
forget($listener);
$sender = (split /\n/, sql(q{SET pgpubsub.wakeup = transaction; SELECT pg_backend_pid();
	BEGIN; SELECT pgpubsub.publish('jobs', '1'); SAVEPOINT s; SELECT pgpubsub.publish('captured', '1'); ROLLBACK TO s; COMMIT}))[0];
eventually(sub { heard($listener) =~ /^jobs .*\[$sender\]$/m }, 'a NOTIFY of the transaction');
forget($listener);
hears_nothing($listener, \&marker, 'but none of what was rolled back to a savepoint');

# ---- prepared transactions -----------------------------------------------------------------------
sql(q{BEGIN; INSERT INTO orders SELECT i FROM generate_series(1, 100) i; PREPARE TRANSACTION 'p'});
hears_nothing($listener, \&marker, 'what is prepared wakes nobody');
my $committed_at = time;
sql(q{COMMIT PREPARED 'p'});
hears($listener, 'captured', 'until another session commits it');
cmp_ok(time - $committed_at, '<', 20, sprintf('and not with the next sweep (%.0f ms)', 1000 * (time - $committed_at)));
sql(q{BEGIN; SELECT pgpubsub.publish('jobs', '1'); PREPARE TRANSACTION 'undone'});
sql(q{ROLLBACK PREPARED 'undone'});
sql(q{SELECT pgpubsub.purge_channel('jobs'); SET pgpubsub.wakeup = off; SELECT pgpubsub.publish('jobs', '1')});
forget($listener);
sql(q{BEGIN; SELECT pgpubsub.take('jobs'); PREPARE TRANSACTION 'taken'});
marker();
hears($listener, 'marker', 'a later hint comes');
sql(q{ROLLBACK PREPARED 'taken'});
hears($listener, 'jobs', 'what was taken and is rolled back by ROLLBACK PREPARED wakes');
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), 1, 'and is there again');

# Prepared before a restart, of which the new server knows nothing but that they are there
sql(q{BEGIN; INSERT INTO orders VALUES (1), (2); PREPARE TRANSACTION 'committed'});
publish('jobs');
sql(q{BEGIN; SELECT pgpubsub.take('jobs'); PREPARE TRANSACTION 'taken'});
sql(q{SELECT pgpubsub.purge_channel('captured')});
end_probe($listener);
$node->restart;
has_worker($node, 'postgres', 'a worker after the restart');
$listener = listener($node, 'postgres', 'jobs', 'captured', 'marker');
marker();
hears($listener, 'marker', 'it wakes');
sleep 0.2;
forget($listener);
sql(q{COMMIT PREPARED 'committed'});
hears($listener, 'captured', 'prepared before a restart, committed after it: wakes');
is(sql(q{SELECT count(*) FROM pgpubsub.take('captured', 10)}), 2, 'and is there');
sleep 0.2;
forget($listener);
sql(q{ROLLBACK PREPARED 'taken'});
hears($listener, 'jobs', 'taken before a restart, rolled back after it: wakes');
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), 1, 'and is there again');
$open->quit;

# ---- an error of the worker ----------------------------------------------------------------------
$worker = worker_pid($node, 'postgres');
publish('jobs');
hears($listener, 'jobs', 'a hint before the error');
# Every session has to read again what channels there are.
sub forget_channels { return sql('ALTER TABLE pgpubsub.dead_letter SET (fillfactor = 100); ALTER TABLE pgpubsub.dead_letter RESET (fillfactor)') }
$open = $node->background_psql('postgres');
# The worker can't; the hint is given within the transaction that keeps it from that.
$open->query_safe($_) foreach ('BEGIN', 'LOCK TABLE pgpubsub.channel IN ACCESS EXCLUSIVE MODE');
forget_channels();
forget($listener);
$open->query_safe($_) foreach ('SAVEPOINT s', q{SELECT pgpubsub.take('jobs')}, 'ROLLBACK TO s');
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pgpubsub.wakeup_state() WHERE last_error LIKE '%lock timeout%'"), 'an error of the worker is shown');
is(sql('SELECT last_error_at > now() - interval \'1 minute\' FROM pgpubsub.wakeup_state()'), 't', 'with its time');
is(heard($listener), '', 'the hint has to wait');
$open->query_safe('COMMIT');
hears($listener, 'jobs', 'and is given when it can be');
$open->quit;
is(worker_pid($node, 'postgres'), $worker, 'by the same worker');
like(stat_of('last_error'), qr/lock timeout/, 'stat_wakeup shows the error still');

# It fails while it commits: another NOTIFY holds the lock that all wait for, since its own commit waits for a standby that never
# comes. For that lock the worker waits longer than for any other: so it takes an effort to tell whether it does so ever after.
my $slow = background({ in => "SET synchronous_commit = on; BEGIN; INSERT INTO orders VALUES (0); NOTIFY other; COMMIT;\n" }, 'psql', '-X', $node->connstr('postgres'));
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'}), 'a NOTIFY whose commit does not end');
my $error_at = q{(SELECT last_error_at FROM pgpubsub.wakeup_state())};
my $failed_at = sql("SELECT $error_at");
publish('jobs');
ok($node->poll_query_until('postgres', qq{SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $worker}), 'keeps the worker waiting');
$open = $node->background_psql('postgres');
$open->query_safe($_) foreach ('BEGIN', 'LOCK TABLE pgpubsub.channel IN ACCESS EXCLUSIVE MODE');
forget_channels();
ok($node->poll_query_until('postgres', "SELECT $error_at > '$failed_at'"), 'and then from committing');
$failed_at = sql("SELECT $error_at");
ok($node->poll_query_until('postgres', "SELECT $error_at > '$failed_at'"), 'it then finds a table locked');
cmp_ok(sql("SELECT extract(epoch FROM $error_at - '$failed_at')"), '<', 7, 'and does not wait for that for long');
$open->query_safe('COMMIT');
$open->quit;
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'});
is(wait_for_exit($slow), 0, 'the NOTIFY ends');
hears($listener, 'jobs', 'and the hint comes');

# ---- many at once --------------------------------------------------------------------------------
sql(q{ALTER SYSTEM SET pgpubsub.wakeup_delay = '50ms'});
sql(q{SELECT pg_reload_conf()});
sql(q{CREATE PROCEDURE insert_many(count integer) LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1 .. count LOOP INSERT INTO orders VALUES (i); COMMIT; END LOOP; END $$});
sleep 0.2;
my ($hints_before, $notifies_before) = split /\|/, stat_of('hints, notifies');
my $taker = probe('herd', $node->connstr('postgres'), 'captured', 1);    # else it would not be told again
my $begun_at = time;
sql('CALL insert_many(1000)');
hears($listener, 'captured', '1,000 transactions wake');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pgpubsub.notifications WHERE channel = 'captured'}), 'who takes them as they come');
my $pauses = (time - $begun_at) / 0.05;
my ($hints_after, $notifies_after, $woken_after, $coalesced) = split /\|/, stat_of('hints, notifies, woken, coalesced');
is($hints_after - $hints_before, 1000, 'each has given a hint');
cmp_ok($notifies_after - $notifies_before, '>', 0, 'by some NOTIFYs');
cmp_ok($notifies_after - $notifies_before, '<=', $pauses + 2, 'with pauses in between');
cmp_ok(stat_of('coalesced'), '>', 500, 'as stat_wakeup says');
{
	# One hint wakes several: that takes nothing from those that were spared.
	my $spared = stat_of('coalesced');
	sql(q{SELECT pgpubsub.purge_channel('lonely')});
	my @waiters = map { background({ in => "CALL pgpubsub.wait('{lonely}', '1 minute');\n" }, 'psql', '-X', $node->connstr('postgres')) } 1 .. 5;
	ok($node->poll_query_until('postgres', q{SELECT count(*) = 5 FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%'}), 'five wait');
	my $woken = stat_of('woken');
	publish('lonely');
	ok($node->poll_query_until('postgres', qq{SELECT woken > $woken + 1 FROM pgpubsub.stat_wakeup}), 'and more than one is woken for a hint');
	cmp_ok(stat_of('coalesced'), '>=', $spared, 'the number of spared hints never falls');
	end_probe($_) foreach @waiters;
}
end_probe($taker);
sql(q{ALTER SYSTEM RESET pgpubsub.wakeup_delay});
sql(q{SELECT pg_reload_conf()});

# ---- two databases, and more channels than there is room for ------------------------------------
sql('CREATE DATABASE many');
sql(q{CREATE EXTENSION pgpubsub; SELECT count(pgpubsub.create_channel('jobs'))}, 'many');
has_worker($node, 'many', 'another database has a worker of its own');
my $other = listener($node, 'many', 'jobs');
sleep 0.2;
forget($listener);
forget($other);
$hints = stat_of('hints', 'many');
publish('jobs');
hears($listener, 'jobs', 'a hint in one database');
is(heard($other), '', 'disturbs nobody in the other one');
is(stat_of('hints', 'many'), $hints, 'nor its worker');
publish('jobs', 'many');
hears($other, 'jobs', 'and the other way round');
is(heard($listener), '', 'neither');
end_probe($_) foreach ($listener, $other);

my $begun = time;
sql(q{SELECT count(pgpubsub.create_channel('c' || i)) FROM generate_series(1, 10000) i}, 'many');
$listener = listener($node, 'many', map { "c$_" } 1 .. 10000);
sql(q{SELECT count(pgpubsub.publish('c' || i, '1')) FROM generate_series(1, 10000) i}, 'many');
my %come;
eventually(sub { %come = map { /^(c\d+) / ? ($1 => 1) : () } split /\n/, heard($listener); keys %come == 10000 }, '10,000 channels hinted at in one transaction: each hint comes')
  or diag(scalar(keys %come) . ' have come');
end_probe($listener);
note sprintf('10,000 channels: %.1f s', time - $begun);

# More prepared hints than there is room for
$listener = listener($node, 'many', 'c1', 'c200');
sleep 0.2;
forget($listener);
sql(q{BEGIN; SELECT count(pgpubsub.publish('c' || i, '1')) FROM generate_series(1, 200) i; PREPARE TRANSACTION 'wide'}, 'many');
sql(q{COMMIT PREPARED 'wide'}, 'many');
eventually(sub { heard($listener) =~ /^c1 /m && heard($listener) =~ /^c200 /m }, '200 channels in a prepared transaction: each hint comes');
end_probe($listener);
$node->stop;

# Room for 16 channels, and 100 of them
$node->append_conf('postgresql.conf', 'pgpubsub.shared_channels = 16');
$node->start;
sql('CREATE DATABASE few');
sql(q{CREATE EXTENSION pgpubsub; SELECT count(pgpubsub.create_channel('c' || i)) FROM generate_series(1, 100) i}, 'few');
has_worker($node, 'few', 'a server with room for 16 channels');
# So each has found its place, or none.
sql(q{SELECT count(pgpubsub.publish('c' || i, '1')) FROM generate_series(1, 100) i}, 'few');
foreach my $i (1, 16, 17, 50, 100)
{
	$listener = listener($node, 'few', "c$i");
	publish("c$i", 'few');
	hears($listener, "c$i", "channel $i of 100: its hint comes");
	end_probe($listener);
}
$listener = listener($node, 'few', map { "c$_" } 1 .. 60);
sql(q{SELECT count(pgpubsub.publish('c' || i, '1')) FROM generate_series(1, 60) i}, 'few');
eventually(sub { %come = map { /^(c\d+) / ? ($1 => 1) : () } split /\n/, heard($listener); keys %come == 60 }, 'and 60 of them at once');
# By each database's worker: there is another one with 10,000 channels.
my %said;
$said{$_}++ foreach PostgreSQL::Test::Utils::slurp_file($node->logfile) =~ /\[(\d+)\] .*WARNING:  there are more channels than shared memory has room for/g;
is_deeply([ grep { $said{$_} != 1 } keys %said ], [], 'that there is too little room is said once');
cmp_ok(scalar(keys %said), '>', 0, 'and is said');
like(stat_of('last_error', 'few'), qr/more channels than shared memory/, 'in stat_wakeup too');
end_probe($listener);

$node->stop;
done_testing();
