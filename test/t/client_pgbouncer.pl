# A consumer behind pgbouncer: in transaction mode, where it waits by CALL pgpubsub.wait() since LISTEN has no effect that
# lasts, and in session mode, where it listens. A TAP test, since a pooler runs and is restarted. The poll interval is an
# hour, so that only what wakes the consumer can bring anything.
use strict;
use warnings;

use ClientTest;
use File::Temp ();
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my ($pgbouncer) = grep { -x } map { "$_/pgbouncer" } split(/:/, $ENV{PATH}), '/usr/sbin';
plan skip_all => 'there is no pgbouncer' unless $pgbouncer;

my $node  = start_cluster('behind_pgbouncer');
my $probe = build_probe();
my $dir   = File::Temp->newdir('bouncerXXXXXX', TMPDIR => 1);
my $gate  = "$dir/gate";
my $port  = PostgreSQL::Test::Cluster::get_free_port();
my $from  = 0;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my ($action, $value) = @_; sql(qq{SELECT pgpubsub.publish('work', '{"do": "$action", "value": $value}')}) }
sub effects_are { my ($values, $what) = @_; query_is($node, q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}, $values, $what) }
sub behind { my ($mode) = @_; return "host=$dir port=$port dbname=$mode" }
sub start { my ($mode, %env) = @_; return background({ env => { PROBE_NO_LISTEN => 1, PROBE_GATE => $gate, %env } }, $probe, $mode, behind('transaction'), 'work') }
sub stop { my ($program) = @_; my $begun = time; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped'); cmp_ok(time - $begun, '<', 10, 'at once') }
sub waits { my ($program, $count) = @_; query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%' AND state = 'active'}, $count // 1, 'it waits') }
sub mark { $from = -s $node->logfile }
sub logged { my ($what) = @_; my @found = slurp_file($node->logfile, $from) =~ /LOG:  (?:execute <unnamed>|statement): ($what.*)/g; return @found }

my $user = sql('SELECT current_user');
write_file("$dir/users", qq{"$user" ""\n});
write_file("$dir/ini", <<"INI");
[databases]
transaction = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_mode=transaction
session = host=@{[$node->host]} port=@{[$node->port]} dbname=postgres pool_mode=session
[pgbouncer]
listen_addr =
unix_socket_dir = $dir
listen_port = $port
auth_type = trust
auth_file = $dir/users
logfile = $dir/log
INI
my $pooler;
sub start_pooler { $pooler = background($pgbouncer, '-q', "$dir/ini"); eventually(sub { -S "$dir/.s.PGSQL.$port" }, 'the pooler runs') }
# At once, with its clients still there: at a SIGTERM newer ones wait for them.
sub end_pooler { kill QUIT => $pooler->{pid}; wait_for_exit($pooler); unlink "$dir/.s.PGSQL.$port" }
start_pooler();

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour'), pgpubsub.subscribe('work', 'audit'); CREATE TABLE effect (value bigint, notification bigint)});
# So that a wait whose pooler was killed ends.
sql('ALTER SYSTEM SET client_connection_check_interval = 100');
$node->reload;

for my $mode ('transactional', 'leased')
{
	mark();
	publish('insert', 1);
	my $program = start($mode);
	effects_are('1', "$mode: what is stored is done");
	waits($program);
	for my $value (2 .. 4)
	{
		publish('insert', $value);
		effects_are(join(',', 1 .. $value), 'what comes is done');
	}
	waits($program);
	is(join(' ', logged('(?:LISTEN|SET idle|PREPARE)')), '', 'nothing was left behind in the session');

	# What becomes due.
	sql(q{SELECT pgpubsub.publish('work', '{"do": "insert", "value": 5}', deliver_at => clock_timestamp() + interval '300 ms')});
	effects_are('1,2,3,4,5', 'what is delayed comes when it is due');

	waits($program);
	end_pooler();
	publish('insert', 6);
	start_pooler();
	effects_are('1,2,3,4,5,6', 'after a restart of the pooler it goes on');

	waits($program);
	mark();
	stop($program);
	waits($program, 0);
	like(slurp_file($node->logfile, $from), qr/ERROR:  canceling statement due to user request/, 'its wait was cancelled, not left behind');
	sql('TRUNCATE effect');
}

# While a handler runs its lease is extended; no wait comes in between.
publish('wait', 1);
my $program = start('leased');
eventually(sub { text_of($program->{out}) =~ /wait/ }, 'a handler is working');
my $until = sql(q{SELECT due_at FROM pgpubsub.notification WHERE lease_token IS NOT NULL});
query_is($node, qq{SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL AND due_at > '$until'}, '1', 'its lease is extended');
write_file($gate, '');
effects_are('1', 'it ends');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE subscription = 'default'}, '0', 'and is done');
stop($program);

# Several subscriptions take turns.
sql(q{TRUNCATE effect; SELECT pgpubsub.purge_channel('work')});
$program = start('transactional', PROBE_SUBSCRIPTION => 'audit');
for my $value (1 .. 3)
{
	waits($program);
	publish('insert', $value);
	effects_are(join(',', 1 .. $value), 'one subscription has it');
	eventually(sub { scalar(grep { /audited/ } lines_of($program)) == $value }, 'and the other one');
}
stop($program);

# What a filter leaves to others ends each wait at once; it is not asked for without end.
sql(q{SELECT pgpubsub.unsubscribe('work', 'audit'), pgpubsub.purge_channel('work'), pgpubsub.create_channel('more')});
publish('insert', 1);
mark();
my $begun = time;
$program = background(cli_path(), 'listen', 'work', 'more', '--no-listen', '--poll-interval', '1h', '--filter', '{"value": 2}', '--dsn', behind('transaction'));
eventually(sub { scalar(logged('CALL')) >= 8 }, 'waits that are in vain');
cmp_ok(time - $begun, '>=', 0.6, 'are followed by pauses');
publish('insert', 2);
eventually(sub { text_of($program->{out}) =~ /"value": 2/ }, 'and what is for it comes');
stop($program);

# Channels that do not exist yet do not keep it from waiting for the others.
sql(q{SELECT pgpubsub.purge_channel('work')});
$program = background(cli_path(), 'listen', 'missing', 'more', '--no-listen', '--poll-interval', '1h', '--dsn', behind('transaction'));
waits($program);
sql(q{SELECT pgpubsub.publish('more', '7')});
eventually(sub { text_of($program->{out}) =~ /"payload":7/ }, 'a channel that is missing is no hindrance');
stop($program);

# Without LISTEN there are no broadcasts.
sql(q{SELECT pgpubsub.create_channel('prices', 'broadcast')});
my ($status, $out, $err) = cli('listen', 'prices', '--no-listen', '--dsn', behind('transaction'));
is($status, 1, 'a broadcast channel is refused');
like($err, qr/^hint: --no-listen is for queue channels only/m, 'and why');

# LISTEN in session mode is good, and in transaction mode it is not.
$program = background(cli_path(), 'listen', 'more', '--poll-interval', '1h', '--verbose', '--dsn', behind('session'));
eventually(sub { text_of($program->{err}) =~ /listening on 1 channel/ }, 'session mode: listens');
sql(q{SELECT pgpubsub.publish('more', '8')});
eventually(sub { text_of($program->{out}) =~ /"payload":8/ }, 'what comes is done');
unlike(text_of($program->{err}), qr/pooler/, 'and nothing is to be said about that');
stop($program);
$program = background(cli_path(), 'listen', 'more', '--poll-interval', '1h', '--dsn', behind('transaction'));
eventually(sub { text_of($program->{err}) =~ /pooler in transaction mode.*--no-listen/ }, 'transaction mode: a warning names the option');
stop($program);

end_pooler();
done_testing();
