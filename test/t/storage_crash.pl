# The process that packs the storage (extension/src/storage/storage_job.cpp) is ended in the middle of each of its steps, by a crash of the
# server, by an administrator, by DROP DATABASE and by whoever wants its lock: nothing is lost or doubled, what it leaves behind is
# removed later, and it never keeps anybody waiting.
#
# It is stopped in a step by an index of the test's own, whose expression waits while a file names the step; VACUUM by a cursor that
# keeps a page of an index; and where it waits for others, by those.
use strict;
use warnings;

use ClientTest;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use StorageTest;
use Sessions;
use Test::More;
use Time::HiRes qw(time);

my $node = PostgreSQL::Test::Cluster->new('storage_crash');
$node->init;
$node->append_conf('postgresql.conf', "restart_after_crash = on\nautovacuum = off\nfsync = off\nmax_wal_size = 4GB\n" .
	"shared_preload_libraries = 'pgpubsub'\npgpubsub.wakeup = off\npgpubsub.storage_interval = 0\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE work');
sub sql { my ($query) = @_; return $node->safe_psql('work', $query) }
sub becomes { my ($query, $what) = @_; return ok($node->poll_query_until('work', $query), $what) }
sub session { my ($command) = @_; my $s = $node->background_psql('work'); $s->query_safe($_) foreach split /; */, $command; return $s }

sql(q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel(c) FROM unnest('{jobs,wide}'::text[]) c;
} . numbered_notifications() . q{
	CREATE FUNCTION gate(id bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$
	BEGIN
		WHILE EXISTS (SELECT FROM pg_stat_activity WHERE pid = pg_backend_pid() AND backend_type = 'pgpubsub storage'
			AND query LIKE trim(E'\n' FROM pg_read_file('gate', 0, 100, true)) || '%') LOOP
			PERFORM pg_sleep(0.01);
		END LOOP;
		RETURN id;
	END $$;
});

sub close_gate { my ($step) = @_; append_to_file($node->data_dir . '/gate', $step); return }
sub open_gate { unlink $node->data_dir . '/gate'; return }

sub storage_pid { return sql(q{SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage'}) }
my $is_over = q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage'};
my $left_over = q{FROM pg_index WHERE indrelid = 'pgpubsub.notification'::regclass AND NOT indisvalid};
# That it waits in the step.
sub is_in
{
	my ($step, $event) = @_;
	return becomes(qq{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage' AND query LIKE '$step%' AND wait_event SIMILAR TO '$event'},
		"it is in the step: $step") || diag(sql('SELECT query, wait_event FROM pg_stat_activity'));
}

sub pages { return sql(q{SELECT pg_relation_size('pgpubsub.notification') / 8192}) }

# What should be there, is there once, and all indexes know it.
sub nothing_is_lost
{
	my ($what) = @_;
	my $expected = sql('SELECT count(*), sum(n) FROM (SELECT n FROM published EXCEPT ALL SELECT n FROM done) x');
	my $query = q{SELECT count(*), sum((payload ->> 'n')::bigint) FROM pgpubsub.notification};
	is(sql("SET enable_indexscan = off; SET enable_bitmapscan = off; $query"), $expected, "$what: nothing is lost or doubled");
	is(sql("SET enable_seqscan = off; $query WHERE due_at IS NULL AND subscription_id IN (SELECT id FROM pgpubsub.subscription)"), $expected,
		'nor in the index');
	return;
}

# Brings the process into a step: returns sessions that keep it there.
my %bring_into = (
	'VACUUM' => sub {
		# Dead entries that it must remove, and a page of the index that it must not change yet.
		sql(q{SELECT publish('jobs', 5000, 32); SELECT consume('jobs', 5000)});
		my $cursor = session(q{SET enable_seqscan = off; SET enable_bitmapscan = off; BEGIN; DECLARE c CURSOR FOR SELECT subscription_id FROM pgpubsub.notification WHERE due_at IS NULL AND subscription_id > 0 ORDER BY subscription_id; FETCH 1 FROM c});
		start();
		is_in('VACUUM (SKIP', 'Buffer(Pin|Cleanup)');  # the latter in PostgreSQL 19
		return $cursor;
	},
	'cutting off' => sub {
		my $reader = session('BEGIN; LOCK TABLE pgpubsub.notification IN ACCESS SHARE MODE');
		start();
		is_in('cutting off', 'Extension');
		return $reader;
	},
	'moving rows' => sub { close_gate('moving'); start(); is_in('moving', 'PgSleep'); return },
	'VACUUM FULL' => sub { close_gate('VACUUM (FULL'); start(); is_in('VACUUM (FULL', 'PgSleep'); return },
	'REINDEX' => sub {
		close_gate('REINDEX INDEX CONCURRENTLY pgpubsub.gate');
		start();
		is_in('REINDEX', 'PgSleep');
		becomes("SELECT count(*) = 1 $left_over", 'with a half-made index');
		return;
	},
	'REINDEX, the old index' => sub {
		my $reader = session('BEGIN; LOCK TABLE pgpubsub.notification IN ACCESS SHARE MODE');
		start();
		becomes("SELECT count(*) = 1 $left_over AND indexrelid::regclass::text LIKE '%ccold'", 'the old index is still there');
		return $reader;
	},
);
sub start { return is(sql('SELECT pgpubsub.compact()'), 't', 'a process was started') }

my %end = (
	'SIGKILL' => sub { kill KILL => storage_pid() },
	'pg_terminate_backend()' => sub { sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage'}) },
	'an immediate shutdown' => sub { $node->stop('immediate'); $node->start },
);

sub end_in_mid_step
{
	my ($step, $how) = @_;
	my $keeper = $bring_into{$step}->();
	sql('CHECKPOINT');    # the process does not wait for its commits to reach the disk
	$end{$how}->();
	comes_back($node, 'work');
	becomes($is_over, "$how: it has ended");
	eval { $keeper->quit } if $keeper;
	open_gate();
	nothing_is_lost("$step, $how");
	return;
}

# The server's own upkeep goes on.
sub goes_on
{
	my ($what) = @_;
	sql($_) foreach (q{ALTER SYSTEM SET pgpubsub.storage_interval = '100ms'}, 'SELECT pg_reload_conf()');
	becomes("SELECT count(*) = 0 $left_over", "$what: later no invalid index is left") || diag(sql("SELECT indexrelid::regclass $left_over"));
	sql($_) foreach ('ALTER SYSTEM SET pgpubsub.storage_interval = 0', 'SELECT pg_reload_conf()');
	becomes($is_over, 'and the process ends');
	nothing_is_lost($what);
	return;
}

sub compact { start(); return becomes($is_over, 'which ends') }

# ---- a table that is to become small -------------------------------------------------------------
# More pages than are rewritten at once; the rows that stay stand at the end.
sub fill { return sql(q{SELECT publish('jobs', 40000, 32); SELECT publish('wide', 12000, 1500); SELECT consume('jobs', 40000); SELECT consume('wide', 11000)}) }
sql('CREATE INDEX gate ON pgpubsub.notification (gate(id))');
fill();
end_in_mid_step('VACUUM', $_) foreach 'SIGKILL', 'pg_terminate_backend()';
sql('VACUUM (TRUNCATE off) pgpubsub.notification');
my $before = pages();
cmp_ok($before, '>', 2048, "a table of $before pages");
end_in_mid_step('cutting off', 'SIGKILL');
end_in_mid_step('moving rows', $_) foreach sort keys %end;
end_in_mid_step('VACUUM FULL', $_) foreach sort keys %end;
compact();
cmp_ok(pages(), '<', $before / 4, 'in the end the table is small');

# ---- one that stays large, with bloated indexes --------------------------------------------------
sub bloat_indexes { return sql(q{SELECT publish('jobs', 40000, 32); SELECT consume('jobs', 40000); VACUUM (TRUNCATE off) pgpubsub.notification}) }
sql(q{SELECT publish('wide', 11000, 1500)});
bloat_indexes();
foreach my $case ([ 'REINDEX', 'SIGKILL' ], [ 'REINDEX', 'pg_terminate_backend()' ], [ 'REINDEX, the old index', 'an immediate shutdown' ])
{
	my ($step, $how) = @$case;
	end_in_mid_step($step, $how);
	is(sql("SELECT count(*) $left_over"), 1, 'an invalid index is left behind');
	goes_on("$step, $how");
	bloat_indexes();
}

# Left behind by others: an index that is dead already, and one with a number since there was one before it.
my @readers = session('BEGIN; LOCK TABLE pgpubsub.notification IN ACCESS SHARE MODE');
my $reindex = background({ in => "REINDEX INDEX CONCURRENTLY pgpubsub.notification_ready;\n" }, 'psql', '-X', $node->connstr('work'));
becomes("SELECT count(*) = 1 $left_over AND indexrelid::regclass::text LIKE '%ccold'", 'a REINDEX of a user waits');
push @readers, session('BEGIN; LOCK TABLE pgpubsub.notification IN ACCESS SHARE MODE');
(shift @readers)->quit;
becomes("SELECT count(*) = 1 $left_over AND NOT indislive", 'an index that nobody may use any more');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'REINDEX%' AND pid <> pg_backend_pid()});
wait_for_exit($reindex);
(shift @readers)->quit;
my $writer = session('BEGIN; LOCK TABLE pgpubsub.notification IN ROW EXCLUSIVE MODE');
foreach (1 .. 2) { $node->psql('work', q{SET lock_timeout = '50ms'; REINDEX INDEX CONCURRENTLY pgpubsub.notification_due}) }
$writer->quit;
is(sql("SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) $left_over"),
	'pgpubsub.notification_due_ccnew pgpubsub.notification_due_ccnew1 pgpubsub.notification_ready_ccold', 'left behind by others');
goes_on('what others left behind');
bloat_indexes();

# ---- whoever wants its lock ----------------------------------------------------------------------
# Each finds it in the middle of a step that would not end by itself.
sub not_kept_waiting
{
	my ($step, $command, $what) = @_;
	my $keeper = $bring_into{$step}->();
	my $begun = time;
	my $err;
	is($node->psql('work', "SET statement_timeout = '30s'; $command", stderr => \$err), 0, "$step: $what is not kept waiting") or diag($err);
	note sprintf('%s: %.0f ms', $command, (time - $begun) * 1000);
	becomes($is_over, 'the process gives way');
	open_gate();
	$keeper->quit if $keeper;
	return;
}
not_kept_waiting('VACUUM', 'ALTER TABLE pgpubsub.notification SET (fillfactor = 95)', 'ALTER TABLE');
bloat_indexes();
not_kept_waiting('REINDEX', 'ALTER TABLE pgpubsub.notification SET (fillfactor = 90)', 'ALTER TABLE');
goes_on('ALTER TABLE');
bloat_indexes();

# One who only reads is not in its way, nor it in theirs.
$bring_into{REINDEX}->();
my ($out, $err);
ok(IPC::Run::run([ 'pg_dump', $node->connstr('work') ], '>', \$out, '2>', \$err), 'pg_dump beside a REINDEX') or diag($err);
cmp_ok($out =~ tr/\n//, '>=', 12000, 'dumps everything');
cmp_ok(storage_pid(), '>', 0, 'the REINDEX goes on');
sql(q{SELECT publish('jobs', 10, 32)});
open_gate();
becomes($is_over, 'and ends');
nothing_is_lost('pg_dump');

# ---- DROP EXTENSION, DROP DATABASE ---------------------------------------------------------------
my $log_from = -s $node->logfile;
bloat_indexes();
not_kept_waiting('REINDEX', 'DROP EXTENSION pgpubsub CASCADE', 'DROP EXTENSION');
is(sql(q{SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'pgpubsub'}), 0, 'nothing of it is left');
unlike(slurp_file($node->logfile, $log_from), qr/ERROR|FATAL/, 'and nobody complains');

sql(q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel(c) FROM unnest('{jobs,wide}'::text[]) c; DELETE FROM published; DELETE FROM done;
	CREATE INDEX gate ON pgpubsub.notification (gate(id))});
fill();
sql('VACUUM (TRUNCATE off) pgpubsub.notification');
$bring_into{'VACUUM FULL'}->();
my $begun = time;
is($node->psql('postgres', 'DROP DATABASE work', stderr => \$err), 0, 'DROP DATABASE beside a VACUUM FULL') or diag($err);
note sprintf('%.0f ms; PostgreSQL itself waits for 5 s, and then gives up', (time - $begun) * 1000);

$node->stop;
done_testing();
