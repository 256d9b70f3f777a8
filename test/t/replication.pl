# Changes that logical replication brings: a table that was attached with always => true captures each of them once, from the initial copy
# on, through a crash, prepared and streamed transactions; a table that was attached without captures none.
#
# Only a real subscription shows it: its workers write rows without statements, and fire row-level triggers alone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ClientTest;

sub start
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(allows_streaming => 'logical');
	$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\nlogical_decoding_work_mem = '64kB'\n");
	$node->start;
	return $node;
}

my $publisher = start('publisher');
my $subscriber = start('subscriber');
my $version = $subscriber->safe_psql('postgres', 'SHOW server_version_num');

my $tables = q{
	CREATE TABLE kept (id integer PRIMARY KEY, v text);
	CREATE TABLE ignored (id integer PRIMARY KEY, v text);
	CREATE TABLE filtered (id integer PRIMARY KEY, v text, secret text);
	CREATE TABLE parts (id integer PRIMARY KEY, v text) PARTITION BY RANGE (id);
	CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (100);
	CREATE TABLE parts_high PARTITION OF parts FOR VALUES FROM (100) TO (200);
	CREATE TABLE late (id integer PRIMARY KEY, v text);
};
$publisher->safe_psql('postgres', $tables . q{
	ALTER TABLE filtered REPLICA IDENTITY FULL;
	INSERT INTO kept SELECT i, 'copied' FROM generate_series(1, 1000) i;
	INSERT INTO ignored VALUES (1, 'copied');
	INSERT INTO filtered VALUES (1, 'copied', 'secret'), (2, 'no', 'secret');
	INSERT INTO parts VALUES (1, 'copied'), (101, 'copied');
	CREATE PUBLICATION p FOR TABLE kept, ignored, filtered, parts, late WITH (publish_via_partition_root = true);
});
# The tables belong to a role that may publish and no more: from PostgreSQL 16 on it is the one that the changes are made as.
$subscriber->safe_psql('postgres', qq{
	CREATE EXTENSION pgpubsub;
	CREATE ROLE app;
	GRANT CREATE ON SCHEMA public TO app;
	SET ROLE app;
	$tables
	CREATE FUNCTION wanted(text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN \$1 <> ''no''; END';
	RESET ROLE;
	SELECT pgpubsub.create_channel(c), pgpubsub.grant_channel(c, 'app', 'publish') FROM unnest('{kept,ignored,filtered,parts,late}'::text[]) c;
	SET client_min_messages = warning;
	SELECT pgpubsub.attach('kept', 'kept', '{insert,update,delete,truncate}', always => true), pgpubsub.attach('ignored', 'ignored'),
	       pgpubsub.attach('filtered', 'filtered', columns => '{v}', condition => 'wanted(NEW.v) OR NEW IS NULL', payload_columns => '{id,v}', payload => 'changed', always => true),
	       pgpubsub.attach('parts', 'parts', always => true);
});

my $streaming = $version >= 160000 ? 'parallel' : 'on';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION p WITH (streaming = $streaming)");
$subscriber->wait_for_subscription_sync($publisher, 's');

# What a channel holds, in its order; it is taken.
sub taken
{
	my ($channel) = @_;
	return $subscriber->safe_psql('postgres', qq{
		SELECT concat_ws(' ', payload ->> 'table', payload ->> 'op', nullif(payload -> 'old', 'null'), nullif(payload -> 'new', 'null'))
		  FROM pgpubsub.take('$channel', 100000) t ORDER BY t.id});
}
sub caught_up { $publisher->wait_for_catchup('s') }

# The initial copy
is($subscriber->safe_psql('postgres', q{
		SELECT count(*), count(DISTINCT payload #>> '{new,id}'), min(payload ->> 'op'), max(payload #>> '{new,v}') FROM pgpubsub.take('kept', 100000)}),
	'1000|1000|insert|copied', 'the initial copy is captured, each row once');
is(taken('filtered'), 'filtered insert {"v": "copied", "id": 1}', 'through the filter');
is(taken('parts'), qq{parts_low insert {"v": "copied", "id": 1}\nparts_high insert {"v": "copied", "id": 101}}, 'into partitions too');

# Changes, and the hint for who listens
my $listener = $subscriber->background_psql('postgres');
$listener->query_safe('LISTEN kept');
$publisher->safe_psql('postgres', q{
	INSERT INTO kept VALUES (2001, 'applied'), (2002, 'applied');
	UPDATE kept SET v = 'changed' WHERE id = 2001;
	UPDATE kept SET id = 2003 WHERE id = 2001;
	DELETE FROM kept WHERE id = 2002;
	BEGIN; INSERT INTO kept VALUES (2004, 'rolled back'); ROLLBACK;
	BEGIN; SAVEPOINT s; INSERT INTO kept VALUES (2005, 'rolled back'); ROLLBACK TO s; INSERT INTO kept VALUES (2006, 'kept'); COMMIT;
	INSERT INTO ignored VALUES (2, 'applied');
	UPDATE ignored SET v = 'changed';
	INSERT INTO filtered VALUES (3, 'yes', 'secret'), (4, 'no', 'secret');
	UPDATE filtered SET secret = 'other';
	UPDATE filtered SET v = 'changed' WHERE id = 4;
	DELETE FROM filtered WHERE id = 3;
	UPDATE parts SET v = 'changed' WHERE id = 1;
	UPDATE parts SET id = 102 WHERE id = 1;
});
caught_up();
is(taken('kept'), join("\n",
		'kept insert {"v": "applied", "id": 2001}', 'kept insert {"v": "applied", "id": 2002}',
		'kept update {"v": "applied", "id": 2001} {"v": "changed", "id": 2001}', 'kept update {"v": "changed", "id": 2001} {"v": "changed", "id": 2003}',
		'kept delete {"v": "applied", "id": 2002}', 'kept insert {"v": "kept", "id": 2006}'),
	'applied changes are captured, each once and in their order');
is(taken('filtered'), join("\n", 'filtered insert {"v": "yes", "id": 3}', 'filtered update {"v": "no", "id": 4} {"v": "changed", "id": 4}',
		'filtered delete {"v": "yes", "id": 3}'), 'through the filter');
is(taken('parts'), join("\n", 'parts_low update {"v": "copied", "id": 1} {"v": "changed", "id": 1}', 'parts_low delete {"v": "changed", "id": 1}',
		'parts_high insert {"v": "changed", "id": 102}'), 'in partitions, and from one to the other');
eventually(sub { $listener->query('SELECT 1') =~ /Asynchronous notification "kept"/ }, 'who listens is told');
$listener->quit;

$publisher->safe_psql('postgres', 'TRUNCATE kept, ignored');
caught_up();
is(taken('kept'), 'kept truncate', 'a truncate is captured');
is(taken('ignored'), '', 'without always, nothing of all that is');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM ignored'), '0', 'though it was applied');

# attach() once more, with always and without, counts from the next change on
$subscriber->safe_psql('postgres', q{SET client_min_messages = warning; SELECT pgpubsub.attach('late', 'late')});
$publisher->safe_psql('postgres', q{INSERT INTO late VALUES (1)});
caught_up();
$subscriber->safe_psql('postgres', q{SET client_min_messages = warning; SELECT pgpubsub.attach('late', 'late', always => true)});
$publisher->safe_psql('postgres', q{INSERT INTO late VALUES (2)});
caught_up();
$subscriber->safe_psql('postgres', q{SELECT pgpubsub.attach('late', 'late')});
$publisher->safe_psql('postgres', q{INSERT INTO late VALUES (3)});
caught_up();
is(taken('late'), 'late insert {"v": null, "id": 2}', 'attach() once more counts for the worker too');

# A transaction so large that it is streamed before it ends
$publisher->safe_psql('postgres', q{
	BEGIN;
	INSERT INTO kept SELECT i, repeat('x', 100) FROM generate_series(1, 3000) i;
	SAVEPOINT s;
	INSERT INTO kept SELECT i, repeat('y', 100) FROM generate_series(3001, 6000) i;
	ROLLBACK TO s;
	UPDATE kept SET v = 'z' WHERE id <= 10;
	COMMIT;
});
caught_up();
is($subscriber->safe_psql('postgres', q{SELECT payload ->> 'op', count(*), count(DISTINCT payload #>> '{new,id}') FROM pgpubsub.take('kept', 100000) GROUP BY 1 ORDER BY 1}),
	"insert|3000|3000\nupdate|10|10", 'a streamed transaction is captured once, without what it rolled back');

# The subscriber crashes amid many transactions: what was applied and its notifications are there together, or both come again.
$publisher->safe_psql('postgres', q{
	TRUNCATE kept;
	CREATE TABLE enough (x integer);
	CREATE PROCEDURE many() LANGUAGE plpgsql AS $$
		DECLARE i integer := 0;
		BEGIN
			WHILE NOT EXISTS (SELECT FROM enough) LOOP
				i := i + 1;
				INSERT INTO kept VALUES (i, 'crash'), (-i, 'crash');
				COMMIT;
			END LOOP;
		END $$;
});
caught_up();
is(taken('kept'), 'kept truncate', 'emptied');
my $writer = $publisher->background_psql('postgres');
$writer->query_until(qr/begun/, "\\echo begun\nCALL many();\n");
ok($subscriber->poll_query_until('postgres', q{SELECT count(*) > 100 FROM kept}), 'amid the transactions');
$subscriber->stop('immediate');
$subscriber->start;
ok($subscriber->poll_query_until('postgres', q{SELECT pg_is_in_recovery() = false AND EXISTS (SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL)}), 'up again');
$publisher->safe_psql('postgres', 'INSERT INTO enough VALUES (1)');
$writer->quit;
caught_up();
my $count = $publisher->safe_psql('postgres', q{SELECT count(*) FROM kept});
is($subscriber->safe_psql('postgres', q{SELECT count(*) FROM kept}), $count, "all $count rows are applied in the end");
is($subscriber->safe_psql('postgres', q{SELECT count(*), count(DISTINCT payload #>> '{new,id}') FROM pgpubsub.take('kept', 1000000)}),
	"$count|$count", 'and captured once, through a crash');

# Prepared transactions, where the hint is not given in the transaction
$subscriber->safe_psql('postgres', q{ALTER SUBSCRIPTION s DISABLE; ALTER DATABASE postgres SET pgpubsub.wakeup = off});
$subscriber->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_subscription WHERE pid IS NOT NULL});
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION s CONNECTION '" . $publisher->connstr . " dbname=postgres' PUBLICATION p WITH (two_phase = true, copy_data = false)");
$subscriber->wait_for_subscription_sync($publisher, 's');
ok($subscriber->poll_query_until('postgres', q{SELECT subtwophasestate = 'e' FROM pg_subscription}), 'two-phase commit is replicated');
$publisher->safe_psql('postgres', q{
	BEGIN; INSERT INTO kept VALUES (10000001, 'prepared'); PREPARE TRANSACTION 'one';
	BEGIN; INSERT INTO kept VALUES (10000002, 'prepared'); PREPARE TRANSACTION 'two';
});
caught_up();
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), '2', 'both are prepared');
is(taken('kept'), '', 'and not yet to be had');
$publisher->safe_psql('postgres', q{COMMIT PREPARED 'one'});
$publisher->safe_psql('postgres', q{ROLLBACK PREPARED 'two'});
caught_up();
is(taken('kept'), 'kept insert {"v": "prepared", "id": 10000001}', 'the one that is committed is captured');

$_->stop foreach ($subscriber, $publisher);
done_testing();
