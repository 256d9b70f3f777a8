# A lease that was extended so often that a step of the worker does not come to the end of its entries is released with its session all the
# same. A long-running transaction keeps the entries.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use ClientTest;
use WakeupTest;

my $node = start_preloaded('lease_extended', "autovacuum = off\n");
sub sql { return $node->safe_psql('postgres', $_[0]) }

has_worker($node, 'postgres', 'a worker');
sql(q{SELECT pgpubsub.create_channel('jobs')});
sql(q{SELECT pgpubsub.publish('jobs', '"first"'), pgpubsub.publish('jobs', '"often"'), pgpubsub.publish('jobs', '"behind"')});
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ');
$reader->query_safe('SELECT 1');

# More entries than a step looks at.
my $holder = $node->background_psql('postgres', on_error_stop => 0);
$holder->query_safe(q{CREATE TEMP TABLE mine AS SELECT * FROM pgpubsub.claim('jobs', 3, '1 hour')});
$holder->query_safe(q{DO $$
	DECLARE
		often text[] := (SELECT array_agg(receipt) FROM mine WHERE payload = '"often"');
	BEGIN
		FOR i IN 1 .. 6000 LOOP
			PERFORM pgpubsub.extend(often, '1 hour');
			COMMIT;
		END LOOP;
	END $$});
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE state = 'leased'}, '3', 'leased');
sql(q{SELECT pg_terminate_backend(pid) FROM pgpubsub.stat_consumers});
query_is($node, q{SELECT string_agg(payload::text, ' ' ORDER BY id) FROM pgpubsub.notifications WHERE state = 'ready'}, '"first" "often" "behind"', 'released');
eval { $holder->quit };
$reader->query_safe('COMMIT');
$reader->quit;
$node->stop;
done_testing();
