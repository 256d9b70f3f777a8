# Who listens: LISTEN and UNLISTEN in all their ways, as PostgreSQL sees it, so that no hint is lost; and where nobody does any more,
# none is given.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = start_preloaded('listen');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
sub publish { my ($channel) = @_; return sql("SELECT pgpubsub.publish('$channel', '1')") }
sub hints { return sql('SELECT hints FROM pgpubsub.stat_wakeup') }
sql(q{SELECT count(pgpubsub.create_channel('c' || i)) FROM generate_series(1, 100) i});
has_worker($node, 'postgres', 'there is a worker');

# Each command has its own deadline.
sub open_session { my $s = $node->background_psql('postgres'); $s->set_query_timer_restart; return $s }
my $session = open_session();
sub run { $session->query_safe($_) foreach @_; return }
# psql tells of what has come after each command.
sub is_woken
{
	my ($channel, $what) = @_;
	$session->query_safe('SELECT 1');
	publish($channel);
	return eventually(sub { $session->query_safe('SELECT 1') =~ /Asynchronous notification "\Q$channel\E"/ }, $what);
}
# Nobody listens any more: neither a hint nor a NOTIFY.
sub is_forgotten
{
	my ($channel, $what) = @_;
	my $before = hints();
	publish($channel);
	return is(hints(), $before, $what);
}

is_forgotten('c1', 'nobody listens');
run('LISTEN c1');
is_woken('c1', 'LISTEN');
is_forgotten('c2', 'not to another channel');
run('LISTEN c1', 'UNLISTEN c1');
is_forgotten('c1', 'UNLISTEN');
run('LISTEN c1', 'LISTEN c2', 'UNLISTEN c1');
is_forgotten('c1', 'UNLISTEN of one of two');
is_woken('c2', 'leaves the other one');
run('UNLISTEN *');
is_forgotten('c2', 'UNLISTEN *');
run('LISTEN c1', 'DISCARD ALL');
is_forgotten('c1', 'DISCARD ALL');
run('LISTEN c1');
is_woken('c1', 'LISTEN after DISCARD ALL');

run('BEGIN', 'UNLISTEN c1', 'ROLLBACK');
is_woken('c1', 'UNLISTEN rolled back: listens still');
run('BEGIN', 'UNLISTEN *', 'ROLLBACK');
is_woken('c1', 'UNLISTEN * rolled back: too');
run('BEGIN', 'UNLISTEN c1', 'LISTEN c1', 'COMMIT');
is_woken('c1', 'UNLISTEN and LISTEN in one transaction');
run('BEGIN', 'UNLISTEN *', 'LISTEN c2', 'LISTEN c3', 'UNLISTEN c2', 'COMMIT');
is_woken('c3', 'UNLISTEN *, two LISTEN and an UNLISTEN in one transaction');
# What a transaction unlistens to and then listens again may stay noted, which costs a hint in vain.
run('UNLISTEN *');
run('LISTEN c3');
run('BEGIN', 'SAVEPOINT s', 'UNLISTEN c3', 'ROLLBACK TO s', 'COMMIT');
is_woken('c3', 'UNLISTEN in a sub-transaction that is rolled back: listens still');
run('BEGIN', 'SAVEPOINT s', 'UNLISTEN *', 'ROLLBACK TO s', 'COMMIT');
is_woken('c3', 'UNLISTEN * in one, too');
run('BEGIN', 'SAVEPOINT s', 'UNLISTEN c3', 'RELEASE s', 'COMMIT');
is_forgotten('c3', 'UNLISTEN in a sub-transaction that is released');
run('BEGIN', 'UNLISTEN *', 'SAVEPOINT s', 'LISTEN c3', 'ROLLBACK TO s', 'LISTEN c4', 'COMMIT');
is_woken('c4', 'LISTEN after one that was rolled back');
run(q{DO $$ BEGIN LISTEN c5; EXECUTE 'LISTEN c6'; END $$});
is_woken($_, "LISTEN in PL/pgSQL: $_") foreach ('c5', 'c6');
run('UNLISTEN *');

# A LISTEN that is rolled back keeps no hint from who does listen.
run('BEGIN', 'LISTEN c1', 'ROLLBACK');
my $listener = listener($node, 'postgres', 'c1');
publish('c1');
hears($listener, 'c1', 'a LISTEN that was rolled back elsewhere takes no hint away');
end_probe($listener);
run('UNLISTEN *');
is_forgotten('c1', 'a session that has ended is forgotten');

# More channels than a session has room for in shared memory
run(map { "LISTEN c$_" } 1 .. 70);
is_woken("c$_", "70 channels listened to by one session: $_") foreach (1, 64, 65, 70);
run('UNLISTEN c70', 'UNLISTEN c1');
is_woken('c69', 'after UNLISTEN of some');
run('UNLISTEN *');
is_forgotten($_, "UNLISTEN * of 70 channels: $_") foreach ('c1', 'c70');
run(map { "LISTEN c$_" } 1 .. 70);
$session->quit;
eventually(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'}) == 1 }, 'it ends');
is_forgotten($_, "the session has ended: $_") foreach ('c1', 'c70');

# The same, over DROP EXTENSION
$listener = listener($node, 'postgres', map { "c$_" } 1 .. 70);
sql('DROP EXTENSION pgpubsub CASCADE');
my $before = worker_pid($node, 'postgres');
sql("SELECT pg_terminate_backend($before)") if $before;    # it would go by itself, a while later
sql(q{CREATE EXTENSION pgpubsub; SELECT count(pgpubsub.create_channel('c' || i)) FROM generate_series(1, 100) i});
has_worker($node, 'postgres', 'the extension was dropped and made again', $before);
publish($_) foreach ('c2', 'c70');
hears($listener, 'c2', 'who listened since before is woken');
publish('c70');
hears($listener, 'c70', 'also for a channel of many');
end_probe($listener);
eventually(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'}) == 1 }, 'it ends');
is_forgotten($_, "and is forgotten: $_") foreach ('c1', 'c70');

# Sessions that are ended in the middle of it
foreach my $how ('terminate', 'cancel')
{
	$session = open_session();
	run('LISTEN c1');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	sql("SELECT pg_${how}_backend($pid)");
	if ($how eq 'cancel') { is_woken('c1', 'a session that is idle can be cancelled'); run('UNLISTEN *'); $session->quit }
	else
	{
		eventually(sub { sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid") == 0 }, 'a session that listens is terminated');
	}
	is_forgotten('c1', 'and is forgotten');
}

# Who reads nothing keeps the queue of NOTIFYs from being emptied, and is named: a process that is stopped, a transaction that is left open.
sub oldest { return sql(q{SELECT coalesce(oldest_listener, 0) FROM pgpubsub.stat_wakeup}) }
my $reader = listener($node, 'postgres', 'c1');
my $stopped = listener($node, 'postgres', 'c1');
is(oldest(), 0, 'listeners that have nothing to read');
publish('c1');
hears($_, 'c1', 'each is told at last') foreach ($reader, $stopped);
sleep 1.1;
is(oldest(), 0, 'those that have read it are not named');
kill STOP => $stopped->{pid_of_backend};
eventually(sub { publish('c1'); oldest() == $stopped->{pid_of_backend} }, 'one that is stopped is');
is(sql(q{SELECT oldest_listener_since BETWEEN now() - interval '5 minutes' AND now() FROM pgpubsub.stat_wakeup}), 't', 'with the time since when');
kill CONT => $stopped->{pid_of_backend};
eventually(sub { oldest() == 0 }, 'until it goes on');
# A client that is stopped keeps up nobody while its socket has room: the server's side of it reads. Once it is full, that one waits in the middle of
# what it was reading. What fills it are NOTIFYs that are none of the worker's.
kill STOP => $stopped->{pid};
publish('c1');
hears($reader, 'c1', 'the other one is told');
sleep 1.1;
eventually(sub { oldest() == 0 }, 'a client that does not read is not named while its socket has room');
my $fill = q{SELECT pg_notify('c1', repeat('x', 7000) || i) FROM generate_series(1, 200) i};
eventually(sub { sql($fill); oldest() == $stopped->{pid_of_backend} }, 'and is when it is full');
is(sql(q{SELECT queue_usage > 0 AND oldest_listener_since BETWEEN now() - interval '5 minutes' AND now() FROM pgpubsub.stat_wakeup}), 't', 'with the time since when, and the queue is not emptied');
kill CONT => $stopped->{pid};
eventually(sub { oldest() == 0 }, 'until it reads');
kill STOP => $stopped->{pid};
eventually(sub { sql($fill); oldest() == $stopped->{pid_of_backend} }, 'it is stopped again');
sql("SELECT pg_terminate_backend($stopped->{pid_of_backend})");
eventually(sub { oldest() == 0 && sql('SELECT listeners FROM pgpubsub.stat_wakeup') == 1 }, 'or its session is ended, which the server can do while it waits');
kill CONT => $stopped->{pid};
end_probe($_) foreach ($reader, $stopped);
$session = open_session();
run('LISTEN c1');
run('BEGIN', 'SELECT 1');
publish('c1');
is(oldest(), $session->query_safe('SELECT pg_backend_pid()'), 'so is one that is idle in a transaction');
run('COMMIT');
$session->quit;

$node->stop;
done_testing();
