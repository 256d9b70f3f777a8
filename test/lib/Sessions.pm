# Sessions that run SQL beside the test, each in a process of its own.
package Sessions;

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep);

our @EXPORT = qw(start_session end_well comes_back);

sub start_session
{
	my ($node, $name, $sql) = @_;
	my $pid = fork() // die "fork: $!";
	return { name => $name, pid => $pid } if $pid;
	my ($code, $out, $err) = $node->psql('postgres', $sql);
	print STDERR "$name: $err\n" if $code != 0;
	POSIX::_exit($code == 0 ? 0 : 1);
}

# Tests that each of them ends without an error.
sub end_well
{
	my ($what, @sessions) = @_;
	foreach my $session (@sessions)
	{
		waitpid($session->{pid}, 0);
		is($?, 0, "$what: $session->{name} is done");
	}
	return;
}

# Waits until a server that crashed takes sessions again, and tells whether it does. Not by poll_query_until(): it writes the query to
# psql, and ends the test with a broken pipe where psql was refused before it read it.
sub comes_back
{
	my ($node, $database) = @_;
	foreach (1 .. 1800)
	{
		return 1 if system('psql', '-XAtq', '-o', '/dev/null', '-d', $node->connstr($database), '-c', 'SELECT 1') == 0;
		sleep 0.1;
	}
	return 0;
}

1;
