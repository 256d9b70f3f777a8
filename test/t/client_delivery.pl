# What handlers see of retries, dead letters, ordered channels, subscriptions, filters and pauses. A TAP test, since it is
# about the library: test/t/client_probe.cpp is the program whose handler does what each payload says.
use strict;
use warnings;

use ClientTest;
use Test::More;

my $node  = start_cluster('delivery');
my $dsn   = $node->connstr('postgres');
my $probe = build_probe();
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my ($channel, $key, @actions) = @_; for (@actions) { my ($do, $value) = split / /; sql(qq{SELECT pgpubsub.publish('$channel', '{"do": "$do", "value": $value}', } . (defined $key ? "'$key')" : 'NULL)')) } }
sub start { my ($mode, $channel, %env) = @_; return background({ env => \%env }, $probe, $mode, $dsn, $channel) }
sub listening { my ($program) = @_; eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens') }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped') }
sub drain
{
	my ($mode, $channel, %env) = @_;
	my $program = background({ env => \%env }, $probe, $mode, $dsn, $channel, 'drain');
	is(wait_for_exit($program), 0, "$mode, drained") or diag(text_of($program->{err}));
	return $program;
}
sub effects { return sql(q{SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') FROM effect}) }
sub stored { my ($channel) = @_; return sql(qq{SELECT coalesce(string_agg(payload ->> 'do' || ' ' || (payload ->> 'value') || ' ' || state || ' ' || attempts, ', ' ORDER BY id, subscription), '') FROM pgpubsub.notifications WHERE channel = '$channel'}) }
sub dead { my ($channel) = @_; return sql(qq{SELECT coalesce(string_agg(payload ->> 'do' || ' ' || (payload ->> 'value') || ' ' || attempts || ': ' || last_error, ', ' ORDER BY id), '') FROM pgpubsub.dead_letters WHERE channel = '$channel'}) }
sub reset_all { my ($channel) = @_; sql(qq{TRUNCATE effect; SELECT pgpubsub.purge_channel('$channel'), pgpubsub.purge_dead_letters('$channel')}) }
sub due_now { sql(q{UPDATE pgpubsub.notification SET due_at = clock_timestamp() WHERE due_at IS NOT NULL AND lease_token IS NULL}) }

sql(q{SELECT pgpubsub.create_channel('work', max_attempts => 3, backoff_base => '1 hour', backoff_max => '1 hour', backoff_jitter => 0);
      SELECT pgpubsub.create_channel('next');
      SELECT pgpubsub.create_channel('steps', ordered => true, backoff_base => '1 hour', backoff_max => '1 hour');
      CREATE TABLE effect (value bigint UNIQUE DEFERRABLE INITIALLY DEFERRED, notification bigint)});

# What a handler throws decides what becomes of its notification.
for my $mode ('transactional', 'leased')
{
	publish('work', undef, 'insert 1', 'reject 2', 'later 3', 'fail 4', 'insert 5');
	my $program = drain($mode, 'work');
	is(effects(), '1,5', "$mode: the good ones are done, and nothing of the others is left");
	is(dead('work'), 'reject 2 1: rejected as told', 'a rejected one is a dead letter at once');
	is(stored('work'), 'later 3 retrying 1, fail 4 retrying 1', 'the others are to be tried again');
	is(sql(q{SELECT string_agg(round(extract(epoch FROM due_at - clock_timestamp()) / 60)::text, ',' ORDER BY id) FROM pgpubsub.notifications WHERE channel = 'work'}), '90,60',
		'after the delay asked for, or the back-off of the channel');
	like(text_of($program->{err}), qr/warning: channel "work": notification [0-9]+ was rejected \(attempt 1\): rejected as told$/m, 'the log says which was rejected');
	like(text_of($program->{err}), qr/warning: channel "work": notification [0-9]+ failed \(attempt 1\): later, as told$/m, 'and which failed');
	for my $attempt (2, 3)
	{
		due_now();
		like(text_of(drain($mode, 'work')->{err}), qr/failed \(attempt $attempt\): failed as told$/m, "attempt $attempt");
	}
	is(stored('work'), '', 'after max_attempts nothing is left to be tried');
	is(dead('work'), 'reject 2 1: rejected as told, later 3 3: later, as told, fail 4 3: failed as told', 'but dead letters');
	reset_all('work');
}

# Several from one handler.
for my $mode ('transactional', 'leased')
{
	publish('work', undef, 'publish_batch 1');
	drain($mode, 'work');
	is(sql(q{SELECT string_agg(payload::text || coalesce(' ' || key, ''), ',' ORDER BY id) FROM pgpubsub.notifications WHERE channel = 'next'}), '1,2 NULL', "$mode: a handler publishes a batch");
	is(stored('work'), '', 'and is done');
	sql(q{SELECT pgpubsub.purge_channel('next')});
}

# Ordered, in one transaction: when one of a key fails, those behind it wait, in this batch too, and other keys go on. A batch
# begins with one and doubles while it is quick: the fourth to the seventh are one batch.
publish('steps', 'f', 'insert 1', 'insert 2', 'insert 3');
publish('steps', 'a', 'flaky 4', 'insert 5');
publish('steps', 'b', 'insert 6');
publish('steps', 'a', 'insert 7');
my $program = drain('transactional', 'steps');
is(effects(), '1,2,3,6', 'ordered: the other keys are done');
is(stored('steps'), 'flaky 4 retrying 1, insert 5 ready 0, insert 7 ready 0', 'those behind the failed one wait for it, untried');
is(scalar(lines_of($program)), 5, 'and their handlers did not run');
like(text_of($program->{err}), qr/2 notifications wait behind number/, 'as they were in the same batch');
due_now();
$program = drain('transactional', 'steps');
is(join(' ', map { (split / /)[1] } lines_of($program)), 'flaky insert insert', 'when it succeeds, they follow');
is(sql(q{SELECT string_agg(value::text, ',' ORDER BY ctid) FROM effect}), '1,2,3,6,4,5,7', 'in order');
reset_all('steps');

# The same with a dead letter in front: it holds up nobody.
publish('steps', 'f', 'insert 1', 'insert 2', 'insert 3');
publish('steps', 'a', 'reject 4', 'insert 5', 'insert 6', 'insert 7');
drain('transactional', 'steps');
is(effects(), '1,2,3,5,6,7', 'ordered: a rejected one does not hold up those behind it');
reset_all('steps');

# The same when it fails at COMMIT, so that there is no transaction left in which it could be put back.
sql(q{INSERT INTO effect VALUES (4)});
publish('steps', 'f', 'insert 1', 'insert 2', 'insert 3');
publish('steps', 'a', 'duplicate 4', 'insert 5');
publish('steps', 'b', 'insert 6');
drain('transactional', 'steps');
is(effects(), '1,2,3,4,6', 'ordered: one that fails at COMMIT keeps no other key from being done');
is(stored('steps'), 'duplicate 4 retrying 1, insert 5 ready 0', 'and those behind it wait');
reset_all('steps');

# More keys than a call hands out, and a long run of one key, of which a claim hands out one: a batch that is not full
# does not mean that there is no more.
for my $mode ('transactional', 'leased')
{
	sql(q{SELECT count(pgpubsub.publish('steps', jsonb_build_object('do', 'insert', 'value', i), CASE WHEN i <= 150 THEN i::text ELSE 'run' END)) FROM generate_series(1, 200) i});
	my $all = drain($mode, 'steps', PROBE_BATCH => 500);
	is(effects(), join(',', 1 .. 200), "$mode: --drain leaves nothing behind");
	is(sql(q{SELECT string_agg(value::text, ',' ORDER BY ctid) FROM effect WHERE value > 150}), join(',', 151 .. 200), 'and keeps the order of a key');
	reset_all('steps');
}

# Two subscriptions in one consumer; each gets everything, and fails alone.
sql(q{SELECT pgpubsub.subscribe('work', 'audit')});
for my $mode ('transactional', 'leased')
{
	publish('work', undef, 'insert 1', 'fail 2');
	my @lines = sort map { (split / /)[1] } lines_of(drain($mode, 'work', PROBE_SUBSCRIPTION => 'audit'));
	is("@lines", 'audited audited fail insert', "$mode: each subscription has its handler");
	is(stored('work'), 'fail 2 retrying 1', 'and a failure stays in its own');
	reset_all('work');
}
publish('work', undef, 'insert 1');
$program = background({ env => { PROBE_SUBSCRIPTION => 'missing' } }, $probe, 'transactional', $dsn, 'work', 'drain');
is(wait_for_exit($program), 1, 'a subscription that does not exist');
like(text_of($program->{err}), qr/^fatal: subscription "missing" .*does not exist.* \[42704\] Check the spelling: SELECT channel, subscription FROM pgpubsub\.subscriptions\.$/m, 'is told, with what to do');
is(effects(), '1', 'and the others are done');
$program = start('transactional', 'work', PROBE_SUBSCRIPTION => 'missing');
eventually(sub { text_of($program->{err}) =~ /warning: subscription "missing" .*does not exist.*listening all the same, until somebody makes it with pgpubsub\.subscribe\(\)/ }, 'a consumer that runs waits for it');
sql(q{SELECT pgpubsub.subscribe('work', 'missing')});
publish('work', undef, 'insert 2');
eventually(sub { text_of($program->{out}) =~ /audited/ }, 'and gets what comes then');
stop($program);
sql(q{SELECT pgpubsub.unsubscribe('work', 'missing'), pgpubsub.unsubscribe('work', 'audit')});
reset_all('work');

# A filter: what it does not contain stays, for others.
for my $mode ('transactional', 'leased')
{
	publish('work', undef, 'insert 1', 'insert 2', 'insert 3');
	drain($mode, 'work', PROBE_FILTER => '{"value": 2}');
	is(effects(), '2', "$mode: only what contains the filter is handed out");
	is(stored('work'), 'insert 1 ready 0, insert 3 ready 0', 'the others stay');
	reset_all('work');
}
for my $filter ('{"value":', '{"value": "\u0000"}')
{
	$program = background({ env => { PROBE_FILTER => $filter } }, $probe, 'transactional', $dsn, 'work');
	is(wait_for_exit($program), 1, 'a filter that the server does not take ends the consumer');
	like(text_of($program->{err}), qr/^fatal: the filter of channel "work" is no JSON that the server takes: .* \[22P02\] .*It is: \Q$filter\E$/m, 'with the reason, and what it is');
}

# A pause, while the consumer runs. The poll interval is an hour.
for my $mode ('transactional', 'leased')
{
	$program = start($mode, 'work');
	listening($program);
	sql(q{SELECT pgpubsub.pause_channel('work')});
	my $now = sql(q{SELECT clock_timestamp()});
	publish('work', undef, 'insert 1');
	query_is($node, "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pgpubsub.next_due%' AND state = 'idle' AND query_start > '$now' AND pid <> pg_backend_pid()", 't', "$mode: the consumer is woken, and looks");
	is(effects(), '', 'but a paused channel hands out nothing');
	unlike(text_of($program->{err}), qr/paused/, 'a hint does not ask for that');
	my $other = drain($mode, 'work');
	is(scalar(() = text_of($other->{err}) =~ /warning: channel "work" is paused: nothing of it is handed out until pgpubsub\.resume_channel\(\) is called/g), 1, 'who begins now is told, once');
	sql(q{SELECT pgpubsub.resume_channel('work')});
	query_is($node, q{SELECT string_agg(value::text, ',') FROM effect}, '1', 'when it is resumed, that wakes the consumer');
	stop($program);
	reset_all('work');
}

# A pause is told when it is noticed, once, and so is its end.
$program = background(cli_path(), 'listen', 'work', '--mode', 'leased', '--dsn', $dsn, '--poll-interval', '100ms', '--verbose');
eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens');
for my $time (1 .. 2)
{
	sql(q{SELECT pgpubsub.pause_channel('work')});
	eventually(sub { my @times = text_of($program->{err}) =~ /channel "work" is paused/g; @times == $time }, 'a poll notices a pause');
	sql(q{SELECT pgpubsub.resume_channel('work')});
	eventually(sub { my @times = text_of($program->{err}) =~ /channel "work" is no longer paused/g; @times == $time }, 'and its end');
}
stop($program);

# What another one holds in an open transaction, and gives back: no hint tells of it.
publish('work', undef, 'insert 1');
my $other = $node->background_psql('postgres');
$other->query_safe(q{BEGIN; SELECT id FROM pgpubsub.take('work')});
$program = start('transactional', 'work');
listening($program);
query_is($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE '%pgpubsub.next_due%' AND state = 'idle' AND pid <> pg_backend_pid()}, 't', 'the consumer has looked in vain');
$other->query_safe('ROLLBACK');
$other->quit;
query_is($node, q{SELECT string_agg(value::text, ',') FROM effect}, '1', 'it is found all the same');
stop($program);

done_testing();
