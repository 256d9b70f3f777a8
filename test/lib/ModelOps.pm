# What a session may be told to do: for each operation its statement in SQL, and what the model makes of the result.
#
# A step is a hash: no, who, op, and the operation's own arguments. Receipts and ids are named by the step that gave them and their number
# in its result, so that a step means the same when other steps are left out.
package ModelOps;

use strict;
use warnings;

use Exporter 'import';
use ModelEnds;

our @EXPORT_OK = qw(%operations hours);

sub hours { my ($hours) = @_; return $hours == 0 ? "'1 us'" : $hours == 1 ? "'1 hour'" : "'$hours hours'" }

sub quoted { my ($text) = @_; return "'$text'" }

# null where it is left out.
sub arguments
{
	my (@named) = @_;
	my @given;
	while (my ($name, $value) = splice @named, 0, 2) { push @given, "$name => $value" if defined $value }
	return join '', map { ", $_" } @given;
}

sub subscription_argument { my ($p) = @_; return $p->{sub} eq 'default' ? undef : quoted($p->{sub}) }
sub filter_argument { my ($p) = @_; return $p->{filter} ? q('{"odd": true}') : undef }

sub payload
{
	my ($p) = @_;
	my $odd = $p->{odd} ? ', "odd": true' : '';
	return qq('{"n": $p->{no}$odd}') if !$p->{long};
	return "jsonb_build_object('n', $p->{no}" . ($p->{odd} ? ", 'odd', true" : '') . ", 'long', repeat(gen_random_uuid()::text, $p->{long}))";
}

sub failure_arguments
{
	my ($p) = @_;
	return arguments(delay => defined $p->{delay} ? hours($p->{delay}) : undef, error => defined $p->{error} ? quoted($p->{error}) : undef,
		reject => $p->{reject} ? 'true' : undef);
}

sub deliver_argument
{
	my ($p) = @_;
	return !defined $p->{deliver} ? undef : 'clock_timestamp()' . ($p->{deliver} > 0 ? ' + ' . hours($p->{deliver}) : '');
}

sub handed_out { my ($result) = @_; my @names = qw(id attempts n receipt); return [ map { my %row; @row{@names} = @$_; \%row } @$result ] }
sub column { my ($result) = @_; return [ map { $_->[0] } @$result ] }
sub subscription_of { my ($m, $p) = @_; return $m->subscription(@$p{qw(channel sub)}) }

our %operations = (
	publish => {
		sql => sub {
			my ($p) = @_;
			my $call = "SELECT pgpubsub.publish('$p->{channel}', " . payload($p)
				. arguments(key => defined $p->{key} ? quoted($p->{key}) : undef, deliver_at => deliver_argument($p),
					priority => $p->{prio} eq '0' ? undef : $p->{prio} =~ /i/ ? "($p->{prio})::integer" : $p->{prio},
					dedup_key => defined $p->{dedup} ? quoted($p->{dedup}) : undef, replace => $p->{replace} ? 'true' : undef) . ')';
			return $p->{count} == 1 && $p->{prio} !~ /i/ ? $call : "$call FROM generate_series(1, $p->{count}) i";
		},
		model => sub { my ($m, $s, $p, $result) = @_; return $m->publish($s, { %$p, n => $p->{no} }, column($result)) },
	},
	publish_batch => {
		sql => sub {
			my ($p) = @_;
			my $deliver = deliver_argument($p);
			return "SELECT unnest(pgpubsub.publish_batch('$p->{channel}', array_fill(" . payload($p) . "::jsonb, '{$p->{count}}')"
				. arguments(keys => defined $p->{key} ? "array_fill('$p->{key}'::text, '{$p->{count}}')" : undef, deliver_at => $deliver) . '))';
		},
		model => sub { my ($m, $s, $p, $result) = @_; return $m->publish($s, { %$p, n => $p->{no}, prio => 0 }, column($result)) },
	},
	take => {
		sql => sub {
			my ($p) = @_;
			return "SELECT id, attempts, payload->'n' FROM pgpubsub.take('$p->{channel}', $p->{n}"
				. arguments(subscription => subscription_argument($p), filter => filter_argument($p)) . ')';
		},
		model => sub { my ($m, $s, $p, $result) = @_; return $m->hand_out($s, subscription_of($m, $p), $p->{n}, $p->{filter}, undef, handed_out($result)) },
	},
	claim => {
		sql => sub {
			my ($p) = @_;
			return "SELECT id, attempts, payload->'n', receipt FROM pgpubsub.claim('$p->{channel}', $p->{n}, " . hours($p->{lease})
				. arguments(subscription => subscription_argument($p), filter => filter_argument($p)) . ')';
		},
		model => sub { my ($m, $s, $p, $result) = @_; return $m->hand_out($s, subscription_of($m, $p), $p->{n}, $p->{filter}, $p->{lease}, handed_out($result)) },
	},
	ack => {
		sql => sub { my ($p, $given) = @_; return "SELECT pgpubsub.ack($given)" },
		model => sub { my ($m, $s, $p, $result, $given) = @_; return ModelEnds::ack($m, $s, $given, $result->[0][0]) },
	},
	nack => {
		sql => sub { my ($p, $given) = @_; return "SELECT pgpubsub.nack($given" . failure_arguments($p) . ')' },
		model => sub { my ($m, $s, $p, $result, $given) = @_; return ModelEnds::nack($m, $s, $given, $p, $result->[0][0]) },
	},
	extend => {
		sql => sub { my ($p, $given) = @_; return "SELECT pgpubsub.extend($given, " . hours($p->{lease}) . ')' },
		model => sub { my ($m, $s, $p, $result, $given) = @_; return ModelEnds::extend($m, $s, $given, $p->{lease}, $result->[0][0]) },
	},
	release => {
		sql => sub { my ($p, $given) = @_; return "SELECT pgpubsub.release($given)" },
		model => sub { my ($m, $s, $p, $result, $given) = @_; return ModelEnds::release($m, $s, $given, $result->[0][0]) },
	},
	requeue => {
		sql => sub {
			my ($p, $given) = @_;
			return "SELECT pgpubsub.requeue($given" . failure_arguments($p) . arguments(subscription => defined $p->{sub} ? quoted($p->{sub}) : undef) . ')';
		},
		model => sub { my ($m, $s, $p, $result, $given) = @_; return ModelEnds::requeue($m, $s, $given, $p->{sub}, $p, $result->[0][0]) },
	},
	redrive => {
		sql => sub {
			my ($p, $given) = @_;
			return "SELECT pgpubsub.redrive('$p->{channel}'"
				. arguments(filter => filter_argument($p), subscription => subscription_argument($p), ids => $p->{refs} ? $given : undef) . ')';
		},
		model => sub {
			my ($m, $s, $p, $result, $given) = @_;
			return ModelEnds::redrive($m, $s, subscription_of($m, $p), { %$p, ids => $p->{refs} ? $given : undef }, $result->[0][0]);
		},
	},
	purge_dead_letters => {
		sql => sub {
			my ($p, $given) = @_;
			return "SELECT pgpubsub.purge_dead_letters('$p->{channel}'"
				. arguments(filter => filter_argument($p), older_than => $p->{older_than} ? hours($p->{older_than}) : undef,
					subscription => subscription_argument($p), ids => $p->{refs} ? $given : undef) . ')';
		},
		model => sub {
			my ($m, $s, $p, $result, $given) = @_;
			return ModelEnds::purge_dead_letters($m, $s, subscription_of($m, $p), { %$p, ids => $p->{refs} ? $given : undef }, $result->[0][0]);
		},
	},
	recover => {
		sql => sub { my ($p) = @_; return "SELECT pgpubsub.recover('$p->{channel}')" },
		model => sub { my ($m, $s, $p, $result) = @_; return ModelEnds::recover($m, $s, $p->{channel}, $m->{living}, $result->[0][0]) },
	},
	next_due => {
		sql => sub {
			my ($p) = @_;
			return "SELECT CASE WHEN due IS NULL THEN 'null' WHEN due <= clock_timestamp() THEN 'past' "
				. "ELSE round(extract(epoch FROM due - clock_timestamp()) / 3600)::text END FROM pgpubsub.next_due('$p->{channel}'"
				. arguments(subscription => subscription_argument($p), filter => filter_argument($p)) . ') due';
		},
		model => sub { my ($m, $s, $p, $result) = @_; return $m->next_due($s, subscription_of($m, $p), $p->{filter}, $result->[0][0]) },
	},
	pause => {
		sql => sub { my ($p) = @_; return "SELECT pgpubsub.pause_channel('$p->{channel}'" . (defined $p->{sub} ? ", '$p->{sub}'" : '') . ')' },
		model => sub { my ($m, $s, $p) = @_; return $m->change_setting($s, $p->{channel}, $p->{sub}, 'paused', 1) },
	},
	resume => {
		sql => sub { my ($p) = @_; return "SELECT pgpubsub.resume_channel('$p->{channel}'" . (defined $p->{sub} ? ", '$p->{sub}'" : '') . ')' },
		model => sub { my ($m, $s, $p) = @_; return $m->change_setting($s, $p->{channel}, $p->{sub}, 'paused', 0) },
	},
	limit => {
		sql => sub { my ($p) = @_; return "SELECT pgpubsub.alter_channel('$p->{channel}', max_attempts => $p->{limit}, subscription => '$p->{sub}')" },
		model => sub { my ($m, $s, $p) = @_; return $m->change_setting($s, $p->{channel}, $p->{sub}, 'max_attempts', $p->{limit}) },
	},
	purge => {
		sql => sub { my ($p) = @_; return "SELECT pgpubsub.purge_channel('$p->{channel}'" . (defined $p->{sub} ? ", '$p->{sub}'" : '') . ')' },
		model => sub { my ($m, $s, $p, $result) = @_; return ModelEnds::purge($m, $s, $p->{channel}, $p->{sub}, $result->[0][0]) },
	},
	broadcast => {
		sql => sub { my ($p) = @_; return "SELECT pgpubsub.publish('news', " . payload($p) . ')' },
		model => sub { my ($m, $s, $p, $result) = @_; return ModelEnds::broadcast($m, $s, $result->[0][0], $p->{no}, $p->{long}) },
	},
	read_broadcast => {
		sql => sub { my ($p, $given) = @_; return "SELECT pgpubsub.read_broadcast('news', ($given)[1])->'payload'->'n'" },
		model => sub { my ($m, $s, $p, $result, $given) = @_; return ModelEnds::read_broadcast($m, $s, $given->[0], $result->[0][0]) },
	},
);

1;
