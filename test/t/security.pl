# Whatever else is in a database, the extension's objects are its members: a schema that took the old name of the extension's is neither
# read nor written, by no session and not by the worker, and nothing that a stranger planted there runs with more rights than the stranger has.
# An index that a table's owner has added runs as that owner.
#
# The worker, which is a superuser, is what makes it a matter of rights; so this needs a server that preloads the library, and, for all
# else, one that does not.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use WakeupTest;

# What any user can read: the tables and indexes of the extension's script.
my $script = "$ENV{PGPUBSUB_ROOT}/extension/sql/tables.sql";
my ($tables) = text_of($script) =~ /^(CREATE SEQUENCE pgpubsub\.channel_id_seq.*?)^SELECT pg_catalog\.pg_extension_config_dump/ms;
ok($tables, "the tables of $script");

# A stranger's schema of the same name and form. Each insert into it, and each look at its rows, would run the stranger's code.
my $plant = qq{
	SET ROLE stranger;
	CREATE SCHEMA pgpubsub;
	$tables
	CREATE FUNCTION pgpubsub.climb() RETURNS void LANGUAGE plpgsql AS
		'BEGIN ALTER ROLE stranger SUPERUSER; EXCEPTION WHEN insufficient_privilege THEN NULL; END';
	CREATE FUNCTION pgpubsub.evil(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pgpubsub.climb(); RETURN \$1; END';
	CREATE FUNCTION pgpubsub.evil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pgpubsub.evil(1); RETURN NULL; END';
	CREATE FUNCTION pgpubsub.capture() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pgpubsub.evil(1); RETURN NULL; END';
	CREATE FUNCTION pgpubsub.capture_filter(condition boolean DEFAULT NULL, columns record DEFAULT NULL, payload record DEFAULT NULL,
		key record DEFAULT NULL) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pgpubsub.evil(1); RETURN true; END';
	CREATE FUNCTION pgpubsub.publish(channel text, payload jsonb, key text DEFAULT NULL, headers jsonb DEFAULT NULL, deliver_at timestamptz DEFAULT NULL,
		priority integer DEFAULT 0, dedup_key text DEFAULT NULL, replace boolean DEFAULT false) RETURNS bigint LANGUAGE sql AS 'SELECT pgpubsub.evil(1)';
	INSERT INTO pgpubsub.channel SELECT i, 'jobs' || i, 'queue', false, NULL, now() FROM generate_series(1, 50) i;
	INSERT INTO pgpubsub.channel VALUES (51, 'jobs', 'queue', false, NULL, now());
	INSERT INTO pgpubsub.channel_privilege VALUES (51, 'stranger', 'owner');
	INSERT INTO pgpubsub.subscription SELECT i, i, 'default', false, 20, '1 s', 2, '1 h', 0.1, '1 h', NULL, now() FROM generate_series(1, 51) i;
	INSERT INTO pgpubsub.notification (id, created_at, subscription_id, priority, attempts, payload, due_at, lease_token, lease_owner)
		SELECT i, now(), i, 0, 1, '"planted"', now() + '1 h', 1, 1 FROM generate_series(1, 51) i;
	INSERT INTO pgpubsub.notification (id, created_at, subscription_id, priority, attempts, payload)
		SELECT i, now(), 51, 0, 0, '"planted"' FROM generate_series(101, 150) i;
	CREATE INDEX evil ON pgpubsub.notification (pgpubsub.evil(id));
	CREATE INDEX evil_place ON pgpubsub.processed (pgpubsub.evil(id));
	CREATE INDEX evil_letter ON pgpubsub.dead_letter (pgpubsub.evil(id));
	CREATE TRIGGER evil AFTER INSERT OR UPDATE OR DELETE ON pgpubsub.channel FOR EACH ROW EXECUTE FUNCTION pgpubsub.evil();
	CREATE TRIGGER evil AFTER INSERT OR UPDATE OR DELETE ON pgpubsub.subscription FOR EACH ROW EXECUTE FUNCTION pgpubsub.evil();
	CREATE TRIGGER evil AFTER INSERT OR UPDATE OR DELETE ON pgpubsub.channel_privilege FOR EACH ROW EXECUTE FUNCTION pgpubsub.evil();
	RESET ROLE;
};

# All rows of the stranger's tables, with the transactions that made and changed them; and what somebody else was granted there.
my $planted = q{
	SELECT string_agg(line, E'\n' ORDER BY line) FROM (
		SELECT 'channel ' || ctid || xmin || ' ' || xmax || t::text FROM pgpubsub.channel t
		UNION ALL SELECT 'subscription ' || ctid || xmin || ' ' || xmax || t::text FROM pgpubsub.subscription t
		UNION ALL SELECT 'privilege ' || ctid || xmin || ' ' || xmax || t::text FROM pgpubsub.channel_privilege t
		UNION ALL SELECT 'notification ' || ctid || xmin || ' ' || xmax || t::text FROM pgpubsub.notification t
		UNION ALL SELECT 'dead letter ' || ctid || t::text FROM pgpubsub.dead_letter t
		UNION ALL SELECT 'processed ' || ctid || t::text FROM pgpubsub.processed t
		UNION ALL SELECT 'broadcast ' || ctid || t::text FROM pgpubsub.broadcast t
		UNION ALL SELECT 'count ' || ctid || t::text FROM pgpubsub.stat_count t
		UNION ALL SELECT 'sequence ' || last_value || is_called FROM pgpubsub.notification_id_seq
		UNION ALL SELECT 'function ' || oid::regprocedure || coalesce(proacl::text, '') FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace
		UNION ALL SELECT 'relation ' || oid::regclass || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'pgpubsub'::regnamespace
		UNION ALL SELECT 'schema ' || nspname || coalesce(nspacl::text, '') FROM pg_namespace WHERE nspname = 'pgpubsub'
	) x(line)};

my $plain = PostgreSQL::Test::Cluster->new('plain');
$plain->init;
$plain->start;
$plain->safe_psql('postgres', 'CREATE EXTENSION pgpubsub');
try_all('without preload', $plain, 0);
$plain->stop;
my $preloaded = start_preloaded('preloaded');
try_all('with the library preloaded', $preloaded, 1);
$preloaded->stop;
done_testing();

sub try_all
{
	my ($where, $node, $has_worker) = @_;
	my $sql = sub { return $node->safe_psql('postgres', 'SET client_min_messages = warning;' . $_[0]) };
	my $unchanged = sub {
		my ($what) = @_;
		is($sql->(q{SELECT rolsuper FROM pg_roles WHERE rolname = 'stranger'}), 'f', "$where, $what: the stranger is who it was");
		return;
	};

	$sql->(q{
		CREATE ROLE stranger; CREATE ROLE app LOGIN; GRANT CREATE ON DATABASE postgres TO stranger; GRANT CREATE ON SCHEMA public TO app;
		CREATE TABLE item (id integer PRIMARY KEY, v text);
		SELECT pgpubsub.create_channel('jobs', history => '1 h'), pgpubsub.create_channel('news', 'broadcast');
		SELECT pgpubsub.attach('item', 'jobs', condition => 'NEW.id > 0');
		ALTER SCHEMA pgpubsub RENAME TO mq;
	});

	# Under its new name, with nothing under the old one.
	my $use = q{
		INSERT INTO item VALUES (nextval('item_id'), 'captured');
		SELECT mq.publish('jobs', '"published"') > 0;
		SELECT mq.publish('news', to_jsonb(repeat('x', 10000))) > 0;
		SELECT string_agg(coalesce(payload #>> '{new,v}', payload #>> '{}'), ' ' ORDER BY id) FROM mq.take('jobs', 100);
		SELECT mq.publish('jobs', '"poison"') > 0;
		SELECT mq.nack(array_agg(receipt), reject => true) FROM mq.claim('jobs', 100);
		SELECT mq.redrive('jobs');
		SELECT mq.ack(array_agg(receipt)) FROM mq.claim('jobs', 100);
		SELECT mq.recover('jobs') >= 0;
		SELECT processed_at IS NOT NULL, payload FROM mq.history ORDER BY processed_at DESC LIMIT 1;
		CREATE TABLE other (id integer PRIMARY KEY, v text);
		SELECT mq.attach('other', 'others', columns => '{v}', condition => 'NEW.v <> OLD.v'), mq.attach('other', 'others', '{insert}');
		INSERT INTO other VALUES (1, 'x');
		SELECT payload #>> '{new,v}' FROM mq.take('others');
		SELECT "table", channel, filter_lost FROM mq.attachments ORDER BY 1;
		SELECT mq.detach('other', 'others');
		DROP TABLE other;
		SELECT channel, ready, dead FROM mq.stat_channels ORDER BY 1;
		SELECT mode <> '' FROM mq.stat_wakeup;
	};
	my $expected = join "\n", 't', 't', 'captured published', 't', 1, 1, 1, 't', 't|"poison"', '|', 'x', "item|jobs|f\nother|others|f", '', 'jobs|0|0', 'others|0|0', 't';
	$sql->('CREATE SEQUENCE item_id');
	is($sql->($use), $expected, "$where: everything works after the schema was renamed");

	$sql->($plant);
	my $before = $sql->($planted);
	$unchanged->('planted');
	is($sql->($use), $expected, "$where: and still while a stranger has a schema of the old name");
	my $error;
	isnt($node->psql('postgres', q{SELECT mq.attach('mq.notification', 'jobs')}, stderr => \$error), 0, "$where: a private table can't be attached");
	like($error, qr/cannot capture changes of "notification": it belongs to pgpubsub itself/, 'and that is why');
	$sql->('SELECT mq.compact(); DROP EXTENSION IF EXISTS nosuch');
	$unchanged->('after all that a superuser does');
	ok($node->poll_query_until('postgres', q{SELECT pg_stat_get_vacuum_count('mq.notification'::regclass) > 0}), "$where: the table is vacuumed under its new name");
	is($sql->(q{SELECT pg_stat_get_vacuum_count('pgpubsub.notification'::regclass)}), 0, "$where: and the stranger's is not");

	if ($has_worker)
	{
		has_worker($node, 'postgres', "$where: there is a worker");
		my $worker = worker_pid($node, 'postgres');
		$sql->("SELECT pg_terminate_backend($worker)");
		has_worker($node, 'postgres', "$where: another worker, which looks for the extension anew", $worker);
		my $listener = listener($node, 'postgres', 'jobs');
		$sql->(q{SELECT mq.publish('jobs', '"lost"')});
		hears($listener, 'jobs', "$where: it wakes");
		# A session that ends with a lease in hand: the worker looks for it among all leases.
		$sql->(q{SELECT FROM mq.claim('jobs')});
		ok($node->poll_query_until('postgres', q{SELECT payload #>> '{}' FROM mq.take('jobs')}, 'lost'), "$where: it releases the leases of sessions that are gone");
		end_probe($listener);
		$unchanged->('after the worker');
		ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'pgpubsub storage'}), "$where: nothing is being packed");
	}
	is($sql->($planted), $before, "$where: nothing of the stranger's was read, written or granted");

	# What a session does at the end of a transaction, when the extension is gone.
	$sql->(q{BEGIN; SELECT mq.publish('jobs', '1'); SELECT FROM mq.claim('jobs'); DROP EXTENSION pgpubsub CASCADE; COMMIT});
	$unchanged->('after the extension is gone');
	is($sql->($planted), $before, "$where: with the extension gone, the stranger's schema is still nobody else's");
	$sql->('DROP SCHEMA pgpubsub CASCADE; DROP TABLE item');

	# An index that the table's owner has added, once the table is not a superuser's any more.
	$sql->(q{
		CREATE EXTENSION pgpubsub;
		ALTER TABLE pgpubsub.notification OWNER TO stranger;
		ALTER TABLE pgpubsub.processed OWNER TO stranger;
		GRANT USAGE, CREATE ON SCHEMA pgpubsub TO stranger;
		CREATE TABLE seen (who name, path text);
		GRANT INSERT ON seen TO PUBLIC;
		SET ROLE stranger;
		CREATE FUNCTION pgpubsub.note() RETURNS void LANGUAGE plpgsql AS $$
			BEGIN
				INSERT INTO public.seen VALUES (current_user, pg_catalog.current_setting('search_path'));
				BEGIN
					ALTER ROLE stranger SUPERUSER;
				EXCEPTION WHEN insufficient_privilege THEN
				END;
			END $$;
		CREATE FUNCTION pgpubsub.seen(bigint) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pgpubsub.note(); RETURN $1; END';
		CREATE INDEX seen ON pgpubsub.notification (pgpubsub.seen(id));
		CREATE INDEX seen_where ON pgpubsub.processed (id) WHERE pgpubsub.seen(id) > 0;
		RESET ROLE;
		SELECT pgpubsub.create_channel('jobs', history => '1 h');
		TRUNCATE seen;
		SELECT pgpubsub.publish('jobs', '1');
		SELECT FROM pgpubsub.take('jobs');
	});
	is($sql->('SELECT count(*) >= 2, min(who), max(who), min(path), max(path) FROM seen'), 't|stranger|stranger|pg_catalog, pg_temp|pg_catalog, pg_temp',
		"$where: an index that a table's owner has added is evaluated as the owner");
	if ($has_worker)
	{
		$sql->(q{TRUNCATE seen; SELECT pgpubsub.publish('jobs', '2'); SELECT FROM pgpubsub.claim('jobs')});
		ok($node->poll_query_until('postgres', q{SELECT payload FROM pgpubsub.take('jobs')}, '2'), "$where: by the worker too");
		is($sql->('SELECT count(*) >= 3, min(who), max(who) FROM seen'), 't|stranger|stranger', "$where: which has no rights for it");
	}
	$unchanged->('after an index of its own');
	return;
}
