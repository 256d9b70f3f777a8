# What the tests of wake-ups share: a cluster with the library preloaded, and programs that listen or wait (test/t/wakeup_probe.cpp).
package WakeupTest;

use strict;
use warnings;

use ClientTest;
use Exporter 'import';
use File::Temp ();
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(start_preloaded has_worker worker_pid probe listener heard hears hears_nothing forget taken_by end_probe);

my $directory = File::Temp->newdir('pgpubsubXXXXXX', TMPDIR => 1);
my $program;

# A cluster that preloads the library, with the extension in the database postgres.
sub start_preloaded
{
	my ($name, $settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => ($settings // '') =~ /hot_standby/ ? 1 : 0);
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\nfsync = off\nmax_worker_processes = 20\nmax_connections = 120\n" . ($settings // ''));
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pgpubsub');
	return $node;
}

# The worker of a database, or none: 0.
sub worker_pid
{
	my ($node, $database) = @_;
	return $node->safe_psql('postgres', qq{SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'pgpubsub worker' AND application_name = 'pgpubsub worker' AND datname = '$database'});
}

# Waits until the database has a worker, another one than $not.
sub has_worker
{
	my ($node, $database, $what, $not) = @_;
	$not //= 0;
	eventually(sub { my $pid = worker_pid($node, $database); $pid != 0 && $pid != $not }, $what);
}

# Starts the program, compiled once for a script.
sub probe
{
	my ($mode, $conninfo, @arguments) = @_;
	if (!$program)
	{
		my $root = $ENV{PGPUBSUB_ROOT};
		chomp(my $include = `pg_config --includedir`);
		$program = "$directory/wakeup_probe";
		my @command = ($ENV{CXX} || 'g++', '-std=c++20', '-O1', "-I$include", '-I/usr/include/postgresql', '-o', $program, "$root/test/t/wakeup_probe.cpp", '-lpq');
		system(@command) == 0 or BAIL_OUT("could not compile the probe: @command");
	}
	my $started = background($program, $mode, $conninfo, @arguments);
	eventually(sub { text_of($started->{out}) =~ /^(?:listening|ready)/m }, "$mode: ready") or diag(text_of($started->{err}));
	$started->{pid_of_backend} = $1 if text_of($started->{out}) =~ /^listening (\d+)/;
	$started->{from} = length text_of($started->{out});
	return $started;
}

# A session that listens to the channels.
sub listener { my ($node, $database, @channels) = @_; return probe('listen', $node->connstr($database), @channels) }

# What has come since forget(): channel, payload and sender, a line each.
sub heard { my ($l) = @_; return substr(text_of($l->{out}), $l->{from}) }
sub forget { my ($l) = @_; $l->{from} = length text_of($l->{out}); return }
sub hears
{
	my ($l, $channel, $what) = @_;
	my $ok = eventually(sub { heard($l) =~ /^\Q$channel\E /m }, $what);
	forget($l);
	return $ok;
}

# Nothing has come, although a hint that was given later has. $marker gives that hint, to the channel "marker".
sub hears_nothing
{
	my ($l, $marker, $what) = @_;
	$marker->();
	eventually(sub { heard($l) =~ /^marker /m }, "$what (a later hint comes)");
	my $others = join '; ', grep { !/^marker / } split /\n/, heard($l);
	is($others, '', $what);
	forget($l);
	return;
}

# The lines "took COUNT ..." since forget(): how many found something, how many nothing, and the sum.
sub taken_by
{
	my ($l) = @_;
	my ($full, $empty, $sum) = (0, 0, 0);
	foreach my $count (heard($l) =~ /^took (\d+)/mg) { $count > 0 ? $full++ : $empty++; $sum += $count }
	return ($full, $empty, $sum);
}

sub end_probe { my ($l) = @_; kill TERM => $l->{pid}; wait_for_exit($l); return }

1;
