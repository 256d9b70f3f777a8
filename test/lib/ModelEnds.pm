# What becomes of what was handed out, in the model: ack, nack, extend, release, requeue; dead letters; recover and purge. Each function
# is told what the library counted, and says what is wrong with that (undef: nothing).
package ModelEnds;

use strict;
use warnings;

use List::Util qw(min uniq);
use ModelStore qw(fate is_of is_held_by_other is_visible outcome);

my $top_of = \&ChannelModel::top_of;

sub count_is { my ($what, $given, $must) = @_; return $given == $must ? undef : "count: $what gave $given, must be $must" }

# By the subscription's settings: an hour, two, three, and no longer.
sub back_off { my ($attempts) = @_; return min(3, 2**($attempts - 1)) }

# --- receipts ---

# Calls $change->(subscription, row) for the row of each receipt, which returns how many it changed. A row that another transaction is at is
# waited for while its lease runs; else it is left to that one.
sub for_each_receipt
{
	my ($m, $s, $what, $receipts, $given, $change) = @_;
	my $count = 0;
	foreach my $receipt (uniq @$receipts)
	{
		my ($subscription, $row) = find_leased($m, $s, $receipt) or next;
		my $outcome = outcome($row, $top_of->($s));
		if ($what eq 'extend' && $subscription->{ordered})
		{
			next if $row->{due} <= $m->{now};
			die { wait => 1 } if grep { is_held_by_other($_, $top_of->($s)) } @{ $m->{key_locks}{"$subscription->{where} $row->{okey}"} // [] };
		}
		die { wait => 1 } if $outcome ne 'ok' && $row->{due} > $m->{now};
		$count += $change->($subscription, $row) if $outcome eq 'ok';
	}
	return count_is($what, $given, $count);
}

sub find_leased
{
	my ($m, $s, $receipt) = @_;
	my $latest = ChannelModel::latest($s);
	foreach my $subscription (@{ $m->{subscriptions} })
	{
		my ($row) = grep { ($_->{token} // '') eq $receipt && is_visible($latest, $_) } @{ $subscription->{rows} };
		return ($subscription, $row) if $row;
	}
	return;
}

sub ack
{
	my ($m, $s, $receipts, $given) = @_;
	return for_each_receipt($m, $s, 'ack', $receipts, $given, sub {
		my ($subscription, $row) = @_;
		ChannelModel::remove($s, $row);
		ChannelModel::put_past($m, $s, $subscription, $row, $row->{attempts});
		return 1;
	});
}

sub nack
{
	my ($m, $s, $receipts, $failure, $given) = @_;
	return for_each_receipt($m, $s, 'nack', $receipts, $given, sub {
		my ($subscription, $row) = @_;
		if ($failure->{reject} || ChannelModel::is_used_up($s, $subscription, $row))
		{
			ChannelModel::bury($m, $s, $subscription, $row, $failure->{error});
		}
		else
		{
			ChannelModel::change($s, $subscription->{rows}, $row, retry($m, $row, $failure));
		}
		return 1;
	});
}

sub retry
{
	my ($m, $row, $failure) = @_;
	return (token => undef, due => $m->{now} + ($failure->{delay} // back_off($row->{attempts})), error => $failure->{error} // $row->{error});
}

sub extend
{
	my ($m, $s, $receipts, $lease, $given) = @_;
	return for_each_receipt($m, $s, 'extend', $receipts, $given, sub {
		my ($subscription, $row) = @_;
		ChannelModel::change($s, $subscription->{rows}, $row, due => $m->{now} + $lease, owner => $s->{incarnation});
		return 1;
	});
}

sub release
{
	my ($m, $s, $receipts, $given) = @_;
	return for_each_receipt($m, $s, 'release', $receipts, $given, sub {
		my ($subscription, $row) = @_;
		ChannelModel::change($s, $subscription->{rows}, $row, token => undef, due => $m->{now}, attempts => $row->{attempts} - 1);
		return 1;
	});
}

# A prepared transaction's leases have no owner.
sub disown
{
	my ($m, $s) = @_;
	foreach my $subscription (@{ $m->{subscriptions} })
	{
		foreach my $row (grep { defined $_->{token} && is_of($_->{xmin}, $top_of->($s)) } @{ $subscription->{rows} }) { $row->{owner} = undef }
	}
	return;
}

# --- requeue ---

sub is_still_taken
{
	my ($s, $taken) = @_;
	return is_of($taken->{by}, $top_of->($s)) && !($taken->{requeued_by} && is_of($taken->{requeued_by}, $top_of->($s)));
}

sub requeue
{
	my ($m, $s, $ids, $name, $failure, $given) = @_;
	my $count = 0;
	my @taken = @{ $s->{taken} };
	my %named = map { $_ => 1 } @$ids;
	my (%behind, @untried);
	foreach my $taken (@taken)
	{
		next if !is_still_taken($s, $taken);
		my ($subscription, $row) = @$taken{qw(subscription row)};
		my $key = defined $row->{okey} ? "$subscription->{where} $row->{okey}" : '';
		if ($named{ $row->{id} } && (!defined $name || $subscription->{name} eq $name))
		{
			put_back_failed($m, $s, $taken, $failure);
			$behind{$key} = 1;
			++$count;
		}
		elsif ($key ne '' && $behind{$key}) { push @untried, $taken }
	}
	foreach my $taken (@untried)
	{
		put_back($m, $s, $taken, due => $m->{now});
		++$count;
	}
	return count_is('requeue', $given, $count);
}

sub put_back_failed
{
	my ($m, $s, $taken, $failure) = @_;
	my ($subscription, $row) = @$taken{qw(subscription row)};
	my $tried = { %$row, attempts => $row->{attempts} + 1 };
	if ($failure->{reject} || ChannelModel::is_used_up($s, $subscription, $tried))
	{
		mark_requeued($s, $taken);
		ChannelModel::put_dead($m, $s, $subscription, $tried, $failure->{error});
		return;
	}
	put_back($m, $s, $taken, attempts => $tried->{attempts}, retry($m, $tried, $failure));
	return;
}

sub mark_requeued
{
	my ($s, $taken) = @_;
	$taken->{requeued_by} = $s->{cur};
	ChannelModel::remove($s, $taken->{past}) if $taken->{past};
	return;
}

sub put_back
{
	my ($m, $s, $taken, %changes) = @_;
	mark_requeued($s, $taken);
	my %row = (%{ $taken->{row} }, dedup => undef, token => undef, lockers => [], touched => [], %changes);
	delete @row{qw(xmax faded)};
	ChannelModel::put($s, $taken->{subscription}{rows}, %row);
	return;
}

# --- dead letters ---

# $wanted: ids, filter, older_than (in hours).
sub selected_dead
{
	my ($m, $s, $subscription, $wanted) = @_;
	my $latest = ChannelModel::latest($s);
	my %ids = map { $_ => 1 } @{ $wanted->{ids} // [] };
	return grep {
		is_visible($latest, $_)
			&& outcome($_, $top_of->($s)) eq 'ok'
			&& (!$wanted->{ids} || $ids{ $_->{id} })
			&& ChannelModel::passes($_, $wanted->{filter})
			&& $m->{now} - $_->{at} >= ($wanted->{older_than} // 0)
	} @{ $subscription->{dead} };
}

sub redrive
{
	my ($m, $s, $subscription, $wanted, $given) = @_;
	my @selected = selected_dead($m, $s, $subscription, $wanted);
	foreach my $dead (@selected)
	{
		ChannelModel::remove($s, $dead);
		ChannelModel::put($s, $subscription->{rows}, ChannelModel::copy_of($dead), attempts => 0, due => $m->{now});
	}
	return count_is('redrive', $given, scalar @selected);
}

sub purge_dead_letters
{
	my ($m, $s, $subscription, $wanted, $given) = @_;
	my @selected = selected_dead($m, $s, $subscription, $wanted);
	ChannelModel::remove($s, $_) foreach @selected;
	return count_is('purge_dead_letters', $given, scalar @selected);
}

# --- recover and purge ---

# $living: the sessions that are there, by their incarnations.
sub recover
{
	my ($m, $s, $channel, $living, $given) = @_;
	my $latest = ChannelModel::latest($s);
	my $count = 0;
	foreach my $subscription (ChannelModel::subscriptions_of($m, $channel))
	{
		foreach my $row (grep { defined $_->{due} && is_visible($latest, $_) && outcome($_, $top_of->($s)) eq 'ok' } @{ $subscription->{rows} })
		{
			my $is_over = $row->{due} <= $m->{now};
			my $is_used_up = ChannelModel::is_used_up($s, $subscription, $row);
			my $is_lease = defined $row->{token};
			my $is_lost = $is_lease && !$is_over && defined $row->{owner} && !$living->{ $row->{owner} };
			next if !$is_lost && !($is_over && $is_used_up && ($is_lease || !$subscription->{ordered}));
			++$count;
			my $error = !$is_lease ? undef : $is_lost ? 'the session that held the lease ended without an ack' : 'the lease ended without an ack';
			if ($is_used_up) { ChannelModel::bury($m, $s, $subscription, $row, $error) }
			else             { ChannelModel::change($s, $subscription->{rows}, $row, token => undef, due => $m->{now}) }
		}
	}
	return count_is('recover', $given, $count);
}

# $name undef: all subscriptions.
sub purge
{
	my ($m, $s, $channel, $name, $given) = @_;
	ChannelModel::lock_for_change($m, $s, $channel);
	my $latest = ChannelModel::latest($s);
	my $count = 0;
	foreach my $subscription (grep { !defined $name || $_->{name} eq $name } ChannelModel::subscriptions_of($m, $channel))
	{
		foreach my $row (grep { is_visible($latest, $_) && outcome($_, $top_of->($s)) eq 'ok' } @{ $subscription->{rows} })
		{
			ChannelModel::remove($s, $row);
			++$count;
		}
	}
	return count_is('purge_channel', $given, $count);
}

# --- broadcasts ---

# It is heard when the transaction commits; a long one is kept for an hour.
sub broadcast
{
	my ($m, $s, $id, $n, $is_long) = @_;
	$m->{max_id} = $id;
	push @{ $s->{casts} }, { id => $id, n => $n, by => $s->{cur} };
	ChannelModel::put($s, $m->{broadcasts}, id => $id, n => $n, until => $m->{now} + 1) if $is_long;
	return;
}

sub read_broadcast
{
	my ($m, $s, $id, $given) = @_;
	my $latest = ChannelModel::latest($s);
	my ($kept) = grep { $_->{id} == $id && $_->{until} > $m->{now} && is_visible($latest, $_) } @{ $m->{broadcasts} };
	my $must = $kept ? $kept->{n} : '';
	return $given eq $must ? undef : "broadcast: read_broadcast($id) gave '$given', must be '$must'";
}

1;
