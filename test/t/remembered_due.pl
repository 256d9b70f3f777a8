# Leases, delays and retries, with claims that begin at a remembered place, under chance: each notification that was committed is acked
# once, and none is forgotten, whoever commits late, rolls back or gives back; with shared memory for the places and without.
#
# It is to the rows with a due_at what remembered_place.pl is to the ready ones. Here no sweep comes to the rescue but those that a long-running
# transaction calls for; in the ordered channel there are none at all, so each step over what is gone must be right. Leases last for so short a time that
# they end while consumers are at work, or before the claim that got them has committed.
#
# Before that, step by step since an isolation test can't keep a claim waiting where it is needed: a lease that is over before it is stored.
#
# PGPUBSUB_SEED=number repeats the choices of a run, though not how the sessions interleave.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;

my $seed = $ENV{PGPUBSUB_SEED} // int(rand(1_000_000));
note "seed $seed";
srand($seed);

my $seconds = $ENV{PGPUBSUB_SECONDS} // 4;
my $writers = 3;
my $consumers = 5;

my $node = PostgreSQL::Test::Cluster->new('due');
$node->init;
$node->append_conf('postgresql.conf', "shared_buffers = 128MB\nfsync = off\npgpubsub.max_skip_time = 1h\npgpubsub.wakeup = off\n");
$node->start;

$node->safe_psql('postgres', q{
CREATE EXTENSION pgpubsub;
SELECT pgpubsub.create_channel('jobs', max_attempts => 0), pgpubsub.create_channel('ordered', ordered => true, max_attempts => 0);
CREATE TABLE published (id bigint);
CREATE TABLE processed (id bigint);
CREATE TABLE done (writer integer);

CREATE PROCEDURE publish_for(name text, seed float8, seconds float8, patience float8) LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := clock_timestamp() + make_interval(secs => seconds);
	ids bigint[];
BEGIN
	PERFORM setseed(seed);
	WHILE clock_timestamp() < until LOOP
		SELECT array_agg(pgpubsub.publish(name, '1',
				key => CASE WHEN random() < 0.3 THEN floor(random() * 50)::text END,
				deliver_at => CASE WHEN random() < 0.5 THEN clock_timestamp() + random() ^ 3 * interval '50 ms' END))
			INTO ids FROM generate_series(1, 1 + floor(random() * 10)::integer);
		PERFORM pg_sleep(0.005 + random() ^ 3 * patience);
		IF random() < 0.2 THEN
			ROLLBACK;
		ELSE
			INSERT INTO published SELECT unnest(ids);
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- A consumer, until nothing is left and the writers are done.
CREATE PROCEDURE consume(name text, seed float8, writers integer, patience float8) LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
	receipts text[];
	fate float8;
	acked bigint;
	last_success timestamptz := clock_timestamp();
BEGIN
	PERFORM setseed(seed);
	LOOP
		fate := random();
		SELECT array_agg(id), array_agg(receipt) INTO ids, receipts
			FROM pgpubsub.claim(name, 1 + floor(random() * 30)::integer, interval '1 microsecond' + random() ^ 4 * interval '50 ms');
		IF fate < 0.1 THEN
			ROLLBACK;
			CONTINUE;
		END IF;
		COMMIT;
		IF ids IS NULL THEN
			EXIT WHEN (SELECT count(*) FROM done) = writers AND NOT EXISTS (SELECT FROM pgpubsub.notification);
			ASSERT clock_timestamp() < last_success + interval '15 s', 'nothing comes any more';
			PERFORM pg_sleep(0.002);
			CONTINUE;
		END IF;
		acked := 0;
		IF fate > 0.98 THEN
			PERFORM pg_sleep(random() ^ 2 * patience);
		END IF;
		IF fate < 0.2 THEN  -- the lease ends
		ELSIF fate < 0.3 THEN
			PERFORM pgpubsub.nack(receipts, delay => random() ^ 4 * interval '20 ms');
		ELSIF fate < 0.35 THEN
			PERFORM pgpubsub.nack(receipts, delay => '0');
		ELSIF fate < 0.4 THEN
			PERFORM pgpubsub.release(receipts);
		ELSIF fate < 0.5 THEN
			PERFORM pgpubsub.extend(receipts, interval '1 microsecond' + random() ^ 4 * interval '10 ms');
		ELSE
			INSERT INTO processed SELECT id FROM unnest(ids, receipts) r (id, receipt) WHERE pgpubsub.ack(ARRAY[receipt]) = 1;
			GET DIAGNOSTICS acked = ROW_COUNT;
		END IF;
		IF fate > 0.98 THEN
			PERFORM pg_sleep(random() ^ 2 * patience);
		END IF;
		IF random() < 0.1 THEN
			ROLLBACK;
		ELSE
			COMMIT;
			IF acked > 0 THEN
				last_success := clock_timestamp();
			END IF;
		END IF;
	END LOOP;
END $$;
});

$node->safe_psql('postgres', q{
CREATE TABLE steps (step text);
CREATE PROCEDURE reach(reached text) LANGUAGE plpgsql AS $$ BEGIN INSERT INTO steps VALUES (reached); COMMIT; END $$;
CREATE PROCEDURE wait_for(what text) LANGUAGE plpgsql AS $$
DECLARE is_reached boolean; BEGIN
	FOR i IN 1 .. 3000 LOOP
		EXECUTE 'SELECT ' || what INTO is_reached;
		IF is_reached THEN RETURN; END IF;
		PERFORM pg_sleep(0.01);
	END LOOP;
	RAISE 'this does not happen: %', what;
END $$;
CREATE PROCEDURE churn() LANGUAGE plpgsql AS $$
DECLARE receipts text[]; BEGIN
	FOR i IN 1 .. 5 LOOP
		PERFORM pgpubsub.publish('jobs', '1', priority => 1) FROM generate_series(1, 10);
		SELECT array_agg(receipt) INTO receipts FROM pgpubsub.claim('jobs', 10, '1 microsecond');
		COMMIT;
		PERFORM pgpubsub.ack(receipts);
		COMMIT;
	END LOOP;
END $$;
-- Knows the channel, and so does not need the table of subscriptions.
CREATE PROCEDURE churn_meanwhile() LANGUAGE plpgsql AS $$ BEGIN
	CALL churn();
	CALL reach('known');
	CALL wait_for($w$EXISTS (SELECT FROM pg_locks WHERE relation = 'pgpubsub.subscription'::regclass AND NOT granted)$w$);
	CALL churn();
	CALL reach('churned');
	CALL wait_for($w$EXISTS (SELECT FROM steps WHERE step = 'claimed')$w$);
END $$;
});

# A claim has read the clock and does not go on. Others pass over the time at which its lease is to end, before it is stored.
sub store_late
{
	$node->safe_psql('postgres', q{SELECT pgpubsub.publish('jobs', '"late"')});
	my @sessions = (
		start_session($node, 'locker', q{CALL wait_for($$EXISTS (SELECT FROM steps WHERE step = 'known')$$);
			DO $$ BEGIN LOCK TABLE pgpubsub.subscription; CALL wait_for($w$EXISTS (SELECT FROM steps WHERE step = 'churned')$w$); END $$}),
		start_session($node, 'claimer', q{CALL wait_for($$EXISTS (SELECT FROM pg_locks WHERE relation = 'pgpubsub.subscription'::regclass AND mode = 'AccessExclusiveLock' AND granted)$$);
			SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 microsecond'); CALL reach('claimed')}));
	is($node->safe_psql('postgres', q{CALL churn_meanwhile(); SELECT payload FROM pgpubsub.take('jobs', 10)}), '"late"', 'a lease that is over before it is stored');
	end_well('late', @sessions);
	return;
}

store_late();

sub run_all
{
	my ($memory, $channel) = @_;
	my $name = "$memory, $channel";
	my @sessions;
	for my $i (1 .. $writers)
	{
		my ($seed, $patience) = (rand(2) - 1, $i == 1 ? 1 : 0.02);
		push @sessions, start_session($node, "writer $i", "CALL publish_for('$channel', $seed, $seconds, $patience); INSERT INTO done VALUES ($i)");
	}
	for my $i (1 .. $consumers)
	{
		my $seed = rand(2) - 1;
		push @sessions, start_session($node, "consumer $i", "CALL consume('$channel', $seed, $writers, 0.3)");
	}
	push @sessions, start_session($node, 'snapshot', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep($seconds / 2.0)");
	end_well($name, @sessions);
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM (SELECT id, count(*) FROM published GROUP BY id) p
			FULL JOIN (SELECT id, count(*) FROM processed GROUP BY id) d USING (id) WHERE p.count IS DISTINCT FROM 1 OR d.count IS DISTINCT FROM 1}), '0', "$name: each one once");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM published'), '>', 50, "$name: there was work");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pgpubsub.notification'), '0', "$name: nothing is left");
	$node->safe_psql('postgres', 'TRUNCATE published, processed, done');
	return;
}

run_all('session', $_) foreach 'jobs', 'ordered';

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\npgpubsub.shared_channels = 16\n");
$node->restart;
run_all('shared', $_) foreach 'jobs', 'ordered';

$node->stop;
done_testing();
