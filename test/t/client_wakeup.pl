# What wakes a consumer, and what it sends to the server meanwhile. A TAP test, since statements are counted in the
# server's log (where the framework has every statement logged).
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = start_cluster('wakeup');
my $dsn  = $node->connstr('postgres');
my $from = 0;    # where in the log counting begins
sub sql { return $node->safe_psql('postgres', $_[0]) }
# The connection that listens says so by its last statement: LISTEN, or the ping that comes after it.
sub start { my @arguments = @_; my $program = background({ env => { PGAPPNAME => 'consumer' } }, cli_path(), 'listen', '--dsn', $dsn, @arguments); query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'consumer' AND (query LIKE 'LISTEN%' OR query LIKE '%pg_backend_pid%') AND state = 'idle'}, '1', 'listens'); return $program }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped'); query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'consumer'}, '0', 'gone') }
sub short { my ($sql) = @_; return $1 if $sql =~ /pgpubsub\.(\w+)\(/; return $1 if $sql =~ /(pg_backend_pid)/; return (split / /, $sql)[0] }
# What clients sent since mark(), each statement by its first word or by the function that it calls.
sub statements { return map { short($_) } slurp_file($node->logfile, $from) =~ /\] consumer LOG:  (?:execute <unnamed>|statement): (.*)/g }
sub mark { $from = -s $node->logfile }
sub sent { return join ' ', statements() }
sub asked { my ($count) = @_; return sub { scalar(grep { $_ eq 'next_due' } statements()) >= $count } }

sql(q{SELECT pgpubsub.create_channel('work'), pgpubsub.create_channel('other')});

# An idle consumer asks, and takes nothing: in each poll interval at most two statements, of which one is the ping.
my $interval = 0.25;
for my $mode ('transactional', 'leased')
{
	for my $state ('open', 'paused', 'missing')
	{
		my $channel = $state eq 'missing' ? 'nowhere' : 'work';
		sql(q{SELECT pgpubsub.pause_channel('work')}) if $state eq 'paused';
		mark();
		my $program = start($channel, '--mode', $mode, '--poll-interval', $interval * 1000 . 'ms');
		eventually(sub { sent() =~ /next_due.*next_due.*pg_backend_pid/ }, "$mode, $state: it polls and pings");
		mark();
		my $begun = time;
		eventually(sub { scalar(statements()) >= 16 }, 'and goes on');
		my @sent = statements();
		my $elapsed = time - $begun;
		cmp_ok(scalar(@sent), '<=', 2 * ($elapsed / $interval + 1), sprintf('in %.2f s %d statements', $elapsed, scalar(@sent)));
		is(join(' ', sort grep { !/^(next_due|pg_backend_pid)$/ } @sent), '', 'and takes nothing');
		sql(q{SELECT pgpubsub.resume_channel('work')}) if $state eq 'paused';
		stop($program);
	}
}

# A poll finds what no hint told of; and who made the channel meanwhile is heard.
my $program = start('later', '--poll-interval', '200ms');
sql(q{SET pgpubsub.wakeup = off; SELECT pgpubsub.create_channel('later'); SELECT pgpubsub.publish('later', '1')});
eventually(sub { lines_of($program) == 1 }, 'a poll finds what no hint told of');
stop($program);

# A hint leads straight to a take, and a look in vain costs the same.
my %look = (transactional => 'BEGIN take COMMIT next_due', leased => 'claim next_due');
for my $mode ('transactional', 'leased')
{
	mark();
	$program = start('work', '--mode', $mode, '--poll-interval', '1h');
	eventually(asked(1), "$mode: has looked");
	mark();
	sql(q{SELECT pgpubsub.publish('work', '1')});
	eventually(asked(1), 'is woken');
	like(sent(), { transactional => qr/^BEGIN take /, leased => qr/^claim / }->{$mode}, 'and takes at once');
	is(scalar(lines_of($program)), 1, 'what has come');

	mark();
	sql(q{NOTIFY work});
	eventually(asked(1), 'woken in vain');
	sql(q{NOTIFY work, 'of my own'});
	eventually(asked(2), 'again, by a payload of somebody else');
	is(sent(), "$look{$mode} $look{$mode}", 'one look for each');

	# A hint may say whom it is for, by the process that listens for him.
	my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%'});
	mark();
	sql(qq{NOTIFY work, '@{[$pid + 1]}'});
	sql(qq{NOTIFY work, '1,@{[$pid * 10]},2'});
	sql(qq{NOTIFY work, '1,$pid,2'});
	eventually(asked(1), 'woken by a hint that names it');
	is(sent(), $look{$mode}, 'and not by those that name others');

	# Who is woken for nothing again and again asks first, until a hint leads to something.
	mark();
	sql(q{NOTIFY work});
	eventually(asked(1), 'the fourth in vain');
	is(sent(), $look{$mode}, 'is followed like the others');
	mark();
	sql(q{NOTIFY work});
	eventually(asked(1), 'the fifth');
	sql(q{SELECT pgpubsub.publish('work', '2')});
	eventually(asked(3), 'one that is not in vain');
	like(sent(), qr/^next_due next_due (BEGIN take|claim) /, 'are asked about first');
	is(scalar(lines_of($program)), 2, 'and what has come is handled');
	mark();
	sql(q{NOTIFY work});
	eventually(asked(1), 'the next');
	is(sent(), $look{$mode}, 'leads to a look at once again');
	stop($program);
}

done_testing();
