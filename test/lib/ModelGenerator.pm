# What the sessions do next, by chance. It depends on the seed, on what the steps before have given, and on nothing else.
package ModelGenerator;

use strict;
use warnings;

my @names = qw(A B C);
my @pools = (['plain', 'default'], ['plain', 'default'], ['plain', 'odd'], ['ordered', 'default'], ['ordered', 'second']);

# What most steps of a round are about: where everything is done a little, what takes three steps seldom happens.
my @themes = (
	{ pools => \@pools, dedup => 0.25, keys => 3 },
	{ pools => [ @pools[ 0, 0, 0, 0, 2 ] ], dedup => 0.1, keys => 3 },
	{ pools => [ @pools[ 0, 0, 0, 2 ] ], dedup => 0.8, keys => 3 },
	{ pools => [ @pools[ 3, 3, 3, 4 ] ], dedup => 0.1, keys => 2 },
	{ pools => [ @pools[ 3, 4, 4 ] ], dedup => 0.1, keys => 2 },
);

sub new
{
	my ($class, $seed) = @_;
	srand($seed);
	return bless { theme => $themes[ int(rand(@themes)) ], no => 0, prepared => 0, planned => [], receipts => [], taken => {}, stored => [] }, $class;
}

sub one_of { return $_[int(rand(@_))] }
sub chance { my ($of) = @_; return rand() < $of ? 1 : undef }

# Delays and leases are over at once, or with one of the next hours.
sub hours { return one_of(0, 0, 1, 1, 2) }

# The next step; $run says what the sessions are at.
sub next_step
{
	my ($g, $run) = @_;
	my $p = shift @{ $g->{planned} } // next_of($g, $run);
	$p->{no} = ++$g->{no};
	return $p;
}

# What every round ends with: all transactions end, hours pass, and whatever is left is taken. Nothing in the end.
sub last_step
{
	my ($g, $run) = @_;
	$g->{ending} //= [
		(map { { who => $_, op => one_of('commit', 'rollback') } } @names),
		(map { { who => 'A', op => 'commit_prepared', gid => "p$_" } } 1 .. $g->{prepared}),
		(map { { who => 'B', op => 'resume', channel => $_ } } qw(plain ordered)),
		(map { { who => 'C', op => 'hour' } } 1 .. 4),
		(map { { who => one_of(@names), op => 'take', channel => $_->[0], sub => $_->[1], n => 10000 } } @pools[ 1 .. 4 ]),
		(map { { who => one_of(@names), op => 'next_due', channel => $_->[0], sub => $_->[1] } } @pools[ 1 .. 4 ]),
	];
	my $p = shift @{ $g->{ending} } or return;
	$p->{no} = ++$g->{no};
	return $p;
}

# Notes what the step has given, for later ones.
sub note
{
	my ($g, $run, $p) = @_;
	$g->{taken}{ $p->{who} } = [] if $p->{op} eq 'begin';
	my $rows = $run->{results}{ $p->{no} } or return;
	return if ($p->{said} // '') =~ /^ERROR/;
	my @refs = map { { step => $p->{no}, number => $_ } } 0 .. $#$rows;
	push @{ $g->{taken}{ $p->{who} } }, @refs if $p->{op} eq 'take' && $p->{n} <= 100;
	my $kind = { claim => 'receipts', publish => 'stored', publish_batch => 'stored', broadcast => 'casts' }->{ $p->{op} };
	push @{ $g->{$kind} }, @refs if $kind;
	return;
}

sub next_of
{
	my ($g, $run) = @_;
	my $who = one_of(@names);
	my $s = $run->{sessions}{$who};
	my $fate = rand();
	return { who => $who, op => 'hour' } if $fate < 0.02;
	return { who => $who, op => 'reconnect' } if $fate < 0.025;
	return plan($g, $s->is_open ? look_ahead($g, $who) : look_ahead_outside($g, $who)) if $fate < 0.08 && !$s->{failed};
	my @idle = grep { !$run->{sessions}{$_}->is_open } @names;
	return plan($g, one_of(\&comes_back, \&comes_late)->($g, @idle)) if $fate < 0.1 && @idle >= 2;
	return { who => $who, %{ in_transaction($g, $s) } } if $s->is_open;
	return { who => $who, %{ outside($g, $run, $s) } };
}

# A channel and a subscription.
sub pool { my ($g) = @_; return @{ one_of(rand() < 0.9 ? @{ $g->{theme}{pools} } : @pools) } }

# The first of the steps; the others follow.
sub plan
{
	my ($g, $first, @others) = @_;
	push @{ $g->{planned} }, @others;
	return $first;
}

# What would be handed out now, undone: so rows that stay hidden are found soon.
sub all_of
{
	my ($g, $who) = @_;
	my ($channel, $sub) = pool($g);
	return { who => $who, channel => $channel, sub => $sub, n => 10000, one_of({ op => 'take' }, { op => 'claim', lease => 1 })->%* };
}
sub look_ahead { my ($g, $who) = @_; return ({ who => $who, op => 'savepoint' }, all_of($g, $who), map { { who => $who, op => $_ } } qw(rollback_to release_savepoint)) }
sub look_ahead_outside
{
	my ($g, $who) = @_;
	return ({ who => $who, op => 'begin', isolation => 'READ COMMITTED' }, all_of($g, $who), { who => $who, op => 'rollback' });
}

# What seldom happens by itself: in an ordered channel one that stands before another one with its key, which is leased: it was a dead
# letter, or was committed late. Then somebody else asks for what there is.
sub ask { my ($who, @from) = @_; return { who => $who, @from, n => 20, one_of({ op => 'take' }, { op => 'claim', lease => 1 })->%* } }
sub comes_back
{
	my ($g, $who, $other) = @_;
	my @from = (channel => 'ordered', sub => one_of('default', 'second'));
	my $publish = { who => $who, %{ publish($g, 'ordered') }, key => 0, count => 3, dedup => undef, replace => undef, deliver => undef };
	my @all = (refs => [ map { { step => $g->{no} + 2, number => $_ } } 0 .. 9 ], of => 'receipt');
	return ($publish, { who => $who, op => 'claim', @from, n => 10, lease => 2 },
		{ who => $who, op => 'nack', @all, reject => 1 }, { who => $who, op => 'claim', @from, n => 10, lease => 2 },
		{ who => $who, op => 'redrive', @from }, ask($other, @from));
}
sub comes_late
{
	my ($g, $late, $who) = @_;
	my @from = (channel => 'ordered', sub => one_of('default', 'second'));
	my $publish = sub { return { who => $_[0], %{ publish($g, 'ordered') }, key => 0, dedup => undef, replace => undef, deliver => undef } };
	return ({ who => $late, op => 'begin', isolation => 'READ COMMITTED' }, $publish->($late), $publish->($who),
		{ who => $who, op => 'claim', @from, n => 10, lease => 2 }, { who => $late, op => 'commit' }, ask($late, @from));
}

sub outside
{
	my ($g, $run, $s) = @_;
	my $fate = rand();
	if ($fate < 0.15 && (my @gids = sort keys %{ $run->{model}{prepared} }))
	{
		return { op => one_of('commit_prepared', 'commit_prepared', 'rollback_prepared'), gid => one_of(@gids) };
	}
	return { op => 'begin', isolation => one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE') } if $fate < 0.5;
	return { op => one_of('vacuum', 'vacuum', 'vacuum_full') } if $fate > 0.98;
	return work($g, $s);
}

sub in_transaction
{
	my ($g, $s) = @_;
	my $fate = rand();
	return { op => 'savepoint' } if $fate < 0.08;
	return { op => 'rollback_to' } if $fate < 0.14 || ($fate < 0.3 && $s->{failed});
	return { op => 'release_savepoint' } if $fate < 0.17;
	return { op => 'look' } if $fate < 0.22;
	if ($fate < 0.32 || $s->{failed})
	{
		return { op => 'rollback' } if rand() < 0.3;
		return { op => 'commit' } if rand() < 0.75;
		return { op => 'prepare', gid => 'p' . ++$g->{prepared} };
	}
	return work($g, $s);
}

# --- work ---

# Mostly of the last ones.
sub some_refs
{
	my ($all, $most) = @_;
	my $from = @$all > 9 && rand() < 0.8 ? @$all - 9 : 0;
	return [ map { $all->[ $from + int(rand(@$all - $from)) ] } 1 .. 1 + int(rand($most)) ];
}

sub receipts { my ($g) = @_; return (refs => some_refs($g->{receipts}, 4), of => 'receipt') }
# $own: what the session itself took, for nobody else can put it back.
sub taken_ids { my ($own) = @_; return (refs => some_refs($own, 3), of => 'id') }
sub failure { return (delay => one_of(undef, 0, 0, 1), error => one_of(undef, 'e1', 'e2'), reject => chance(0.15)) }

sub publish
{
	my ($g, $channel) = @_;
	my %p = (op => 'publish', channel => $channel, odd => chance(0.5), prio => 0, count => one_of(1, 1, 1, 1, 3));
	$p{key} = int(rand($g->{theme}{keys})) if rand() < ($channel eq 'ordered' ? 0.85 : 0.5);
	$p{dedup} = int(rand(2)) if rand() < $g->{theme}{dedup};
	$p{replace} = chance(0.5) if defined $p{dedup};
	$p{long} = 40 if $p{replace} && rand() < 0.4;
	$p{deliver} = hours() if rand() < 0.2;
	if ($channel eq 'plain')
	{
		$p{prio} = one_of(1, 2, 'i % 2', 'i', int(rand(60))) if rand() < 0.4;
		$p{count} = 40 if rand() < 0.15 && !defined $p{dedup};
		$p{count} = 300 if rand() < 0.01 && !defined $p{dedup};
	}
	return \%p;
}

sub work
{
	my ($g, $s) = @_;
	my ($channel, $sub) = pool($g);
	my $own = $g->{taken}{ $s->{name} } // [];
	my @from = (channel => $channel, sub => $sub);
	my $fate = rand();
	return publish($g, $channel) if $fate < 0.28;
	return { op => 'publish_batch', channel => $channel, count => one_of(2, 5), odd => chance(0.5), key => one_of(undef, 1), deliver => one_of(undef, hours()) } if $fate < 0.30;
	return { op => 'take', @from, n => one_of(1, 1, 2, 5, 100), filter => chance(0.15) } if $fate < 0.44;
	return { op => 'claim', @from, n => one_of(1, 1, 2, 5, 20), filter => chance(0.15), lease => hours() } if $fate < 0.58;
	return { op => 'next_due', @from, filter => chance(0.15) } if $fate < 0.65;
	return { op => 'recover', channel => $channel } if $fate < 0.67;
	return { op => 'redrive', @from, filter => chance(0.2), rand() < 0.3 && @{ $g->{stored} } ? (refs => some_refs($g->{stored}, 4), of => 'id') : () } if $fate < 0.70;
	return { op => 'purge_dead_letters', @from, filter => chance(0.3), older_than => one_of(undef, 1) } if $fate < 0.71;
	return { op => 'purge', channel => $channel, sub => one_of(undef, $sub) } if $fate < 0.715;
	return { op => 'pause', channel => $channel, sub => one_of(undef, $sub) } if $fate < 0.725;
	return { op => 'resume', channel => $channel } if $fate < 0.745;
	return { op => 'limit', @from, limit => one_of(0, 1, 2, 3) } if $fate < 0.755;
	return { op => 'broadcast', channel => 'news', long => chance(0.3) && 400 } if $fate < 0.77;
	return { op => 'read_broadcast', refs => some_refs($g->{casts}, 1), of => 'id' } if $fate < 0.78 && @{ $g->{casts} // [] };
	return { op => 'requeue', taken_ids($own), failure(), sub => one_of(undef, undef, $sub) } if $fate < 0.86 && $s->is_open && @$own;
	return { op => 'take', @from, n => 3 } if !@{ $g->{receipts} };
	return { op => 'ack', receipts($g) } if $fate < 0.90;
	return { op => 'nack', receipts($g), failure() } if $fate < 0.95;
	return { op => 'extend', receipts($g), lease => hours() } if $fate < 0.97;
	return { op => 'release', receipts($g) };
}

1;
