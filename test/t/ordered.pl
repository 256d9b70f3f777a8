# Ordered channels under chance: 8 consumers work on 50,000 notifications of 200 keys, and much goes wrong. Afterwards the sequence
# of each key is exact, nothing is lost or done twice, and no two consumers ever had rows of one key at the same time.
#
# The isolation specs step through the races that somebody thought of; this finds others. 4 consumers take: they put back what
# failed, roll back to savepoints, and roll back. 4 claim: they ack, nack, release, extend, lose leases that are too short, and
# roll back. One of either kind works in REPEATABLE READ. Nothing dies: max_attempts is 0, and back-offs take milliseconds.
# In the second part there are fewer keys, four publishers work at the same time, each in an order of its own, so that ids of a
# key appear out of order, and consumers are killed; without preload, and with it while an old snapshot is held.
#
# Each consumer stores what it has processed in the transaction in which it is removed from the queue, with numbers of a sequence
# as the clock that all of them share. What it had in its hands it stores too, with the number drawn when it had got it and
# one drawn just before it gave it up; of a lease, only as long as it lasted for sure.
#
# PGPUBSUB_SEED=number repeats the choices of a run, though not how the sessions interleave.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use POSIX ();
use Time::HiRes qw(time usleep);

my $seed = $ENV{PGPUBSUB_SEED} // int(rand(1_000_000));
note "seed $seed";
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('ordered');
$node->init;
$node->append_conf('postgresql.conf', "shared_buffers = 128MB\nmax_wal_size = 1GB\n");
$node->start;

$node->safe_psql('postgres', q{
CREATE EXTENSION pgpubsub;
CREATE TABLE processed (at bigint, key integer, publisher integer, n integer, id bigint, consumer text);
CREATE TABLE held (key integer, consumer text, batch bigint, since bigint, until bigint);
CREATE TABLE finished (publisher integer);
CREATE SEQUENCE clock;

-- What a consumer does when nothing came; false when that was all.
CREATE FUNCTION goes_on(publishers integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM finished) = publishers AND NOT EXISTS (SELECT FROM pgpubsub.notification) THEN
		RETURN false;
	END IF;
	IF random() < 0.1 THEN
		PERFORM pgpubsub.recover('jobs');
	END IF;
	RETURN true;
END $$;

CREATE FUNCTION some_delay() RETURNS interval LANGUAGE sql AS $$
	SELECT (ARRAY['0', '1 ms', '3 ms', NULL]::interval[])[1 + floor(random() * 4)::integer]
$$;

CREATE PROCEDURE take_all(consumer text, seed float8, publishers integer, patience interval) LANGUAGE plpgsql AS $$
DECLARE
	t record;
	batch bigint;
	keys integer[];
	since bigint[];
	given_up bigint;
	failed integer[];
	last_success timestamptz := clock_timestamp();
BEGIN
	PERFORM setseed(seed);
	LOOP
		batch := nextval('clock');
		-- taken, and undone
		IF random() < 0.1 THEN
			keys := '{}'; since := '{}';
			BEGIN
				FOR t IN SELECT key, nextval('clock') AS at FROM pgpubsub.take('jobs', 5) LOOP
					keys := keys || t.key::integer; since := since || t.at;
				END LOOP;
				given_up := nextval('clock');
				RAISE EXCEPTION 'undone';
			EXCEPTION WHEN raise_exception THEN
			END;
			IF random() < 0.5 THEN
				ROLLBACK;
			END IF;
			INSERT INTO held SELECT unnest(keys), consumer, batch, unnest(since), given_up;
			COMMIT;
			batch := nextval('clock');
		END IF;

		keys := '{}'; since := '{}'; failed := '{}';
		FOR t IN SELECT id, key::integer, (payload ->> 'publisher')::integer AS publisher, (payload ->> 'n')::integer AS n,
				nextval('clock') AS at
				FROM pgpubsub.take('jobs', 1 + floor(random() * 20)::integer) LOOP
			keys := keys || t.key; since := since || t.at;
			-- what was behind a failed one has been put back with it
			CONTINUE WHEN t.key = ANY (failed);
			BEGIN
				INSERT INTO processed VALUES (nextval('clock'), t.key, t.publisher, t.n, t.id, consumer);
				IF random() < 0.1 THEN
					RAISE EXCEPTION 'failed';
				END IF;
			EXCEPTION WHEN raise_exception THEN
				PERFORM pgpubsub.requeue(ARRAY[t.id], some_delay(), 'failed');
				failed := failed || t.key;
			END;
		END LOOP;
		-- what others do meanwhile: the longer, the more
		IF publishers > 0 AND random() < 0.2 THEN
			PERFORM pg_sleep(0.005);
		END IF;
		given_up := nextval('clock');
		IF random() < 0.05 THEN
			ROLLBACK;
		ELSE
			COMMIT;
		END IF;

		IF keys <> '{}' THEN
			INSERT INTO held SELECT unnest(keys), consumer, batch, unnest(since), given_up;
			last_success := clock_timestamp();
		ELSIF NOT goes_on(publishers) THEN
			RETURN;
		ELSIF clock_timestamp() > last_success + patience THEN
			RAISE 'nothing comes' USING ERRCODE = 'query_canceled';
		ELSE
			PERFORM pg_sleep(0.001);
		END IF;
		COMMIT;
	END LOOP;
END $$;

CREATE PROCEDURE claim_all(consumer text, seed float8, publishers integer, patience interval, lease interval) LANGUAGE plpgsql AS $$
DECLARE
	batch bigint;
	is_short boolean;
	lease_end timestamptz;
	receipts text[];
	ids bigint[];
	keys integer[];
	payloads jsonb[];
	since bigint[];
	given_up bigint[];
	what float8;
	last_success timestamptz := clock_timestamp();
BEGIN
	PERFORM setseed(seed);
	LOOP
		batch := nextval('clock');
		is_short := random() < 0.15;
		lease_end := clock_timestamp() + CASE WHEN is_short THEN interval '3 ms' ELSE lease END;
		SELECT array_agg(receipt), array_agg(id), array_agg(key), array_agg(payload), array_agg(nextval('clock'))
		  INTO receipts, ids, keys, payloads, since
		  FROM pgpubsub.claim('jobs', 1 + floor(random() * 20)::integer, CASE WHEN is_short THEN interval '3 ms' ELSE lease END);
		given_up := array_fill(nextval('clock'), ARRAY[coalesce(cardinality(keys), 0)]);
		IF random() < 0.05 THEN
			ROLLBACK;
			receipts := NULL;
		ELSE
			COMMIT;
		END IF;

		FOR i IN 1 .. coalesce(cardinality(receipts), 0) LOOP
			given_up[i] := nextval('clock');
			IF clock_timestamp() >= lease_end THEN
				given_up[i] := since[i];
			END IF;
			what := random();
			IF what < 0.1 THEN
				PERFORM pgpubsub.nack(receipts[i:i], some_delay(), 'failed');
			ELSIF what < 0.15 THEN
				PERFORM pgpubsub.release(receipts[i:i]);
			ELSIF what < 0.25 AND is_short THEN
				-- the lease is left to its end
			ELSE
				IF what < 0.35 THEN
					PERFORM pgpubsub.extend(receipts[i:i], lease);
					IF what < 0.3 THEN
						COMMIT;
					END IF;
				END IF;
				IF pgpubsub.ack(receipts[i:i]) = 1 THEN
					INSERT INTO processed
					VALUES (nextval('clock'), keys[i], (payloads[i] ->> 'publisher')::integer, (payloads[i] ->> 'n')::integer, ids[i], consumer);
					IF random() < 0.05 THEN
						-- with what was done since the last commit
						ROLLBACK;
						PERFORM pgpubsub.nack(receipts[:i], '0');
					END IF;
				END IF;
			END IF;
			IF random() < 0.5 THEN
				COMMIT;
			END IF;
		END LOOP;
		COMMIT;

		IF keys IS NOT NULL THEN
			INSERT INTO held SELECT unnest(keys), consumer, batch, unnest(since), unnest(given_up);
			last_success := clock_timestamp();
		ELSIF NOT goes_on(publishers) THEN
			RETURN;
		ELSIF clock_timestamp() > last_success + patience THEN
			RAISE 'nothing comes' USING ERRCODE = 'query_canceled';
		ELSE
			PERFORM pg_sleep(0.001);
		END IF;
		COMMIT;
	END LOOP;
END $$;

-- Publishes 1 .. per_key for each key, in order within the key. What is rolled back is published again.
CREATE PROCEDURE publish_all(publisher integer, keys integer, per_key integer, seed float8) LANGUAGE plpgsql AS $$
DECLARE
	next_n integer[] := array_fill(1, ARRAY[keys]);
	before integer[];
	left_over integer := keys * per_key;
	k integer;
	count integer;
	published integer;
BEGIN
	PERFORM setseed(seed);
	WHILE left_over > 0 LOOP
		before := next_n;
		published := 0;
		FOR round IN 1 .. 1 + floor(random() * 5)::integer LOOP
			k := 1 + floor(random() * keys)::integer;
			count := least(1 + floor(random() * 4)::integer, per_key + 1 - next_n[k]);
			CONTINUE WHEN count = 0;
			PERFORM pgpubsub.publish_batch('jobs', array_agg(jsonb_build_object('publisher', publisher, 'n', n) ORDER BY n),
			                               array_fill(k::text, ARRAY[count]))
			   FROM generate_series(next_n[k], next_n[k] + count - 1) n;
			next_n[k] := next_n[k] + count;
			published := published + count;
			-- so that the queue stays short, and what others publish meanwhile is visible first
			PERFORM pg_sleep(0.003 * random());
		END LOOP;
		IF random() < 0.05 THEN
			ROLLBACK;
			next_n := before;
		ELSE
			COMMIT;
			left_over := left_over - published;
		END IF;
	END LOOP;
	INSERT INTO finished VALUES (publisher);
END $$;
});

sub new_channel
{
	$node->safe_psql('postgres', q{
		SELECT pgpubsub.drop_channel(name) FROM pgpubsub.channels;
		SELECT pgpubsub.create_channel('jobs', ordered => true, max_attempts => 0, backoff_base => '1 ms', backoff_factor => 2,
		                               backoff_max => '5 ms');
		TRUNCATE processed, held, finished;
	});
	return;
}

# Starts a process that runs a command of SQL, again when its connection is ended; its exit status is 0 if that went well.
sub start
{
	my ($name, $options, $command) = @_;
	my $pid = fork() // die "fork: $!";
	return $pid if $pid != 0;
	$ENV{PGOPTIONS} = "-c client_min_messages=error $options";
	my $log = "$PostgreSQL::Test::Utils::log_path/ordered_$name.log";
	my $status = 2;
	for (my $run = 0; $run < 1000 && $status == 2; ++$run)
	{
		my $sql = $command->($run);
		system("psql -X -q -v ON_ERROR_STOP=1 -d '" . $node->connstr('postgres') . " application_name=$name' -c \"$sql\" >>$log 2>&1");
		$status = $? == -1 || $? & 127 ? 99 : $? >> 8;
	}
	POSIX::_exit($status);
}

sub random_seed { return sprintf('%.6f', rand(2) - 1); }

# The consumers, by name: those that take and those that claim.
sub start_consumers
{
	my ($publishers, $lease) = @_;
	my %started;
	foreach my $i (1 .. 4)
	{
		my $options = $i == 4 ? '-c default_transaction_isolation=repeatable\ read' : '';
		my ($take_seed, $claim_seed) = (random_seed(), random_seed());
		$started{ start("take_$i", $options, sub { "CALL take_all('take_$i', sin($take_seed + $_[0]), $publishers, '60 s')" }) } = "take_$i";
		$started{ start("claim_$i", $options, sub { "CALL claim_all('claim_$i', sin($claim_seed + $_[0]), $publishers, '60 s', '$lease')" }) } =
		  "claim_$i";
	}
	return %started;
}

# Waits for all of them, and calls $meanwhile again and again.
sub wait_for
{
	my ($meanwhile, %started) = @_;
	my @failed;
	while (%started)
	{
		my $pid = waitpid(-1, $meanwhile ? POSIX::WNOHANG() : 0);
		if ($pid > 0)
		{
			push @failed, $started{$pid} if $? != 0 && exists $started{$pid};
			delete $started{$pid};
			next;
		}
		$meanwhile->();
	}
	return join(' ', @failed);
}

sub sequences_are_exact
{
	my ($name, $publishers, $keys, $per_key) = @_;
	my $count = $publishers * $keys * $per_key;
	is( $node->safe_psql('postgres', q{
			SELECT count(*), count(DISTINCT (publisher, key, n)), count(DISTINCT id), count(DISTINCT key), min(n), max(n) FROM processed}),
		"$count|$count|$count|$keys|1|$per_key", "$name: each notification was processed once");
	is( $node->safe_psql('postgres', q{
			SELECT publisher, key, n, place, consumer
			  FROM (SELECT publisher, key, n, row_number() OVER (PARTITION BY publisher, key ORDER BY at) AS place, consumer FROM processed) p
			 WHERE n <> place ORDER BY publisher, key, place LIMIT 5}),
		'', "$name: the sequence of each key is exact");
	is( $node->safe_psql('postgres', q{
			WITH spans AS (SELECT key, consumer, batch, min(since) AS since, max(until) AS until FROM held GROUP BY key, consumer, batch)
			SELECT key, since, until, consumer
			  FROM (SELECT *, max(until) OVER (PARTITION BY key ORDER BY since ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
			          FROM spans) s
			 WHERE before > since ORDER BY key, since LIMIT 5}),
		'', "$name: no two had rows of one key at the same time");
	is($node->safe_psql('postgres', 'SELECT (SELECT count(*) FROM pgpubsub.notification), (SELECT count(*) FROM pgpubsub.dead_letter)'),
		'0|0', "$name: nothing is left");
	my $attempts = $node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE consumer LIKE \'take%\') FROM held');
	note "$name: attempts, and of those by take: $attempts";
	return;
}

my $begun = time;

# All is there, and the consumers start.
new_channel();
is($node->safe_psql('postgres', q{
	SELECT count(pgpubsub.publish('jobs', jsonb_build_object('publisher', 0, 'n', n), k::text)) FROM generate_series(1, 250) n, generate_series(1, 200) k}),
	50_000, 'published');
note sprintf('published after %.1f s', time - $begun);
is(wait_for(undef, start_consumers(0, '10 s')), '', 'all consumers came to their end');
note sprintf('processed after %.1f s', time - $begun);
sequences_are_exact('all at once', 1, 200, 250);

# Publishers at the same time, and consumers that are killed. All publish to all keys, each in its order, so that lower ids of a key
# often appear after higher ones.
sub side_by_side
{
	my ($name) = @_;
	new_channel();
	my %started = start_consumers(4, '300 ms');
	foreach my $i (0 .. 3)
{
		my $publisher_seed = random_seed();
		$started{ start("publisher_$i", '', sub { "CALL publish_all($i, 20, 150, $publisher_seed)" }) } = "publisher_$i";
	}
	my $killed = 0;
	is( wait_for(
			sub {
				if ($killed < 30)
				{
					my ($kind, $number) = ((qw(take claim))[ rand 2 ], 1 + int(rand 4));
					$killed += $node->safe_psql('postgres',
						"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '${kind}_$number'");
				}
				usleep(50_000);
			},
			%started),
		'', "$name: publishers and consumers came to their end");
	cmp_ok($killed, '>', 3, "$name: consumers were killed");
	note sprintf('%d were killed; processed after %.1f s', $killed, time - $begun);
	sequences_are_exact($name, 4, 20, 150);
	return;
}
side_by_side('side by side');

# The same where all learn from each other what they need not look at, and an old snapshot keeps the entries of all that a key ever had.
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\n");
$node->restart;
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query_safe('SELECT 1');
side_by_side('with an old snapshot');
$reader->query_safe('COMMIT');
$reader->quit;

diag "seed $seed" unless Test::More->builder->is_passing;
$node->stop;
done_testing();
