# What the program does where it lacks something that programs have: an open stdin, stdout or stderr, descriptors, processes,
# a command that there is, somebody who reaps orphans. Nothing is lost, no attempt is used up, and the exit status tells.
# A TAP test, since it is about processes.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep);

my $node = start_cluster('descriptors');
my $dsn  = $node->connstr('postgres');
my $dir  = tempdir(CLEANUP => 1);
$ENV{PGPUBSUB_DSN} = $dsn;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub left { return sql(q{SELECT count(*) || coalesce(' ' || string_agg(DISTINCT state || ' ' || attempts, ','), '') FROM pgpubsub.notifications}) }
sub purge { sql(q{SELECT count(*) FROM pgpubsub.take('m', 1000)}) }

# By a shell, with these redirections or limits: the exit status, stdout and stderr.
sub shell
{
	my ($script) = @_;
	my $program = background('/bin/sh', '-c', $script, cli_path());
	my $status = wait_for_exit($program, $script);
	return ($status, text_of($program->{out}), text_of($program->{err}));
}

sql(q{SELECT pgpubsub.create_channel('m', max_attempts => 2, backoff_base => '10 milliseconds')});

# Closed standard descriptors: their numbers are nobody else's.
sql(q{SELECT pgpubsub.publish('m', to_jsonb(i)) FROM generate_series(1, 20) i});
for my $closed ('<&- >&-', '>&-', '<&- >&- 2>&-', '>&- 2>&-')
{
	for my $mode ('transactional', 'leased')
	{
		my ($status, $out, $err) = shell("exec \"\$0\" listen m --drain --mode $mode $closed");
		is($status, 1, "$closed, $mode: a line can't be written, which is a failure");
		like($err, qr/^pgpubsub: could not write to stdout: Bad file descriptor$/m, 'and is told') unless $closed =~ /2>&-/;
		is(left(), '20 ready 0', 'and none is lost');
	}
}
for my $command ('stats', 'channels', 'peek m', 'publish m 1', 'publish m - --lines', 'recover m', 'purge-dead-letters m --all', '--help', '--version', 'help listen')
{
	my ($status, $out, $err) = shell("echo 1 | \"\$0\" $command >&-");
	is($status, 1, "stdout is closed: $command fails");
	like($err, qr/could not write to stdout: Bad file descriptor$/m, 'and says so');
}
my ($status, $out, $err) = shell('exec "$0" publish m - <&-');
is($status, 1, 'stdin is closed: publish fails');
is($err, "pgpubsub: could not read from stdin: Bad file descriptor\n", 'and says so');
$status = (shell('exec "$0" listen m --drain 2>&-'))[0];
is($status, 0, 'without a stderr it works');
is(left(), '0', 'and processes all');
sql(q{SELECT pgpubsub.publish('m', '1')});
($status, $out, $err) = shell("exec \"\$0\" listen m --drain --exec 'echo done' >&-");
is($status, 1, 'a command gets a stdout that can\'t be written to');
like($err, qr/notification \d+ failed \(attempt 1\): the command exited with status \d+: /, 'which fails as with any closed one');
purge();

# The guardian watches, whatever was closed: a command does not outlive its consumer.
sql(q{SELECT pgpubsub.publish('m', '1')});
my $program = background('/bin/sh', '-c', "exec \"\$0\" listen m --lease 1s --exec 'echo \$\$ > $dir/pid; sleep 1000 & wait' <&- >&- 2>&-", cli_path());
eventually(sub { text_of("$dir/pid") =~ /\n/ }, 'a command runs where all three are closed');
kill KILL => $program->{pid};
wait_for_exit($program);
eventually(sub { !is_alive(text_of("$dir/pid") + 0) }, 'it ends with its consumer');
query_is($node, q{SELECT state FROM pgpubsub.notifications}, 'ready', 'and its lease ends');
purge();

# A command that is not there, or can't be run: that is no notification's fault.
write_file("$dir/text", "no program\n");
write_file("$dir/no-interpreter", "#!/no/such/interpreter\n");
chmod 0755, "$dir/no-interpreter";
write_file("$dir/plain-script", "echo \"plain \$1\"\n");
chmod 0755, "$dir/plain-script";
for my $case (['/no/such/program', qr/not found|Permission denied/], ['no-such-program --now', qr/not found|Permission denied/], ["$dir/text", qr/Permission denied/i],
	["$dir/no-interpreter", qr/No such file or directory|not found|Permission denied/], ['cat > /dev/null; no-such-program', qr/not found|Permission denied/], ["'$dir/text'", qr/Permission denied/i])
{
	sql(q{SELECT pgpubsub.publish('m', to_jsonb(i)) FROM generate_series(1, 3) i});
	for my $mode ('leased', 'transactional')
	{
		($status, $out, $err) = cli('listen', 'm', '--drain', '--mode', $mode, '--exec', $case->[0]);
		is($status, 1, "$mode: $case->[0]: ends the consumer");
		like($err, qr/^pgpubsub: (?:the command could not be run: the command exited with status 12[67]: .*|could not run the command by .*)$case->[1]/m, 'with the reason');
		is(left(), '3 ready 0', 'and all is back, untried');
	}
	purge();
}
sql(q{SELECT pgpubsub.publish('m', '1')});
($status, $out) = cli('listen', 'm', '--processes', '2', '--exec', '/no/such/program');
is($status, 1, 'several processes end too');
is(left(), '1 ready 0', 'and it is back, untried');
($status, $out) = cli('listen', 'm', '--drain', '--exec', "$dir/plain-script word");
is($out, "plain word\n", 'a script without a first line that names its interpreter is run by the shell');

# No descriptors, no processes, no space for the environment.
for my $limit ('-n 12', '-n 13', '-n 14', '-n 15', '-n 16', '-n 17', '-n 18', '-n 19', '-n 20')
{
	sql(q{SELECT pgpubsub.publish('m', to_jsonb(i)) FROM generate_series(1, 3) i});
	($status, $out, $err) = shell("ulimit $limit; exec \"\$0\" listen m --drain --exec 'echo x'");
	my $done = () = $out =~ /x/g;
	is($done == 3 ? 0 : 1, $status, "ulimit $limit: the status tells") or diag($err);
	like($err, qr/Too many open files|could not connect|wakeup|pipe/i, 'and the text why') if $status;
	is(left(), $done == 3 ? '0' : (3 - $done) . ' ready 0', 'no attempt is used up');
	purge();
}

# As the first process of a container: what commands leave behind is reaped.
SKIP:
{
	skip 'unshare is not possible here', 3 if system("unshare -Urpf --mount-proc true 2> $dir/unshare") != 0;
	sql(q{SELECT pgpubsub.publish('m', to_jsonb(i)) FROM generate_series(1, 5) i});
	$program = background({ env => { PGUSER => scalar getpwuid $< } }, 'unshare', '-Urpf', '--mount-proc', '--kill-child', cli_path(), 'listen', 'm', '--exec',
		"(setsid sleep 0.1 &); (sleep 0.1 &); echo x >> $dir/orphans; exit 0");
	eventually(sub { text_of("$dir/orphans") =~ /\A(x\n){5}\z/ }, 'five commands have left two children each');
	my ($first) = children_of($program->{pid});
	eventually(sub { !grep { text_of("/proc/$_/stat") =~ /\(sleep\) \S \Q$first\E / } map { m{/proc/(\d+)} } glob '/proc/[0-9]*' },
		'they end, and no zombie is left');
	kill TERM => $first;
	is(wait_for_exit($program), 0, 'SIGTERM ends it');
}

done_testing();
