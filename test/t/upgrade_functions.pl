# The library serves the catalog of the first release: each of its functions, procedures and views does what it does with the present catalog, which
# is what it did with the library of that release. So the update may wait. The worker and wait() serve both too.
#
# A regression test can't show it: it would change the extension that all others use.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WakeupTest;

my $first = '0.1.0';
my $node = PostgreSQL::Test::Cluster->new('functions');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\nfsync = off\nmax_worker_processes = 20\nclient_min_messages = warning\n");
$node->start;
$node->safe_psql('postgres', 'CREATE ROLE app');

# Each call, and what it gives.
my @calls = (
	[ q{SELECT pgpubsub.create_channel('jobs', max_attempts => 1, history => '1 hour')}, '' ],
	[ q{SELECT pgpubsub.subscribe('jobs', 'second', filter => '{"n": 2}', max_attempts => 2)}, '' ],
	[ q{SELECT pgpubsub.publish('jobs', '{"n": 1}', key => 'k', headers => '{"h": 1}', priority => 2)}, '1' ],
	[ q{SELECT pgpubsub.publish('jobs', '{"n": 2}', dedup_key => 'd')}, '2' ],
	[ q{SELECT pgpubsub.publish('jobs', '{"n": 2, "again": true}', dedup_key => 'd', replace => true)}, '2' ],
	[ q{SELECT pgpubsub.publish_batch('jobs', '{3,4}'::jsonb[], keys => '{a,b}', deliver_at => now() + interval '1 hour')}, '{3,4}' ],
	[ q{SELECT pgpubsub.publish_batch('jobs', '{5,6,7,8,9}'::jsonb[])}, '{5,6,7,8,9}' ],
	[ q{SELECT name, kind, ordered, owner = current_user::regrole FROM pgpubsub.channels}, 'jobs|queue|f|t' ],
	[ q{SELECT subscription, paused, max_attempts, history, filter FROM pgpubsub.subscriptions ORDER BY 1}, "default|f|1|01:00:00|\nsecond|f|2|00:00:00|{\"n\": 2}" ],
	[ q{SELECT id, subscription, state, payload, key, headers, priority, dedup_key FROM pgpubsub.notifications WHERE id < 4 ORDER BY 1, 2},
		"1|default|ready|{\"n\": 1}|k|{\"h\": 1}|2|\n2|default|ready|{\"n\": 2, \"again\": true}|||0|d\n2|second|ready|{\"n\": 2, \"again\": true}|||0|d\n3|default|delayed|3|a||0|" ],
	[ q{SELECT subscription, ready, delayed, in_flight, retrying, dead FROM pgpubsub.stat_channels ORDER BY 1}, "default|7|2|0|0|0\nsecond|1|0|0|0|0" ],
	[ q{SELECT pgpubsub.next_due('jobs') <= now()}, 't' ],
	[ q{CALL pgpubsub.wait('{jobs}', '1 minute')}, 'jobs' ],
	[ q{SELECT pgpubsub.pause_channel('jobs')}, '' ],
	[ q{SELECT count(*) FROM pgpubsub.take('jobs')}, '0' ],
	[ q{SELECT pgpubsub.resume_channel('jobs')}, '' ],
	# ---- taken
	[ q{SELECT id, channel, payload, key, headers, created_at <= now(), deliver_at, priority, attempts, db_version FROM pgpubsub.take('jobs', 1)}, '1|jobs|{"n": 1}|k|{"h": 1}|t||2|1|' ],
	[ q{SELECT count(*) FROM pgpubsub.take('jobs', 10, 'second', filter => '{"n": 3}')}, '0' ],
	[ q{BEGIN}, '' ],
	[ q{SELECT pgpubsub.requeue(array_agg(id), delay => '0', error => 'not yet') FROM pgpubsub.take('jobs', 10, 'second')}, '1' ],
	[ q{COMMIT}, '' ],
	[ q{SELECT state, attempts, last_error FROM pgpubsub.notifications WHERE subscription = 'second'}, 'ready|1|not yet' ],
	[ q{SELECT id, attempts FROM pgpubsub.take('jobs', 10, 'second')}, '2|2' ],
	[ q{SELECT id, payload, attempts, processed_at <= clock_timestamp() FROM pgpubsub.history}, '1|{"n": 1}|1|t' ],
	# ---- leased
	[ q{CREATE TEMPORARY TABLE leased AS SELECT * FROM pgpubsub.claim('jobs', 3, '1 hour')}, '' ],
	[ q{SELECT id, payload, attempts FROM leased ORDER BY id}, "2|{\"n\": 2, \"again\": true}|1\n5|5|1\n6|6|1" ],
	[ q{SELECT pid = pg_backend_pid(), alive, leases, expired, first_lease_end > now() + interval '50 minutes' FROM pgpubsub.stat_consumers}, 't|t|3|0|t' ],
	[ q{SELECT pgpubsub.extend(array_agg(receipt), '2 hours') FROM leased}, '3' ],
	[ q{SELECT pgpubsub.ack(array_agg(receipt)) FROM leased WHERE id = 2}, '1' ],
	[ q{SELECT pgpubsub.release(array_agg(receipt)) FROM leased WHERE id = 5}, '1' ],
	[ q{SELECT pgpubsub.nack(array_agg(receipt), error => 'broken') FROM leased WHERE id = 6}, '1' ],
	[ q{SELECT pgpubsub.ack(array_agg(receipt)) FROM leased}, '0' ],
	[ q{SELECT pgpubsub.nack(array_agg(receipt), error => 'broken too', reject => true) FROM pgpubsub.claim('jobs', 10, filter => '7')}, '1' ],
	# ---- dead
	[ q{SELECT id, subscription, attempts, last_error FROM pgpubsub.dead_letters ORDER BY id}, "6|default|1|broken\n7|default|1|broken too" ],
	[ q{SELECT pgpubsub.redrive('jobs', ids => '{6}')}, '1' ],
	[ q{SELECT pgpubsub.redrive('jobs', filter => '7')}, '1' ],
	[ q{SELECT pgpubsub.nack(array_agg(receipt), reject => true) FROM pgpubsub.claim('jobs', 10)}, '5' ],
	[ q{SELECT pgpubsub.purge_dead_letters('jobs', ids => '{6}')}, '1' ],
	[ q{SELECT pgpubsub.purge_dead_letters('jobs', filter => '7')}, '1' ],
	[ q{SELECT pgpubsub.redrive('jobs')}, '3' ],
	[ q{SELECT pgpubsub.recover()}, '0' ],
	[ q{CALL pgpubsub.recover('jobs', 100)}, '0' ],
	[ q{SELECT pgpubsub.compact()}, 't' ],
	# ---- captured
	[ q{CREATE TABLE item (id integer PRIMARY KEY, v text)}, '' ],
	[ q{SELECT pgpubsub.attach('item', 'changes', '{insert,update}', condition => 'NEW.id < 3', payload_columns => '{id}', key_columns => '{v}')}, '' ],
	[ q{SELECT channel, events, granularity, payload, condition, payload_columns, key_columns, enabled FROM pgpubsub.attachments},
		'changes|{insert,update}|statement|full|(new.id < 3)|{id}|{v}|t' ],
	[ q{INSERT INTO item SELECT i, 'v' || i FROM generate_series(1, 4) i}, '' ],
	[ q{SELECT payload ->> 'op', payload -> 'new', key FROM pgpubsub.take('changes', 10)}, "insert|{\"id\": 1}|v1\ninsert|{\"id\": 2}|v2" ],
	[ q{SELECT pgpubsub.detach('item', 'changes')}, '' ],
	[ q{CREATE TRIGGER by_hand AFTER DELETE ON item FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('changes')}, '' ],
	[ q{DELETE FROM item WHERE id = 4}, '' ],
	[ q{SELECT payload - 'context' FROM pgpubsub.take('changes', 10)}, '{"op": "delete", "new": null, "old": {"v": "v4", "id": 4}, "table": "item", "schema": "public"}' ],
	# ---- broadcast
	[ q{SELECT pgpubsub.create_channel('news', 'broadcast')}, '' ],
	[ q{SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 9000)))}, '13' ],
	[ q{SELECT length(pgpubsub.read_broadcast('news', 13) ->> 'payload')}, '9000' ],
	# ---- administered
	[ q{SELECT pgpubsub.grant_channel('jobs', 'app', 'consume')}, '' ],
	[ q{SELECT role, privilege FROM pgpubsub.channel_privileges WHERE channel = 'jobs' AND role = 'app'::regrole}, 'app|consume' ],
	[ q{SET ROLE app}, '' ],
	[ q{SELECT pgpubsub.has_channel_privilege('jobs', 'consume'), pgpubsub.has_channel_privilege('jobs', 'publish')}, 't|f' ],
	[ q{SELECT id FROM pgpubsub.take('jobs')}, '5' ],
	[ q{RESET ROLE}, '' ],
	[ q{SELECT pgpubsub.revoke_channel('jobs', 'app', 'consume')}, '' ],
	[ q{SELECT count(*) FROM pgpubsub.channel_privileges WHERE role = 'app'::regrole}, '0' ],
	[ q{SELECT pgpubsub.alter_channel('jobs', max_attempts => 7)}, '' ],
	[ q{SELECT pgpubsub.unsubscribe('jobs', 'second')}, '' ],
	[ q{SELECT subscription, max_attempts FROM pgpubsub.subscriptions WHERE channel = 'jobs'}, 'default|7' ],
	[ q{SELECT mode, worker_pid IS NOT NULL, listeners, last_error FROM pgpubsub.stat_wakeup}, 'worker|t|0|' ],
	[ q{SELECT pgpubsub.purge_channel('jobs')}, '4' ],
	[ q{SELECT pgpubsub.drop_channel('jobs')}, '' ],
	[ q{SELECT string_agg(name, ' ' ORDER BY name) FROM pgpubsub.channels}, 'changes news' ],
);
# What these calls reach by others' help.
my %reached_by = (channels_changed => 'create_channel(', capture_filter => "condition => 'NEW.id < 3'", capture => 'EXECUTE FUNCTION pgpubsub.capture(', attachment_list => 'pgpubsub.attachments',
	stat_backlog => 'pgpubsub.stat_channels', stat_rates => 'pgpubsub.stat_channels', stat_leases => 'pgpubsub.stat_consumers', wakeup_state => 'pgpubsub.stat_wakeup');

sub call_all
{
	my ($database) = @_;
	my $session = $node->background_psql($database);
	foreach my $call (@calls)
	{
		my ($query, $expected) = @$call;
		$session->set_query_timer_restart;
		is($session->query_safe($query), $expected, "$database: $query");
	}
	$session->quit;
	return;
}

foreach (['former', "VERSION '$first'"], ['present', ''])
{
	my ($database, $version) = @$_;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION pgpubsub $version");
	has_worker($node, $database, "$database: there is a worker");
	call_all($database);
}
my @names = split /\n/, $node->safe_psql('former', q{SELECT DISTINCT p.proname FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid WHERE e.extname = 'pgpubsub' UNION
	SELECT c.relname FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' WHERE c.relkind = 'v'});
cmp_ok(scalar @names, '>', 40, "$first has its functions and views");
my $all = join "\n", map { $_->[0] } @calls;
is(join(' ', grep { index($all, $reached_by{$_} // "pgpubsub.$_") < 0 } @names), '', 'none is left out');

# peek() and get() are of 0.2.0, as is the index that finds what waits by its id. Without it they read more, and give the same.
$node->safe_psql('former', q{
	CREATE SCHEMA tool;
	CREATE FUNCTION tool.peek(channel text, subscription text DEFAULT 'default', state text DEFAULT NULL, filter jsonb DEFAULT NULL, after_id bigint DEFAULT NULL, max_count bigint DEFAULT 100)
		RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz, deliver_at timestamptz, priority integer, attempts integer, db_version integer,
		subscription text, state text, due_at timestamptz, dedup_key text, last_error text) AS '$libdir/pgpubsub', 'pgpubsub_peek' LANGUAGE C STABLE;
	CREATE FUNCTION tool.get(id bigint)
		RETURNS TABLE (id bigint, channel text, payload jsonb, key text, headers jsonb, created_at timestamptz, deliver_at timestamptz, priority integer, attempts integer, db_version integer,
		subscription text, state text, due_at timestamptz, dedup_key text, last_error text) AS '$libdir/pgpubsub', 'pgpubsub_get' LANGUAGE C STABLE;});
my $fill = q{
	SET pgpubsub.lease_scope = 'time';
	SELECT pgpubsub.create_channel('pages');
	SELECT pgpubsub.publish('pages', to_jsonb(i), deliver_at => CASE i % 2 WHEN 0 THEN now() + interval '1 hour' END, priority => i % 3) FROM generate_series(1, 12) i;
	SELECT count(*) FROM pgpubsub.claim('pages', 2, '1 hour'), pgpubsub.publish('changes', '1')};
my $look = q{SELECT string_agg(id || state || payload, ' ' ORDER BY id) FROM (SELECT * FROM %1$s.peek('pages', max_count => 8) UNION ALL SELECT * FROM %1$s.peek('pages', state => 'delayed', after_id => 16) UNION ALL
	SELECT * FROM %1$s.peek('pages', state => 'leased') UNION ALL SELECT g.* FROM generate_series(14, 27) i, %1$s.get(i) g) x};
$node->safe_psql($_, $fill) foreach ('former', 'present');
my $pages = $node->safe_psql('present', sprintf $look, 'pgpubsub');
like($pages, qr/(?=.*leased)(?=.*ready).*delayed/s, 'there are pages to look at');
is($node->safe_psql('former', sprintf $look, 'tool'), $pages, "peek() and get() of a catalog of $first");
# A row that is written by hand below what claims remember: nothing in that catalog tells of it. After the update it is found.
$node->safe_psql('former', q{
	SELECT pgpubsub.create_channel('hand');
	SELECT pgpubsub.publish('hand', to_jsonb(i)) FROM generate_series(1, 40) i;
	CREATE TABLE kept AS SELECT n.* FROM pgpubsub.notification n JOIN pgpubsub.subscription s ON s.id = subscription_id JOIN pgpubsub.channel c ON c.id = channel_id WHERE c.name = 'hand' ORDER BY n.id LIMIT 1});
$node->safe_psql('former', q{SELECT count(*) FROM pgpubsub.take('hand', 40)});
$node->safe_psql('former', q{SELECT count(*) FROM pgpubsub.take('hand', 40)});
$node->safe_psql('former', 'INSERT INTO pgpubsub.notification SELECT * FROM kept');
$node->safe_psql('former', 'DROP SCHEMA tool CASCADE; ALTER EXTENSION pgpubsub UPDATE');
is($node->safe_psql('former', q{SELECT payload FROM pgpubsub.take('hand', 40)}), '1', 'a row that was written by hand before the update');
is($node->safe_psql('former', sprintf $look, 'pgpubsub'), $pages, 'and when it is updated');
$node->stop;
done_testing();
