# Where there is a worker, it makes the channel that a capture uses first: the writers don't wait for each other, whatever becomes of
# them. Transactions that stay open are prepared ones here. A simpler test can't show it: it needs a worker.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use WakeupTest;

my $node = start_preloaded('first_use', "max_prepared_transactions = 10\nstatement_timeout = 60s\n");
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
sub channels { return sql(q{SELECT string_agg(name || ' ' || owner::regrole, ', ' ORDER BY name) FROM pgpubsub.channels}) }
has_worker($node, 'postgres', 'there is a worker');

sql(q{
	CREATE ROLE app;
	CREATE TABLE a (x integer);
	CREATE TABLE b (x integer);
	ALTER TABLE a OWNER TO app;
	CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('first');
	CREATE TRIGGER t AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('second');
});

# ---- two transactions, in opposite order ---------------------------------------------------------
sql(q{BEGIN; INSERT INTO a VALUES (1); PREPARE TRANSACTION 'one'});
is(channels(), 'first app', 'the channel is there before its first user commits, and belongs to the owner of the table');
sql(q{BEGIN; INSERT INTO b VALUES (2); INSERT INTO a VALUES (2); PREPARE TRANSACTION 'two'});
pass('a second user does not wait for the first one');
sql(q{INSERT INTO b VALUES (3); INSERT INTO a VALUES (3)});
pass('nor does a third one for both');
sql(q{ROLLBACK PREPARED 'one'});
sql(q{COMMIT PREPARED 'two'});
is(channels(), 'first app, second postgres', 'the channels stay');
is(sql(q{SELECT count(*), min(payload #>> '{new,x}') FROM pgpubsub.take('first', 10)}), '2|2', 'what was rolled back is not in it');
is(sql(q{SELECT count(*) FROM pgpubsub.take('second', 10)}), 2, 'and each other row once');
is(sql('SELECT count(*) FROM pgpubsub.subscription s JOIN pgpubsub.channel c ON c.id = s.channel_id'), 2, 'each with one subscription');

# ---- what the worker can't make, the writer makes ------------------------------------------------
sql(q{
	BEGIN;
	CREATE ROLE fresh;
	CREATE TABLE c (x integer);
	ALTER TABLE c OWNER TO fresh;
	CREATE TRIGGER t AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('third');
	INSERT INTO c VALUES (1);
	COMMIT;
});
is(channels(), 'first app, second postgres, third fresh', 'for a role that only the writer sees');
is(sql(q{SELECT count(*) FROM pgpubsub.take('third', 10)}), 1, 'with what was captured');
sql(q{
	DROP TRIGGER t ON c;
	BEGIN;
	SELECT pgpubsub.drop_channel('third');
	CREATE TRIGGER t AFTER INSERT ON c FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('third');
	INSERT INTO c VALUES (2);
	COMMIT;
});
is(sql(q{SELECT count(*) FROM pgpubsub.take('third', 10)}), 1, 'and where it has just dropped the channel itself');

# a channel that somebody else is making: the writer waits, and uses it
sql(q{BEGIN; SELECT pgpubsub.create_channel('fourth', max_attempts => 7); PREPARE TRANSACTION 'making'});
sql(q{CREATE TRIGGER u AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('fourth')});
my $writer = background({}, 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'INSERT INTO b VALUES (4)');
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO b%'}),
	'a writer waits for who is making the channel');
my $worker = worker_pid($node, 'postgres');
sql(q{INSERT INTO a VALUES (5)});
sql(q{COMMIT PREPARED 'making'});
is(wait_for_exit($writer), 0, 'and goes on');
is(sql(q{SELECT max_attempts FROM pgpubsub.subscriptions WHERE channel = 'fourth'}), 7, 'with the one that was made');

# ---- a worker that does not answer ---------------------------------------------------------------
sql(q{CREATE TRIGGER u AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('fifth')});
kill STOP => $worker;
sql(q{INSERT INTO a VALUES (6)});
is(sql(q{SELECT count(*) FROM pgpubsub.take('fifth', 10)}), 1, 'the writer makes the channel while the worker is stopped');
kill CONT => $worker;
sql(q{CREATE TRIGGER v AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('sixth')});
sql(q{BEGIN; INSERT INTO a VALUES (7); ROLLBACK});
eventually(sub { channels() =~ /sixth app/ }, 'the worker goes on');
is(worker_pid($node, 'postgres'), $worker, 'it is the same one');
is(sql('SELECT last_error IS NULL FROM pgpubsub.stat_wakeup'), 't', 'without an error');

# ---- a channel that the worker fails at ----------------------------------------------------------
sql(q{CREATE FUNCTION public.not_by_worker(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN
	IF EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid() AND backend_type = 'pgpubsub worker') THEN
		RAISE EXCEPTION 'not by the worker';
	END IF;
	RETURN $1;
END $$});
sql(q{CREATE INDEX theirs ON pgpubsub.channel (public.not_by_worker(name))});
sql(q{CREATE TRIGGER w AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('seventh')});
sql(q{INSERT INTO a VALUES (8)});
is(sql(q{SELECT count(*) FROM pgpubsub.take('seventh', 10)}), 1, 'the writer makes the channel that the worker fails at');
like(sql('SELECT last_error FROM pgpubsub.stat_wakeup'), qr/not by the worker/, 'it did fail');
sql(q{DROP INDEX pgpubsub.theirs; DROP TRIGGER w ON a; SELECT pgpubsub.drop_channel('seventh')});
sql(q{CREATE TRIGGER w AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('eighth')});
eventually(sub { sql(q{BEGIN; INSERT INTO a VALUES (9); ROLLBACK}); channels() =~ /eighth app/ }, 'it goes on with another one');
unlike(channels(), qr/seventh/, 'and does not try again what nobody waits for');

# ---- rights of roles that are gone ---------------------------------------------------------------
sql(q{INSERT INTO pgpubsub.channel_privilege SELECT id, 987654321, 'publish' FROM pgpubsub.channel WHERE name = 'first'});
$node->restart;
query_is($node, q{SELECT count(*) FROM pgpubsub.channel_privilege WHERE grantee = 987654321}, '0', 'the worker removes the right of a role that is gone');

$node->stop;
done_testing();
