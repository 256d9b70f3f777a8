# Rows, transactions and snapshots as PostgreSQL has them, as plain data: what is committed, what each session has changed and not yet
# committed, and what each snapshot sees.
#
# A transaction, or a sub-transaction, is a hash: its parent, the whole transaction that it belongs to (top), its state. A whole one that
# commits gets the next number; a snapshot is the number that was the last one.
#
# A row is a list of versions. A version has what made it (xmin), what removed it or gave it a successor (xmax), and who holds
# a lock on it. A view on the rows is { top, snapshot }: whose own changes are seen, and which snapshot.
package ModelStore;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT_OK = qw(begin_top begin_sub fate is_of is_held_by_other sees is_visible outcome live_of commit_top abort);

my $commits = 0;
my $transactions = 0;

# The whole one is known by its number: with itself as its own top it would never be given back.
sub begin_top { return { state => 'running', top => ++$transactions } }

sub begin_sub
{
	my ($parent) = @_;
	return { state => 'running', parent => $parent, top => $parent->{top} };
}

sub commit_top
{
	my ($x) = @_;
	$x->{state} = 'committed';
	$x->{number} = ++$commits;
	return;
}

sub abort
{
	my ($x) = @_;
	$x->{state} = 'aborted';
	return;
}

# The number of the last commit: a snapshot of now.
sub now { return $commits }

# What became of it: running, committed or aborted. It is aborted with each one around it.
sub fate
{
	my ($x) = @_;
	while ($x->{parent})
	{
		return 'aborted' if $x->{state} eq 'aborted';
		$x = $x->{parent};
	}
	return $x->{state};
}

sub number_of
{
	my ($x) = @_;
	$x = $x->{parent} while $x->{parent};
	return $x->{number};
}

# Whether it is of that whole transaction, and stands.
sub is_of
{
	my ($x, $top) = @_;
	return defined $top && $x->{top} eq $top && fate($x) ne 'aborted';
}

sub is_held_by_other
{
	my ($x, $top) = @_;
	return fate($x) eq 'running' && !(defined $top && $x->{top} eq $top);
}

sub sees
{
	my ($view, $x) = @_;
	my $fate = fate($x);
	return 0 if $fate eq 'aborted';
	return 1 if defined $view->{top} && $x->{top} eq $view->{top};
	return $fate eq 'committed' && number_of($x) <= $view->{snapshot};
}

sub is_visible
{
	my ($view, $version) = @_;
	return sees($view, $version->{xmin}) && !($version->{xmax} && sees($view, $version->{xmax}));
}

# What becomes of an attempt to change that version now: ok; gone, since another version or none has taken its place; busy, since another
# transaction is at it.
sub outcome
{
	my ($version, $top) = @_;
	if (my $x = $version->{xmax})
	{
		my $fate = fate($x);
		return 'gone' if $fate eq 'committed' || is_of($x, $top);
		return 'busy' if $fate eq 'running';
	}
	return 'busy' if grep { is_held_by_other($_, $top) } @{ $version->{lockers} // [] };
	return 'ok';
}

# The versions that some view may still see; the others are forgotten.
sub live_of
{
	my ($versions, $oldest_snapshot) = @_;
	return [ grep {
		fate($_->{xmin}) ne 'aborted'
			&& !($_->{xmax} && fate($_->{xmax}) eq 'committed' && number_of($_->{xmax}) <= $oldest_snapshot)
	} @$versions ];
}

1;
