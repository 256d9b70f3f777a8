# A server that takes what it is sent and does not answer, without closing the connection: a client finds out, and
# tells it from one that works for a long time. A TAP test, since the peer has to behave badly.
use strict;
use warnings;

use ClientTest;
use FaultProxy;
use File::Temp ();
use Test::More;

my $node  = start_cluster('frozen');
my $probe = build_probe();
my $dir   = File::Temp->newdir('frozenXXXXXX', TMPDIR => 1);
my $gate  = "$dir/gate";
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my ($action, $value) = @_; sql(qq{SELECT pgpubsub.publish('work', '{"do": "$action", "value": $value}')}) }
sub start { my ($proxy, $mode, %env) = @_; return background({ env => { PROBE_GATE => $gate, %env } }, $probe, $mode, $proxy->dsn, 'work') }
sub done_are { my ($values, $what) = @_; query_is($node, q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}, $values, $what) }
sub says { my ($program, $pattern, $what) = @_; eventually(sub { text_of($program->{err}) =~ $pattern }, $what) or diag(text_of($program->{err})); return }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped'); return }

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour'); CREATE TABLE effect (value bigint, notification bigint);
      CREATE TABLE open_gate ()});

# The working connection waits for an answer. (It looks for work each second; the first connection is the working one.)
foreach my $mode ('transactional', 'leased')
{
	sql('TRUNCATE effect');
	my $proxy = FaultProxy->start($node);
	my $program = start($proxy, $mode, PROBE_SILENCE => 500, PROBE_POLL => 1000);
	says($program, qr/listening on/, "$mode: it listens");
	$proxy->freeze;
	eventually(sub { $proxy->held(1) > 0 }, 'the working connection waits for an answer');
	publish('insert', 1);
	# By itself; or the listening one, which pings, was earlier.
	says($program, qr/the working connection: .*(?:there is no answer, and a new connection to the server gets none|does not answer on another connection to it), either; reconnecting/, 'it finds the server gone');
	$proxy->forward;
	done_are('1', 'and works when it is back');
	stop($program);
	$proxy->stop;
}

# The server is there, and works on a statement: it is looked for, and nothing is cut.
my $proxy = FaultProxy->start($node);
my $program = start($proxy, 'transactional', PROBE_SILENCE => 100, PROBE_POLL => 3_600_000);
says($program, qr/listening on/, 'it listens');
my $before = $proxy->accepted;
publish('wait_sql', 2);
eventually(sub { $proxy->accepted >= $before + 5 }, 'the server is looked for again and again');
is(sql(q{SELECT count(*) FROM effect WHERE value = 2}), 0, 'while it works');
write_file($gate, '');
sql(q{INSERT INTO open_gate DEFAULT VALUES});
done_are('1,2', 'and the statement ends well');
is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'at the first attempt');
unlike(text_of($program->{err}), qr/reconnecting/, 'no connection was lost');

# New connections lead to the living, those that there are don't: the listening one finds that out for both.
sql(q{TRUNCATE effect});
stop($program);
$proxy = FaultProxy->start($node);
$program = start($proxy, 'transactional', PROBE_SILENCE => 3_600_000, PROBE_POLL => 1000);
says($program, qr/listening on/, 'it listens');
$proxy->freeze(1, 2);
eventually(sub { $proxy->held(1) > 0 }, 'the working connection waits for an answer');
publish('insert', 3);
says($program, qr/the listening connection: .*no answer within 10000 ms; reconnecting/, 'the ping gets none');
says($program, qr/the working connection: .*does not answer on another connection/, 'nor does the working connection wait any longer');
done_are('3', 'and both work again');
stop($program);

# A session.
$proxy = FaultProxy->start($node);
$program = background({ env => { PROBE_SILENCE => 300 } }, $probe, 'session', $proxy->dsn, 'SELECT pg_catalog.pg_sleep(2)');
is(wait_for_exit($program), 0, 'a session: what takes long may take long');
$program = background({ env => { PROBE_SILENCE => 300 } }, $probe, 'session', $proxy->dsn, 'SELECT pg_catalog.pg_sleep(3600)');
query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()}, 1, 'it waits');
$proxy->freeze;
is(wait_for_exit($program), 1, 'and ends when the server is gone');
like(text_of($program->{err}), qr/fatal: the connection to the server was lost: there is no answer, and a new connection to the server gets none, either \[08006\]/, 'as a lost connection');

# A large statement that is taken in part only does not hold it up, either.
$proxy->forward;
$program = background({ env => { PROBE_SILENCE => 300 } }, $probe, 'session', $proxy->dsn, 'big');
eventually(sub { text_of($program->{out}) =~ /connected/ }, 'a session');
$proxy->freeze;
kill USR1 => $program->{pid};
is(wait_for_exit($program), 1, 'sending: it ends when the server is gone');

done_testing();
