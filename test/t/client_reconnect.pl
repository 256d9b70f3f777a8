# Connections that end, processes that die: everything is processed after all, and effects in the
# database happen once. A TAP test, since servers and processes are killed.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;

my $node  = start_cluster('reconnect');
my $dsn   = $node->connstr('postgres');
my $probe = build_probe();
my $dir   = tempdir(CLEANUP => 1);
my $gate  = "$dir/gate";
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my ($action, $from, $to) = @_; sql(qq{SELECT count(pgpubsub.publish('work', jsonb_build_object('do', '$action', 'value', i))) FROM generate_series($from, $to) i}) }
sub start { my ($mode) = @_; return background({ env => { PROBE_GATE => $gate } }, $probe, $mode, $dsn, 'work') }
sub listening { my ($program) = @_; eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens') }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped') }
sub done_are { my ($values, $what) = @_; query_is($node, q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}, $values, $what) }
sub reset_all { unlink $gate; sql(q{TRUNCATE effect; DELETE FROM pgpubsub.notification}) }

# No unique constraint: a second effect would show.
sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour'); CREATE TABLE effect (value bigint, notification bigint)});

for my $mode ('transactional', 'leased')
{
	# The server restarts under an idle consumer.
	my $program = start($mode);
	listening($program);
	$node->restart;
	publish('insert', 1, 3);
	done_are('1,2,3', "$mode: works after a restart of the server");
	like(text_of($program->{err}), qr/the listening connection: .*reconnecting/, 'and said that it reconnects');

	eventually(sub { text_of($program->{err}) =~ /the working connection: connected again after [0-9.]+ s/ }, 'and when it has');

	# A crash of the server.
	$node->stop('immediate');
	$node->start;
	publish('insert', 4, 4);
	done_are('1,2,3,4', "$mode: works after a crash of the server");

	# The listening backend dies, and no hint tells of what was stored meanwhile: the sweep that follows the new LISTEN
	# must find it. (The poll interval is an hour, and the working connection is left alone.)
	query_is($node, 'SELECT count(*) FROM pg_stat_activity WHERE ' . listening_backends(), '1', "$mode: the listening connection is back too");
	sql(q{SET pgpubsub.wakeup = off; SELECT pgpubsub.publish('work', '{"do": "insert", "value": 5}')});
	is(sql('SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ' . listening_backends()), 1, "$mode: listening backend killed");
	done_are('1,2,3,4,5', 'what no hint told of is found by the sweep after the reconnect');

	# All backends die while a handler works: its transaction is gone, or its ack goes by a new connection.
	publish('wait', 6, 6);
	eventually(sub { text_of($program->{out}) =~ /wait/ }, "$mode: a handler is working");
	cmp_ok(sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'}), '>=', 2, 'all backends killed');
	write_file($gate, '');
	done_are('1,2,3,4,5,6', 'its effect happens once');
	query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and the notification is gone');
	is(sql(q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}), '1,2,3,4,5,6', 'nor did it happen again');
	stop($program);
	reset_all();

	# SIGKILL of a consumer in the middle of its work, in the middle of its batch.
	publish('insert', 1, 3);
	publish('wait', 4, 4);
	publish('insert', 5, 6);
	$program = start($mode);
	eventually(sub { text_of($program->{out}) =~ /wait/ }, "$mode: a handler is working");
	kill KILL => $program->{pid};
	wait_for_exit($program);
	write_file($gate, '');
	my $next = start($mode);
	if ($mode eq 'transactional')
	{
		done_are('1,2,3,4,5,6', 'after SIGKILL another one does the rest, each effect once');
	}
	else
	{
		# At least once: what had been done and not yet acked may be done again.
		query_is($node, q{SELECT string_agg(DISTINCT value::text, ',') FROM effect}, '1,2,3,4,5,6', 'after SIGKILL another one does the rest, when the lease ends');
	}
	query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and nothing is left');
	stop($next);
	reset_all();
}

# A notification whose handler kills its own backend every time does not keep the others from being done.
sql(q{CREATE FUNCTION kill_me() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.value = 3 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END';
      CREATE TRIGGER k BEFORE INSERT ON effect FOR EACH ROW EXECUTE FUNCTION kill_me()});
publish('insert', 1, 6);
my $program = start('transactional');
done_are('1,2,4,5,6', 'a handler that loses its connection each time: the others are done');
query_is($node, q{SELECT (payload ->> 'value') || ' ' || state || ' ' || attempts FROM pgpubsub.notifications}, '3 retrying 1', 'and it is put aside');
like(sql(q{SELECT last_error FROM pgpubsub.notifications}), qr/terminating connection/, 'with its error');
stop($program);

# A handler that takes longer than the server lets a transaction be idle: that is its own failure.
sql(q{DROP TRIGGER k ON effect; ALTER DATABASE postgres SET idle_in_transaction_session_timeout = '100ms'});
for my $action ('outlive', 'outlive_sql')
{
	reset_all();
	publish($action, 1, 1);
	publish('insert', 2, 2);
	$program = start('transactional');
	done_are('2', "$action: the others are done");
	query_is($node, q{SELECT state || ' ' || attempts FROM pgpubsub.notifications}, 'retrying 1', 'and it is put aside');
	like(sql(q{SELECT last_error FROM pgpubsub.notifications}), qr/idle-in-transaction timeout .*needs leased mode/, 'with its error, and what to do');
	is(scalar(grep { /outlive/ } lines_of($program)), 2, 'after two tries');
	stop($program);
}
sql(q{ALTER DATABASE postgres RESET idle_in_transaction_session_timeout});
reset_all();

# A stop while the server is away does not hang.
$program = start('transactional');
listening($program);
$node->stop('fast');
eventually(sub { text_of($program->{err}) =~ /could not connect.*next attempt/ }, 'attempts are logged');
stop($program);
$node->start;

done_testing();
