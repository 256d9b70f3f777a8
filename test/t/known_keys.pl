# Look-ups by key do not pay for the past (key_memory.hpp): while somebody has an old snapshot, the entries of all that a key ever had stay in
# the indexes, and yet a look-up reads no more of them after thousands than after a hundred.
#
# What is counted are the entries that a statement reads, not its time.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WakeupTest;

my $few = 100;
my $many = 1500;
# Of each key that is passed, some are stepped over until it is worth knowing where the others begin, and read once more by who learns
my $most = 200;

my $node = start_preloaded('known_keys', "autovacuum = off\nfsync = off\n");
# One session for all, since a lease ends with the session that has it.
my $session = $node->background_psql('postgres');
sub sql { return $session->query_safe($_[0]) }

sql(q{
SELECT pgpubsub.create_channel('once'), pgpubsub.create_channel('jobs', ordered => true), pgpubsub.create_channel('blocked', ordered => true);

CREATE TABLE receipts (receipt text);

-- How many entries of the indexes by key a command reads.
CREATE FUNCTION entries_read(command text, "indexes" text[] DEFAULT '{dedup,held,in_flight,ordered}') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
BEGIN
	SELECT sum(pg_stat_get_xact_tuples_returned(('pgpubsub.notification_' || i)::regclass)) INTO before FROM unnest("indexes") i;
	EXECUTE command;
	RETURN (SELECT sum(pg_stat_get_xact_tuples_returned(('pgpubsub.notification_' || i)::regclass)) FROM unnest("indexes") i) - before;
END $$;

CREATE PROCEDURE publish_and_take(dedup_key text, times integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		PERFORM pgpubsub.publish('once', '1', dedup_key => dedup_key);
		COMMIT;
		ASSERT (SELECT count(*) = 1 FROM pgpubsub.take('once', 2));
		COMMIT;
	END LOOP;
END $$;

CREATE PROCEDURE claim_and_ack(channel text, keys text[], times integer) LANGUAGE plpgsql AS $$
DECLARE
	receipts text[];
BEGIN
	PERFORM pgpubsub.publish(channel, '1', key) FROM generate_series(1, times), unnest(keys) key;
	COMMIT;
	FOR i IN 1 .. times LOOP
		SELECT array_agg(receipt) INTO receipts FROM pgpubsub.claim(channel, 100, '1 hour');
		COMMIT;
		ASSERT pgpubsub.ack(receipts) = cardinality(keys);
		COMMIT;
	END LOOP;
END $$;
});

my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query_safe('SELECT 1');

sub entries_read
{
	my ($command, $indexes) = @_;
	my $of = defined $indexes ? ", '$indexes'" : '';
	return sql("SELECT entries_read(\$\$$command\$\$$of)");
}

sub reads_few
{
	my ($name, $repeat, $command, $indexes) = @_;
	$repeat->($few);
	my $first = entries_read($command, $indexes);
	$repeat->($many);
	my $last = entries_read($command, $indexes);
	note "$name: $first entries, then $last";
	cmp_ok($first, '<=', $most, "$name reads few entries after $few repetitions");
	cmp_ok($last, '<=', $most, "$name reads few entries after $many repetitions");
	return;
}

foreach my $key ('reindex', 'a key that is too long to be remembered as it is, of the order 4711')
{
	reads_few("publish() of the dedup_key \"$key\"", sub {
			sql(q{SELECT count(*) FROM pgpubsub.take('once', 2)});
			sql("CALL publish_and_take('$key', $_[0])") },
		"SELECT pgpubsub.publish('once', '1', dedup_key => '$key')");
}
is(sql(q{SELECT count(*) FROM pgpubsub.take('once', 2)}), '1', 'the last one');
# The same beginning does not make it the same key.
sql(q{SELECT pgpubsub.publish('once', '1', dedup_key => 'a key that is too long to be remembered as it is, of the order ' || n)
	FROM unnest('{4711,4712,4711}'::integer[]) n});
is(sql(q{SELECT count(*) FROM pgpubsub.take('once', 10)}), '2', 'two keys, two notifications');

my $claim = q{INSERT INTO receipts SELECT receipt FROM pgpubsub.claim('jobs', 1, '1 hour')};
my $ack = q{WITH r AS (DELETE FROM receipts RETURNING receipt) SELECT pgpubsub.ack(array_agg(receipt)) FROM r};
my $publish = q{SELECT pgpubsub.publish('jobs', '1', 'a')};
reads_few('claim() of a key', sub { sql($ack); sql("CALL claim_and_ack('jobs', '{a}', $_[0])"); sql($publish) }, $claim);
reads_few('a look at a key that is in somebody\'s hands', sub {
		sql($ack);
		sql("CALL claim_and_ack('jobs', '{a}', $_[0])");
		sql($publish) for 1 .. 2;
		sql($claim);
	}, q{SELECT pgpubsub.take('jobs', 1)});

# So many rows of a blocked key in front that the walk goes on by key.
sql(q{SELECT count(pgpubsub.publish('blocked', '1', 'x')) FROM generate_series(1, 1100)});
sql(q{SELECT count(*) FROM pgpubsub.claim('blocked', 1, '1 hour')});
reads_few('a walk by key', sub {
		sql(q{SELECT count(*) FROM pgpubsub.take('blocked', 2)});
		sql("CALL claim_and_ack('blocked', '{b,c,d,e}', $_[0] / 4)");
		sql(q{SELECT pgpubsub.publish('blocked', '1', 'b')});
	}, q{SELECT pgpubsub.take('blocked', 1)}, '{ordered}');

# Nor does it look at all leases that are out, for those that have ended.
sql(qq{SELECT pgpubsub.create_channel('leased', ordered => true);
	SELECT count(pgpubsub.publish('leased', '1', 'k' || n)) FROM generate_series(1, $many) n;
	CREATE PROCEDURE lease_all() LANGUAGE plpgsql AS 'BEGIN
		WHILE EXISTS (SELECT FROM pgpubsub.claim(''leased'', 100, ''1 hour'')) LOOP COMMIT; END LOOP;
	END';
	CALL lease_all();
	SELECT count(pgpubsub.publish('leased', '1', 'k1')) FROM generate_series(1, 1100)});
my $claim_last = q{SELECT pgpubsub.claim('leased', 1, '1 millisecond')};
my $has_ended = q{SELECT pg_sleep(0.01) FROM pgpubsub.notification WHERE due_at > clock_timestamp() AND due_at < clock_timestamp() + interval '1 minute'};
sub last_is_found
{
	my ($name) = @_;
	sql(q{SELECT pgpubsub.publish('leased', '"last"', 'last')});
	sql($claim_last);
	1 while sql($has_ended) ne '';
	is(sql(q{SELECT payload FROM pgpubsub.take('leased', 1)}), '"last"', $name);
	return;
}
is(sql(q{SELECT count(*) FROM pgpubsub.notifications WHERE channel = 'leased' AND state = 'leased'}), $many, "$many leases");
cmp_ok(entries_read(q{SELECT pgpubsub.take('leased', 1)}, '{in_flight}'), '<=', $most, 'a claim does not look at all of them');
last_is_found('one that has ended is found behind many rows of a blocked key');
sql(q{SELECT pgpubsub.publish_batch('leased', array_fill('1'::jsonb, ARRAY[1100]), array_fill('k1'::text, ARRAY[1100]), deliver_at => clock_timestamp() + interval '1 millisecond')});
last_is_found('and behind many of it whose time has come');

# A change of the order looks whether there are rows, whose entries nobody has looked at before; and once more when it has locked out
# the channel's users. The other channels' users are not kept waiting by either.
sql(qq{SELECT pgpubsub.create_channel('altered'); SELECT count(pgpubsub.publish('altered', '1')) FROM generate_series(1, 2 * $many)});
sql(qq{SELECT count(*) FROM pgpubsub.take('altered', $many)});
sql(qq{SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('altered', $many, '1 hour')});
my $looks_once = sql(q{SELECT entries_read($$SELECT pgpubsub.alter_channel('altered', ordered => true)$$, '{ready,due}')});
my $looks_again = sql(q{SELECT entries_read($$SELECT pgpubsub.alter_channel('altered', ordered => false)$$, '{ready,due}')});
note "alter_channel(): $looks_once entries, then $looks_again";
cmp_ok($looks_once, '<=', 2 * $many + $most, 'alter_channel() looks at all entries once');
cmp_ok($looks_again, '<=', $most, 'and remembers that they are gone');

# Who drops a subscription removes its rows before it keeps others from publishing, and then looks at what has come in since.
my ($other, $waits) = map { $node->background_psql('postgres') } 1 .. 2;
sql(qq{SELECT pgpubsub.create_channel('kept'); SELECT pgpubsub.subscribe('kept', 'dropped'); SELECT pgpubsub.subscribe('kept', 'dropped, too');
	SELECT count(pgpubsub.publish('kept', '1')) FROM generate_series(1, $many)});
sql(qq{SELECT count(*) FROM pgpubsub.take('kept', $many / 2, 'dropped')});
my $at_drop = entries_read(q{SELECT pgpubsub.unsubscribe('kept', 'dropped')}, '{ready,due}');
note "unsubscribe(): $at_drop entries";
cmp_ok($at_drop, '<=', $many / 2 + $most, 'unsubscribe() does not look at all under the lock');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pgpubsub.subscription WHERE name = 'dropped'}), '0', 'it is gone');
is(sql(q{SELECT count(*) FROM pgpubsub.notification n WHERE NOT EXISTS (SELECT FROM pgpubsub.subscription s WHERE s.id = n.subscription_id)}), '0', 'with all of its rows');
$other->query_safe(q{BEGIN; SELECT pgpubsub.publish('kept', '"meanwhile"')});
$waits->query_until(qr/begun/, "\\echo begun\nSELECT pgpubsub.unsubscribe('kept', 'dropped, too');\n");
ok($node->poll_query_until('postgres', qq{SELECT count(*) = $many FROM pgpubsub.notification n JOIN pgpubsub.subscription s ON s.id = n.subscription_id
	WHERE s.name = 'dropped, too' AND n.xmax <> 0}), 'who waits for a publisher has removed the rows by then');
$other->query_safe('COMMIT');
$_->quit for $waits, $other;
is(sql(q{SELECT count(*) FROM pgpubsub.notification n WHERE NOT EXISTS (SELECT FROM pgpubsub.subscription s WHERE s.id = n.subscription_id)}), '0',
	'and removes what was published meanwhile');

$reader->query_safe('COMMIT');
$reader->quit;
$session->quit;

# A database that has the OID and the files of a dropped one is another one: what was gone there waits here.
$node->safe_psql('postgres', 'CREATE DATABASE template');
$node->safe_psql('template', q{
CREATE EXTENSION pgpubsub;
SELECT pgpubsub.create_channel('once'), pgpubsub.create_channel('jobs', ordered => true);
SELECT pgpubsub.publish('once', '"first"', dedup_key => 'd'), pgpubsub.publish('jobs', '"retrying"', 'a');
SELECT pgpubsub.nack(array_agg(receipt), '1 hour') FROM pgpubsub.claim('jobs');
SELECT pgpubsub.publish('jobs', '"behind"', 'a');
CREATE PROCEDURE repeat() LANGUAGE plpgsql AS $$
DECLARE
	receipts text[];
BEGIN
	PERFORM pgpubsub.purge_channel('jobs');
	FOR i IN 1 .. 100 LOOP
		PERFORM pgpubsub.take('once', 2);
		PERFORM pgpubsub.publish('jobs', '1', 'a');
		COMMIT;
		PERFORM pgpubsub.publish('once', '1', dedup_key => 'd');
		SELECT array_agg(receipt) INTO receipts FROM pgpubsub.claim('jobs');
		COMMIT;
		PERFORM pgpubsub.ack(receipts);
		COMMIT;
	END LOOP;
END $$});
my $copy = 'CREATE DATABASE copy TEMPLATE template OID 100000';
$node->safe_psql('postgres', $copy);
my $old = $node->background_psql('copy');
$old->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$old->query_safe('SELECT 1');
$node->safe_psql('copy', 'CALL repeat()');
$old->quit;
$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');
$node->safe_psql('postgres', $copy);
is($node->safe_psql('copy', q{SELECT payload FROM pgpubsub.take('jobs')}), '', 'what is behind one that is retrying is not handed out');
$node->safe_psql('copy', q{SELECT pgpubsub.publish('once', '"again"', dedup_key => 'd')});
is($node->safe_psql('copy', q{SELECT payload FROM pgpubsub.take('once', 2)}), '"first"', 'the one that waits is joined');

$node->stop;
done_testing();
