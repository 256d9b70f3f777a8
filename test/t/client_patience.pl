# How long a consumer pauses when its statements fail again and again, and what it says meanwhile. A TAP test, since it is
# about the library, and about settings of the server that change.
use strict;
use warnings;

use ClientTest;
use FaultProxy;
use File::Temp qw(tempdir);
use Test::More;

my $node  = start_cluster('patience');
my $dsn   = $node->connstr('postgres');
my $probe = build_probe();
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub start { my ($with, %env) = @_; return background({ env => \%env }, $probe, 'transactional', $with, 'work') }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped') }
sub pauses { my ($program) = @_; my @all = text_of($program->{err}) =~ /next attempt in ([0-9.]+) s/g; return @all }

sql(q{SELECT pgpubsub.create_channel('work'); CREATE TABLE effect (value bigint, notification bigint); CREATE ROLE hasty SUPERUSER LOGIN});

# Without LISTEN each wait ends by a time limit of the server: the pauses grow, and only ever fewer are warnings.
my $program = start("$dsn options='-c statement_timeout=500ms'", PROBE_NO_LISTEN => 1);
eventually(sub { grep { $_ >= 0.8 } pauses($program) }, 'waits that are cut short are followed by pauses that grow');
my @said = text_of($program->{err}) =~ /^(warning|info): .*statement_timeout must be longer.*next attempt/mg;
is(join(' ', @said[0 .. 4]), 'warning warning info warning info', 'the first, second, fourth … are warnings');
sql(q{SELECT pgpubsub.publish('work', '{"do": "insert", "value": 1}')});
query_is($node, q{SELECT string_agg(value::text, ',') FROM effect}, '1', 'what comes is done all the same');
stop($program);

# A server that is read-only for a while: it is not said to work again before it does.
$program = start($dsn);
eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens');
sql('ALTER SYSTEM SET default_transaction_read_only = on');
$node->reload;
query_is($node, q{SHOW transaction_read_only}, 'on', 'the server is read-only');
sql(q{SET default_transaction_read_only = off; SELECT pgpubsub.publish('work', '{"do": "insert", "value": 2}')});
eventually(sub { pauses($program) >= 3 }, 'takes are refused');
unlike(text_of($program->{err}), qr/working again/, 'it is not working again');
sql('SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;
query_is($node, q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}, '1,2', 'when the server allows it, what came is done');
eventually(sub { my @times = text_of($program->{err}) =~ /working again/g; @times == 1 }, 'and that is said once');
stop($program);

# While the server is away the pauses stay short, on both connections.
my $proxy = FaultProxy->start($node);
$program = start($proxy->dsn, PROBE_PAUSE => 1500);
eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens');
$proxy->refuse;
$proxy->drop;
for my $which ('working', 'listening')
{
	my $said = sub { my @all = text_of($program->{err}) =~ /the $which connection: could not connect.*next attempt in ([0-9.]+) s/g; return @all };
	eventually(sub { $said->() >= 4 }, "the $which connection: attempts are made");
	is(join(' ', grep { $_ > 2 } $said->()), '', 'none of its pauses is longer than 2 s');
}
stop($program);

# The connection that is back first ends the pause of the other one. Here all pauses are half an hour and more, but that of a
# connection which is to extend a lease: a tenth of the lease.
my $gate = tempdir(CLEANUP => 1) . '/gate';
$proxy->forward;
sql(q{SELECT pgpubsub.publish('work', '{"do": "wait_only"}')});
$program = background({ env => { PROBE_GATE => $gate, PROBE_PAUSE => 3_600_000, PROBE_LEASE => 20 } }, $probe, 'leased', $proxy->dsn, 'work');
eventually(sub { text_of($program->{out}) =~ /wait/ }, 'a handler is working');
$proxy->refuse;
$proxy->drop;
eventually(sub { text_of($program->{err}) =~ /the listening connection: could not connect.*next attempt in [0-9.]{3} s/ }, 'the listening connection pauses for a moment');
write_file($gate, '');
eventually(sub { text_of($program->{err}) =~ /the working connection: could not connect.*next attempt in \d{4}/ }, 'and the working connection for long');
$proxy->forward;
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'it is back with the listening one, and sends its ack');
stop($program);

done_testing();
