# ALTER EXTENSION UPDATE while sessions publish, capture, take, claim and ack, make and drop channels, and read the views: all go on, none fails, nothing is
# lost and nothing is handed out twice. With the new library loaded, preloaded and not; the old catalog is served before, the new one afterwards.
# And a table that has a column more, as a later release may add one, is served too.
#
# A test of races with a real script: which session waits for which lock, and whether any has to end for another, shows under load only.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Sessions;
use Test::More;

my $first = '0.1.0';
# What sessions need that still have the first release's library when the catalog is a later one's.
my $columns = q{
	SELECT string_agg(c.relname || ' ' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull, E'\n' ORDER BY c.relname COLLATE "C", a.attnum)
	  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	 WHERE c.relkind = 'r' AND c.relname IN ('channel', 'channel_privilege', 'subscription', 'notification', 'dead_letter', 'processed', 'broadcast', 'stat_count')
	   AND c.relnamespace = 'pgpubsub'::regnamespace};

# Each session's loop goes on until there is a row in "enough", so before, during and after the update.
my $setup = qq{
	CREATE EXTENSION pgpubsub VERSION '$first';
	SELECT pgpubsub.create_channel('jobs', history => '1 hour'), pgpubsub.create_channel('leased'), pgpubsub.create_channel('news', 'broadcast');
	CREATE TABLE item (id bigserial PRIMARY KEY);
	SELECT pgpubsub.attach('item', 'captured', '{insert}');
	CREATE TABLE enough (x integer);
	CREATE TABLE sent (channel text, id bigint);
	CREATE TABLE got (channel text, id bigint);
} . q{
	CREATE PROCEDURE loop(command text) LANGUAGE plpgsql AS $$
		BEGIN
			WHILE NOT EXISTS (SELECT FROM enough) LOOP
				EXECUTE command;
				COMMIT;
			END LOOP;
		END $$;
};
my %loops = (
	publisher => q{INSERT INTO sent SELECT 'jobs', pgpubsub.publish('jobs', '1') UNION ALL SELECT 'leased', pgpubsub.publish('leased', '{"n": 1}', key => 'k')},
	capture => q{WITH i AS (INSERT INTO item SELECT FROM generate_series(1, 3) RETURNING id) INSERT INTO sent SELECT 'captured', id FROM i},
	taker => q{INSERT INTO got SELECT 'jobs', id FROM pgpubsub.take('jobs', 10)},
	other_taker => q{INSERT INTO got SELECT 'captured', (payload #>> '{new,id}')::bigint FROM pgpubsub.take('captured', 10)},
	claimer => q{WITH c AS MATERIALIZED (SELECT * FROM pgpubsub.claim('leased', 5)), a AS MATERIALIZED (SELECT pgpubsub.ack(array_agg(receipt)) FROM c)
		INSERT INTO got SELECT 'leased', c.id FROM c, a},
	refuser => q{SELECT pgpubsub.nack(array_agg(receipt), '0 s') FROM pgpubsub.claim('leased', 2)},
	broadcaster => q{SELECT pgpubsub.publish('news', to_jsonb(repeat('x', 9000)))},
	owner => q{SELECT pgpubsub.create_channel('short lived'), pgpubsub.publish('short lived', '1'), pgpubsub.drop_channel('short lived')},
	attacher => q{DO 'BEGIN CREATE TABLE IF NOT EXISTS other (id integer); PERFORM pgpubsub.attach(''other'', ''others'', ''{insert}''); INSERT INTO other VALUES (1); DROP TABLE other; END'},
	monitor => q{SELECT count(*) FROM pgpubsub.stat_channels, pgpubsub.attachments, pgpubsub.notifications},
	sweeper => q{SELECT pgpubsub.recover()},
);

foreach my $preload (0, 1)
{
	my $where = $preload ? 'preloaded' : 'not preloaded';
	my $node = PostgreSQL::Test::Cluster->new($preload ? 'preloaded' : 'plain');
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\nlog_min_messages = warning\n" . ($preload ? "shared_preload_libraries = 'pgpubsub'\n" : ''));
	$node->start;
	my $sql = sub { return $node->safe_psql('postgres', $_[0]) };
	$sql->($setup);
	my $before = $sql->($columns);

	my @sessions = map { my $loop = $loops{$_}; $loop =~ s/'/''/g; start_session($node, $_, "CALL loop('$loop')") } sort keys %loops;
	my $moves = sub { my $n = $sql->('SELECT count(*) FROM got'); eventually(sub { $sql->('SELECT count(DISTINCT channel) FROM got') == 3 && $sql->('SELECT count(*) FROM got') > $n + 100 }, "$where: @_") };
	$moves->('all goes on with the catalog of the first release');
	is($sql->('ALTER EXTENSION pgpubsub UPDATE; SELECT extversion <> \'' . $first . q{' FROM pg_extension WHERE extname = 'pgpubsub'}), 't', "$where: updated");
	$moves->('and with the new one');
	is($sql->($columns), $before, "$where: sessions with the library of $first find its tables as they were");

	# What a later release may do.
	$sql->("ALTER TABLE pgpubsub.$_ ADD COLUMN later text") foreach qw(channel channel_privilege subscription notification dead_letter processed broadcast stat_count);
	$moves->('and with a column more');
	$sql->(q{SELECT pgpubsub.publish('kept', '1') FROM pgpubsub.create_channel('kept'); UPDATE pgpubsub.notification SET later = 'kept' WHERE payload = '1' AND later IS NULL});
	is($sql->(q{SELECT FROM pgpubsub.claim('kept'); SELECT n.later, n.attempts FROM pgpubsub.notification n JOIN pgpubsub.subscription s ON s.id = n.subscription_id JOIN pgpubsub.channel c ON c.id = s.channel_id WHERE c.name = 'kept'}),
		"kept|1", "$where: which a change of the row keeps");
	$sql->("ALTER TABLE pgpubsub.$_ DROP COLUMN later") foreach qw(channel channel_privilege subscription notification dead_letter processed broadcast stat_count);
	$moves->('which goes again');
	$sql->('INSERT INTO enough VALUES (1)');
	end_well($where, @sessions);

	# What is left over is handed out now.
	$sql->(q{SELECT pgpubsub.redrive(c) FROM unnest('{jobs,leased,captured}'::text[]) c});
	$sql->(q{INSERT INTO got SELECT channel, id FROM pgpubsub.take('jobs', 1000000) UNION ALL SELECT channel, id FROM pgpubsub.take('leased', 1000000)
		UNION ALL SELECT channel, (payload #>> '{new,id}')::bigint FROM pgpubsub.take('captured', 1000000)});
	is($sql->(q{SELECT channel, count(*) FROM (SELECT * FROM sent EXCEPT ALL SELECT * FROM got) x GROUP BY 1}), '', "$where: nothing is lost");
	is($sql->(q{SELECT channel, count(*) FROM (SELECT * FROM got EXCEPT ALL SELECT * FROM sent) x GROUP BY 1}), '', "$where: nothing is handed out twice");

	# What was done to the tables by hand is told of.
	my ($error, $out);
	my $fails = sub { my ($what, $message, $change, $undo) = @_;
		$sql->($change);
		$node->psql('postgres', q{SELECT pgpubsub.publish('jobs', '1')}, stderr => \$error);
		like($error, qr/ERROR:  $message/s, "$where: $what");
		$sql->($undo);
		is($sql->(q{SELECT pgpubsub.publish('jobs', '1') > 0}), 't', "$where: $what: and back");
	};
	$fails->('a column that must not be null', qr/table "notification" of extension "pgpubsub" is not of the form[^\n]*\nDETAIL:  [^\n]*"mine" is not known/,
		q{TRUNCATE pgpubsub.notification; ALTER TABLE pgpubsub.notification ADD COLUMN mine integer NOT NULL}, 'ALTER TABLE pgpubsub.notification DROP COLUMN mine');
	my $index = $sql->(q{SELECT pg_get_indexdef('pgpubsub.notification_due'::regclass)});
	$fails->('a missing index', qr/index "notification_due" of extension "pgpubsub" does not exist\nDETAIL:  .*\nHINT:  Make it again/, 'DROP INDEX pgpubsub.notification_due', $index);
	$fails->('an index of another form', qr/index "notification_due" of extension "pgpubsub" is not of the form/,
		'DROP INDEX pgpubsub.notification_due; CREATE INDEX notification_due ON pgpubsub.notification (payload)', "DROP INDEX pgpubsub.notification_due; $index");
	my $ready = $sql->(q{SELECT pg_get_indexdef('pgpubsub.notification_ready'::regclass)});
	my %changes = (
		'in another order' => sub { s/ DESC// }, 'without its condition' => sub { s/ WHERE .*// },
		'of another kind' => sub { s/btree(.*) DESC(.*) WITH [^)]*[)]/brin$1$2/ });
	foreach my $what (sort keys %changes) {
		my $changed = $ready;
		$changes{$what}->() or die $_ foreach $changed;
		$fails->("an index $what", qr/index "notification_ready" of extension "pgpubsub" is not of the form/,
			"DROP INDEX pgpubsub.notification_ready; $changed", "DROP INDEX pgpubsub.notification_ready; $ready");
	}
	$fails->('a column of another type', qr/table "notification" of extension "pgpubsub" is not of the form[^\n]*\nDETAIL:  [^\n]*"order_key" is of type text instead of bigint/,
		'ALTER TABLE pgpubsub.notification ALTER COLUMN order_key TYPE text', 'ALTER TABLE pgpubsub.notification ALTER COLUMN order_key TYPE bigint USING order_key::bigint');
	$fails->('an index that was not built to its end', qr/index "notification_due" of extension "pgpubsub" is not valid\nDETAIL:  [^\n]*\nHINT:  .*REINDEX INDEX pgpubsub.notification_due/,
		q{UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'pgpubsub.notification_due'::regclass}, 'REINDEX INDEX pgpubsub.notification_due');
	$node->stop;
}
done_testing();
