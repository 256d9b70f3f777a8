# How long it takes from SIGTERM to the end, in each state of a consumer: the table in doc/client.md ("How long a stop
# takes"), row by row. By default it is less than the 10 s after which docker stop kills. A TAP test, since it needs peers
# that behave badly.
use strict;
use warnings;

use ClientTest;
use FaultProxy;
use File::Temp ();
use Test::More;
use Time::HiRes qw(sleep time);

my $node  = start_cluster('stops');
my $probe = build_probe();
my $dir   = File::Temp->newdir('stopsXXXXXX', TMPDIR => 1);
my $gate  = "$dir/gate";
my $proxy;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my ($action) = @_; sql(qq{SELECT pgpubsub.publish('work', '{"do": "$action", "value": 1}')}) }
sub says { my ($program, $pattern, $what) = @_; eventually(sub { text_of($program->{err}) =~ $pattern }, $what) or diag(text_of($program->{err})); return }

# Each state has a proxy of its own.
sub listen_by { my ($dsn, @more) = @_; return background(cli_path(), 'listen', 'work', '--dsn', $dsn, '-v', @more) }
sub through_proxy { $proxy = FaultProxy->start($node); return $proxy->dsn }
sub start_probe { my ($mode, %env) = @_; return background({ env => { PROBE_GATE => $gate, PROBE_POLL => 1000, %env } }, $probe, $mode, through_proxy(), 'work') }

# The program ends within so many seconds of one SIGTERM, or of the second of two.
sub ends_within
{
	my ($program, $seconds, $state, $signals) = @_;
	kill TERM => $program->{pid};
	if ($signals && $signals == 2)
	{
		sleep 0.6;    # those within half a second count as one
		ok(is_alive($program->{pid}), "$state: the first stop waits");
		kill TERM => $program->{pid};
	}
	my $begun = time;
	my $status = wait_for_exit($program, $state);
	cmp_ok(time - $begun, '<', $seconds, "$state: gone within $seconds s");
	is($status, 0, 'as documented: 0');
	$proxy->stop if $proxy;
	undef $proxy;
	return;
}

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour'); CREATE TABLE effect (value bigint, notification bigint);
      CREATE TABLE open_gate ()});

# Idle.
my $program = listen_by(through_proxy());
says($program, qr/listening on/, 'it listens');
ends_within($program, 10, 'idle');

# It connects to a host that does not answer, at the start and later; the default is to wait for 10 s.
my $dsn = through_proxy();
$proxy->silent;
$program = listen_by($dsn);
eventually(sub { $proxy->open == 1 }, 'it connects');
ends_within($program, 5, 'connecting at the start');

$program = listen_by(through_proxy());
says($program, qr/listening on/, 'it listens');
$proxy->silent;
$proxy->drop;
eventually(sub { $proxy->open == 2 }, 'both connections are made anew');
ends_within($program, 5, 'connecting anew');

# A name server that does not answer.
my $names = "$dir/odd_names.so";
is(system($ENV{CXX} || 'g++', '-shared', '-fPIC', '-o', $names, "$ENV{PGPUBSUB_ROOT}/test/t/odd_names.cpp", '-ldl'), 0, 'a name service');
$program = background({ env => { LD_PRELOAD => $names, ODD_NAMES_ASKED => "$dir/asked" } }, cli_path(), 'listen', 'work', '--dsn', 'host=silent.test dbname=postgres');
eventually(sub { -e "$dir/asked" }, 'it asks for a name');
ends_within($program, 5, 'looking up a name');

# Between two attempts.
$program = listen_by(through_proxy());
says($program, qr/listening on/, 'it listens');
$proxy->refuse;
$proxy->drop;
says($program, qr/refused.*next attempt in/, 'it pauses');
ends_within($program, 5, 'between two attempts');

# It waits for the answer of a server that is gone without a word.
foreach my $mode ('transactional', 'leased')
{
	foreach my $signals (1, 2)
	{
		$program = start_probe($mode);
		says($program, qr/listening on/, 'it listens');
		$proxy->freeze;
		eventually(sub { $proxy->held(1) > 0 }, 'it waits for an answer');
		ends_within($program, $signals == 1 ? 10 : 5, "no answer, $mode, stop $signals", $signals);
	}
}
$program = start_probe('transactional', PROBE_NO_LISTEN => 1, PROBE_POLL => 3_600_000);
query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active'}, 1, 'it waits by a call');
$proxy->freeze;
ends_within($program, 10, 'no answer, without LISTEN');

# A handler works: the first stop waits for it.
foreach my $mode ('transactional', 'leased')
{
	unlink $gate;
	publish('wait');
	$program = start_probe($mode);
	eventually(sub { text_of($program->{out}) =~ /wait/ }, "$mode: a handler works");
	kill TERM => $program->{pid};
	sleep 0.6;
	ok(is_alive($program->{pid}), 'the stop waits for it');
	write_file($gate, '');
	ends_within($program, 10, "$mode: the handler has ended");
	is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'and its work was kept');
}

# A handler waits for the server, which works for long: the second stop ends that, and its notification goes back.
publish('wait_sql');
$program = start_probe('transactional');
query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$ %' AND state = 'active'}, 1, 'a handler waits for the server');
ends_within($program, 5, 'a long statement', 2);
query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DO $$ %' AND state = 'active'}, 0, 'the server does not go on with it');
is(sql(q{SELECT state || ' ' || attempts FROM pgpubsub.notifications}), 'ready 0', 'the notification is back, untried');
sql(q{SELECT pgpubsub.purge_channel('work')});

# A handler has ended, and its ack can't be sent: there is one attempt at a new connection.
unlink $gate;
publish('wait_only');
$program = start_probe('leased');
eventually(sub { text_of($program->{out}) =~ /wait/ }, 'a leased handler works');
$proxy->silent;
$proxy->drop;
kill TERM => $program->{pid};
sleep 0.6;
write_file($gate, '');
my $begun = time;
is(wait_for_exit($program, 'an ack that can not be sent'), 0, 'an ack that can not be sent: it ends');
cmp_ok(time - $begun, '<', 10, 'in time');
like(text_of($program->{err}), qr/1 acks could not be sent/, 'and says so');
$proxy->stop;

done_testing();
