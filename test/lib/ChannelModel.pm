# A model of the channels, as doc/reference has them: what a publish stores, what a take, a claim and next_due() must give, and what the
# views show. It has no index, no remembered place and no memory of walks, and knows nothing of how the library finds its rows.
#
# Each function is told what the library gave, says what is wrong with it (undef: nothing), and does the same to its own rows. Where
# several answers are right, it takes the one that was given. What would wait for another transaction ends with die { wait => 1 }.
# Times are whole hours: the test moves the clock.
package ChannelModel;

use strict;
use warnings;

use ModelKeyOrder;
use ModelStore qw(begin_top commit_top fate is_of is_held_by_other sees is_visible outcome live_of);

# Each subscription: its channel, its filter on odd payloads, how many hours its history is kept (0: none), its limit of attempts.
my @subscriptions = (
	{ channel => 'plain', name => 'default', history => 1.5, max_attempts => 2 },
	{ channel => 'plain', name => 'odd', filter => 1, history => 0, max_attempts => 0 },
	{ channel => 'ordered', name => 'default', ordered => 1, history => 1.5, max_attempts => 3 },
	{ channel => 'ordered', name => 'second', ordered => 1, history => 0, max_attempts => 1 },
);

sub new
{
	my ($class, %options) = @_;
	my $m = bless {
		now => 0, max_id => 0, max_join => $options{max_join}, sees_all => $options{sees_all}, ask => $options{ask},
		subscriptions => [], heard => [], broadcasts => [], change_locks => {}, key_locks => {}, prepared => {},
	}, $class;
	my $first = begin_top();
	commit_top($first);
	foreach my $settings (@subscriptions)
	{
		push @{ $m->{subscriptions} }, {
			%$settings, rows => [], dead => [], past => [], where => "$settings->{channel} $settings->{name}",
			settings => { paused => [ [ 0, $first ] ], max_attempts => [ [ $settings->{max_attempts}, $first ] ] },
		};
	}
	return $m;
}

sub subscriptions_of { my ($m, $channel) = @_; return grep { $_->{channel} eq $channel } @{ $m->{subscriptions} } }

sub subscription
{
	my ($m, $channel, $name) = @_;
	my ($found) = grep { $_->{name} eq $name } subscriptions_of($m, $channel);
	return $found;
}

# --- views and settings ---

sub top_of { my ($s) = @_; return $s->{top} && $s->{top}{top} }

# What a statement of the session sees; and what is there now, whatever snapshot it has.
sub view_of
{
	my ($s) = @_;
	return { top => top_of($s), snapshot => $s->{snapshot} // ModelStore::now() };
}
sub latest { my ($s) = @_; return { top => top_of($s), snapshot => ModelStore::now() } }

# A setting counts as soon as it is committed, in every transaction; one's own at once.
sub setting
{
	my ($s, $subscription, $name) = @_;
	my $latest = latest($s);
	my ($last) = grep { sees($latest, $_->[1]) } reverse @{ $subscription->{settings}{$name} };
	return $last->[0];
}

# Held until the transaction ends: one at a time changes the settings of a channel.
sub lock_for_change
{
	my ($m, $s, $channel) = @_;
	my $locks = $m->{change_locks}{$channel} //= [];
	die { wait => 1 } if grep { is_held_by_other($_, top_of($s)) } @$locks;
	push @$locks, $s->{cur};
	return;
}

sub change_setting
{
	my ($m, $s, $channel, $subscription, $name, $value) = @_;
	lock_for_change($m, $s, $channel);
	foreach (subscriptions_of($m, $channel))
	{
		push @{ $_->{settings}{$name} }, [ $value, $s->{cur} ] if !defined $subscription || $_->{name} eq $subscription;
	}
	return;
}

# --- rows ---

sub is_due { my ($m, $row) = @_; return !defined $row->{due} || $row->{due} <= $m->{now} }

sub put { my ($s, $rows, %row) = @_; push @$rows, { %row, xmin => $s->{cur} }; return $rows->[-1] }

sub remove
{
	my ($s, $row) = @_;
	$row->{xmax} = $s->{cur};
	push @{ $row->{touched} }, $s->{cur};
	return;
}

# A new version. Locks that others hold on the row stay.
sub change
{
	my ($s, $rows, $row, %changes) = @_;
	remove($s, $row);
	my @lockers = grep { is_held_by_other($_, top_of($s)) } @{ $row->{lockers} // [] };
	my %next = (%$row, %changes, lockers => \@lockers, touched => [@lockers]);
	delete @next{qw(xmax faded)};
	return put($s, $rows, %next);
}

# Forgets what nobody can see any more.
sub clean
{
	my ($m, @sessions) = @_;
	my $oldest = ModelStore::now();
	foreach (grep { defined $_->{snapshot} } @sessions) { $oldest = $_->{snapshot} if $_->{snapshot} < $oldest }
	foreach my $subscription (@{ $m->{subscriptions} })
	{
		$subscription->{$_} = live_of($subscription->{$_}, $oldest) foreach qw(rows dead past);
	}
	return;
}

sub bury
{
	my ($m, $s, $subscription, $row, $error) = @_;
	remove($s, $row);
	put_dead($m, $s, $subscription, $row, $error);
	return;
}

sub put_dead
{
	my ($m, $s, $subscription, $row, $error) = @_;
	put($s, $subscription->{dead}, copy_of($row), error => $error // $row->{error}, at => $m->{now});
	return;
}

sub put_past
{
	my ($m, $s, $subscription, $row, $attempts) = @_;
	return undef if $subscription->{history} == 0;
	return put($s, $subscription->{past}, copy_of($row), attempts => $attempts, at => $m->{now});
}

sub copy_of { my ($row) = @_; return map { ($_ => $row->{$_}) } qw(id prio key okey n odd attempts error) }

sub is_used_up
{
	my ($s, $subscription, $row) = @_;
	my $limit = setting($s, $subscription, 'max_attempts');
	return $limit > 0 && $row->{attempts} >= $limit;
}

sub passes { my ($row, $filter) = @_; return !$filter || $row->{odd} }

# --- publishing ---

# The ids that were given, one for each of $p->{count}.
sub publish
{
	my ($m, $s, $p, $ids) = @_;
	return "publish: gave @{$ids}, not $p->{count} ids" if @$ids != $p->{count};
	foreach my $i (1 .. $p->{count})
	{
		my $prio = $p->{prio} eq 'i' ? $i : $p->{prio} eq 'i % 2' ? $i % 2 : $p->{prio};
		my $wrong = publish_one($m, $s, { %$p, prio => $prio }, $ids->[ $i - 1 ]);
		return $wrong if defined $wrong;
	}
	return;
}

sub publish_one
{
	my ($m, $s, $p, $id) = @_;
	my $is_new = $id > $m->{max_id};
	my @wanted = grep { passes($p, $_->{filter}) } subscriptions_of($m, $p->{channel});
	my %fates = map { $_->{where} => defined $p->{dedup} ? fate_of_dedup($m, $s, $_, $p) : 'store' } @wanted;
	my @open = grep { $fates{$_} =~ / or / } sort keys %fates;
	if (@open)
	{
		my %stored = $is_new ? map { $_ => 1 } $m->{ask}->($s, $id) : ();
		$fates{$_} = $stored{$_} ? 'store' : $fates{$_} =~ s/ or store//r foreach @open;
	}
	my $stores = !@wanted || grep { $_ eq 'store' } values %fates;
	return "publish: gave $id, which is not a new id; it must be stored" if $stores && !$is_new;
	my ($joined) = map { /join (\d+)/ ? $1 : () } map { $fates{ $_->{where} } } reverse @wanted;
	return "publish: gave $id, it must join $joined" if !$stores && $id != $joined;
	$m->{max_id} = $id if $is_new;
	foreach (@wanted) { $fates{ $_->{where} } eq 'store' ? store($m, $s, $_, $p, $id) : join_row($m, $s, $_, $p) }
	return;
}

sub store
{
	my ($m, $s, $subscription, $p, $id) = @_;
	put($s, $subscription->{rows},
		id => $id, attempts => 0, due => defined $p->{deliver} && $p->{deliver} > 0 ? $m->{now} + $p->{deliver} : undef,
		okey => !$subscription->{ordered} ? undef : defined $p->{key} ? "key $p->{key}" : "id $id",
		map { ($_ => $p->{$_}) } qw(prio key n odd dedup));
	return;
}

# Those with the dedup_key that wait, as everybody who publishes now finds them, the newest last.
sub waiting
{
	my ($s, $subscription, $dedup) = @_;
	my @same = grep { defined $_->{dedup} && $_->{dedup} eq $dedup && fate($_->{xmin}) ne 'aborted' } @{ $subscription->{rows} };
	die { wait => 1 } if grep { is_held_by_other($_->{xmin}, top_of($s)) } @same;
	return sort { $a->{id} <=> $b->{id} } grep { !$_->{xmax} || fate($_->{xmax}) eq 'aborted' } @same;
}

# What becomes of one more: "store", "join ID" or "join ID or store".
sub fate_of_dedup
{
	my ($m, $s, $subscription, $p) = @_;
	my @waiting = waiting($s, $subscription, $p->{dedup});
	return 'store' if !@waiting;
	my $newest = $waiting[-1];
	my $join = "join $newest->{id}";
	my $top = top_of($s);
	return $join if is_of($newest->{xmin}, $top);
	# In a snapshot of the whole transaction: it must not lose the trace of one who has joined and is not seen.
	my $unseen = $s->{isolation} ne 'READ COMMITTED' && is_visible(view_of($s), $newest) ? unseen_joiner($s, $newest) : 'no';
	return 'store' if $unseen eq 'yes';
	my $closed = @waiting > 1 || (grep { is_of($_, $top) } @{ $newest->{lockers} // [] }) ? 'no' : is_closed($m, $newest, $top);
	return $closed eq 'yes' ? 'store' : $closed eq 'maybe' || $unseen eq 'maybe' ? "$join or store" : $join;
}

# Whether it has waited for the longest time that one may be joined, and was joined. That may be forgotten; and one that a
# consumer was at may count as joined.
sub is_closed
{
	my ($m, $row, $top) = @_;
	return 'no' if $m->{max_join} < 0 || (defined $row->{due} && $row->{due} > $m->{now});
	my @others = grep { $_->{top} ne ($top // '') } @{ $row->{touched} // [] };
	return 'no' if !@others;
	my $joined = grep { fate($_) ne 'aborted' && $_->{top} ne ($top // '') } @{ $row->{lockers} // [] };
	return $joined && !$row->{faded} ? 'yes' : 'maybe';
}

# Whether somebody has joined it whose end the session's snapshot does not see.
sub unseen_joiner
{
	my ($s, $row) = @_;
	my $view = view_of($s);
	my @others = grep { $_->{top} ne ($view->{top} // '') && !sees($view, $_) } @{ $row->{touched} // [] };
	return 'no' if !@others;
	return !$row->{faded} && (grep { fate($_) ne 'aborted' && $_->{top} ne ($view->{top} // '') && !sees($view, $_) } @{ $row->{lockers} // [] }) ? 'yes' : 'maybe';
}

sub join_row
{
	my ($m, $s, $subscription, $p) = @_;
	my $row = (waiting($s, $subscription, $p->{dedup}))[-1];
	push @{ $row->{$_} }, $s->{cur} foreach qw(lockers touched);
	return if !$p->{replace};
	my $next = change($s, $subscription->{rows}, $row, n => $p->{n}, odd => $p->{odd});
	push @{ $next->{touched} }, $s->{cur};
	return;
}

# --- handing out ---

# What may be handed out in the order in which it must be.
sub candidates
{
	my ($m, $s, $subscription) = @_;
	my $view = view_of($s);
	return sort { $b->{prio} <=> $a->{prio} || $a->{id} <=> $b->{id} } grep { is_due($m, $_) && is_visible($view, $_) } @{ $subscription->{rows} };
}

# take (lease undef) and claim. $given: what was handed out, as hashes with id, attempts, n and receipt.
sub hand_out
{
	my ($m, $s, $subscription, $max_count, $filter, $lease, $given) = @_;
	my @given = @$given;
	my @candidates = setting($s, $subscription, 'paused') ? () : candidates($m, $s, $subscription);
	# Of more than so many that have become due, those due first may come first.
	my $in_order = $max_count + 32 >= grep { defined $_->{due} } @candidates;
	my $order = $subscription->{ordered} ? ModelKeyOrder->new($m, $s, $subscription, defined $lease ? 'lease' : 'take') : undef;
	die { inconclusive => 1 } if !$in_order && ($order || grep { is_used_up($s, $subscription, $_) } @candidates);
	my $count = 0;
	foreach my $row (@candidates)
	{
		last if $count == $max_count;
		my $may = may_hand_out($m, $s, $subscription, $row, $filter, $order);
		next if $may eq 'no';
		my ($at) = grep { $given[$_]{id} == $row->{id} } 0 .. ($in_order ? (@given ? 0 : -1) : $#given);
		if (!defined $at)
		{
			$order->block($row) if $order;
			next if $may eq 'maybe' || (!$in_order && @given);
			return "hand-out: $subscription->{where}: " . (@given ? "$given[0]{id}" : 'nothing') . " was handed out where $row->{id} must be";
		}
		my ($got) = splice @given, $at, 1;
		my $attempts = $row->{attempts} + 1;
		return "hand-out: $subscription->{where}: attempt $got->{attempts} of $row->{id}, with n = $got->{n}; must be attempt $attempts, n = $row->{n}"
			if $got->{attempts} != $attempts || $got->{n} != $row->{n};
		defined $lease ? lease($m, $s, $subscription, $row, $lease, $got->{receipt}) : take($m, $s, $subscription, $row);
		$order->handed_out($row) if $order;
		++$count;
	}
	return "hand-out: $subscription->{where}: $given[0]{id} was handed out, which must not be" if @given;
	return;
}

# yes, no or maybe. One whose attempts are used up becomes a dead letter on the way.
sub may_hand_out
{
	my ($m, $s, $subscription, $row, $filter, $order) = @_;
	return 'no' if $order && $order->is_blocked($row);
	my $outcome = outcome($row, top_of($s));
	if ($order && $outcome eq 'gone')
	{
		$order->met_gone($row);
		return 'no';
	}
	if (!passes($row, $filter))
	{
		$order->block($row) if $order;
		return 'no';
	}
	return 'no' if $order && !$order->admits($row);
	my $is_free = $outcome eq 'ok';
	if (is_used_up($s, $subscription, $row))
	{
		die { inconclusive => 1 } if $order && $order->is_unsure($row);
		bury($m, $s, $subscription, $row, defined $row->{token} ? 'the lease ended without an ack' : undef) if $is_free;
		$is_free ? $order->passed($row) : $order->block($row) if $order;
		return 'no';
	}
	my $unseen = defined $row->{dedup} ? unseen_joiner($s, $row) : 'no';
	my $may = !$is_free || $unseen eq 'yes' ? 'no' : $unseen eq 'maybe' || ($order && $order->is_unsure($row)) ? 'maybe' : 'yes';
	$order->block($row) if $order && $may eq 'no';
	return $may;
}

sub take
{
	my ($m, $s, $subscription, $row) = @_;
	remove($s, $row);
	my $past = put_past($m, $s, $subscription, $row, $row->{attempts} + 1);
	push @{ $s->{taken} }, { row => $row, subscription => $subscription, by => $s->{cur}, past => $past };
	return;
}

sub lease
{
	my ($m, $s, $subscription, $row, $lease, $receipt) = @_;
	change($s, $subscription->{rows}, $row, attempts => $row->{attempts} + 1, due => $m->{now} + $lease, token => $receipt,
		owner => $s->{incarnation}, dedup => undef);
	return;
}

# $given: null, past, or in how many hours. It makes dead letters of what it comes by before the first that can be claimed.
sub next_due
{
	my ($m, $s, $subscription, $filter, $given) = @_;
	if (setting($s, $subscription, 'paused'))
	{
		return $given eq 'null' ? undef : "next_due: $subscription->{where}: $given, must be null, for it is paused";
	}
	my $order = $subscription->{ordered} ? ModelKeyOrder->new($m, $s, $subscription, 'look') : undef;
	my $found = '';
	my $top = top_of($s);
	my @candidates = candidates($m, $s, $subscription);
	my $gone = grep { outcome($_, $top) eq 'gone' } @candidates;
	foreach my $row (grep { outcome($_, $top) ne 'gone' } @candidates)
	{
		next if ($order && $order->is_blocked($row));
		if (!passes($row, $filter)) { $order->block($row) if $order; next }
		next if $order && !$order->admits($row);
		$found = 'past', last if !is_used_up($s, $subscription, $row);
		may_hand_out($m, $s, $subscription, $row, $filter, $order);
	}
	$found = 'past' if $order && $order->has_met_locks;
	# What another transaction is removing may come back; and what is gone may be there in the session's snapshot.
	my $busy = $gone + grep { $_->{xmax} && is_held_by_other($_->{xmax}, $top) && fate($_->{xmin}) ne 'aborted' } @{ $subscription->{rows} };
	my $latest = latest($s);
	my ($first) = sort { $a <=> $b } map { $_->{due} - $m->{now} } grep { !is_due($m, $_) && is_visible($latest, $_) } @{ $subscription->{rows} };
	my $next = $found ne '' ? $found : $first // 'null';
	return if $order && $gone;  # it may hold back its key, and may not
	return if $given eq $next || ($given eq 'past' && $busy);
	# Without shared memory, it may say to look again earlier.
	return if !$m->{sees_all} && $found eq '' && $given =~ /^\d+$/ && (!defined $first || $given < $first);
	return "next_due: $subscription->{where}: $given, must be $next" . ($busy ? ' or past' : '');
}

# --- what the views show ---

sub state_of
{
	my ($m, $row) = @_;
	return is_due($m, $row) ? 'ready' : defined $row->{token} ? 'leased' : $row->{attempts} > 0 ? 'retrying' : 'delayed';
}

sub lines
{
	my ($m, $view) = @_;
	my @lines;
	foreach my $subscription (@{ $m->{subscriptions} })
	{
		my @about = ($subscription->{channel}, $subscription->{name});
		foreach my $row (grep { is_visible($view, $_) } @{ $subscription->{rows} })
		{
			my $state = state_of($m, $row);
			push @lines, ['stored', @about, @$row{qw(id attempts prio key n)}, $state, $row->{dedup}, $row->{error},
				$state eq 'ready' ? undef : $row->{due} - $m->{now}];
		}
		push @lines, ['dead', @about, @$_{qw(id attempts prio key n error)}] foreach grep { is_visible($view, $_) } @{ $subscription->{dead} };
		push @lines, ['history', @about, @$_{qw(id attempts prio key n)}]
			foreach grep { is_visible($view, $_) && $m->{now} - $_->{at} < $subscription->{history} } @{ $subscription->{past} };
	}
	return sort map { join '|', map { $_ // '' } @$_ } @lines;
}

1;
