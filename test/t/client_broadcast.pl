# Broadcast channels: each connected listener gets each broadcast, once, in the order of the commits. A TAP test, since
# it is about several programs that listen, and connections that end.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use PostgreSQL::Test::Utils;
use Test::More;

my $node  = start_cluster('broadcast');
my $dsn   = $node->connstr('postgres');
my $probe = build_probe();
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub start { my ($channel, %env) = @_; return background({ env => \%env }, $probe, 'broadcast', $dsn, $channel) }
sub listening { my ($program) = @_; eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens') }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped') }
sub heard { my ($program) = @_; return join ', ', map { s/^[0-9]+ //r } lines_of($program) }
sub hears { my ($program, $what, $name) = @_; eventually(sub { heard($program) eq $what }, $name) or diag(heard($program)) }

sql(q{SELECT pgpubsub.create_channel('prices', kind => 'broadcast', retention => '1 hour')});
sql(q{SELECT pgpubsub.create_channel('work')});

# Nobody listens: it is gone.
sql(q{SELECT pgpubsub.publish('prices', '"before"')});
my @listeners = map { start('prices') } 1 .. 2;
listening($_) for @listeners;

# What is committed, in order, equal ones too; numbers as they are; large ones by reference.
sql(q{BEGIN; SELECT pgpubsub.publish('prices', '0'); ROLLBACK});
sql(q{SELECT pgpubsub.publish('prices', '1', 'k "1"'), pgpubsub.publish('prices', '1', 'k "1"')});
sql(q{SELECT pgpubsub.publish('prices', '12345678901234567890.10')});
sql(q{SELECT pgpubsub.publish('prices', to_jsonb(repeat('x', 100000)))});
sql(q{SELECT pgpubsub.publish('prices', '2')});
my $so_far = '1 k "1", 1 k "1", 12345678901234567890.10 -, 100002 bytes, 2 -';
hears($_, $so_far, 'each listener gets each, in order') for @listeners;
my ($ids) = map { join ',', map { (split / /)[0] } lines_of($_) } @listeners;
is($ids, join(',', sort { $a <=> $b } split /,/, $ids), 'with rising ids');

# What others put on the channel is no broadcast, and harms nothing.
sql(q{NOTIFY prices, 'hello'; NOTIFY prices, '{"pgpubsub": "broadcast", "id": 1, "channel": "other", "payload": 1}'; NOTIFY prices; NOTIFY prices, '{"pgpubsub": "reference", "id": 99999, "channel": "prices"}'});
sql(q{SELECT pgpubsub.publish('prices', '3')});
$so_far .= ', missed 1: its retention time is over, 3 -';
hears($_, $so_far, 'somebody else\'s NOTIFY is ignored') for @listeners;
like(text_of($listeners[0]->{err}), qr/warning: channel "prices": broadcast 99999 is missed: its retention time is over$/m, 'a reference that leads nowhere is told');

# A handler that fails.
sql(q{SELECT pgpubsub.publish('prices', '"fail"'), pgpubsub.publish('prices', '4')});
$so_far .= ', "fail" -, 4 -';
hears($_, $so_far, 'a failing handler does not keep the next one from coming') for @listeners;
like(text_of($listeners[0]->{err}), qr/warning: channel "prices": the handler of broadcast [0-9]+ failed, and it does not come again: failed as told$/m, 'and is told');

# A connection that is lost: what is sent meanwhile is missed, which is told, and what comes then arrives.
stop($listeners[1]);
$node->stop('fast');
eventually(sub { text_of($listeners[0]->{err}) =~ /the listening connection: .*reconnecting/ }, 'the connection is lost');
$node->start;
eventually(sub { text_of($listeners[0]->{err}) =~ /warning: broadcasts that were sent while the listening connection was lost are missed/ }, 'the gap is told');
sql(q{SELECT pgpubsub.publish('prices', '5'), pgpubsub.publish('prices', to_jsonb(repeat('y', 10000)))});
$so_far .= ', missed some: the listening connection was lost, 5 -, 10002 bytes';
hears($listeners[0], $so_far, 'and it listens again; the handler is told where some are missing');
stop($listeners[0]);

# In order: what came before the connection was lost, the gap, what came after it; however long a handler took meanwhile.
my $gate = tempdir(CLEANUP => 1) . '/gate';
my $busy = start('prices', PROBE_GATE => $gate);
listening($busy);
sql(q{SELECT pgpubsub.publish('prices', '"wait"'), pgpubsub.publish('prices', '"early"')});
hears($busy, '"wait" -', 'a handler is busy');
is(sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'}), 1, 'meanwhile the connection is lost');
eventually(sub { my @times = text_of($busy->{err}) =~ /listening on/g; @times == 2 }, 'and is back');
sql(q{SELECT pgpubsub.publish('prices', '"late"')});
query_is($node, q{SELECT pg_notification_queue_usage()}, '0', 'the last has been sent');
unlike(text_of($busy->{err}), qr/are missed/, 'nothing is said of a gap that is not reached');
write_file($gate, '');
hears($busy, '"wait" -, "early" -, missed some: the listening connection was lost, "late" -', 'the gap is told in its place');
like(text_of($busy->{err}), qr/warning: broadcasts that were sent while the listening connection was lost are missed/, 'and logged');

# A handler that can't work just now gets the same one again.
sql(q{SELECT pgpubsub.publish('prices', '"unable"'), pgpubsub.publish('prices', '"next"')});
eventually(sub { heard($busy) =~ /"unable" -, "unable" -, "next" -$/ }, 'a handler that pauses the consumer gets the same broadcast again');
like(text_of($busy->{err}), qr/warning: .*channel "prices": the handler can't work just now: unable as told; next attempt in/, 'and the log says why');
stop($busy);

# Beside a queue in the same consumer.
my $both = start('prices', PROBE_QUEUE => 'work');
listening($both);
sql(q{SELECT pgpubsub.publish('work', '1')});
hears($both, 'queued', 'a queue');
sql(q{SELECT pgpubsub.publish('prices', '6')});
hears($both, 'queued, 6 -', 'and broadcasts in one consumer');
stop($both);

# The wrong kind of handler, and the one that is not known beforehand.
my $wrong = start('work');
is(wait_for_exit($wrong), 1, 'on_broadcast() on a queue channel');
like(text_of($wrong->{err}), qr/^fatal: channel "work" is a queue channel, and on_broadcast\(\) is for broadcast channels \[42809\] Register the handler with on\(\)\.$/m, 'is refused, with what to do');
$wrong = background($probe, 'transactional', $dsn, 'prices');
is(wait_for_exit($wrong), 1, 'on() on a broadcast channel');
like(text_of($wrong->{err}), qr/^fatal: channel "prices" is for broadcasts, and on\(\) is for queue channels \[42809\] Register the handler with on_broadcast\(\)\.$/m, 'is refused too, with what to do');
for my $channel ('prices', 'work')
{
	my $either = start($channel, PROBE_QUEUE => $channel);
	listening($either);
	sql("SELECT pgpubsub.publish('$channel', '7')");
	hears($either, $channel eq 'work' ? 'queued' : '7 -', "with both, the one that suits \"$channel\" is used");
	stop($either);
}

# With both, on a broadcast channel, nothing of what is asked is an error for the server's log: not at the start, nor at
# a reconnect, nor at a poll.
my $from = -s $node->logfile;
my $listen = background({ env => { PGAPPNAME => 'listen' } }, cli_path(), 'listen', 'prices', '--dsn', $dsn, '--poll-interval', '100ms', '--verbose');
for my $time (1 .. 2)
{
	eventually(sub { my @times = text_of($listen->{err}) =~ /listening on/g; @times >= $time }, 'the program listens');
	my $now = sql('SELECT clock_timestamp()');
	query_is($node, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'listen' AND query LIKE '%pgpubsub.channels%' AND query_start > timestamptz '$now' + interval '200 ms'", '1', 'it has polled');
	sql("SELECT pgpubsub.publish('prices', '\"$time\"')");
	eventually(sub { scalar(lines_of($listen)) == $time }, 'it gets a broadcast');
	is(sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'listen'}), 2, 'its connections end') if $time == 1;
}
stop($listen);
is(join("\n", slurp_file($node->logfile, $from) =~ /ERROR:.*/g), '', 'the server has logged no error');

# A channel that does not exist yet.
my $early = start('later');
eventually(sub { text_of($early->{err}) =~ /warning: channel "later" does not exist; listening all the same/ }, 'a missing channel is told');
listening($early);
sql(q{SELECT pgpubsub.create_channel('later', kind => 'broadcast')});
sql(q{SELECT pgpubsub.publish('later', '8')});
hears($early, '8 -', 'and listened to');
stop($early);

# Any role can NOTIFY with what looks like a broadcast: of a queue channel nothing is delivered that was not read from
# its table, whatever the channel was before, or is not yet. A wake-up is all that it makes.
sql(q{CREATE ROLE stranger LOGIN});
sub forge
{
	my ($channel) = @_;
	$node->safe_psql('postgres', qq{
		SELECT pg_notify('$channel', '{"pgpubsub":"broadcast","id":8,"channel":"$channel","created_at":"2026-01-02T03:04:05+00:00","payload":"forged"}');
		SELECT pg_notify('$channel', '{"pgpubsub":"reference","id":8,"channel":"$channel"}');
		SELECT pg_notify('$channel', 'hello')}, extra_params => ['-U', 'stranger']);
}
my $watched = start('work', PROBE_QUEUE => 'work');
listening($watched);
forge('work');
sql(q{SELECT pgpubsub.publish('work', '9')});
hears($watched, 'queued', 'a forged broadcast on a queue channel is not delivered');
sql(q{SELECT pgpubsub.drop_channel('work')});
forge('work');
sql(q{SELECT pgpubsub.create_channel('work', kind => 'broadcast')});
sql(q{SELECT pgpubsub.publish('work', '10'), pgpubsub.publish('work', to_jsonb(repeat('z', 10000)))});
hears($watched, 'queued, 10 -, 10002 bytes', 'nor is one while there is no channel; when it is made with the other kind, its broadcasts are');
sql(q{SELECT pgpubsub.drop_channel('work'); SELECT pgpubsub.create_channel('work')});
forge('work');
sql(q{SET pgpubsub.wakeup = off; SELECT pgpubsub.publish('work', '11')});
$node->safe_psql('postgres', q{NOTIFY work, 'hello'}, extra_params => ['-U', 'stranger']);
hears($watched, 'queued, 10 -, 10002 bytes, queued', 'made a queue again, it delivers its notifications, and any NOTIFY wakes');
is(is_alive($watched->{pid}), 1, 'and nothing of that has ended the consumer');
stop($watched);

# Of the wrong kind by now, for a handler that can't do otherwise.
my $changed = start('later');
listening($changed);
sql(q{SELECT pgpubsub.drop_channel('later'); SELECT pgpubsub.create_channel('later')});
forge('later');
is(wait_for_exit($changed), 1, 'a channel that has become a queue ends a consumer of broadcasts');
like(text_of($changed->{err}), qr/^fatal: channel "later" is a queue channel, and on_broadcast\(\) is for broadcast channels \[42809\]/m, 'with the reason');
is(heard($changed), '', 'and delivers nothing');

# Who may not use the channel can't know what it is.
my $stranger_dsn = "$dsn user=stranger";
for my $right ('none', 'another channel\'s')
{
	sql(q{SELECT pgpubsub.grant_channel('work', 'stranger', 'consume')}) if $right ne 'none';
	my $refused = background($probe, 'broadcast', $stranger_dsn, 'prices');
	is(wait_for_exit($refused), 1, "who has no right to the channel ($right) is refused");
	like(text_of($refused->{err}), qr/^fatal: permission denied .*\[42501\] .*grant_channel\('prices', 'stranger', 'consume'\)/m, 'with what to do');
	$refused = background({ env => { PROBE_QUEUE => 'prices' } }, $probe, 'broadcast', $stranger_dsn, 'prices');
	is(wait_for_exit($refused), 1, 'with handlers of both kinds too');
	like(text_of($refused->{err}), qr/^fatal: permission denied .*\[42501\]/m, 'likewise');
}
sql(q{SELECT pgpubsub.grant_channel('prices', 'stranger', 'consume')});
my $granted = background($probe, 'broadcast', $stranger_dsn, 'prices');
listening($granted);
sql(q{SELECT pgpubsub.publish('prices', '12')});
hears($granted, '12 -', 'who may consume hears it');
sql(q{SELECT pgpubsub.revoke_channel('prices', 'stranger', 'consume')});
sql(q{SELECT pgpubsub.publish('prices', '13')});
is(wait_for_exit($granted), 1, 'and no longer when the right is taken away');
is(heard($granted), '12 -', 'from the next broadcast on');

done_testing();
