# The transactions of the model's sessions: what BEGIN, SAVEPOINT, PREPARE TRANSACTION and so on do to what a session has changed.
package ModelSession;

use strict;
use warnings;

use ModelEnds;
use ModelStore qw(begin_top begin_sub commit_top abort fate);

my $incarnations = 0;

sub new
{
	my ($class, $name) = @_;
	return bless { name => $name, incarnation => ++$incarnations, isolation => 'READ COMMITTED', taken => [], casts => [], savepoints => [] }, $class;
}

sub is_open { my ($s) = @_; return $s->{is_block} }

sub begin
{
	my ($s, $isolation) = @_;
	@$s{qw(top isolation is_block)} = (begin_top(), $isolation, 1);
	$s->{cur} = $s->{top};
	return;
}

# The session is in no transaction afterwards.
sub leave
{
	my ($s) = @_;
	@$s{qw(top cur snapshot is_block failed)} = ();
	@$s{qw(isolation taken casts savepoints)} = ('READ COMMITTED', [], [], []);
	return;
}

sub commit
{
	my ($m, $s) = @_;
	return rollback($s) if $s->{failed};
	commit_top($s->{top});
	push @{ $m->{heard} }, grep { fate($_->{by}) eq 'committed' } @{ $s->{casts} };
	leave($s);
	return;
}

sub rollback { my ($s) = @_; abort($s->{top}); leave($s); return }

sub prepare
{
	my ($m, $s, $name) = @_;
	ModelEnds::disown($m, $s);
	$m->{prepared}{$name} = $s->{top};
	leave($s);
	return;
}

sub end_prepared
{
	my ($m, $name, $commits) = @_;
	my $top = delete $m->{prepared}{$name};
	$commits ? commit_top($top) : abort($top);
	return;
}

sub savepoint
{
	my ($s) = @_;
	$s->{cur} = begin_sub($s->{cur});
	push @{ $s->{savepoints} }, $s->{cur};
	return;
}

sub rollback_to
{
	my ($s) = @_;
	my $ended = pop @{ $s->{savepoints} };
	abort($ended);
	$s->{cur} = $ended->{parent};
	$s->{failed} = 0;
	savepoint($s);
	return;
}

sub release_savepoint
{
	my ($s) = @_;
	$s->{cur} = (pop @{ $s->{savepoints} })->{parent};
	return;
}

# The statement as a sub-transaction of its own: $do->() says what is wrong; it ends with die where the statement must fail. Returns what
# is wrong. $sqlstate: how the statement ended.
sub statement
{
	my ($m, $s, $sqlstate, $do) = @_;
	begin($s, 'READ COMMITTED'), $s->{is_block} = 0 if !$s->{is_block};
	$s->{snapshot} //= ModelStore::now() if $s->{isolation} ne 'READ COMMITTED';
	my $around = $s->{cur};
	$s->{cur} = begin_sub($around);
	my ($wrong, $must_fail);
	if ($sqlstate eq '40001' && $s->{isolation} eq 'SERIALIZABLE') { $must_fail = { any => 1 } }
	else
	{
		$wrong = eval { $do->() };
		$must_fail = $@ if $@;
		die $must_fail if $must_fail && (!ref $must_fail || $must_fail->{inconclusive});
	}
	if ($must_fail || $sqlstate ne '00000')
	{
		abort($around);  # and what it holds is free at once
		$s->{failed} = 1;
		my $must = !$must_fail ? '00000' : $must_fail->{any} ? $sqlstate : $must_fail->{sqlstate} // '55P03';
		$wrong = $must eq $sqlstate ? undef : "error: SQLSTATE $sqlstate, must be $must" . ($must eq '55P03' ? ', for it has to wait' : '');
	}
	$s->{cur} = $around;
	commit($m, $s) if !$s->{is_block};
	return $wrong;
}

1;
