# What pg_dump carries over, and what a restart leaves: channels with their settings, subscriptions, rights, waiting notifications
# with their state and their order, dead letters, history, stored broadcasts, and the numbering.
#
# Only a dump that is restored into another cluster shows this; in the same cluster the roles would be there anyway.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->start;
$old->safe_psql('postgres', q{
	CREATE ROLE app LOGIN;
	CREATE ROLE dropped;
	CREATE DATABASE shop;
});
$old->safe_psql('shop', q{
	CREATE EXTENSION pgpubsub;
	CREATE TABLE media (id integer PRIMARY KEY, name text);
	SELECT pgpubsub.attach('media', 'media "1"');
	INSERT INTO media VALUES (1, 'é'), (2, repeat('x', 100000));
	SELECT pgpubsub.publish('media "1"', '{"later": true}', deliver_at => '2100-01-01 00:00+00', priority => 3, dedup_key => 'only one');
	SELECT pgpubsub.create_channel('other');
	SELECT pgpubsub.grant_channel('media "1"', 'app', 'consume');
	SELECT pgpubsub.grant_channel('other', 'dropped', 'publish');
	DROP OWNED BY dropped;
	DROP ROLE dropped;
});
my $receipt = $old->safe_psql('shop', q{SELECT receipt FROM pgpubsub.claim('media "1"', 1, '1 hour')});

# Ordered: a1 waits for its next attempt and blocks a2; b1 is leased, and blocks b2; c1 and c2 are ready.
$old->safe_psql('shop', q{
	SELECT pgpubsub.create_channel('ordered', ordered => true, max_attempts => 4, backoff_base => '1 day', backoff_factor => 3, backoff_max => '30 days', backoff_jitter => 0);
	SELECT pgpubsub.publish('ordered', to_jsonb(item), key => left(item, 1)) FROM unnest('{a1,b1,a2}'::text[]) item;
	SELECT pgpubsub.nack(array_agg(receipt) FILTER (WHERE payload = '"a1"'), error => 'failed once') FROM pgpubsub.claim('ordered', 2, '1 hour');
	SELECT pgpubsub.publish('ordered', to_jsonb(item), key => left(item, 1)) FROM unnest('{b2,c1,c2}'::text[]) item;
});

# Attachments: of all settings, of a partitioned table, and one that is disabled. What they name is in a schema that is in no search_path.
$old->safe_psql('shop', q{
	CREATE SCHEMA store;
	CREATE FUNCTION store.is_dear(numeric) RETURNS boolean LANGUAGE sql AS 'SELECT $1 > 100';
	CREATE TABLE store.product (id integer PRIMARY KEY, gone integer, "Name" text, price numeric, secret text);
	ALTER TABLE store.product DROP COLUMN gone;
	CREATE TABLE store.parted (id integer, name text) PARTITION BY RANGE (id);
	CREATE TABLE store.parted_low (name text, id integer);
	ALTER TABLE store.parted ATTACH PARTITION store.parted_low FOR VALUES FROM (0) TO (10);
	SET search_path = store;
	SELECT pgpubsub.attach('product', 'it''s "new"', '{update,truncate}', columns => '{price,"Name"}', condition => 'is_dear(NEW.price) IS DISTINCT FROM is_dear(OLD.price) -- or not',
		payload => 'changed', payload_columns => '{id,price,"Name"}', key_columns => '{"Name",id}', always => true);
	SELECT pgpubsub.attach('product', 'other', payload => 'key');
	SELECT pgpubsub.attach('parted', 'other', columns => '{name}', key_columns => '{id}');
	SELECT pgpubsub.attach('product', repeat('x', 63), '{insert}', condition => 'NEW IS NOT NULL');
	ALTER TABLE product DISABLE TRIGGER pgpubsub_other_delete;
});

# Settings that differ from the defaults, a paused subscription, one with a filter, one that was made again.
$old->safe_psql('shop', q{
	SELECT pgpubsub.create_channel('fan-out', history => '100 years');
	SELECT pgpubsub.subscribe('fan-out', 'paused', max_attempts => 0);
	SELECT pgpubsub.subscribe('fan-out', 'filtered', filter => '{"level": "error"}', backoff_jitter => 1);
	SELECT pgpubsub.unsubscribe('fan-out', 'default');
	SELECT pgpubsub.subscribe('fan-out', 'default', history => '100 years');
	SELECT pgpubsub.publish('fan-out', '{"level": "error"}'), pgpubsub.publish('fan-out', '{"level": "info"}');
	SELECT pgpubsub.take('fan-out');
	SELECT pgpubsub.nack(array_agg(receipt), error => 'no good', reject => true) FROM pgpubsub.claim('fan-out', subscription => 'filtered');
	SELECT pgpubsub.pause_channel('fan-out', 'paused');
	SELECT pgpubsub.create_channel('loud', 'broadcast', retention => '100 years');
	SELECT pgpubsub.publish('loud', to_jsonb(repeat('x', 10000)));
});

my $state = q{SELECT id, channel, subscription, md5(payload::text), key, state, priority, attempts, due_at, created_at, dedup_key, last_error
                FROM pgpubsub.notifications ORDER BY id, subscription};
my $settings = q{SELECT * FROM pgpubsub.channels LEFT JOIN pgpubsub.subscriptions ON channel = name ORDER BY name, subscription};
my $archives = q{
	SELECT * FROM pgpubsub.dead_letters ORDER BY id;
	SELECT * FROM pgpubsub.history ORDER BY id;
	SELECT c.name, b.id, md5(envelope::text), expires_at FROM pgpubsub.broadcast b JOIN pgpubsub.channel c ON c.id = channel_id ORDER BY b.id;
};
my $rights = q{SELECT channel, role, privilege FROM pgpubsub.channel_privileges ORDER BY 1, 2, 3};
my $attachments = q{SELECT * FROM pgpubsub.attachments ORDER BY "table"::text, channel};
my %expected = map { $_ => $old->safe_psql('shop', $_) } ($state, $settings, $archives, $attachments);
is(scalar(split /\n/, $expected{$attachments}), 5, 'five attachments');
is(scalar(split /\n/, $expected{$state}), 12, 'twelve notifications wait');
is(scalar(split /\n/, $expected{$archives}), 3, 'a dead letter, one of the past and a broadcast are kept');
is($old->safe_psql('shop', q{SELECT string_agg(format('%s/%s', channel, subscription), ' ' ORDER BY channel, subscription) FROM (SELECT channel, subscription FROM pgpubsub.subscriptions WHERE paused) s}),
	'fan-out/paused', 'one subscription is paused');

sub as_it_was
{
	my ($node, $when) = @_;
	is($node->safe_psql('shop', $state), $expected{$state}, "$when: the notifications are as they were");
	is($node->safe_psql('shop', $settings), $expected{$settings}, "$when: the settings too");
	is($node->safe_psql('shop', $archives), $expected{$archives}, "$when: dead letters, history and broadcasts too");
	is($node->safe_psql('shop', $attachments), $expected{$attachments}, "$when: and the attachments");
}

# What can be had, and what blocks what; tried and rolled back.
sub works
{
	my ($node, $when) = @_;
	is($node->safe_psql('shop', q{BEGIN; SELECT payload FROM pgpubsub.take('ordered', 10); ROLLBACK}), qq{"c1"\n"c2"}, "$when: what waits or is leased blocks its key");
	is($node->safe_psql('shop', q{BEGIN; UPDATE pgpubsub.notification SET due_at = now() - interval '1 s' WHERE due_at IS NOT NULL;
		SELECT string_agg(payload #>> '{}', ' ' ORDER BY key, n) FROM pgpubsub.take('ordered', 10) WITH ORDINALITY AS t(id, channel, payload, key, h, c, d, p, a, v, n); ROLLBACK}),
		'a1 a2 b1 b2 c1 c2', "$when: each key is in its order");
	is($node->safe_psql('shop', q{SELECT count(*) FROM pgpubsub.take('fan-out', 10, 'paused')}), '0', "$when: the pause lasts");
	is($node->safe_psql('shop', q{BEGIN; SELECT pgpubsub.publish('media "1"', '{"other": true}', dedup_key => 'only one') = id FROM pgpubsub.notifications WHERE dedup_key = 'only one'; ROLLBACK}),
		't', "$when: a dedup_key still counts");
	is($node->safe_psql('shop', q{SELECT length(pgpubsub.read_broadcast('loud', id) ->> 'payload') FROM pgpubsub.broadcast}), '10000', "$when: a broadcast can be read");
}

works($old, 'before');
$old->restart;
as_it_was($old, 'restarted');
works($old, 'restarted');
$old->stop('immediate');
$old->start;
as_it_was($old, 'after a crash');
works($old, 'after a crash');

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$old->command_ok([ 'pg_dump', '--format=custom', "--file=$dump", $old->connstr('shop') ], 'the database is dumped');

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->start;
$new->safe_psql('postgres', 'CREATE ROLE filler; CREATE ROLE app LOGIN; CREATE DATABASE shop');
$new->command_ok([ 'pg_restore', '--exit-on-error', '--dbname=' . $new->connstr('shop'), $dump ], 'and restored elsewhere');

as_it_was($new, 'restored');
works($new, 'restored');
is($new->safe_psql('shop', $rights), $old->safe_psql('shop', "SELECT * FROM ($rights) r WHERE role::text !~ '^[0-9]'"),
	'the rights too, but those of a role that is gone');
is($new->safe_psql('shop', "SELECT pgpubsub.ack(ARRAY['$receipt'])"), '1', 'a receipt from before still counts');

# Ids go on, of all kinds.
my $highest = $old->safe_psql('shop', q{SELECT max(id) FROM (SELECT id FROM pgpubsub.notification UNION ALL SELECT id FROM pgpubsub.broadcast) n});
$new->safe_psql('shop', q{INSERT INTO media VALUES (3, 'captured in the new place')});
is($new->safe_psql('shop', qq{SELECT id > $highest FROM pgpubsub.notifications WHERE payload #>> '{new,id}' = '3'}), 't', 'ids go on where they were');
$new->safe_psql('shop', q{SELECT pgpubsub.create_channel('third'), pgpubsub.subscribe('other', 'second')});
is($new->safe_psql('shop', q{SELECT count(*) = count(DISTINCT id) FROM pgpubsub.channel}), 't', 'channel ids too');
is($new->safe_psql('shop', q{SELECT count(*) = count(DISTINCT id) FROM pgpubsub.subscription}), 't', 'and those of subscriptions');

# Everything still works with what was restored.
is($new->safe_psql('shop', q{SET search_path = store;
		CREATE TEMP TABLE before AS SELECT oid, xmin AS version FROM pg_trigger;
		SELECT pgpubsub.attach('product', 'it''s "new"', '{update,truncate}', columns => '{price,"Name"}', condition => 'is_dear(NEW.price) IS DISTINCT FROM is_dear(OLD.price) -- or not',
			payload => 'changed', payload_columns => '{id,price,"Name"}', key_columns => '{"Name",id}', always => true);
		SELECT count(*) FROM pg_trigger LEFT JOIN before USING (oid) WHERE version IS DISTINCT FROM pg_trigger.xmin}),
	"\n0", 'the same attach() finds nothing to change');
is($new->safe_psql('shop', q{SELECT string_agg(payload #>> '{new,id}', ',' ORDER BY id) FROM pgpubsub.take('media "1"', 10)},
		extra_params => [ '-U', 'app' ]), '2,3', 'the role with the right consumes');
my ($status, undef, $error) = $new->psql('shop', q{SELECT * FROM pgpubsub.take('other')}, extra_params => [ '-U', 'app' ]);
like($error, qr/permission denied for channel "other"/, 'and only what it may');
is($new->safe_psql('shop', q{SELECT pgpubsub.redrive('fan-out', subscription => 'filtered')}), '1', 'a dead letter is redriven');
is($new->safe_psql('shop', q{SELECT payload, attempts FROM pgpubsub.take('fan-out', subscription => 'filtered')}), '{"level": "error"}|1', 'and taken');
is($new->safe_psql('shop', q{
		SELECT pgpubsub.nack(array_agg(receipt)) FROM pgpubsub.claim('ordered');
		SELECT due_at - clock_timestamp() BETWEEN '23 hours' AND '24 hours' FROM pgpubsub.notifications WHERE payload = '"c1"'}), "1\nt", 'the back-off is that of the settings');
is($new->safe_psql('shop', q{
		SELECT pgpubsub.resume_channel('fan-out', 'paused');
		SELECT count(*) FROM pgpubsub.take('fan-out', 10, 'paused')}), "\n2", 'the paused subscription goes on');

# A cluster that lacks the role loses the right, and nothing else.
my $bare = PostgreSQL::Test::Cluster->new('bare');
$bare->init;
$bare->start;
$bare->safe_psql('postgres', 'CREATE DATABASE shop');
my ($out, $err) = ('', '');
IPC::Run::run([ 'pg_restore', '--dbname=' . $bare->connstr('shop'), $dump ], '>', \$out, '2>', \$err);
like($err, qr/role "app" does not exist/, 'a missing role is told of');
is($bare->safe_psql('shop', $state), $expected{$state}, 'the notifications are all there');

$_->stop foreach ($old, $new, $bare);
done_testing();
