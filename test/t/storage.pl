# What a queue has passed through its table is given back, though a snapshot was held, autovacuum is off, and consumers and
# publishers are at it all the time; and nothing is lost or doubled by that.
#
# The process that packs the table takes part as it does in a real server: it can't be stepped through from a session.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StorageTest;
use Test::More;
use IPC::Run ();
use Time::HiRes qw(usleep);

my $backlog = 10_000;
my $passed = 100_000;

my $node = PostgreSQL::Test::Cluster->new('storage');
$node->init;
$node->append_conf('postgresql.conf', "autovacuum = off\nfsync = off\nmax_wal_size = 4GB\n" .
	"shared_preload_libraries = 'pgpubsub'\npgpubsub.wakeup = off\npgpubsub.storage_interval = 0\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('jobs');
	SELECT pgpubsub.create_channel('big');
} . numbered_notifications());
# The database's own settings are not made for the process.
$ENV{PGOPTIONS} = '-c role=none -c default_transaction_read_only=off -c statement_timeout=0';
$node->safe_psql('postgres', q{
	CREATE ROLE nobody;
	ALTER DATABASE postgres SET role = 'nobody';
	ALTER DATABASE postgres SET default_transaction_read_only = on;
	ALTER DATABASE postgres SET statement_timeout = '1ms'});

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }

sub sizes
{
	return { map { split /\|/ } split /\n/, sql(q{
		SELECT relname, pg_relation_size(oid) / 8192 FROM pg_class
		 WHERE oid = 'pgpubsub.notification'::regclass
		    OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = 'pgpubsub.notification'::regclass)
		UNION ALL
		SELECT 'toast', pg_relation_size(reltoastrelid) / 8192 FROM pg_class WHERE oid = 'pgpubsub.notification'::regclass}) };
}

# Starts the process by hand, and waits until it has ended.
sub compact
{
	is(sql('SELECT pgpubsub.compact()'), 't', 'a process was started');
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage'})
	  or die 'the process does not end';
}

# What a queue with that backlog needs.
sql("SELECT publish('jobs', $backlog, 96)");
sql('SELECT publish(\'big\', 40, 9000)');
sql('VACUUM FULL pgpubsub.notification');
my $fresh = sizes();

# Less is not packed: an index of 64 pages is none that is too large.
sub largest { my ($relation) = @_; return 4 * $fresh->{$relation} > 64 ? 4 * $fresh->{$relation} : 64 }

# Bloat, with a snapshot held
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
my $seen = $reader->query_safe(q{SELECT count(*), sum((payload ->> 'n')::bigint) FROM pgpubsub.notification});
sql("SELECT publish('jobs', 10000, 96)") for 1 .. $passed / 10_000;
sql('SELECT publish(\'big\', 500, 9000)');
sql("SELECT consume('jobs', $passed / 2)");
sql("SELECT work_off('jobs', $passed / 2)");
sql('SELECT consume(\'big\', 500)');
my $bloated = sizes();
my @bloated = qw(notification notification_ready notification_leased toast);
cmp_ok($bloated->{$_}, '>', largest($_), "$_ is bloated ($bloated->{$_} pages, fresh $fresh->{$_})") foreach @bloated;

# A REINDEX that gave up leaves an index behind that each write must serve.
my ($status) = $node->psql('postgres', q{SET lock_timeout = '50ms'; REINDEX INDEX CONCURRENTLY pgpubsub.notification_ready});
isnt($status, 0, 'a concurrent reindex does not end while the snapshot is held');
ok(sizes()->{notification_ready_ccnew}, 'and leaves an index behind');

compact();
is($reader->query_safe(q{SELECT count(*), sum((payload ->> 'n')::bigint) FROM pgpubsub.notification}), $seen,
	'the snapshot sees what it saw');
$reader->query_safe('COMMIT');
$reader->quit;

# The worker sees to it, with everybody at work
my $publisher = PostgreSQL::Test::Utils::tempdir() . '/publish.sql';
append_to_file($publisher, "SELECT publish('jobs', 10, 96);\n");
my $consumer = PostgreSQL::Test::Utils::tempdir() . '/consume.sql';
append_to_file($consumer, "SELECT consume('jobs', 5);\nSELECT work_off('jobs', 5);\n");
my @sessions = map {
	IPC::Run::start([ 'pgbench', '--no-vacuum', '--client=2', '--rate=100', '--time=6', "--file=$_", $node->connstr('postgres') ],
		'>', \my $out, '2>', \my $err)
} ($publisher, $consumer);
sql(q{ALTER SYSTEM SET pgpubsub.storage_interval = '100ms'});
$node->reload;
my $packed;
for my $i (1 .. 600)
{
	$packed = sizes();
	last if !$packed->{notification_ready_ccnew} && !grep { $packed->{$_} > largest($_) } @bloated;
	usleep(100_000);
}
$_->finish || fail('a session failed') foreach @sessions;
cmp_ok($packed->{$_}, '<=', largest($_), "$_ is packed ($packed->{$_} pages, fresh $fresh->{$_})") foreach @bloated;
is(scalar(grep { /_cc/ } keys %$packed), 0, 'the index that was left behind is gone');
sql('ALTER SYSTEM SET pgpubsub.storage_interval = 0');
$node->reload;

# Nothing is lost or doubled, and the indexes find all.
sql("SELECT consume('jobs', 1000000)");
sql("SELECT consume('big', 1000000)");
is(sql('SELECT count(*) FROM pgpubsub.notification'), '0', 'everything was taken');
is(sql('SELECT count(*), count(DISTINCT n) FROM done'), sql('SELECT count(*), count(*) FROM published'), 'each once');

# Few pages have dead rows, at the end of a large empty file: VACUUM by itself leaves those there.
sql(q{SELECT count(pgpubsub.publish_batch('jobs', array_fill('{"a": "some payload of ordinary length"}'::jsonb, '{200000}')))});
sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 199990)});
sql('VACUUM (TRUNCATE off) pgpubsub.notification');
sql(q{SELECT count(*) FROM pgpubsub.take('jobs', 10)});
cmp_ok(sizes()->{notification}, '>', 1000, 'a large file');
compact();
cmp_ok(sizes()->{notification}, '<', 300, 'is packed as well');

# What a REINDEX CONCURRENTLY that failed leaves behind becomes valid by other commands, and is copied by the next one: each copy goes,
# on each table. An index of a DBA's own stays, whatever its name or its definition is like.
sql(q{CREATE INDEX mine ON pgpubsub.notification (subscription_id, priority DESC, id) WHERE due_at IS NULL;
	CREATE INDEX notification_ready_ccnew9 ON pgpubsub.notification (subscription_id, priority, id) WHERE due_at IS NULL;
	CREATE INDEX notification_due_ccnew ON pgpubsub.notification (subscription_id, due_at) WHERE due_at IS NULL});
my $all_indexes = q{SELECT count(*), count(*) FILTER (WHERE indisvalid) FROM pg_index WHERE indrelid::regclass::text LIKE 'pgpubsub.%'
	OR indrelid IN (SELECT reltoastrelid FROM pg_class WHERE oid = 'pgpubsub.notification'::regclass)};
my $not_copied = sql($all_indexes);
foreach (1 .. 3)
{
	my $writer = $node->background_psql('postgres');
	$writer->query_safe('BEGIN');
	$writer->query_safe('LOCK TABLE pgpubsub.notification, pgpubsub.dead_letter IN ROW EXCLUSIVE MODE');
	isnt($node->psql('postgres', "SET lock_timeout = '50ms'; REINDEX TABLE CONCURRENTLY pgpubsub.$_"), 0, "a concurrent reindex of $_ fails")
	  foreach qw(notification dead_letter);
	$writer->quit;
	sql('REINDEX TABLE pgpubsub.notification');
	sql('REINDEX TABLE pgpubsub.dead_letter');
}
my ($total, $valid) = split /\|/, sql($all_indexes);
cmp_ok($valid, '>', 80, "$valid of $total indexes are valid");
compact();
is(sql($all_indexes), $not_copied, 'those that were made by hand, and the own ones, are what stays');
sql('DROP INDEX pgpubsub.mine, pgpubsub.notification_ready_ccnew9, pgpubsub.notification_due_ccnew');

# A load that the statistics do not know of yet is not taken for bloat. (Tables of which the statistics know nothing else, and a worker that
# has packed nothing yet, so it makes no pause.)
sql('DROP EXTENSION pgpubsub CASCADE');
sql('CREATE EXTENSION pgpubsub');
ok($node->poll_query_until('postgres', q{SELECT worker_pid IS NOT NULL FROM pgpubsub.wakeup_state()}), 'a worker');
sql(q{SELECT pgpubsub.create_channel('jobs'), pgpubsub.publish('jobs', '1')});
sql('VACUUM pgpubsub.notification');
my $loader = $node->background_psql('postgres');
$loader->query_safe('BEGIN');
my $log_from = -s $node->logfile;
sql(q{ALTER SYSTEM SET pgpubsub.storage_interval = '100ms'});
$node->reload;
$loader->query_safe(q{SELECT count(pgpubsub.publish_batch('jobs', array_fill('1'::jsonb, '{100000}')))});
usleep(2_000_000);    # twenty times as long as it takes to look
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage'}), 'nothing is packed any more');
$loader->query_safe('COMMIT');
unlike(slurp_file($node->logfile, $log_from), qr/before packing/, 'a bulk load is not packed while it runs');
$loader->quit;

done_testing();
