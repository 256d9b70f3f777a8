# DROP EXTENSION pgpubsub CASCADE, and CREATE EXTENSION after it, while sessions write to attached tables, publish, consume and look:
# no write fails and no session is in a deadlock; who uses the extension itself is told that it is gone, in words, and goes on when it is
# there again. Where the library is preloaded, and where the session that drops it has loaded it.
#
# A test of races: which session waits for which lock shows under load only.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;

my $times = 5;

# Each loop goes on until there is a row in "enough". What fails is noted, and the loop goes on.
my $tables = q{
	CREATE TABLE item (id bigserial PRIMARY KEY);
	CREATE TABLE other (id bigserial PRIMARY KEY, item bigint);
	CREATE TABLE parted (id bigserial, x integer) PARTITION BY LIST (x);
	CREATE TABLE part_1 PARTITION OF parted FOR VALUES IN (1);
	CREATE TABLE part_2 PARTITION OF parted FOR VALUES IN (2);
	CREATE TABLE enough (x integer);
	CREATE TABLE failed (who text, code text, message text);
	CREATE TABLE rounds (who text PRIMARY KEY, done bigint NOT NULL);
	CREATE PROCEDURE loop(who text, command text) LANGUAGE plpgsql AS $$
		BEGIN
			WHILE NOT EXISTS (SELECT FROM enough) LOOP
				BEGIN
					EXECUTE command;
				EXCEPTION WHEN OTHERS THEN
					INSERT INTO failed VALUES (who, SQLSTATE, SQLERRM);
				END;
				INSERT INTO rounds VALUES (who, 1) ON CONFLICT ON CONSTRAINT rounds_pkey DO UPDATE SET done = rounds.done + 1;
				COMMIT;
				-- as sessions do; tables that were in use all the time, in either order, could never be had together
				PERFORM pg_sleep(0.002);
			END LOOP;
		END $$;
};
my $extension = q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('jobs', history => '1 hour'), pgpubsub.create_channel('leased');
	SELECT pgpubsub.attach('item', 'captured');
	SELECT pgpubsub.attach('other', 'captured');
	SELECT pgpubsub.attach('parted', 'captured');
	CREATE VIEW mine AS SELECT channel, count(*) FROM pgpubsub.notifications GROUP BY channel;
	CREATE VIEW mine_again AS SELECT * FROM mine;
};
my %writers = (
	writer => q{INSERT INTO item SELECT FROM generate_series(1, 3)},
	# two tables, in the one order and in the other
	forth => q{WITH i AS (INSERT INTO item DEFAULT VALUES RETURNING id) INSERT INTO other (item) SELECT id FROM i},
	back => q{WITH i AS (UPDATE other SET item = item + 1 WHERE id = (SELECT max(id) FROM other) RETURNING id) INSERT INTO item SELECT FROM i},
	partitions => q{INSERT INTO parted (x) SELECT 1 + g % 2 FROM generate_series(1, 4) g},
);
my %users = (
	publisher => q{SELECT pgpubsub.publish('jobs', '1'), pgpubsub.publish('leased', '{"n": 1}', key => 'k')},
	taker => q{SELECT pgpubsub.take('jobs', 10), pgpubsub.take('captured', 10)},
	claimer => q{SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('leased', 5)},
	owner => q{SELECT pgpubsub.create_channel('short lived'), pgpubsub.publish('short lived', '1'), pgpubsub.drop_channel('short lived')},
	monitor => q{SELECT count(*) FROM pgpubsub.stat_channels, pgpubsub.attachments, pgpubsub.notifications},
	reader => q{SELECT count(*) FROM mine, mine_again},
	sweeper => q{SELECT pgpubsub.recover()},
);
# What a user may be told: no schema, no function, no table or view, no channel, no extension, made anew meanwhile. And one that is PostgreSQL's
# own: a function that went between the planning of a statement and its execution.
my $in_words = q{code IN ('3F000', '42883', '42P01', '42704', '40001') OR code = 'XX000' AND message LIKE 'cache lookup failed for function %'};

foreach my $preload (1, 0)
{
	my $where = $preload ? 'preloaded' : 'loaded by the session';
	my $node = PostgreSQL::Test::Cluster->new($preload ? 'preloaded' : 'plain');
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = error\nlog_min_messages = warning\n" . ($preload ? "shared_preload_libraries = 'pgpubsub'\n" : ''));
	$node->start;
	my $sql = sub { return $node->safe_psql('postgres', $_[0]) };
	$sql->($tables);
	$sql->($extension);

	# A right that was given in the same transaction: nothing of it is left to do at the end.
	$sql->(q{CREATE ROLE app});
	is($sql->(q{BEGIN; SELECT pgpubsub.grant_channel('jobs', 'app', 'publish'); DROP EXTENSION pgpubsub CASCADE; COMMIT; SELECT count(*) FROM pg_extension WHERE extname = 'pgpubsub'}),
		"\n0", "$where: dropped behind a grant");
	$sql->($extension);

	# A session that waits for a lock of the DROP EXTENSION is told in words, whatever it waits for: here a sequence.
	{
		my $dropper = $node->background_psql('postgres');
		$dropper->query_safe(q{LOAD 'pgpubsub'; BEGIN; ALTER SEQUENCE pgpubsub.channel_id_seq CACHE 1});
		my $waiting = background('psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres'), '-c', q{SELECT pgpubsub.create_channel('late')});
		query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%late%' AND pid <> pg_backend_pid()}, 1, "$where: it waits");
		$dropper->query_safe('DROP EXTENSION pgpubsub CASCADE; COMMIT');
		wait_for_exit($waiting);
		like(text_of($waiting->{err}), qr/ERROR:  3F000/, "$where: and is told that the extension is gone");
		$dropper->quit;
		$sql->($extension);
	}

	my @sessions = map { my ($who, $loop) = ($_, $writers{$_} // $users{$_}); $loop =~ s/'/''/g; start_session($node, $who, "CALL loop('$who', '$loop')") } sort(keys %writers, keys %users);
	my $moves = sub {
		$sql->('TRUNCATE rounds');
		eventually(sub { $sql->('SELECT count(*) FROM rounds WHERE done > 5') == keys(%writers) + keys %users }, "$where: @_");
	};
	foreach my $n (1 .. $times)
	{
		$moves->("all go on, $n");
		my ($code, $out, $err) = $node->psql('postgres', q{LOAD 'pgpubsub'; DROP EXTENSION pgpubsub CASCADE});
		is($err, '', "$where: dropped, $n");
		is($sql->(q{SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal}), 0, "$where: no capture is left, $n");
		$moves->("all go on without it, $n");
		$sql->($extension);
	}
	$moves->('all go on at the end');
	$sql->('INSERT INTO enough VALUES (1)');
	end_well($where, @sessions);

	my $writers = join ', ', map { "'$_'" } sort keys %writers;
	is($sql->("SELECT DISTINCT who, code, message FROM failed WHERE who IN ($writers)"), '', "$where: no write failed");
	is($sql->("SELECT DISTINCT who, code, message FROM failed WHERE who NOT IN ($writers) AND ($in_words) IS NOT TRUE"), '', "$where: the others were told in words");
	cmp_ok($sql->("SELECT count(*) FROM failed WHERE code = '3F000'"), '>', 0, "$where: they were told");
	is($sql->(q{DELETE FROM parted; SELECT count(*) > 0 FROM pgpubsub.take('captured')}), 't', "$where: the new captures work");
	unlike(slurp_file($node->logfile), qr/could not open relation with OID|deadlock detected|TRAP|was terminated by signal/, "$where: nothing worse in the log");
	$node->stop;
}
done_testing();
