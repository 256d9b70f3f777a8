# What handlers may do, and what it does to the others in their batch. A TAP test, since it is about the
# library: test/t/client_probe.cpp is the program whose handler does what each payload says.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;

my $node  = start_cluster('handlers');
my $dsn   = $node->connstr('postgres');
my $probe = build_probe();
my $dir   = tempdir(CLEANUP => 1);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub publish { my @actions = @_; my $value = 0; sql('SELECT ' . join ', ', map { $value++; qq{pgpubsub.publish('work', '{"do": "$_", "value": $value}')} } @actions) }
sub drain
{
	my ($mode, %env) = @_;
	my $program = background({ env => \%env }, $probe, $mode, $dsn, 'work', 'drain');
	is(wait_for_exit($program), 0, "$mode, drained") or diag(text_of($program->{err}));
	return $program;
}
sub effects { return sql(q{SELECT coalesce(string_agg(value::text, ',' ORDER BY value), '') FROM effect}) }
sub kept { return sql(q{SELECT coalesce(string_agg(payload ->> 'do' || ' ' || (payload ->> 'value') || ' ' || state || ' ' || attempts || ': ' || coalesce(last_error, ''), E'\n' ORDER BY id), '') FROM pgpubsub.notifications}) }
sub reset_all { sql(q{TRUNCATE effect; DELETE FROM pgpubsub.notification}) }

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour'); SELECT pgpubsub.create_channel('next');
      CREATE TABLE effect (value bigint UNIQUE DEFERRABLE INITIALLY DEFERRED, notification bigint)});

# One batch with everything that can go wrong in a handler.
for my $batch (1, 50)
{
	publish(qw(insert fail insert error insert swallow insert commit insert savepoint));
	my $program = drain('transactional', PROBE_BATCH => $batch);
	is(effects(), '1,3,5,7,9,10', "batches of $batch: the good ones are done, and nothing of the others is left");
	is(kept(), join("\n",
		'fail 2 retrying 1: failed as told',
		'error 4 retrying 1: division by zero',
		'swallow 6 retrying 1: the handler caught an SQL error and left its transaction aborted: division by zero',
		q{commit 8 retrying 1: a handler can't begin or end the transaction of its notification}),
		'the failing ones are kept with their errors');
	is(scalar(lines_of($program)), 10, 'each handler ran once');
	reset_all();
}

# One that only fails at COMMIT: it must not take the others with it, nor come back at once for ever.
sql(q{INSERT INTO effect VALUES (3)});
publish(qw(insert insert duplicate insert insert));
drain('transactional');
is(effects(), '1,2,3,4,5', 'a deferred constraint: the others are done');
like(kept(), qr/^duplicate 3 retrying 1: duplicate key value violates unique constraint.*\z/, 'the one at fault is kept with its error, alone');
reset_all();
sql(q{INSERT INTO effect VALUES (1)});
publish(qw(duplicate));
drain('transactional');
like(kept(), qr/^duplicate 1 retrying 1: duplicate key/, 'the same, alone from the start');
reset_all();

# What a handler sets for the session is undone before the next one begins, and the library's savepoint is its own.
sql('CREATE ROLE nothing_allowed');
for my $batch (1, 50)
{
	publish(qw(set_role settings set_role fail settings set_local settings our_savepoint settings set_role insert));
	my $program = drain('transactional', PROBE_BATCH => $batch);
	is(effects(), '1,2,3,5,6,7,9,10,11', "batches of $batch: roles and settings do no harm to the others");
	is(scalar(grep { / t$/ } lines_of($program)), 4, 'which have their own');
	is(kept(), "fail 4 retrying 1: failed as told\nour_savepoint 8 retrying 1: the savepoint pgpubsub_handler belongs to the library",
		'and the failing ones are kept with their errors');
	reset_all();
}

# A delay that no clock can add.
for my $mode ('transactional', 'leased')
{
	publish(qw(never));
	drain($mode);
	is(kept(), 'never 1 retrying 1: never, as told', "$mode: the longest delay there is");
	is(sql(q{SELECT due_at BETWEEN now() + '90 years' AND now() + '110 years' FROM pgpubsub.notifications}), 't', 'is a hundred years');
	reset_all();
}

# Publishing from a handler; stopping from a handler.
publish(qw(publish));
drain('transactional');
is(sql(q{SELECT channel || payload || key FROM pgpubsub.notifications}), 'next1k', 'a handler publishes');
reset_all();
publish(qw(insert stop insert));
my $program = background({ env => { PROBE_BATCH => 1 } }, $probe, 'transactional', $dsn, 'work');
is(wait_for_exit($program), 0, 'stop() from a handler ends run()');
is(effects(), '1,2', 'with the batch in hand finished');
reset_all();

# Leased: failing ones are nacked.
publish(qw(insert fail insert fail insert));
drain('leased');
is(effects(), '1,3,5', 'leased: the good ones are done');
is(kept(), "fail 2 retrying 1: failed as told\nfail 4 retrying 1: failed as told", 'leased: the failing ones are kept with their errors');
reset_all();

# What is the consumer's own trouble is not charged to the notification: it goes back, untried, and the consumer pauses, or ends.
for my $mode ('transactional', 'leased')
{
	publish(qw(insert unable insert));
	my $program = background($probe, $mode, $dsn, 'work');
	query_is($node, q{SELECT string_agg(value::text, ',' ORDER BY value) FROM effect}, '1,2,3', "$mode: what a handler can't do just now is done after a pause");
	query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and nothing is left');
	is(scalar(grep { /unable/ } lines_of($program)), 3, 'it was tried again each time');
	my @pauses = text_of($program->{err}) =~ /channel "work": the handler can't work just now: unable as told; next attempt in/g;
	is(scalar(@pauses), 2, 'with a pause before, which is told');
	unlike(text_of($program->{err}), qr/notification [0-9]+ failed/, 'and it has not failed');
	kill TERM => $program->{pid};
	is(wait_for_exit($program), 0, 'stopped');
	reset_all();

	for my $action ('unable', 'give_up')
	{
		my $why = $action eq 'unable' ? 'unable as told' : 'giving up as told';
		publish('insert', $action, 'insert');
		$program = background($probe, $mode, $dsn, 'work', $action eq 'unable' ? 'drain' : ());
		is(wait_for_exit($program), 1, "$mode, $action: ends the consumer");
		like(text_of($program->{err}), qr/^fatal: $why/m, 'with what the handler said');
		is(sql(q{SELECT string_agg((payload ->> 'do') || ' ' || state || ' ' || attempts, ', ' ORDER BY id) FROM pgpubsub.notifications}), "$action ready 0, insert ready 0", 'what is not done goes back, untried');
		is(effects(), '1', 'and nothing of it is left');
		reset_all();
	}
}

# Leased: the lease (1 s) is extended while the handler runs, so nobody else gets it meanwhile.
my $gate = "$dir/gate";
publish('wait');
my $first = background({ env => { PROBE_GATE => $gate } }, $probe, 'leased', $dsn, 'work');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE state = 'leased'}, '1', 'leased');
my $until = sql(q{SELECT due_at + interval '2 seconds' FROM pgpubsub.notifications});
query_is($node, "SELECT max(due_at) > '$until' FROM pgpubsub.notifications", 't', 'two seconds later it is still leased');
is(scalar(lines_of(drain('leased', PROBE_GATE => $gate))), 0, 'and nobody else gets it');
write_file($gate, '');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'it is acked when the handler returns');
is(effects(), '1', 'done once');
kill TERM => $first->{pid};
is(wait_for_exit($first), 0, 'stopped');
unlike(text_of($first->{err}), qr/leases were lost/, 'the lease was held all the time');
reset_all();
unlink $gate;

# Leased: a lease that was lost (here: ended by hand, and taken by somebody else) is told, and the late ack does not end the other's.
publish('wait');
$first = background({ env => { PROBE_GATE => $gate } }, $probe, 'leased', $dsn, 'work');
eventually(sub { text_of($first->{out}) =~ /wait/ }, 'a handler is running');
sql(q{UPDATE pgpubsub.notification SET due_at = now(), lease_token = NULL});
sql(q{SELECT pgpubsub.claim('work', 1, interval '1 hour')});
write_file($gate, '');
eventually(sub { text_of($first->{err}) =~ /1 of 1 leases were lost/ }, 'a lost lease is told');
is(sql(q{SELECT state FROM pgpubsub.notifications}), 'leased', 'and the late ack did nothing to the new one');
kill TERM => $first->{pid};
is(wait_for_exit($first), 0, 'stopped');

reset_all();

# A serialization failure is nobody's fault: the transaction is run again as a whole, and nothing counts as failed.
publish('serialize');
drain('transactional');
is(effects(), '1', 'what a serialization failure undid is done again');
is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), '0', 'and did not count as a failure');
reset_all();

# The first request to stop lets the batch in hand finish; the second gives back what of it has not begun. A batch begins
# with one and doubles while it is quick: by then it holds more than the one that waits.
sub stop_in_batch
{
	my ($mode, $times) = @_;
	unlink $gate;
	publish(('insert') x 39, 'wait', ('insert') x 30);
	my $program = background({ env => { PROBE_GATE => $gate } }, $probe, $mode, $dsn, 'work');
	eventually(sub { text_of($program->{out}) =~ /wait/ }, "$mode: a handler is running");
	for my $time (1 .. $times)
	{
		# Signals within half a second count once.
		select(undef, undef, undef, 0.6) if $time > 1;
		kill TERM => $program->{pid};
		eventually(sub { text_of("/proc/$program->{pid}/status") =~ /^SigPnd:\s*0+\nShdPnd:\s*0+$/m }, 'the SIGTERM was delivered');
	}
	write_file($gate, '');
	is(wait_for_exit($program), 0, "$mode: stopped by $times SIGTERM");
	return scalar(lines_of($program));
}
for my $mode ('transactional', 'leased')
{
	my $begun = stop_in_batch($mode, 1);
	cmp_ok($begun, '>', 40, 'the batch in hand is finished');
	is(effects(), join(',', 1 .. $begun), 'and its work is kept');
	is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 70 - $begun, 'and only that is gone');
	reset_all();
	is(stop_in_batch($mode, 2), 40, 'the second SIGTERM lets no other handler begin');
	like(effects(), $mode eq 'leased' ? qr/,40$/ : qr/^(?!.*40)/, 'what was begun counts if it is leased, else the batch is undone');
	is(sql(q{SELECT string_agg(DISTINCT state || attempts, ',') FROM pgpubsub.notifications}), 'ready0', 'the rest is ready, untried');
	reset_all();
}

done_testing();
