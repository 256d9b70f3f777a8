# pgpubsub listen --exec: what the command gets, what its end means, and that no command can harm the
# consumer. A TAP test, since it is about processes and pipes.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $node = start_cluster('exec');
my $dsn  = $node->connstr('postgres');
my $dir  = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub run_all { my ($command, @more) = @_; return cli('listen', 'work', '--exec', $command, '--drain', @more, '--dsn', $dsn) }
sub purge { sql(q{SELECT count(*) FROM pgpubsub.recover('work')}); sql(q{DELETE FROM pgpubsub.notification}) }

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour')});

# What it gets: the line on stdin, and variables; its stdout is ours.
sql(q{SELECT pgpubsub.publish('work', '{"n": 1.10}', 'k 1', '{"h": true}')});
my $idempotency_key = sql(q{SELECT id || '-' || (extract(epoch FROM created_at) * 1000000)::bigint FROM pgpubsub.notifications});
my ($status, $out, $err) = run_all('cat; echo "$PGPUBSUB_ID|$PGPUBSUB_CHANNEL|$PGPUBSUB_ATTEMPTS|$PGPUBSUB_KEY|$PGPUBSUB_KEY_OMITTED|$PGPUBSUB_IDEMPOTENCY_KEY"');
is($status, 0, 'ran');
my ($line, $variables) = split /\n/, $out;
like($line, qr/"payload":\{"n": 1\.10\}/, 'the line, numbers exact');
is_deeply([@{ $json->decode($line) }{qw(channel key attempts idempotency_key)}], ['work', 'k 1', 1, $idempotency_key], 'with its fields');
like($variables, qr/^[0-9]+\|work\|1\|k 1\|\|$idempotency_key$/, 'the variables');
is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'exit 0 acks');

# Five good ones and four that fail, interleaved: first as they come (live), then in recovery.
my $consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--verbose', '--exec',
	"grep -q bad && { echo \"this is bad\" >&2; exit 3; }; echo \$PGPUBSUB_ID >> $dir/good");
eventually(sub { text_of($consumer->{err}) =~ /listening/ }, 'listens');
sql(q{SELECT pgpubsub.publish('work', CASE i % 2 WHEN 1 THEN '"good"'::jsonb ELSE '"bad"' END) FROM generate_series(1, 9) i});
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE state = 'retrying'}, '4', 'live: the failing ones are kept');
eventually(sub { (() = text_of("$dir/good") =~ /\n/g) == 5 }, 'live: the good ones are done');
query_is($node, q{SELECT string_agg(DISTINCT payload::text || ': ' || last_error || ', ' || attempts, '; ') FROM pgpubsub.notifications},
	'"bad": the command exited with status 3: this is bad, 1', 'live: stderr is the last error');
like(text_of($consumer->{err}), qr/^this is bad$/m, 'and went to our stderr too');
kill TERM => $consumer->{pid};
is(wait_for_exit($consumer), 0, 'stopped');
purge();
sql(q{SELECT pgpubsub.publish('work', CASE i % 2 WHEN 1 THEN '"good"'::jsonb ELSE '"bad"' END) FROM generate_series(1, 9) i});
for my $mode ('leased', 'transactional')
{
	my $already = () = text_of("$dir/good") =~ /\n/g;
	($status) = run_all("grep -q bad && { echo again >&2; exit 1; }; echo \$PGPUBSUB_ID >> $dir/good", '--mode', $mode, '--recover', '--batch', 50);
	is($status, 1, "recovery, $mode: failing ones show in the status of --drain");
	like($err = (cli('listen', 'work', '--drain', '--dsn', $dsn))[2], qr/^\z/, 'and are not tried again at once');
	is((() = text_of("$dir/good") =~ /\n/g) - $already, 5, "recovery, $mode: the good ones are done");
	is(sql(q{SELECT count(*) || string_agg(DISTINCT last_error, '|') FROM pgpubsub.notifications WHERE payload = '"bad"'}),
		'4the command exited with status 1: again', "recovery, $mode: the failing ones are kept with their errors");
	purge();
	sql(q{SELECT pgpubsub.publish('work', CASE i % 2 WHEN 1 THEN '"good"'::jsonb ELSE '"bad"' END) FROM generate_series(1, 9) i});
}
purge();

# A retry comes when the back-off of the channel is over, though the poll interval is an hour.
sql(q{SELECT pgpubsub.alter_channel('work', backoff_base => '0.2 seconds', backoff_factor => 1)});
sql(q{SELECT pgpubsub.publish('work', '"retry"')});
$consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--poll-interval', '1h', '--exec',
	"echo x >> $dir/tries; [ \"\$(wc -l < $dir/tries)\" = 3 ]");
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'failing twice, then good: retried without a poll');
is(text_of("$dir/tries"), "x\nx\nx\n", 'three tries');
kill TERM => $consumer->{pid};
is(wait_for_exit($consumer), 0, 'stopped');
sql(q{SELECT pgpubsub.alter_channel('work', backoff_base => '1 hour')});

# 65 rejects, in either mode: a dead letter at once, whatever attempts are left.
for my $mode ('leased', 'transactional')
{
	sql(q{SELECT pgpubsub.publish('work', '"wrong"')});
	($status, $out, $err) = run_all('echo "no such user" >&2; exit 65', '--mode', $mode);
	is($status, 1, "$mode: a rejection shows in the status of --drain");
	like($err, qr/^pgpubsub: warning: channel "work": notification [0-9]+ was rejected \(attempt 1\): the command exited with status 65: no such user$/m, 'and is told');
	is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'it is not tried again');
	is(sql(q{SELECT payload::text || ' ' || attempts || ' ' || last_error FROM pgpubsub.dead_letters}), '"wrong" 1 the command exited with status 65: no such user', 'but a dead letter');
	sql(q{SELECT pgpubsub.purge_dead_letters('work')});
}

# Commands that misbehave.
my $mb = q{SELECT pgpubsub.publish('work', to_jsonb(repeat('x', 1048576)))};
sql($mb);
($status) = run_all('true');
is($status, 0, 'a command that does not read its stdin');
is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'is believed');
sql($mb);
($status, $out) = run_all('exec 0<&-; echo done');
is($out, "done\n", 'one that closes its stdin');
sql($mb);
($status, $out) = run_all('wc -c');
cmp_ok($out, '>', 1_048_576, 'one that reads it all');
sql(q{SELECT pgpubsub.publish('work', '1')});
($status, $out) = run_all("sleep 1000 & echo \$! > $dir/orphan");
is($status, 0, 'one that leaves a child behind, which holds our pipe, is not waited for');
kill KILL => text_of("$dir/orphan");
for my $case (
	['kill -9 $$', qr/^the command was killed by signal 9 \(Killed\)$/],
	['printf "a\\000b\\377c" >&2; exit 1', qr/^the command exited with status 1: a\x{FFFD}b\x{FFFD}c$/],
	['head -c 1000000 /dev/zero | tr "\\000" y >&2; echo END >&2; exit 1', qr/^the command exited with status 1: y{4000,}\n?END$/],
	['exit 1', qr/^the command exited with status 1$/])
{
	sql(q{SELECT pgpubsub.publish('work', '1')});
	($status, $out, $err) = run_all($case->[0]);
	is($status, 1, "fails: $case->[0]");
	like($err, qr/^pgpubsub: 1 notification failed\nhint: pgpubsub peek CHANNEL shows last_error/m, 'and says how many');
	unlike($err, qr/notification [0-9]+ failed.{450}/, 'with little of what it wrote in the warning');
	my $error = sql(q{SELECT last_error FROM pgpubsub.notifications});
	utf8::decode($error);
	like($error, $case->[1], 'the error says how');
	cmp_ok(length $error, '<=', 8192, 'and is bounded');
	purge();
}

# A key that is too long for a variable, or for what all of them may have together, is left out.
sql(q{SELECT pgpubsub.publish('work', '1', repeat('k', i)) FROM unnest('{100000,131058,131059,1000000}'::int[]) i});
my $count_key = 'echo "$(printf %s "$PGPUBSUB_KEY" | wc -c) ${PGPUBSUB_KEY+set} $PGPUBSUB_KEY_OMITTED $(wc -c | tr -dc "[:digit:]")"';
$ENV{PGPUBSUB_KEY_OMITTED} = 'of somebody else';
($status, $out, $err) = run_all($count_key);
delete $ENV{PGPUBSUB_KEY_OMITTED};
is($status, 0, 'keys of any length') or diag($err);
like($out, qr/\A100000 set  100\d\d\d\n131058 set  131\d\d\d\n0  1 131\d\d\d\n0  1 1000\d\d\d\n\z/, 'and the line on stdin has them all');
sql(q{SELECT pgpubsub.publish('work', '1', repeat('k', 131000)), pgpubsub.publish('work', '1', 'short')});
my $program = background('/bin/sh', '-c', 'ulimit -s 512; exec "$0" "$@"', cli_path(), 'listen', 'work', '--exec', $count_key, '--drain', '--dsn', $dsn);
is(wait_for_exit($program), 0, 'with a limit of 128 kB for all variables');
like(text_of($program->{out}), qr/\A0  1 131\d\d\d\n5 set  \d+\n\z/, 'the same key is left out');

# Where no command can be started: that is no notification's fault.
$program = background({ env => { PADDING => 'x' x 100000, MORE => 'x' x 100000 } }, cli_path(), 'listen', 'work', '--exec', 'cat', '--dsn', $dsn, '--verbose');
eventually(sub { text_of($program->{err}) =~ /listening/ }, 'listens');
system('prlimit', "--pid=$program->{pid}", '--stack=524288:') == 0 or BAIL_OUT('prlimit failed');
sql(q{SELECT pgpubsub.publish('work', '1')});
is(wait_for_exit($program), 1, 'a command that can\'t be started ends the consumer');
like(text_of($program->{err}), qr{^pgpubsub: could not run the command by \S*/cat: Argument list too long$}m, 'with the reason');
is(sql(q{SELECT state || ' ' || attempts FROM pgpubsub.notifications}), 'ready 0', 'and what it was for is back, untried');
purge();

# SIGTERM: the command in hand finishes and is acked; what was claimed with it goes back untried.
sql(q{SELECT pgpubsub.publish('work', to_jsonb(i)) FROM generate_series(1, 5) i});
my $slow = "echo \$PGPUBSUB_ID >> $dir/begun; while ! [ -e $dir/gate ]; do sleep 0.02; done; echo \$PGPUBSUB_ID >> $dir/done";
$consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--exec', $slow);
eventually(sub { text_of("$dir/begun") ne '' }, 'a command is running');
kill TERM => $consumer->{pid};
write_file("$dir/gate", '');
is(wait_for_exit($consumer), 0, 'SIGTERM ends it with 0');
is(text_of("$dir/done"), text_of("$dir/begun"), 'the command in hand has finished');
is(sql(q{SELECT count(*) || ' ' || string_agg(DISTINCT state || attempts, ',') FROM pgpubsub.notifications}), '4 ready0', 'and only it is gone');

# Twice: the command gets a SIGTERM, and its notification goes back.
unlink "$dir/gate", "$dir/begun", "$dir/done";
$consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--exec', $slow);
eventually(sub { text_of("$dir/begun") ne '' }, 'a command is running');
kill TERM => $consumer->{pid};
select(undef, undef, undef, 0.6);    # signals within half a second count once
kill TERM => $consumer->{pid};
eventually(sub { text_of($consumer->{err}) =~ /ended/ }, 'SIGTERM again');
is(wait_for_exit($consumer), 1, 'the second ends it in the middle, with 1');
like(text_of($consumer->{err}), qr/the command was ended by the second request to stop/, 'and says so');
is(text_of("$dir/done"), '', 'the command did not finish');
is(sql(q{SELECT count(*) || ' ' || string_agg(DISTINCT state || attempts, ',') FROM pgpubsub.notifications}), '4 ready0', 'and its notification is back');

# The same signal twice at once, as when a service manager signals the whole group, is one request.
unlink "$dir/gate", "$dir/begun", "$dir/done";
$consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--exec', $slow);
eventually(sub { text_of("$dir/begun") ne '' }, 'a command is running');
my $pending = sub { text_of("/proc/$consumer->{pid}/status") !~ /^SigPnd:\s*0+\nShdPnd:\s*0+$/m };
for my $signal ('TERM', 'TERM', 'INT', 'HUP')
{
	kill $signal => $consumer->{pid};
	eventually(sub { !$pending->() }, "SIG$signal was taken");
}
write_file("$dir/gate", '');
is(wait_for_exit($consumer), 0, 'signals at once count as one');
is(text_of("$dir/done"), text_of("$dir/begun"), 'and the command in hand has finished');
sql(q{SELECT pgpubsub.publish('work', '1')});

# A command that ignores SIGTERM, and one of which a part does.
for my $stubborn ("trap '' TERM; sleep 1000 & echo \$! > $dir/pid; wait", "(trap '' TERM; exec sleep 1000) & echo \$! > $dir/pid; wait")
{
	unlink "$dir/pid";
	$consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--exec', $stubborn);
	eventually(sub { text_of("$dir/pid") =~ /\n/ }, "running: $stubborn");
	my $started = text_of("$dir/pid") + 0;
	eventually(sub { text_of("/proc/$started/comm") eq "sleep\n" }, 'in full');
	kill TERM => $consumer->{pid};
	eventually(sub { !$pending->() }, 'the first SIGTERM was taken');
	# Signals within half a second count once. No third one: it could come when the consumer has its former handlers back.
	select(undef, undef, undef, 0.6);
	kill TERM => $consumer->{pid};
	is(wait_for_exit($consumer), 1, 'after the second it is killed');
	like(text_of($consumer->{err}), qr/ended/, 'and told of');
	eventually(sub { !is_alive($started) }, 'with what it has started');
}

# SIGKILL of the consumer ends the command too, with what it has started, and the lease brings the work back.
unlink "$dir/gate", "$dir/begun", "$dir/pid";
$consumer = background(cli_path(), 'listen', 'work', '--dsn', $dsn, '--lease', '1s', '--exec', "sleep 1000 & echo \$\$ \$! > $dir/pid; wait");
eventually(sub { text_of("$dir/pid") =~ /\n/ }, 'a command is running');
my @command = split ' ', text_of("$dir/pid");
kill KILL => $consumer->{pid};
wait_for_exit($consumer);
eventually(sub { !grep { is_alive($_) } @command }, 'the command does not outlive its consumer');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE state = 'ready'}, '4', 'and all is ready again when the lease ends');

done_testing();
