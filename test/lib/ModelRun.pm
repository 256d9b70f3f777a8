# Runs steps on a server and on the model side by side, and says after which of them the two differ.
#
# The sessions are driven one statement at a time. A statement that would wait for another session fails instead (lock_timeout), and the
# model says when it must. After each step one more session looks at the views, which show what is committed, and hears the broadcasts.
# Steps that make no sense when their turn comes, as a COMMIT without a BEGIN, are passed over: so any of a list may be left out.
package ModelRun;

use strict;
use warnings;

use ChannelModel;
use IPC::Open2;
use ModelOps qw(%operations);
use ModelSession;

# What the views show, as ChannelModel::lines() has it.
my $all = q{
	SELECT concat_ws('|', 'stored', channel, subscription, id, attempts, priority, coalesce(key, ''), payload->'n', state, coalesce(dedup_key, ''), coalesce(last_error, ''),
		CASE WHEN state = 'ready' THEN '' ELSE round(extract(epoch FROM due_at - clock_timestamp()) / 3600)::text END) FROM pgpubsub.notifications
	UNION ALL SELECT concat_ws('|', 'dead', channel, subscription, id, attempts, priority, coalesce(key, ''), payload->'n', coalesce(last_error, '')) FROM pgpubsub.dead_letters
	UNION ALL SELECT concat_ws('|', 'history', channel, subscription, id, attempts, priority, coalesce(key, ''), payload->'n') FROM pgpubsub.history};
$all =~ s/\s+/ /g;

# $settings: connstr; clock, a function that sets the server's clock forward to an hour; sees_all, whether the library is preloaded.
sub new
{
	my ($class, %settings) = @_;
	my $run = bless { %settings, connections => {} }, $class;
	$run->{looker} = open_looker($run);
	return $run;
}

my @names = qw(A B C);

# Begins with nothing stored, and with new sessions; or, to be quick, with those that there are.
sub start
{
	my ($run, $max_join, $keeps_sessions) = @_;
	my $connections = $keeps_sessions ? $run->{connections} : {};
	query($_, "ROLLBACK; SET pgpubsub.max_join_time = $max_join") foreach values %$connections;
	close_connection($_) foreach $keeps_sessions ? () : values %{ $run->{connections} };
	$run->{connections} = {};
	my $looker = $run->{looker};
	foreach (@{ query($looker, 'SELECT gid FROM pg_prepared_xacts')->{rows} }) { query($looker, "ROLLBACK PREPARED '$_->[0]'") }
	must_pass($looker, $_) foreach (
		'TRUNCATE pgpubsub.notification, pgpubsub.dead_letter, pgpubsub.processed, pgpubsub.broadcast, pgpubsub.stat_count',
		'ALTER SEQUENCE pgpubsub.notification_id_seq RESTART',
		q{UPDATE pgpubsub.subscription s SET paused = false, max_attempts = f.max_attempts FROM fresh f WHERE f.id = s.id});
	$looker->{casts} = [];
	$run->{max_join} = $max_join;
	$run->{model} = ChannelModel->new(max_join => $max_join, sees_all => $run->{sees_all}, ask => sub { subscriptions_that_have($run, @_) });
	$run->{results} = {};
	$run->{count} = 0;
	$run->{begun_at} = $run->{hour};
	%{ $run->{sessions} } = ();
	open_session($run, $_, $connections->{$_}) foreach @names;
	return;
}

# After the server has failed, when it takes sessions again.
sub revive
{
	my ($run) = @_;
	end($run);
	die "the server does not come back\n" if !comes_back($run->{connstr});
	@$run{qw(looker connections)} = (open_looker($run), {});
	return;
}

sub end
{
	my ($run) = @_;
	close_connection($_) foreach values %{ $run->{connections} }, $run->{looker};
	return;
}

# Runs the steps one after the other until one shows a difference. Returns that, with the number of steps up to there; or nothing.
# $how: keeps_sessions; looks, whether to look at the views after each.
sub run_steps
{
	my ($run, $max_join, $how, @steps) = @_;
	start($run, $max_join, $how->{keeps_sessions});
	local $run->{looks} = $how->{looks} ? 'always' : 'never';
	foreach my $i (0 .. $#steps)
	{
		my $wrong = step($run, $steps[$i]);
		return ($wrong, $i + 1) if defined $wrong;
	}
	return;
}

# --- connections ---

sub connect_as
{
	my ($run, $name) = @_;
	my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'psql', 'psql', '-XAtq', '-v', 'VERBOSITY=terse', '-d', $run->{connstr});
	my $connection = { name => $name, pid => $pid, in => $in, out => $out, casts => [] };
	must_pass($connection, 'SET client_min_messages = error; SET lock_timeout = ' . ($name eq 'looker' ? 0 : 5) . '; SET pgpubsub.max_join_time = ' . ($run->{max_join} // -1));
	$connection->{backend} = query($connection, 'SELECT pg_backend_pid()')->{rows}[0][0];
	return $connection;
}

sub open_looker
{
	my ($run) = @_;
	my $looker = connect_as($run, 'looker');
	must_pass($looker, $_) foreach 'LISTEN news', "PREPARE all_views AS $all";
	return $looker;
}

sub comes_back
{
	my ($connstr) = @_;
	foreach (1 .. 600)
	{
		return 1 if system('psql', '-XAtq', '-o', '/dev/null', '-d', $connstr, '-c', 'SELECT 1') == 0;
		select undef, undef, undef, 0.1;
	}
	return 0;
}

sub close_connection
{
	my ($connection) = @_;
	close $connection->{in};
	close $connection->{out};
	waitpid($connection->{pid}, 0);
	return;
}

# Rows, SQLSTATE and message of a statement.
sub query
{
	my ($connection, $sql) = @_;
	my $in = $connection->{in};
	print $in "$sql;\n\\echo end of the step :SQLSTATE\n";
	$in->flush;
	my %result = (rows => [], error => '');
	while (defined(my $line = readline($connection->{out})))
	{
		chomp $line;
		if ($line =~ /^end of the step (.*)/)
		{
			$result{sqlstate} = $1;
			die "the server failed: $result{error}\n" if $result{error} =~ /terminat|PANIC|FATAL|TRAP|invalid memory|out of memory|unexpected|could not (read|open)/;
			return \%result;
		}
		if ($line =~ /^Asynchronous notification "news" with payload "(.*)" received/) { push @{ $connection->{casts} }, $1 }
		elsif ($line =~ /^(ERROR|FATAL|PANIC|WARNING|server closed|psql)/) { $result{error} .= $line }
		elsif ($line ne '' || @{ $result{rows} } || $sql =~ /read_broadcast/) { push @{ $result{rows} }, [ split /\|/, $line, -1 ] }
	}
	die "$connection->{name}: the session ended at: $sql\n$result{error}";
}

sub must_pass
{
	my ($connection, $sql) = @_;
	my $result = query($connection, $sql);
	die "$connection->{name}: $sql: $result->{error}\n" if $result->{error} ne '';
	return $result;
}

sub open_session
{
	my ($run, $name, $connection) = @_;
	$run->{connections}{$name} = $connection // connect_as($run, $name);
	my $s = $run->{sessions}{$name} = ModelSession->new($name);
	$run->{model}{living}{ $s->{incarnation} } = 1;
	return;
}

# What it holds is lost when the server knows that it is gone.
sub reopen_session
{
	my ($run, $name) = @_;
	my ($s, $connection) = ($run->{sessions}{$name}, $run->{connections}{$name});
	close_connection($connection);
	foreach (1 .. 6000)
	{
		last if query($run->{looker}, "SELECT count(*) FROM pg_stat_activity WHERE pid = $connection->{backend}")->{rows}[0][0] == 0;
		select undef, undef, undef, 0.01;
	}
	ModelSession::rollback($s) if $s->{top};
	delete $run->{model}{living}{ $s->{incarnation} };
	open_session($run, $name);
	return;
}

# --- steps ---

# Statements that begin and end something: what they are in SQL, whether they make sense now, what they do in the model.
my %controls = (
	begin => {
		sql => sub { "BEGIN ISOLATION LEVEL $_[0]{isolation}" },
		fits => sub { my ($s) = @_; return !$s->is_open },
		model => sub { my ($m, $s, $p) = @_; $s->begin($p->{isolation}) },
	},
	commit => { sql => sub { 'COMMIT' }, fits => sub { $_[0]->is_open }, model => sub { my ($m, $s) = @_; ModelSession::commit($m, $s) } },
	rollback => { sql => sub { 'ROLLBACK' }, fits => sub { $_[0]->is_open }, model => sub { $_[1]->rollback } },
	savepoint => { sql => sub { 'SAVEPOINT s' }, fits => sub { $_[0]->is_open && !$_[0]{failed} }, model => sub { $_[1]->savepoint } },
	rollback_to => { sql => sub { 'ROLLBACK TO s' }, fits => sub { @{ $_[0]{savepoints} } > 0 }, model => sub { $_[1]->rollback_to } },
	release_savepoint => {
		sql => sub { 'RELEASE s' },
		fits => sub { @{ $_[0]{savepoints} } > 0 && !$_[0]{failed} },
		model => sub { $_[1]->release_savepoint },
	},
	prepare => {
		sql => sub { "PREPARE TRANSACTION '$_[0]{gid}'" },
		fits => sub { $_[0]->is_open && !$_[0]{failed} },
		model => sub { my ($m, $s, $p) = @_; ModelSession::prepare($m, $s, $p->{gid}) },
	},
	commit_prepared => {
		sql => sub { "COMMIT PREPARED '$_[0]{gid}'" },
		fits => sub { my ($s, $m, $p) = @_; return !$s->is_open && $m->{prepared}{ $p->{gid} } },
		model => sub { my ($m, $s, $p) = @_; ModelSession::end_prepared($m, $p->{gid}, 1) },
	},
	rollback_prepared => {
		sql => sub { "ROLLBACK PREPARED '$_[0]{gid}'" },
		fits => sub { my ($s, $m, $p) = @_; return !$s->is_open && $m->{prepared}{ $p->{gid} } },
		model => sub { my ($m, $s, $p) = @_; ModelSession::end_prepared($m, $p->{gid}, 0) },
	},
	vacuum => { sql => sub { 'VACUUM pgpubsub.notification' }, fits => sub { !$_[0]->is_open }, model => \&fade, may_wait => 1 },
	vacuum_full => { sql => sub { 'VACUUM FULL pgpubsub.notification' }, fits => sub { !$_[0]->is_open }, model => \&fade, may_wait => 1 },
);

# VACUUM may forget who had locked a row.
sub fade
{
	my ($m) = @_;
	foreach my $subscription (@{ $m->{subscriptions} }) { $_->{faded} = 1 foreach @{ $subscription->{rows} } }
	return;
}

# Runs one step, and returns what is wrong after it.
sub step
{
	my ($run, $p) = @_;
	my ($m, $s) = ($run->{model}, $run->{sessions}{ $p->{who} });
	delete @$p{qw(sent said)};
	my $wrong =
		  $p->{op} eq 'hour'          ? pass_an_hour($run)
		: $p->{op} eq 'reconnect'     ? reopen_session($run, $p->{who})
		: $p->{op} eq 'look'          ? look_inside($run, $s, $p)
		: $controls{ $p->{op} }       ? control($run, $s, $p)
		:                               work($run, $s, $p);
	$p->{sent} = 1 if $p->{op} =~ /^(hour|reconnect)$/;
	return $wrong if defined $wrong && $wrong ne '';
	return if !$p->{sent};
	$m->clean(values %{ $run->{sessions} }) if ++$run->{count} % 10 == 0;
	# What stays within a transaction changes nothing for others: then now and then is enough.
	my $looks = $run->{looks} // ($s->is_open && $run->{count} % 4 > 0 ? 'never' : 'always');
	return $looks eq 'never' ? undef : look($run);
}

sub pass_an_hour
{
	my ($run) = @_;
	++$run->{hour};
	$run->{clock}->($run->{hour});
	$run->{model}{now} = $run->{hour} - $run->{begun_at};
	return;
}

sub control
{
	my ($run, $s, $p) = @_;
	my ($m, $control) = ($run->{model}, $controls{ $p->{op} });
	return if !$control->{fits}->($s, $m, $p);
	my $result = send_step($run, $p, $control->{sql}->($p));
	my $must_fail = $p->{op} eq 'prepare' && @{ $s->{casts} } > 0 ? '0A000' : '00000';
	my $may_fail = $control->{may_wait} ? '55P03' : $s->{isolation} eq 'SERIALIZABLE' && $p->{op} =~ /commit|prepare/ ? '40001' : '';
	return "error: SQLSTATE $result->{sqlstate}, must be $must_fail" if $result->{sqlstate} ne $must_fail && $result->{sqlstate} ne $may_fail;
	if ($result->{sqlstate} eq '00000') { $control->{model}->($m, $s, $p) }
	elsif ($s->is_open)                 { $s->rollback }
	return;
}

sub work
{
	my ($run, $s, $p) = @_;
	return if $s->{failed};
	my $given = given($run, $p);
	my $operation = $operations{ $p->{op} };
	my $result = send_step($run, $p, $operation->{sql}->($p, array_of($p, $given)));
	$run->{results}{ $p->{no} } = $result->{rows};
	return ModelSession::statement($run->{model}, $s, $result->{sqlstate},
		sub { return $result->{sqlstate} eq '00000' ? $operation->{model}->($run->{model}, $s, $p, $result->{rows}, $given) : try_in_vain($run, $s, $p, $given) });
}

# It failed: in the model it must, whatever the result would have been.
sub try_in_vain
{
	my ($run, $s, $p, $given) = @_;
	my $ids = [ map { [ $run->{model}{max_id} + $_ ] } 1 .. $p->{count} // 1 ];
	my $max_id = $run->{model}{max_id};
	$operations{ $p->{op} }{model}->($run->{model}, $s, $p, $p->{op} =~ /^publish/ ? $ids : [], $given);
	$run->{model}{max_id} = $max_id;
	return;
}

sub send_step
{
	my ($run, $p, $sql) = @_;
	my $result = query($run->{connections}{ $p->{who} }, $sql);
	$p->{sent} = $sql;
	$p->{said} = $result->{error} ne '' ? $result->{error} : join ' ', map { join '|', @$_ } @{ $result->{rows} };
	return $result;
}

# The receipts or ids that the step names, of the steps that gave them.
sub given
{
	my ($run, $p) = @_;
	my @given;
	foreach my $ref (@{ $p->{refs} // [] })
	{
		my $row = ($run->{results}{ $ref->{step} } // [])->[ $ref->{number} ] or next;
		my $value = $row->[ $p->{of} eq 'receipt' ? 3 : 0 ];
		push @given, $value if defined $value;
	}
	return \@given;
}

sub array_of
{
	my ($p, $given) = @_;
	return defined $p->{of} && $p->{of} eq 'receipt' ? "'{" . join(',', @$given) . "}'::text[]" : "'{" . join(',', @$given) . "}'::bigint[]";
}

# --- looking ---

# The views as everybody sees them; and what was broadcast.
sub look
{
	my ($run) = @_;
	my $m = $run->{model};
	my $wrong = difference('committed', query($run->{looker}, 'EXECUTE all_views'), $m->lines({ top => undef, snapshot => ModelStore::now() }));
	return $wrong if defined $wrong;
	my @casts = splice @{ $run->{looker}{casts} };
	my $heard = join ' ', map { /"id": (\d+)/ ? $1 : $_ } @casts;
	my $must = join ' ', map { $_->{id} } splice @{ $m->{heard} };
	return $heard eq $must ? undef : "broadcast: heard '$heard', must be '$must'";
}

# The views as the session sees them in its transaction.
sub look_inside
{
	my ($run, $s, $p) = @_;
	return if !$s->is_open || $s->{failed} || $s->{isolation} eq 'SERIALIZABLE';
	my $result = send_step($run, $p, $all);
	delete $p->{said};
	return ModelSession::statement($run->{model}, $s, $result->{sqlstate},
		sub { return difference("inside $s->{name}", $result, $run->{model}->lines(ChannelModel::view_of($s))) });
}

sub difference
{
	my ($where, $result, @must) = @_;
	return "views: $where: $result->{error}" if $result->{error} ne '';
	my %left = map { $_ => 1 } map { join '|', @$_ } @{ $result->{rows} };
	my @missing = grep { !delete $left{$_} } @must;
	return if !@missing && !%left;
	return "views: $where: missing (" . join('; ', @missing) . '), must not be there (' . join('; ', sort keys %left) . ')';
}

# Which subscriptions have stored it, as the session sees it.
sub subscriptions_that_have
{
	my ($run, $s, $id) = @_;
	my $connection = $s->is_open ? $run->{connections}{ $s->{name} } : $run->{looker};
	my $result = query($connection, "SELECT channel, subscription FROM pgpubsub.notifications WHERE id = $id");
	die { inconclusive => 1 } if $result->{sqlstate} eq '40001';
	return map { "$_->[0] $_->[1]" } @{ $result->{rows} };
}

1;
