# Sessions that run SQL beside the test, each in a process of its own.
package Sessions;

use strict;
use warnings;

use Exporter 'import';
use POSIX ();
use Test::More;

our @EXPORT = qw(start_session end_well);

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

1;
