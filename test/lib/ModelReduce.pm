# A run that fails, made short: as many of its steps are left out, and those that stay are made as plain, as it goes on to fail in the
# same way; and the steps are printed so that somebody can type them.
package ModelReduce;

use strict;
use warnings;

use Exporter 'import';
use Time::HiRes qw(time);

our @EXPORT_OK = qw(reduce printed);

# What was wrong, without what it says of rows.
sub kind_of { my ($wrong) = @_; return $wrong =~ /^(\S+:)/ ? $1 : 'other' }

# $fails->(@steps) runs them, and returns what is wrong and how many steps it took to see it. Returns what is wrong in the end, and the steps.
sub reduce
{
	my ($fails, $seconds, $wrong, @steps) = @_;
	my $until = time() + $seconds;
	my $kind = kind_of($wrong);
	my $try = sub {
		return 0 if time() > $until;
		my ($now, $count) = $fails->(@_);
		return 0 if !defined $now || kind_of($now) ne $kind;
		$wrong = $now;
		@steps = @_[ 0 .. $count - 1 ];
		return 1;
	};
	leave_out_kinds($try, \@steps);
	my $before;
	do
	{
		$before = @steps;
		leave_out($try, \@steps);
		make_plain($try, \@steps);
	} while (@steps < $before && time() < $until);
	$try->(@steps) or $try->(@steps);  # each step knows what it said in this run
	return ($wrong, @steps);
}

# All steps of a session, on a channel or a subscription, of a kind: but the last one, which shows the fault.
sub leave_out_kinds
{
	my ($try, $steps) = @_;
	foreach my $name (qw(channel who sub op))
	{
		my $last = $steps->[-1]{$name} // '';
		my %values = map { ($_->{$name} // '') => 1 } @$steps;
		foreach my $value (grep { $_ ne '' && $_ ne $last } sort keys %values)
		{
			my @rest = grep { ($_->{$name} // '') ne $value } @$steps;
			$try->(@rest) if @rest < @$steps;
		}
	}
	return;
}

# In parts that get smaller, from the end: what comes late has the least that depends on it.
sub leave_out
{
	my ($try, $steps) = @_;
	for (my $size = int(@$steps / 2); $size >= 1; $size = int($size / 2))
	{
		my $to = @$steps;
		while ($to > 0)
		{
			my $from = $to > $size ? $to - $size : 0;
			my @rest = @$steps;
			splice @rest, $from, $to - $from;
			$try->(@rest) if @rest > 0;
			$to = $from < @$steps ? $from : @$steps;
		}
	}
	return;
}

# Values that say less, in the order in which they are tried.
my %plainer = (
	isolation => ['READ COMMITTED'], count => [1, 2, 3, 5], n => [1, 2], prio => [0, 1], odd => [undef], long => [undef], key => [undef], deliver => [undef],
	replace => [undef], dedup => [undef], filter => [undef], error => [undef], reject => [undef], sub => ['default'], lease => [1], delay => [0], who => ['A', 'B'],
);

sub make_plain
{
	my ($try, $steps) = @_;
	foreach my $i (reverse 0 .. $#$steps)
	{
		foreach my $name (sort keys %plainer)
		{
			next if !defined $steps->[$i]{$name};
			foreach my $value (@{ $plainer{$name} })
			{
				last if defined $value && $steps->[$i]{$name} eq $value;
				last if replaced($try, $steps, $i, $name => $value);
			}
		}
		my $refs = $steps->[$i]{refs} // [];
		for (my $r = $#$refs; $r >= 0 && @$refs > 1; --$r)
		{
			my @fewer = @$refs;
			splice @fewer, $r, 1;
			$refs = \@fewer if replaced($try, $steps, $i, refs => \@fewer);
		}
		if (grep { $_->{number} > 0 } @$refs)
		{
			replaced($try, $steps, $i, refs => [ map { { %$_, number => 0 } } @$refs ]);
		}
		return if $i > $#$steps;
	}
	return;
}

sub replaced
{
	my ($try, $steps, $i, %changes) = @_;
	return 0 if $i > $#$steps;
	my @changed = @$steps;
	$changed[$i] = { %{ $changed[$i] }, %changes };
	return $try->(@changed);
}

my %said_of = (
	hour => '-- an hour passes', reconnect => '-- ends, and connects again',
	look => 'TABLE pgpubsub.notifications; TABLE pgpubsub.dead_letters; TABLE pgpubsub.history;',
);

# One line a step: who says what, and what came of it. A receipt has a name, for it is another one each time.
sub printed
{
	my (@steps) = @_;
	my (@lines, %names, %count);
	my $name = sub {
		my ($receipt, $id) = @_;
		return $names{$receipt} //= "r$id" . ($count{$id}++ ? chr(ord('a') + $count{$id} - 1) : '');
	};
	my $receipt = qr/((\d+)-[0-9a-f]{8,})/;
	foreach my $p (grep { defined $_->{sent} } @steps)
	{
		my $sql = $said_of{ $p->{op} } // "$p->{sent};";
		$sql =~ s/'\{(\d+-[^}]*)\}'::text\[\]/'ARRAY[' . join(', ', map { ":'$_'" } map { m{$receipt} ? $name->($1, $2) : $_ } split m{,}, $1) . ']'/e;
		my $said = $p->{said} // '';
		$said =~ s/$receipt/":" . $name->($1, $2)/ge;
		push @lines, "$p->{who}: $sql" . ($said eq '' ? '' : "  -- $said");
	}
	return join "\n", @lines;
}

1;
