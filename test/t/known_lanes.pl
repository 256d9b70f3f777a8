# A hundred priorities cost a claim no more than one (place.hpp, 5): while somebody has an old snapshot, the entries of all that was
# published stay in the index, and yet a claim does not look into each priority. And whatever is published with any of them is found at once.
#
# What is counted are the searches in the index, not the time.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WakeupTest;

my $node = start_preloaded('known_lanes', "autovacuum = off\nmax_prepared_transactions = 5\n");
my @session = map { $node->background_psql('postgres') } 0 .. 1;
sub sql { my ($command, $by) = @_; return $session[$by // 0]->query_safe($command) }

sql(q{
SELECT pgpubsub.create_channel('jobs');
SELECT pgpubsub.publish('jobs', '"last"');

-- How often a command searches the index of what is ready.
CREATE FUNCTION searches(command text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	before CONSTANT bigint := pg_stat_get_xact_numscans('pgpubsub.notification_ready'::regclass);
BEGIN
	EXECUTE command;
	RETURN pg_stat_get_xact_numscans('pgpubsub.notification_ready'::regclass) - before;
END $$;
CREATE FUNCTION taken(most integer DEFAULT 1) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(payload #>> '{}', ' ') FROM pgpubsub.take('jobs', most)
$$;
});
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query_safe('SELECT 1');

# Each tenth of them: what lies between has no entry. Few entries are stepped over without a search of its own.
sql(q{SELECT count(pgpubsub.publish_batch('jobs', array_fill('1'::jsonb, ARRAY[50]), priority => p)) FROM generate_series(10, 1000, 10) p});
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 5000)}), '5000', 'a hundred priorities');
# In transactions that roll back, so that the last one stays.
sub looks { my ($by) = @_; sql('BEGIN', $by); my $n = sql(q{SELECT searches('SELECT taken()')}, $by); sql('ROLLBACK', $by); return $n }
my $first = looks();
looks();
my $then = looks();
note "take(): $first searches, then $then";
cmp_ok($first, '>=', 100, 'a claim looks into each at first');
cmp_ok($then, '<=', 6, 'then it passes over them');
cmp_ok(looks(1), '<=', 6, 'as other sessions do');

sub publish { my ($priority, $by) = @_; return sql("SELECT pgpubsub.publish('jobs', '$priority', priority => $priority)", $by) }

publish($_) for 500, 505, 2000, -3;
is(sql('SELECT taken()'), '2000', 'what is published with a higher one is found');
is(sql('SELECT taken()'), '505', 'and with one that nobody had');
is(sql('SELECT taken()'), '500', 'and with one of the hundred');
cmp_ok(looks(), '<=', 9, 'after that few are looked into');
cmp_ok(looks(), '<=', 6, 'and none is once more');

# Who publishes tells before it commits, if only in the end.
sql('BEGIN', 1);
publish(700, 1);
cmp_ok(looks(), '<=', 12, 'what is not committed is not there');
sql('COMMIT', 1);
is(sql('SELECT taken()'), '700', 'and then it is');
sql('BEGIN', 1);
sql('SAVEPOINT s', 1);
publish(710, 1);
sql('ROLLBACK TO s', 1);
publish(720, 1);
looks();
sql("PREPARE TRANSACTION 'p'", 1);
looks();
sql("COMMIT PREPARED 'p'", 1);
is(sql('SELECT taken()'), '720', 'of a prepared transaction, with a sub-transaction that was rolled back');

# One consumer's transaction has removed what is in a lane; it rolls back.
publish($_) for 300, 310;
sql('BEGIN', 1);
is(sql('SELECT taken(2)', 1), '310 300', 'in the hands of a transaction');
looks();
looks();
cmp_ok(looks(), '<=', 6, 'these lanes are passed over, too');
publish(305, 1);
is(sql('SELECT taken()', 1), '305', 'it meets itself what it publishes');
sql('ROLLBACK', 1);
is(sql('SELECT taken(2)'), '310 300', 'and back from there');
looks();

# By hand, and with ids that were given before.
sql(q{INSERT INTO pgpubsub.notification (id, created_at, subscription_id, priority, attempts, payload)
	SELECT nextval('pgpubsub.notification_id_seq'), now(), id, 400, 0, '"by hand"' FROM pgpubsub.subscription});
is(sql('SELECT taken()'), 'by hand', 'a row that is written by hand');
looks() for 1 .. 3;
sql(q{SELECT setval('pgpubsub.notification_id_seq', 3)});
publish(410);
is(sql('SELECT taken()'), '410', 'a sequence that is set back');
sql(q{SELECT setval('pgpubsub.notification_id_seq', 1000000)});
looks() for 1 .. 3;

# Many sessions publish while others take: all is taken, with no snapshot in the way and with one.
my $publish_file = PostgreSQL::Test::Utils::tempdir() . '/publish.sql';
append_to_file($publish_file, "\\set p random(1, 40)\nSELECT pgpubsub.publish('jobs', '1', priority => :p);\n");
my $take_file = PostgreSQL::Test::Utils::tempdir() . '/take.sql';
append_to_file($take_file, "SELECT count(*) FROM pgpubsub.take('jobs', 3);\n");
sub run_beside
{
	my (@options) = @_;
	return ('pgbench', '--no-vacuum', '--jobs=2', @options, $node->connstr('postgres'));
}
command_ok([ run_beside('--client=6', '--transactions=300', "--file=$publish_file\@2", "--file=$take_file\@2") ], 'publishers and takers run');
my $left = sql('SELECT count(*) FROM pgpubsub.notification');
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 10000)}), $left, 'what they have left is taken');
is(sql('SELECT count(*) FROM pgpubsub.notification'), '0', 'nothing stays hidden');

$reader->query_safe('COMMIT');
$_->quit for $reader, @session;
$node->stop;
done_testing();
