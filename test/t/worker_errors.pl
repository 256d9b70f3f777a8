# What the worker can't do it tries again after pauses that grow, and at once when it was mended; the rest of its work goes on. It needs real
# time, and a preloaded library.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = start_preloaded('worker_errors', "autovacuum = off\nlog_min_messages = warning\n");
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
sub publish { my ($channel) = @_; return sql("SELECT pgpubsub.publish('$channel', '1')") }

my $log_from = 0;
sub forget_log { $log_from = -s $node->logfile; return }
sub errors { return scalar(() = slurp_file($node->logfile, $log_from) =~ /ERROR: /g) }

sql(q{SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('late')});
has_worker($node, 'postgres', 'a worker');
my $listener = listener($node, 'postgres', 'jobs', 'late');
publish('jobs');
hears($listener, 'jobs', 'which wakes');
my $worker = worker_pid($node, 'postgres');
sub last_error { return sql('SELECT last_error FROM pgpubsub.stat_wakeup') }

# ---- an index that goes while the worker is at work ----------------------------------------------
my $leased = sql(q{SELECT pg_get_indexdef('pgpubsub.notification_leased'::regclass)});
forget_log();
my $begun = time;
sql('DROP INDEX pgpubsub.notification_leased; DROP EXTENSION IF EXISTS nosuch');    # the second one makes it look
ok($node->poll_query_until('postgres', q{SELECT last_error LIKE '%notification_leased%' FROM pgpubsub.wakeup_state()}), 'an index that goes is an error');
sleep 9;
my $seconds = time - $begun;
my $count = errors();
# Of the worker alone, with pauses of 1, 2, 4 and 8 s.
cmp_ok($count, '>', 1, 'what the worker has to do is tried again');
cmp_ok($count, '<=', 6, sprintf('by a worker that stays ever less often: %d errors in %.0f s', $count, $seconds));
$begun = time;
sql($leased);
eventually(sub { publish('jobs'); heard($listener) =~ /^jobs .*\[$worker\]$/m }, 'when it is there again, that worker gives hints again');
cmp_ok(time - $begun, '<', 5, sprintf('at once (%.1f s)', time - $begun));
forget($listener);

# ---- an index that is gone when a worker begins ---------------------------------------------------
my $definition = sql(q{SELECT pg_get_indexdef('pgpubsub.notification_due'::regclass)});
forget_log();
sql('DROP INDEX pgpubsub.notification_due');
$begun = time;
# A new worker meets it at once, and can't begin.
sql("SELECT pg_terminate_backend($worker)");
ok($node->poll_query_until('postgres', q{SELECT last_error LIKE '%notification_due%' FROM pgpubsub.wakeup_state()}), 'an index that is gone is an error, which stat_wakeup shows');
sleep 9;
$seconds = time - $begun;
$count = errors();
# With pauses of 0, 1, 2, 4 and 8 s, after the first one; with a pause of a second it would be one each second.
cmp_ok($count, '>', 1, 'it is tried again');
cmp_ok($count, '<=', 6, sprintf('ever less often: %d errors in %.0f s', $count, $seconds));

$begun = time;
sql($definition);
eventually(sub { publish('jobs'); heard($listener) =~ /^jobs /m }, 'when it is there again, hints are given again');
cmp_ok(time - $begun, '<', 5, sprintf('at once (%.1f s)', time - $begun));
forget($listener);
sql(q{SELECT pgpubsub.publish('late', '1', deliver_at => clock_timestamp() + interval '0.5 second')});
hears($listener, 'late', 'and what becomes due is told');
forget_log();
sleep 2;
is(errors(), 0, 'without any further error');

# ---- a job that fails ----------------------------------------------------------------------------
# It rewrites the table, and with it an index of somebody else's, whose expression it can't evaluate.
sql(q{ALTER SYSTEM SET pgpubsub.storage_interval = '100ms'});
sql(q{SELECT pg_reload_conf()});
sql(q{CREATE FUNCTION public.fails(bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
	IF pg_catalog.pg_backend_pid() IN (SELECT pid FROM pg_catalog.pg_stat_activity WHERE backend_type = 'pgpubsub storage') THEN
		RAISE EXCEPTION 'not for the storage job';
	END IF;
	RETURN $1;
END $$});
sql(q{CREATE INDEX theirs ON pgpubsub.notification (public.fails(id))});
forget_log();
sql(q{SELECT pgpubsub.create_channel('heap'); SELECT count(pgpubsub.publish_batch('heap', array_fill('1'::jsonb, '{60000}'))); SELECT pgpubsub.publish('jobs', '1')});
sql(q{SELECT pgpubsub.purge_channel('heap')});
ok($node->poll_query_until('postgres', q{SELECT last_error LIKE '%not for the storage job%' FROM pgpubsub.wakeup_state()}), 'an error of the storage job is shown too');
sleep 6;
$count = () = slurp_file($node->logfile, $log_from) =~ /ERROR:  not for the storage job/g;
cmp_ok($count, '<=', 5, "and the job is tried ever less often ($count times)");
sql(q{DROP INDEX pgpubsub.theirs});
ok($node->poll_query_until('postgres', q{SELECT pg_relation_size('pgpubsub.notification') < 1000000}), 'in the end it does its work');
end_probe($listener);
$node->stop;
done_testing();
