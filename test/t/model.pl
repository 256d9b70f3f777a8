# Claims beside a plain query, step by step under chance: after each step of a few sessions, what take() and claim() would hand out is
# what a query over the table says that they must; with shared memory for the remembered places and without.
#
# The sessions are driven one statement at a time, so that a run that fails can be repeated: PGPUBSUB_SEED=number. A statement that would wait
# for another session fails instead (lock_timeout), as a step like the others. The tests of remembered places under load find
# what depends on how sessions interleave within a statement; this one finds rows that stay hidden, and tells after which steps.
#
# What must be handed out: in the channel without an order, each row that is committed, ready or due, and not locked. In the
# ordered one, what is handed out once all places are forgotten.
#
# PGPUBSUB_SECONDS says how long it goes on. Each round has a seed of its own, counted up, and begins with an empty table.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use IPC::Open2;

# A session that ended is told of, with what it was to do.
$SIG{PIPE} = 'IGNORE';

my $first_seed = $ENV{PGPUBSUB_SEED} // int(rand(1_000_000));
my $seconds = $ENV{PGPUBSUB_SECONDS} // 6;
note "seed $first_seed";

my $node = PostgreSQL::Test::Cluster->new('model');
$node->init;
$node->append_conf('postgresql.conf', q{
max_prepared_transactions = 20
shared_buffers = 64MB
fsync = off
autovacuum = off
pgpubsub.wakeup = off
pgpubsub.max_skip_time = 1h
pgpubsub.max_join_time = 20ms
});
$node->start;

# --- sessions ---

sub open_session
{
	my ($name) = @_;
	my $pid = open2(my $out, my $in, 'sh', '-c', 'exec "$@" 2>&1', 'psql', 'psql', '-XAtq', '-v', 'VERBOSITY=terse', '-d', $node->connstr('postgres'));
	my $session = { name => $name, pid => $pid, in => $in, out => $out, open => 0 };
	run_in($session, q{SET client_min_messages = error; SET lock_timeout = '5ms'});
	return $session;
}

# What it prints, and its errors.
sub run_in
{
	my ($session, $sql) = @_;
	my $in = $session->{in};
	print $in "$sql;\n\\echo end of the step\n";
	$in->flush;
	my $result = '';
	while (defined(my $line = readline($session->{out})))
	{
		if ($line eq "end of the step\n")
		{
			chomp $result;
			return $result;
		}
		$result .= $line;
	}
	die "$session->{name}: the session ended at: $sql\n$result";
}

sub close_session
{
	my ($session) = @_;
	close $session->{in};
	close $session->{out};
	waitpid($session->{pid}, 0);
	return;
}

# --- what they do ---

my @pools = (['plain', 'default'], ['plain', 'odd'], ['ordered', 'default']);
my @workers;
my @prepared;
my $prepared_count;
my @steps;

sub one_of { return $_[int(rand(@_))]; }
sub soon { return one_of("'1 microsecond'", "'1 microsecond'", "'1 hour'", "'2 ms'"); }

sub publish
{
	my ($channel) = @_;
	my @arguments = ("'$channel'", rand() < 0.5 ? q('{"odd": true}') : q('{}'));
	my $priority = one_of('0', '1', '2', 'i % 2', 'i', int(rand(60)));
	push @arguments, "priority => ($priority)::integer" if $channel eq 'plain' && rand() < 0.4;
	push @arguments, 'deliver_at => clock_timestamp() + ' . soon() if rand() < 0.2;
	push @arguments, q(key => ') . int(rand(3)) . q(') if rand() < 0.6;
	push @arguments, q(dedup_key => ') . int(rand(4)) . q(') if rand() < 0.3;
	if ($arguments[-1] =~ /dedup/ && rand() < 0.6)
	{
		push @arguments, 'replace => true';
		# Some of these don't fit on the page of the version before.
		$arguments[1] = q(jsonb_build_object('odd', true, 'long', repeat(gen_random_uuid()::text, 40))) if rand() < 0.4;
	}
	return 'SELECT count(pgpubsub.publish(' . join(', ', @arguments) . ')) FROM generate_series(1, ' . one_of(1, 1, 1, 3, 40) . ') i';
}

sub some_receipts
{
	my ($channel, $subscription) = @_;
	return "(SELECT * FROM receipts WHERE pool = '$channel $subscription' ORDER BY number " . one_of('', 'DESC') . ' LIMIT ' . (1 + int(rand(5))) . ') r';
}

sub work
{
	my ($channel, $subscription) = @{ one_of(@pools) };
	my $pool = "$channel $subscription";
	my $call = "'$channel', " . one_of(1, 1, 2, 5, 100);
	my $receipts = some_receipts($channel, $subscription);
	my $fate = rand();
	return publish($channel) if $fate < 0.35;
	return "INSERT INTO got SELECT '$pool', id FROM pgpubsub.take($call, '$subscription')" if $fate < 0.55;
	return "INSERT INTO receipts SELECT '$pool', id, receipt FROM pgpubsub.claim($call, interval " . soon() . ", '$subscription')" if $fate < 0.67;
	return "INSERT INTO got SELECT '$pool', id FROM $receipts WHERE pgpubsub.ack(ARRAY[receipt]) = 1" if $fate < 0.75;
	return "SELECT pgpubsub.nack(array_agg(receipt), delay => " . one_of(soon(), "'0'") . ') FROM ' . $receipts if $fate < 0.79;
	return "SELECT pgpubsub.release(array_agg(receipt)) FROM $receipts" if $fate < 0.83;
	return 'SELECT pgpubsub.extend(array_agg(receipt), ' . soon() . ") FROM $receipts" if $fate < 0.86;
	return "SELECT pgpubsub.requeue(array_agg(id), delay => " . one_of(soon(), "'0'") . ") FROM pgpubsub.take($call, '$subscription')" if $fate < 0.90;
	return "SELECT pgpubsub.nack(array_agg(receipt), reject => true) FROM $receipts" if $fate < 0.91;
	return "SELECT pgpubsub.redrive('$channel', subscription => '$subscription')" if $fate < 0.92;
	return "SELECT pgpubsub.recover('$channel')" if $fate < 0.93;
	return "SELECT pgpubsub.purge_channel('$channel', '$subscription')" if $fate < 0.94;
	return "SELECT count(pgpubsub.publish_batch('$channel', array_fill('{}'::jsonb, ARRAY[50]), deliver_at => clock_timestamp() + " . soon() . '))' if $fate < 0.95;
	return "SELECT pgpubsub.next_due('$channel', '$subscription') < clock_timestamp()";
}

# The next statement of the session. It keeps in mind whether it is in a transaction; in one that failed, whatever it does but end it fails.
sub next_statement
{
	my ($session) = @_;
	my $fate = rand();
	if (!$session->{open})
	{
		if (@prepared && $fate < 0.15)
		{
			my ($name) = splice @prepared, int(rand(@prepared)), 1;
			return one_of('COMMIT', 'ROLLBACK') . " PREPARED '$name'";
		}
		if ($fate < 0.5)
		{
			$session->{open} = 1;
			$session->{isolation} = one_of('READ COMMITTED', 'READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE');
			return "BEGIN ISOLATION LEVEL $session->{isolation}";
		}
		return 'VACUUM pgpubsub.notification' if $fate > 0.99;
		return one_of('VACUUM FULL pgpubsub.notification', "SELECT pgpubsub.pause_channel('plain')", "SELECT pgpubsub.resume_channel('plain')") if $fate > 0.97;
		return work();
	}
	return 'SAVEPOINT s' if $fate < 0.1;
	return 'ROLLBACK TO s' if $fate < 0.17 || ($fate < 0.3 && $session->{failed});
	return 'RELEASE s' if $fate < 0.2;
	if ($fate < 0.35 || ($session->{failed} && $fate < 0.6))
	{
		$session->{open} = 0;
		return 'ROLLBACK' if rand() < 0.3;
		return 'COMMIT' if rand() < 0.75;
		my $name = 'p' . ++$prepared_count;
		push @prepared, $name;
		return "PREPARE TRANSACTION '$name'";
	}
	return work();
}

sub step
{
	my ($session, $sql) = @_;
	my $result = run_in($session, $sql);
	push @steps, "$session->{name}: $sql -> $result";
	if ($result =~ /ERROR|WARNING/)
	{
		die "the server failed: $result\n" if $result =~ /terminat|PANIC|FATAL|TRAP|invalid memory|out of memory|unexpected|could not (read|open)/;
	}
	$session->{failed} = $session->{open} && $result =~ /ERROR/ ? 1 : $sql =~ /^ROLLBACK TO/ && $result !~ /ERROR/ ? 0 : $session->{open} ? $session->{failed} : 0;
	return $result;
}

# --- what must be handed out ---

my $looker;

sub sql_of_claimable
{
	my ($channel, $subscription) = @_;
	return qq{SELECT coalesce(string_agg(id::text, ',' ORDER BY priority DESC, id), '') FROM (
		SELECT n.id, n.priority FROM pgpubsub.notification n JOIN pgpubsub.subscription s ON s.id = n.subscription_id JOIN pgpubsub.channel c ON c.id = s.channel_id
		WHERE c.name = '$channel' AND s.name = '$subscription' AND NOT s.paused AND (n.due_at IS NULL OR n.due_at <= clock_timestamp()) FOR UPDATE OF n SKIP LOCKED) n};
}

sub sql_of_claim
{
	my ($channel, $subscription, $function) = @_;
	$function //= one_of("pgpubsub.take('$channel', 10000, '$subscription')", "pgpubsub.claim('$channel', 10000, '1 hour', '$subscription')");
	return "SELECT coalesce(string_agg(id::text, ',' ORDER BY ordinality), '') FROM $function WITH ORDINALITY";
}

sub undone
{
	my ($session, $sql) = @_;
	my $result = $session->{open} ? run_in($session, "SAVEPOINT look; $sql; ROLLBACK TO look; RELEASE look") : run_in($session, "BEGIN; $sql; ROLLBACK");
	push @steps, "$session->{name}: undone: " . ($sql =~ /FOR UPDATE/ ? 'the query' : $sql) . " -> $result";
	return $result;
}

# Returns what is wrong, or nothing. What becomes due meanwhile does not count.
sub check_plain
{
	my ($session, $channel, $subscription) = @_;
	my $query = sql_of_claimable($channel, $subscription);
	my $before = undone($session->{open} ? $session : $looker, $query);
	my $had = undone($session, sql_of_claim($channel, $subscription));
	my $due = $session->{open} ? '' : run_in($session, "SELECT pgpubsub.next_due('$channel', '$subscription') <= clock_timestamp()");
	my $after = undone($session->{open} ? $session : $looker, $query);
	return if $before ne $after || "$before$had$due" =~ /ERROR/;
	return "$channel $subscription, $session->{name}: must be: $before; was: $had" if $had ne $before;
	return "$channel $subscription, $session->{name}: next_due() says $due of: $before" if $had ne '' && !$session->{open} && $due ne 't';
	return;
}

sub check_ordered
{
	my ($session) = @_;
	my $query = sql_of_claimable('ordered', 'default');
	my $claim = sql_of_claim('ordered', 'default', one_of(q{pgpubsub.take('ordered', 10000)}, q{pgpubsub.claim('ordered', 10000, '1 hour')}));
	my $before = undone($looker, $query);
	my $had = undone($session, $claim);
	run_in($looker, 'UPDATE pgpubsub.notification SET id = id WHERE false');
	my $must = undone($session, $claim);
	my $after = undone($looker, $query);
	return if $before ne $after || "$had$must" =~ /ERROR/;
	return "ordered, $session->{name}: must be: $must; was: $had" if $had ne $must;
	return;
}

sub check
{
	my @idle = grep { !$_->{open} } @workers, $looker;
	my @open = grep { $_->{open} && !$_->{failed} && $_->{isolation} eq 'READ COMMITTED' } @workers;
	return check_ordered(one_of(@idle)) if rand() < 0.15;
	my @pool = @{ $pools[int(rand(2))] };
	return check_plain(@open && rand() < 0.3 ? one_of(@open) : one_of(@idle), @pool);
}

sub run_round
{
	my ($seed, $length) = @_;
	srand($seed);
	@steps = @prepared = ();
	$prepared_count = 0;
	my $wrong;
	for (1 .. $length)
	{
		my $session = one_of(@workers);
		step($session, next_statement($session));
		$wrong = rand() < 0.3 ? check() : undef;
		last if $wrong;
	}
	foreach my $session (@workers)
	{
		$session->{open} = $session->{failed} = 0;
		step($session, one_of('COMMIT', 'ROLLBACK'));
	}
	foreach my $name (split /\n/, run_in($looker, 'SELECT gid FROM pg_prepared_xacts'))
	{
		step($looker, one_of('COMMIT', 'ROLLBACK') . " PREPARED '$name'");
	}
	step($looker, "SELECT pgpubsub.resume_channel('plain')");
	$wrong //= check_plain(one_of(@workers), @$_) foreach @pools[0, 1];
	$wrong //= check_ordered(one_of(@workers));
	my $twice = run_in($looker, 'SELECT pool, number FROM got GROUP BY 1, 2 HAVING count(*) > 1');
	$wrong //= "handed out twice: $twice" if $twice ne '';
	run_in($looker, 'TRUNCATE pgpubsub.notification, pgpubsub.dead_letter, got, receipts');
	return $wrong;
}

sub run_all
{
	my ($memory) = @_;
	$looker = open_session('looker');
	@workers = map { open_session("worker $_") } 1 .. 4;
	my $until = time() + $seconds / 2;
	my $rounds = 0;
	my $wrong;
	for (my $seed = $first_seed; !defined $wrong && ($rounds == 0 || time() < $until); $seed++, $rounds++)
	{
		$wrong = eval { run_round($seed, 150) } // ($@ ne '' ? $@ : undef);
		diag "$memory: PGPUBSUB_SEED=$seed: $wrong\n" . join("\n", @steps) if defined $wrong;
	}
	ok(!defined $wrong, "$memory: each step leaves to be handed out what must be");
	note "$memory: $rounds rounds";
	close_session($_) foreach @workers, $looker;
	return;
}

$node->safe_psql('postgres', q{
CREATE EXTENSION pgpubsub;
SELECT pgpubsub.create_channel('plain', max_attempts => 0), pgpubsub.create_channel('ordered', ordered => true, max_attempts => 0);
SELECT pgpubsub.subscribe('plain', 'odd', '{"odd": true}', max_attempts => 0);
CREATE TABLE got (pool text, number bigint);
CREATE TABLE receipts (pool text, number bigint, receipt text);
});
run_all('session');
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\n");
$node->restart;
run_all('shared');
$node->stop;
done_testing();
