# The demo on a small folder with awkward names: it proves its own claims, and its exit status is
# believed. ^C and the death of the script leave no process behind. A TAP test, since it is about
# processes, signals and exit statuses.
use strict;
use warnings;

use Cwd qw(realpath);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG setpgid);
use Test::More;
use Time::HiRes qw(sleep time);

my $root   = $ENV{PGPUBSUB_ROOT} or die 'run it with "make test-tap T=demo"';
my $script = "$root/examples/media_scan/demo.sh";
my $run    = realpath("$root/build") . '/run';
my $media  = tempdir(CLEANUP => 1);

# 400 files: enough that half the way is not the end of the way.
my @odd = ('with space', "quote'", 'double"', 'back\\slash', '$dollar;&|', "new\nline", "tab\t", "\xc3\xbcn\xc3\xafcode",
           "not\xff\xfeutf8", '-dash', '*', '\x41', '%s', ' ', 'dir/deep er/file');
mkdir "$media/$_" for 'dir', 'dir/deep er';
my $count = 0;
for my $name (@odd, map { "file$_" } 1 .. 400 - @odd) {
	open my $file, '>', "$media/$name" or die "$name: $!";
	print $file $name x ($count % 7 * 500);    # each seventh is empty
	close $file;
	$count++;
}
symlink 'file1', "$media/link";                # not a regular file

sub slurp { my ($name) = @_; open my $file, '<', $name or return ''; local $/; return <$file> // '' }

# A demo that runs when the test ends, however it ends, is ended too.
my $demo;
$SIG{TERM} = $SIG{INT} = sub { $SIG{TERM} = $SIG{INT} = 'IGNORE'; die "interrupted\n" };
END
{
	my $status = $?;
	if ($demo && kill 0 => $demo) { kill INT => -$demo; waitpid $demo, 0 }
	$? = $status;
}

# Starts the demo as a terminal would: in a process group of its own, with SIGINT not ignored.
sub start_demo
{
	my ($output) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		setpgid(0, 0);
		$SIG{INT} = $SIG{TERM} = 'DEFAULT';
		$ENV{MEDIA} = $media;
		open STDIN,  '<', '/dev/null';
		open STDOUT, '>', $output;
		open STDERR, '>&', \*STDOUT;
		exec 'bash', $script or POSIX::_exit(127);
	}
	setpgid($pid, $pid);
	return $demo = $pid;
}

sub eventually
{
	my ($what, $seconds) = @_;
	my $end = time + $seconds;
	while (time < $end) { return 1 if $what->(); sleep 0.05 }
	return 0;
}

# The exit status of the demo, 128 + signal when a signal ended it, undef when it does not end.
sub status_of
{
	my ($pid) = @_;
	return undef unless eventually(sub { waitpid($pid, WNOHANG) == $pid }, 180);
	undef $demo;
	return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}

# What the demo started: its file "pids" has a name and a pid in each line.
sub pids { return map { (split)[1] } split /\n/, slurp("$run/demo/pids") }
sub running { return grep { my $state = (slurp("/proc/$_/stat") =~ /.*\) (\S)/)[0]; $state && $state ne 'Z' } @_ }

my $output = "$media.out";

# ---- it comes to its end -----------------------------------------------------------------------
my $status = status_of(start_demo($output));
my $said = slurp($output);
is($status, 0, 'the demo succeeds') or diag $said;
like($said, qr/^  files +400  ok$/m,                            'it found all files, odd names too');
like($said, qr/^  results +400  ok$/m,                          'each has a result');
like($said, qr/^  duplicates +0  ok$/m,                         'none has two');
like($said, qr/^  missing +0  ok$/m,                            'none is missing');
like($said, qr/^  digests equal to sha256sum's +400  ok$/m,     'the digests are right');
like($said, qr/consumer 1 killed with SIGKILL/,                 'a consumer was killed');
like($said, qr/^Scene $_\b.*?^  results \/ different rows .*  ok$/ms, "scene $_ came out") for 1 .. 3;
like($said, qr/^All as it should be\.\n\z/m,                    'it says so at the end');
unlike($said, qr/FAILED/,                                       'and nothing else');
my @pids = pids();
cmp_ok(scalar @pids, '>=', 5, 'a server and four consumers were started');
is_deeply([ running(@pids) ], [], 'none is left running');
ok(!-e "$run/demo/data", 'the cluster is gone');

# ---- ^C ------------------------------------------------------------------------------------------
# At two moments: while the server is being made, and when consumers are at work.
for my $moment ([ 'early', 1 ], [ 'at work', 3 ])
{
	my ($name, $processes) = @$moment;
	unlink "$run/demo/pids";
	my $pid = start_demo($output);
	ok(eventually(sub { scalar(pids()) >= $processes }, 60), "$name: the demo runs");
	kill INT => -$pid;
	is(status_of($pid), 130, "$name: ^C ends it with status 130");
	@pids = pids();
	is_deeply([ running(@pids) ], [], "$name: none of its " . @pids . ' processes is left running');
	ok(!-e "$run/demo/data", "$name: the cluster is gone");
}

# ---- the script itself is killed -------------------------------------------------------------------
unlink "$run/demo/pids";
my $pid = start_demo($output);
ok(eventually(sub { scalar(pids()) >= 3 }, 60), 'the demo runs again');
@pids = pids();
kill KILL => $pid;
waitpid $pid, 0;
undef $demo;
ok(eventually(sub { !running(@pids, pids()) }, 30), 'with the script killed, its processes end too');

unlink $output;
done_testing();
