# What the tests of the client share: a cluster with the extension, programs in the background, and waiting
# for a condition with a deadline. Nothing sleeps "to be safe".
package ClientTest;

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use POSIX qw(WNOHANG);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_cluster cli cli_path background build_probe eventually wait_for_exit is_alive children_of
  text_of write_file lines_of query_is listening_backends);

our $deadline = $ENV{PG_TEST_TIMEOUT_DEFAULT} || 60;
my %started;    # pids that are ended when the test ends, however it ends
my $directory = File::Temp->newdir('pgpubsubXXXXXX', TMPDIR => 1);
my $count = 0;

sub cli_path { return $ENV{PGPUBSUB_CLI} || die 'run it with "make test-tap"' }

# A cluster with the extension in the database postgres.
sub start_cluster
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', "log_min_messages = warning\nfsync = off\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pgpubsub');
	return $node;
}

sub text_of { my ($name) = @_; return "" if $name eq "/dev/full"; open my $file, "<:raw", $name or return ""; local $/; return <$file> // "" }
sub write_file { my ($name, $text) = @_; open my $file, '>:raw', $name or die "$name: $!"; print $file $text; close $file }

# Starts a program. { in => text for its stdin, env => {…} } as first argument is optional.
sub background
{
	my $options = ref $_[0] eq 'HASH' ? shift : {};
	my @command = @_;
	my $base = "$directory/" . ++$count;
	write_file("$base.in", $options->{in} // '');
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		# The harness ignores SIGPIPE, and whatever started it may ignore SIGHUP (nohup): a program would inherit that.
		$SIG{INT} = $SIG{TERM} = $SIG{HUP} = $SIG{PIPE} = 'DEFAULT';
		$ENV{$_} = $options->{env}{$_} for keys %{ $options->{env} // {} };
		delete $ENV{PGDATABASE};
		open STDIN,  '<', "$base.in";
		open STDOUT, '>', $options->{out} // "$base.out";
		open STDERR, '>', "$base.err";
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	$started{$pid} = 1;
	return { pid => $pid, out => $options->{out} // "$base.out", err => "$base.err" };
}

# Whether there is still time, each time that it is asked. A machine that stands still for minutes (a virtual one that is
# moved) uses up a second of it.
sub patience
{
	my ($left, $last) = ($deadline, time);
	return sub {
		my $now = time;
		$left -= $now - $last > 1 ? 1 : $now - $last;
		$last = $now;
		return $left > 0;
	};
}

# Waits until the program has ended, and returns its exit status (128 + signal when a signal ended it).
sub wait_for_exit
{
	my ($program, $what) = @_;
	my $status;
	my $patience = patience();
	while ($patience->())
	{
		my $done = waitpid($program->{pid}, WNOHANG);
		if ($done == $program->{pid}) { $status = $?; last }
		sleep 0.01;
	}
	if (!defined $status)
	{
		fail("still running: " . ($what // "pid $program->{pid}"));
		kill KILL => $program->{pid};
		waitpid($program->{pid}, 0);
		$status = $?;
	}
	delete $started{ $program->{pid} };
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

# Runs the command-line program to its end; returns its exit status, stdout and stderr.
sub cli
{
	my $options = ref $_[0] eq 'HASH' ? shift : {};
	my $program = background($options, cli_path(), @_);
	my $status = wait_for_exit($program, "pgpubsub @_");
	return ($status, text_of($program->{out}), text_of($program->{err}));
}

sub eventually
{
	my ($condition, $what) = @_;
	my $patience = patience();
	while (1)
	{
		return pass($what) if $condition->();
		last unless $patience->();
		sleep 0.01;
	}
	return fail("$what (not within $deadline s)");
}

# The query gives the expected text, now or within the deadline.
sub query_is
{
	my ($node, $query, $expected, $what) = @_;
	ok($node->poll_query_until('postgres', $query, $expected), $what);
}

# The condition by which pg_stat_activity shows the listening connections of consumers: what they said last is a LISTEN, or
# that leases are extended.
sub listening_backends { return q{(query LIKE 'LISTEN%' OR query LIKE '%pgpubsub.extend(%') AND pid <> pg_backend_pid()} }

sub is_alive { my ($pid) = @_; return text_of("/proc/$pid/stat") =~ /\) [^ZX]/ }

sub children_of
{
	my ($pid) = @_;
	return grep { text_of("/proc/$_/stat") =~ /\) [^ZX] \Q$pid\E / } map { m{/proc/(\d+)} } glob '/proc/[0-9]*';
}

sub lines_of { my ($program) = @_; return split /\n/, text_of($program->{out}) }

# Compiles test/t/client_probe.cpp, or another program of that folder, once for a script.
sub build_probe
{
	my ($name) = (@_, 'client_probe');
	my ($root, $build) = ($ENV{PGPUBSUB_ROOT}, $ENV{PGPUBSUB_BUILD});
	my $probe = "$directory/$name";
	my @command = ($ENV{CXX} || 'g++', '-std=c++20', '-O0', "-I$root/client/include", '-o', $probe,
		"$root/test/t/$name.cpp", "-L$build/client", "-Wl,-rpath,$build/client", '-lpgpubsub', '-pthread');
	system(@command) == 0 or BAIL_OUT("could not compile the probe: @command");
	return $probe;
}

END
{
	my $status = $?;
	kill KILL => $_ for keys %started;
	waitpid($_, 0) for keys %started;
	$? = $status;
}

1;
