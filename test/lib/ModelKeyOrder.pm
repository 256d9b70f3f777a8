# Which rows of an ordered channel one call may hand out, as doc/reference/order.md says it: those of a key in the
# order of their ids, and never in two consumers' hands.
package ModelKeyOrder;

use strict;
use warnings;

use ModelStore qw(fate is_of is_held_by_other is_visible);

# $mode: take, lease or look.
sub new
{
	my ($class, $m, $s, $subscription, $mode) = @_;
	return bless { m => $m, s => $s, subscription => $subscription, mode => $mode, keys => {}, met_locks => 0 }, $class;
}

sub has_met_locks { my ($order) = @_; return $order->{met_locks} }
sub is_blocked { my ($order, $row) = @_; return $order->{keys}{ $row->{okey} }{blocked} }
sub block { my ($order, $row) = @_; $order->{keys}{ $row->{okey} }{blocked} = 1; return }

# One that is there in the snapshot and gone by now. What is behind it may be handed out, but it need not be before the snapshot's
# transaction has ended.
sub met_gone { my ($order, $row) = @_; $order->{keys}{ $row->{okey} }{is_unsure} = 1; return }
sub is_unsure { my ($order, $row) = @_; return $order->{keys}{ $row->{okey} }{is_unsure} }

# One that was handed out, or is a dead letter, is out of the way.
sub passed { my ($order, $row) = @_; $order->{keys}{ $row->{okey} }{passed}{ $row->{id} } = 1; return }

sub handed_out
{
	my ($order, $row) = @_;
	passed($order, $row);
	$order->{keys}{ $row->{okey} }{is_unsure} = 0;
	block($order, $row) if $order->{mode} ne 'take';
	push @{ locks_of($order, $row->{okey}) }, $order->{s}{cur};
	return;
}

# Of the transactions from whose hands something of the key comes.
sub locks_of
{
	my ($order, $key) = @_;
	return $order->{m}{key_locks}{"$order->{subscription}{where} $key"} //= [];
}

sub rows_of { my ($order, $key) = @_; return grep { $_->{okey} eq $key } @{ $order->{subscription}{rows} } }

# Whether it may be handed out now, if what stands before it with the same key was met before it. Rows that wait, or were given back, are
# seen by everybody as they are now.
sub admits
{
	my ($order, $row) = @_;
	my $key = $row->{okey};
	my $state = $order->{keys}{$key} //= {};
	$state->{in_hands} //= is_in_hands($order, $key);
	return 0 if $state->{in_hands} || $state->{blocked};
	my $latest = ChannelModel::latest($order->{s});
	$state->{held} //= [ map { $_->{id} } grep { defined $_->{due} && is_visible($latest, $_) } rows_of($order, $key) ];
	return 1 if !grep { $_ < $row->{id} && !$state->{passed}{$_} } @{ $state->{held} };
	block($order, $row);
	return 0;
}

# Whether somebody has the key: a transaction that handed something of it out, or a lease, or a change of one.
sub is_in_hands
{
	my ($order, $key) = @_;
	my $top = ChannelModel::top_of($order->{s});
	my $is_locked = grep { is_held_by_other($_, $top) } @{ locks_of($order, $key) };
	my $has_lease = 0;
	foreach my $row (grep { defined $_->{token} && fate($_->{xmin}) ne 'aborted' } rows_of($order, $key))
	{
		my $x = $row->{xmax};
		next if $x && (fate($x) eq 'committed' || is_of($x, $top));
		my $is_busy = is_held_by_other($row->{xmin}, $top) || ($x && is_held_by_other($x, $top));
		$order->{met_locks} = 1 if $is_busy;
		$has_lease = 1 if $is_busy || $row->{due} > $order->{m}{now};
	}
	$order->{met_locks} = 1 if $is_locked;
	return $is_locked || $has_lease;
}

1;
