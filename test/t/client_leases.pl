# What becomes of leases in hand when acks are refused, and when connections are lost. A TAP test, since it is about the
# library and connections that end: test/t/client_probe.cpp is the program whose handler does what each payload says.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;

my $node  = start_cluster('leases');
my $probe = build_probe();
my $dir   = tempdir(CLEANUP => 1);
my $gate  = "$dir/gate";
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my ($action, $value) = @_; sql(qq{SELECT pgpubsub.publish('work', '{"do": "$action", "value": $value}')}) }
sub start { my ($dsn, %env) = @_; return background({ env => { PROBE_GATE => $gate, %env } }, $probe, 'leased', $dsn, 'work') }
sub works { my ($program) = @_; eventually(sub { text_of($program->{out}) =~ /wait/ }, 'a handler is working') }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped') }
sub reset_all { unlink $gate; sql(q{TRUNCATE effect; DELETE FROM pgpubsub.notification}) }

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour'); CREATE TABLE effect (value bigint, notification bigint);
      CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET lock_timeout = '50ms'});
my $dsn   = $node->connstr('postgres');
my $hasty = "$dsn user=hasty";

# Acks that the server refuses, since somebody has locked the table for a while, are sent again; the work is not repeated.
publish('wait', 1);
my $program = start($hasty);
works($program);
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE pgpubsub.notification IN ACCESS EXCLUSIVE MODE');
write_file($gate, '');
eventually(sub { text_of($program->{err}) =~ /warning: channel "work": 1 acks were refused \(canceling statement due to lock timeout\) and are sent again in [0-9.]+ s/ }, 'an ack is refused');
eventually(sub { my @times = text_of($program->{err}) =~ /acks were refused/g; @times >= 3 }, 'and sent again and again');
$locker->query_safe('COMMIT');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and taken when the table is free');
publish('insert', 2);
query_is($node, q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}, '1,2', 'work goes on');
is(scalar(grep { /wait/ } lines_of($program)), 1, 'the work was not repeated');
unlike(text_of($program->{err}), qr/could not be sent/, 'and no ack given up');
stop($program);
reset_all();

# A consumer that is to end gives them up, and says how many.
publish('wait', 1);
$program = start($hasty);
works($program);
$locker->query_safe('BEGIN; LOCK TABLE pgpubsub.notification IN ACCESS EXCLUSIVE MODE');
write_file($gate, '');
eventually(sub { text_of($program->{err}) =~ /acks were refused/ }, 'an ack is refused');
kill TERM => $program->{pid};
wait_for_exit($program);
like(text_of($program->{err}), qr/warning: channel "work": 1 acks could not be sent \(canceling statement due to lock timeout\); those notifications come again when their leases end/, 'when the consumer ends, what is given up is told');
$locker->query_safe('COMMIT');
$locker->quit;
reset_all();

# The listening connection extends leases as soon as it is back, however often it is lost. A third of the lease is longer
# than this test waits.
publish('wait', 1);
$program = start($dsn, PROBE_LEASE => 600);
works($program);
for my $time (1 .. 3)
{
	my $until = sql(q{SELECT due_at FROM pgpubsub.notification WHERE lease_token IS NOT NULL});
	is(sql('SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE ' . listening_backends()), 1, "listening backend killed ($time)");
	query_is($node, "SELECT count(*) FROM pgpubsub.notification WHERE due_at > '$until'", '1', 'the lease is extended when it is back');
}
write_file($gate, '');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and the work is done');
stop($program);
reset_all();

# Without LISTEN the session is a pooler's: a lease must not end with it.
publish('wait', 1);
$program = start($dsn, PROBE_NO_LISTEN => 1, PROBE_LEASE => 6);
works($program);
is(sql(q{SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL AND lease_owner IS NULL}), 1, 'without LISTEN no session owns a lease');
my $until = sql(q{SELECT due_at FROM pgpubsub.notification});
query_is($node, "SELECT due_at > '$until' FROM pgpubsub.notification", 't', 'it is extended');
is(sql(q{SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL AND lease_owner IS NULL}), 1, 'and still no session owns it');
write_file($gate, '');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and the work is done');
stop($program);
reset_all();
publish('wait', 1);
$program = start($dsn);
works($program);
is(sql(q{SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL AND lease_owner IS NULL}), 0, 'with LISTEN a session does');
write_file($gate, '');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and the work is done');
stop($program);

done_testing();
