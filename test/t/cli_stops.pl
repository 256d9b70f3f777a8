# pgpubsub listen, when it is told to stop while something else does not move: nobody reads what it prints, or what it says;
# the command ignores SIGTERM; what a command has left behind floods stderr. A TAP test, since it is about processes and pipes.
#
# Ten seconds are what service managers and containers give a program before they kill it. The times are measured here as far
# as the program itself decides them: from a signal to its end.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use POSIX qw(mkfifo WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_cluster('stops');
my $dsn  = $node->connstr('postgres');
my $dir  = tempdir(CLEANUP => 1);
my $count = 0;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub channel
{
	my ($name, $many, $size) = @_;
	sql("SELECT pgpubsub.create_channel('$name')");
	sql("SELECT pgpubsub.publish('$name', to_jsonb(repeat('x', $size))) FROM generate_series(1, $many)");
	return $name;
}
sub states { my ($channel) = @_; return sql("SELECT coalesce(string_agg(DISTINCT state || ' ' || attempts, ','), 'none') FROM pgpubsub.notifications WHERE channel = '$channel'") }

# A pipe that is open for reading, and that nobody reads before it is asked to.
sub silent_pipe
{
	my $name = "$dir/pipe" . ++$count;
	mkfifo($name, 0600) or BAIL_OUT("mkfifo: $!");
	sysopen(my $reader, $name, POSIX::O_RDONLY | POSIX::O_NONBLOCK) or BAIL_OUT("open: $!");
	return ($name, $reader);
}

# How many bytes nobody has read yet.
sub waiting_in { my ($reader) = @_; my $number = pack 'i', 0; ioctl($reader, 0x541B, $number) or BAIL_OUT("FIONREAD: $!"); return unpack 'i', $number }

# Starts it by a shell, which knows how to redirect.
sub start
{
	my ($redirections, @arguments) = @_;
	my $program = background('/bin/sh', '-c', "exec \"\$0\" \"\$@\" $redirections", cli_path(), @arguments, '--dsn', $dsn);
	return $program;
}

# The signals in flight have arrived.
sub taken { my ($program) = @_; return text_of("/proc/$program->{pid}/status") =~ /^SigPnd:\s*0+\nShdPnd:\s*0+$/m }

# Sends so many SIGTERMs, and returns how long it took from the last one to the end, and the exit status.
sub stop
{
	my ($program, $signals) = @_;
	for my $i (1 .. $signals)
	{
		sleep 0.7 if $i > 1;    # signals within half a second count once
		kill TERM => $program->{pid};
		eventually(sub { taken($program) }, "SIGTERM $i was taken");
	}
	my $begun = time;
	my $status = wait_for_exit($program);
	return (time - $begun, $status);
}

# Nobody reads stdout: with a pipe of 64 kB, the 100 kB of one line, or the second one of several that have 40 kB.
for my $case (['one long line', 1, 100_000, 'transactional'], ['many lines', 10, 40_000, 'transactional'], ['leased', 10, 40_000, 'leased'])
{
	my ($what, $many, $size, $mode) = @$case;
	for my $signals (1, 2)
	{
		my $name = channel("stuck $what $signals", $many, $size);
		my ($pipe, $reader) = silent_pipe();
		my $program = start(">$pipe", 'listen', $name, '--mode', $mode);
		eventually(sub { waiting_in($reader) > 50_000 }, "$what: it is in the middle of a line that does not fit");
		my ($time, $status) = stop($program, $signals);
		is($status, 1, "$what: SIGTERM $signals times ends it");
		cmp_ok($time, '<', $signals == 1 ? 10 : 5, 'in time') or diag("$time s");
		note(sprintf('%s, %d signals: %.2f s', $what, $signals, $time));
		like(text_of($program->{err}), qr/^pgpubsub: stopping although stdout is not read; what was not committed goes back$/m, 'and it says why');
		is(states($name), 'ready 0', 'what was in hand is back, untried');
		query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgpubsub'}, '0', 'no session is left');
	}
}

# Nobody reads stderr: neither what a command says nor what the program says itself holds anything up.
my $name = channel('silent stderr', 3, 10);
my ($pipe, $reader) = silent_pipe();
my $program = start("2>$pipe", 'listen', $name, '--exec', "head -c 1000000 /dev/zero | tr '\\0' e >&2; echo \$PGPUBSUB_ID >> $dir/done");
eventually(sub { waiting_in($reader) > 60_000 }, 'nobody reads stderr');
query_is($node, qq{SELECT count(*) FROM pgpubsub.notifications WHERE channel = '$name'}, '0', 'the commands come to their end all the same');
my ($time, $status) = stop($program, 1);
is($status, 0, 'and so does the program');
cmp_ok($time, '<', 10, 'in time');

# With messages only: each failure is a warning, of a few hundred bytes.
$name = channel('warnings', 120, 1);
sql("SELECT pgpubsub.alter_channel('$name', backoff_base => '1 hour', backoff_max => '1 hour')");
($pipe, $reader) = silent_pipe();
$program = start("2>$pipe", 'listen', $name, '--drain', '--exec', "printf '%0900d' 1 >&2; exit 1");
is(wait_for_exit($program), 1, '120 failures that nobody reads of: it comes to its end');
is(states($name), 'retrying 1', 'and all were tried');
{
	# What is left out is told where somebody reads again.
	$name = channel('gap', 3, 10);
	my $go = "$dir/go";
	($pipe, $reader) = silent_pipe();
	$program = start("2>$pipe", 'listen', $name, '--drain', '--verbose', '--exec',
		"head -c 400000 /dev/zero | tr '\\0' e >&2; echo x >> $dir/begun; while [ \$(wc -l < $dir/begun) = 3 ] && ! [ -e $go ]; do sleep 0.05; done; echo end >&2");
	eventually(sub { text_of("$dir/begun") eq "x\nx\nx\n" }, 'more is written than anybody keeps');
	write_file($go, '');
	my $said = '';
	my $end = time + 60;
	while (time < $end)
	{
		my $read = sysread($reader, my $part, 65536);
		$said .= $part if $read;
		last if waitpid($program->{pid}, WNOHANG) == $program->{pid};
		sleep 0.01 unless $read;
	}
	$said .= $_ while sysread($reader, $_, 65536);
	like($said, qr/^pgpubsub: warning: [0-9]+ bytes are left out here: stderr was not read$/m, 'that something is left out is told');
}

# A background process of a command that goes on writing to stderr: the command has ended, and so may the program.
$name = channel('flood', 2, 10);
($pipe, $reader) = silent_pipe();
$program = start("2>$pipe", 'listen', $name, '--exec', "yes >&2 & echo \$! >> $dir/flood; exit 0");
query_is($node, qq{SELECT count(*) FROM pgpubsub.notifications WHERE channel = '$name'}, '0', 'what floods stderr in the background does not hold up its command');
($time, $status) = stop($program, 1);
is($status, 0, 'nor a stop');
cmp_ok($time, '<', 10, 'in time');
kill KILL => split ' ', text_of("$dir/flood");

# A command that ignores SIGTERM: the first request lets it finish, the second ends it.
$name = channel('stubborn', 1, 10);
$program = start('', 'listen', $name, '--exec', "trap '' TERM; echo \$\$ > $dir/stubborn; while :; do sleep 1; done");
eventually(sub { text_of("$dir/stubborn") =~ /\n/ }, 'a command runs that ignores SIGTERM');
($time, $status) = stop($program, 2);
is($status, 1, 'the second SIGTERM ends it');
cmp_ok($time, '<', 5, 'in time');
note(sprintf('stubborn: %.2f s', $time));
ok(!is_alive(text_of("$dir/stubborn") + 0), 'with the command');
is(states($name), 'ready 0', 'whose notification is back, untried');

done_testing();
