# Claims from a remembered place, under chance: each notification that was committed is handed out once, and none waits for long
# after it could be had, whoever commits late, prepares, rolls back or gives back; with shared memory for the places and without.
#
# The isolation spec steps through the cases that somebody thought of; this finds others. Writers publish in transactions that go on
# for up to a second, with priorities, some rolled back, to a savepoint too, some prepared. Consumers take and claim, work for a while, commit,
# roll back, to a savepoint too, prepare, and give back. For a part of the time a snapshot is held, so that dead entries stay.
#
# PGPUBSUB_SEED=number repeats the choices of a run, though not how the sessions interleave.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;
use Time::HiRes qw(time usleep);

my $seed = $ENV{PGPUBSUB_SEED} // int(rand(1_000_000));
note "seed $seed";
srand($seed);

my $seconds = 5;
# What a notification may wait for beyond the time that others had it in their hands: a sweep, and a machine that is busy.
my $max_skip_time = 1;
my $slack = 3;

my $node = PostgreSQL::Test::Cluster->new('place');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 20\nshared_buffers = 128MB\npgpubsub.max_skip_time = ${max_skip_time}s\npgpubsub.wakeup = off\n");
$node->start;

$node->safe_psql('postgres', q{
CREATE EXTENSION pgpubsub;
SELECT pgpubsub.create_channel('jobs');
CREATE TABLE published (id bigint, committed_at timestamptz);
CREATE TABLE processed (id bigint, at timestamptz);

-- A writer: some long transactions of few, many short ones, some of many.
CREATE PROCEDURE publish_for(seed float8, seconds float8, patience float8) LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := clock_timestamp() + make_interval(secs => seconds);
	many integer;
	ids bigint[];
	more bigint[];
	fate float8;
BEGIN
	PERFORM setseed(seed);
	WHILE clock_timestamp() < until LOOP
		many := CASE WHEN random() < 0.05 THEN 500 ELSE 1 + floor(random() * 20)::integer END;
		SELECT array_agg(pgpubsub.publish('jobs', '1', priority => CASE WHEN random() < 0.1 THEN floor(random() * 3)::integer ELSE 0 END))
			INTO ids FROM generate_series(1, many);
		IF random() < 0.2 THEN
			BEGIN
				PERFORM pgpubsub.publish('jobs', '"never"') FROM generate_series(1, 5);
				RAISE EXCEPTION 'undone';
			EXCEPTION WHEN raise_exception THEN
			END;
		END IF;
		PERFORM pg_sleep(0.01 + random() ^ 3 * patience);
		SELECT array_agg(pgpubsub.publish('jobs', '2')) INTO more FROM generate_series(1, 3);
		fate := random();
		IF fate < 0.2 THEN
			ROLLBACK;
		ELSE
			INSERT INTO published SELECT id, clock_timestamp() FROM unnest(ids || more) id;
			COMMIT;
		END IF;
	END LOOP;
END $$;

-- A consumer, until nothing is left and the writers are done.
CREATE TABLE done (writer integer);
CREATE PROCEDURE consume(seed float8, writers integer, how text, patience float8) LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
	receipts text[];
	fate float8;
	last_success timestamptz := clock_timestamp();
BEGIN
	PERFORM setseed(seed);
	LOOP
		fate := random();
		IF how = 'take' THEN
			IF fate < 0.1 THEN
				BEGIN
					PERFORM pgpubsub.take('jobs', 20);
					RAISE EXCEPTION 'undone';
				EXCEPTION WHEN raise_exception THEN
				END;
			END IF;
			SELECT array_agg(id) INTO ids FROM pgpubsub.take('jobs', 1 + floor(random() * 100)::integer);
			IF fate > 0.97 THEN
				PERFORM pg_sleep(random() ^ 2 * patience);
			END IF;
			IF fate > 0.8 AND fate < 0.9 THEN
				PERFORM pgpubsub.requeue(ids[1:3], delay => '0');
				ids := ids[4:];
			END IF;
		ELSE
			SELECT array_agg(id), array_agg(receipt) INTO ids, receipts FROM pgpubsub.claim('jobs', 1 + floor(random() * 50)::integer, '1 minute');
			COMMIT;
			IF fate > 0.97 THEN
				PERFORM pg_sleep(random() ^ 2 * patience);
			END IF;
			IF fate > 0.8 AND fate < 0.9 THEN
				PERFORM pgpubsub.release(receipts);
				ids := '{}';
			ELSE
				PERFORM pgpubsub.ack(receipts);
			END IF;
		END IF;
		IF fate > 0.1 AND fate < 0.2 THEN
			ROLLBACK;
			IF how = 'claim' THEN
				PERFORM pgpubsub.release(receipts);
			END IF;
			COMMIT;
			CONTINUE;
		END IF;
		INSERT INTO processed SELECT id, clock_timestamp() FROM unnest(ids) id;
		COMMIT;
		IF ids <> '{}' THEN
			last_success := clock_timestamp();
		ELSE
			EXIT WHEN (SELECT count(*) FROM done) = writers AND NOT EXISTS (SELECT FROM pgpubsub.notification)
				AND NOT EXISTS (SELECT FROM pg_prepared_xacts);
			ASSERT clock_timestamp() < last_success + interval '30 s', 'nothing comes any more';
			PERFORM pg_sleep(0.005);
		END IF;
	END LOOP;
END $$;
});

# Prepares transactions that publish and take, and ends them a little later.
sub prepare_some
{
	my ($seconds) = @_;
	my $until = time() + $seconds;
	for (my $i = 0; time() < $until; $i++)
	{
		my $fate = rand() < 0.5 ? 'COMMIT' : 'ROLLBACK';
		if (rand() < 0.5)
		{
			$node->safe_psql('postgres', "BEGIN; WITH p AS (SELECT pgpubsub.publish('jobs', '3') AS id FROM generate_series(1, 3))
				INSERT INTO published SELECT id, clock_timestamp() + interval '1 hour' FROM p; PREPARE TRANSACTION 'p$i'");
		}
		else
		{
			$node->safe_psql('postgres', "BEGIN; INSERT INTO processed SELECT id, clock_timestamp() FROM pgpubsub.take('jobs', 5); PREPARE TRANSACTION 'p$i'");
		}
		usleep(1000 * int(rand(300)));
		$node->safe_psql('postgres', "$fate PREPARED 'p$i'");
	}
	return;
}

sub run_all
{
	my ($name) = @_;
	my $writers = 4;
	my @sessions;
	for my $i (1 .. $writers)
	{
		my $seed = rand(2) - 1;
		my $patience = $i == 1 ? 2 : $i == 2 ? 0.2 : 0.01;
		push @sessions, start_session($node, "writer $i", "CALL publish_for($seed, $seconds, $patience); INSERT INTO done VALUES ($i)");
	}
	for my $i (1 .. 4)
	{
		my $seed = rand(2) - 1;
		my $how = $i <= 2 ? 'take' : 'claim';
		my $isolation = $i % 2 ? 'read committed' : 'repeatable read';
		push @sessions, start_session($node, "consumer $i", "SET default_transaction_isolation = '$isolation'; CALL consume($seed, $writers, '$how', 0.5)");
	}
	push @sessions, start_session($node, 'snapshot', "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1; SELECT pg_sleep($seconds / 2)");
	prepare_some($seconds - 0.5);
	end_well($name, @sessions);
	is($node->safe_psql('postgres', q{
		SELECT count(*), count(DISTINCT id) FROM processed LEFT JOIN published p USING (id) WHERE p.id IS NULL}), '0|0', "$name: nothing that was not published");
	is($node->safe_psql('postgres', q{
		SELECT count(*) FROM published FULL JOIN (SELECT id, count(*) FROM processed GROUP BY id) p USING (id) WHERE count IS DISTINCT FROM 1}), '0', "$name: each one once");
	cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM published'), '>', 50, "$name: there was work");
	# How long each one waited after its commit, the longest of all. Consumers roll back, and work for half a second.
	my $waited = $node->safe_psql('postgres', q{
		SELECT coalesce(round(max(extract(epoch FROM d.at - p.committed_at)), 1), 0) FROM published p JOIN processed d USING (id)});
	cmp_ok($waited, '<', $max_skip_time + $slack, "$name: none waited for longer than it may");
	note "$name: the longest wait was $waited s";
	is($node->safe_psql('postgres', 'SELECT count(*) FROM pgpubsub.notification'), '0', "$name: nothing is left");
	$node->safe_psql('postgres', 'TRUNCATE published, processed, done');
	return;
}

run_all('session');

$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\npgpubsub.shared_channels = 16\n");
$node->restart;
run_all('shared');

$node->stop;
done_testing();
