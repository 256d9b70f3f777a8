# What the worker does by itself: it wakes consumers at the time when something is due, releases the leases of sessions that end, makes
# dead letters, and removes what is kept too long. It needs real time, sessions that end, and a preloaded library.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $patience = $PostgreSQL::Test::Utils::timeout_default;
my $node = PostgreSQL::Test::Cluster->new('maintenance');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('o', ordered => true), pgpubsub.create_channel('once', max_attempts => 1);
	SELECT pgpubsub.create_channel('news', 'broadcast'), pgpubsub.create_channel('kept', history => '1 hour');
	SELECT pgpubsub.publish('jobs', '1');
	SELECT count(*) FROM pgpubsub.take('jobs');
});

sub sql { return $node->safe_psql('postgres', $_[0]) }

# Until the query gives what is wanted; returns after how many seconds.
sub wait_for
{
	my ($query, $wanted) = @_;
	my $began = time;
	while ((my $got = sql($query)) ne $wanted)
	{
		die "after $patience s \"$query\" still gives \"$got\"" if time - $began > $patience;
		usleep(10_000);
	}
	return time - $began;
}

# A session that listens, and how it hears of something: psql prints it after the next command.
my $listener = $node->background_psql('postgres');
$listener->query_safe("LISTEN $_") for qw(jobs o once);
sub heard { return scalar(() = $listener->query_safe('SELECT') =~ /Asynchronous notification "$_[0]"/g) }

# Nothing comes for a while.
sub hear_all
{
	my $quiet_since = time;
	while (time - $quiet_since < 0.2)
	{
		$quiet_since = time if heard('\w+') > 0;
		usleep(10_000);
	}
}

# When the channel is heard of next.
sub time_of_hint
{
	my ($channel) = @_;
	my $began = time;
	while (heard($channel) == 0)
	{
		die "not woken in $patience s" if time - $began > $patience;
		usleep(10_000);
	}
	return time;
}

sub terminate { return sql("SELECT pg_terminate_backend($_[0])") }

# A session that has claimed so many.
sub claimer
{
	my ($channel, $count, $lease) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	is($session->query_safe("SELECT count(*) FROM pgpubsub.claim('$channel', $count, '$lease')"), $count, "claimed from $channel");
	return ($session, $pid);
}

wait_for(q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = 'pgpubsub worker' AND datname = 'postgres'}, 't');
hear_all();

# A delay ends.
sql(q{SELECT pgpubsub.publish('jobs', '1', deliver_at => clock_timestamp() + interval '1 second')});
hear_all();
my $due = sql('SELECT extract(epoch FROM due_at) FROM pgpubsub.notification');
my $woken = time_of_hint('jobs');
cmp_ok($woken, '>=', $due, 'woken not before it is due');
cmp_ok($woken, '<', $due + 20, sprintf('but then (%.1f ms later)', 1000 * ($woken - $due)));
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), '1', 'and there it is');

# Two delays, of which the worker was told at once: when the first one ends it looks for the next.
sql(q{SELECT pgpubsub.publish('jobs', to_jsonb(i), deliver_at => clock_timestamp() + i * interval '1 second') FROM generate_series(1, 2) i});
hear_all();
time_of_hint('jobs');
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 2)}), '1', 'the first of two');
hear_all();
time_of_hint('jobs');
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 2)}), '1', 'and the second one');

# A lease ends; one that was acked wakes nobody.
sql(q{SELECT pgpubsub.publish('jobs', '1')});
hear_all();
my ($session) = claimer('jobs', 1, '0.7 seconds');
hear_all();
time_of_hint('jobs');
is(sql(q{SELECT attempts FROM pgpubsub.take('jobs')}), '2', 'a lease that ends wakes');
sql(q{SELECT pgpubsub.publish('jobs', '1')});
hear_all();
$session->query_safe(q{SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('jobs', 1, '0.5 seconds')});
usleep(700_000);
is(heard('jobs'), 0, 'one that was acked does not');
$session->quit;

# A session ends, in either way: its leases are free at once, and consumers are woken.
for my $channel (qw(jobs o))
{
	for my $way ('terminated', 'whose client is killed', 'that disconnects')
	{
		sql("SELECT pgpubsub.publish('$channel', to_jsonb(i), key => 'k') FROM generate_series(1, 2) i");
		my $pid;
		($session, $pid) = claimer($channel, 1, '1 hour');
		hear_all();
		my $began = time;
		if ($way eq 'terminated') { terminate($pid) }
		elsif ($way eq 'that disconnects') { $session->quit }
		else { $session->{run}->kill_kill(grace => 0) }
		time_of_hint($channel);
		my $seconds = time - $began;
		is(sql("SELECT string_agg(payload::text || attempts, ' ') FROM pgpubsub.take('$channel', 2)"), '12 21', "a session $way leaves its work to others");
		cmp_ok($seconds, '<', 20, sprintf('within %.0f ms', 1000 * $seconds));
		eval { $session->quit } if $way eq 'terminated';
	}
}
# One that has no leases any more, or whose leases are not its own, ends without consequences.
sql(q{SET pgpubsub.lease_scope = 'time'; SELECT pgpubsub.publish('jobs', '1'); SELECT payload FROM pgpubsub.claim('jobs', 1, '1 hour')});
usleep(400_000);
is(sql(q{SELECT state FROM pgpubsub.notifications}), 'leased', 'lease_scope = time: the session does not matter');
sql(q{SELECT pgpubsub.purge_channel('jobs')});

# Used up
sql(q{SELECT pgpubsub.publish('once', to_jsonb(i)) FROM generate_series(1, 2) i});
($session) = claimer('once', 1, '0.3 seconds');
wait_for(q{SELECT string_agg(payload::text || ' ' || last_error, ' ') FROM pgpubsub.dead_letters}, '1 the lease ended without an ack');
pass('a lease that ends, with its attempts used up, is a dead letter');
$session->query_safe(q{SELECT payload FROM pgpubsub.claim('once', 1, '1 hour')});
$session->quit;
wait_for(q{SELECT last_error FROM pgpubsub.dead_letters WHERE payload = '2'}, 'the session that held the lease ended without an ack');
pass('so is one whose session ends');

# A table is locked while something becomes due: the worker does not queue for it, and goes on when it is free.
sql(q{SELECT pgpubsub.publish('jobs', '1', deliver_at => clock_timestamp() + interval '0.5 second')});
hear_all();
my $user = $node->background_psql('postgres');
$user->query_safe('BEGIN');
$user->query_safe('LOCK TABLE pgpubsub.notification');
sleep 1;
is($user->query_safe(q{SELECT count(*) FROM pg_locks WHERE NOT granted}), '0', 'nobody waits for a locked table');
is(heard('jobs'), 0, 'and nobody is woken');
$user->query_safe('COMMIT');
time_of_hint('jobs');
pass('when it is unlocked, the consumers are woken');
$user->quit;
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), '1', 'and find it');

# What is kept too long goes when the worker begins, and every minute: the server is restarted so that it begins.
sql(q{
	SELECT pgpubsub.publish('kept', to_jsonb(i)) FROM generate_series(1, 1000) i;
	SELECT count(*) FROM pgpubsub.take('kept', 1000);
	UPDATE pgpubsub.processed SET processed_at = clock_timestamp() - interval '1 day' WHERE id % 10 > 0;
	SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 9000))) FROM generate_series(1, 10);
	UPDATE pgpubsub.broadcast SET expires_at = clock_timestamp();
	INSERT INTO pgpubsub.stat_count SELECT subscription_id, now() - interval '1 hour', 1, 1, 1 FROM pgpubsub.processed LIMIT 1;
	SET pgpubsub.lease_scope = 'time';
	SELECT pgpubsub.publish('jobs', '1');
	SELECT payload FROM pgpubsub.claim('jobs', 1, '3 seconds');
});
$listener->quit;
$node->restart;
my $seconds = wait_for(q{SELECT (SELECT count(*) FROM pgpubsub.processed), (SELECT count(*) FROM pgpubsub.broadcast), (SELECT count(*) FROM pgpubsub.stat_count WHERE counted_at < now() - interval '30 minutes')}, '100|0|0');
cmp_ok($seconds, '<', 20, 'old history, broadcasts and counts are removed');

# While a snapshot keeps what was removed, too: a step goes on where the one before it ended.
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query_safe('SELECT');
sql(q{
	INSERT INTO pgpubsub.processed (id, created_at, priority, attempts, processed_at, subscription_id, payload)
		SELECT i, now(), 0, 1, now() - interval '1 day' + i * interval '1 ms', (SELECT max(subscription_id) FROM pgpubsub.processed), '1' FROM generate_series(1, 12000) i;
	INSERT INTO pgpubsub.broadcast SELECT (SELECT id FROM pgpubsub.channel WHERE name = 'news'), i, '1', now() - interval '1 day' + i * interval '1 ms' FROM generate_series(1, 12000) i;
	SELECT pg_terminate_backend(worker_pid) FROM pgpubsub.wakeup_state();
});
$seconds = wait_for(q{SELECT (SELECT count(*) FROM pgpubsub.processed), (SELECT count(*) FROM pgpubsub.broadcast)}, '100|0');
cmp_ok($seconds, '<', 30, 'many are removed while a snapshot is held');
$reader->quit;

# What was due to come before the restart is known after it.
$listener = $node->background_psql('postgres');
$listener->query_safe('LISTEN jobs');
time_of_hint('jobs');
is(sql(q{SELECT attempts FROM pgpubsub.take('jobs')}), '2', 'a lease that was given before a restart wakes when it ends');
$listener->quit;

unlike(slurp_file($node->logfile), qr/(ERROR|PANIC|TRAP).*/, 'no errors');
$node->stop;
done_testing();
