# What pg_dump carries over: channels, rights, waiting notifications with their state, and the numbering.
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
	SELECT pgpubsub.publish('media "1"', '{"later": true}', deliver_at => '2100-01-01 00:00+00', priority => 3);
	SELECT pgpubsub.create_channel('other');
	SELECT pgpubsub.grant_channel('media "1"', 'app', 'consume');
	SELECT pgpubsub.grant_channel('other', 'dropped', 'publish');
	DROP OWNED BY dropped;
	DROP ROLE dropped;
});
my $receipt = $old->safe_psql('shop', q{SELECT receipt FROM pgpubsub.claim('media "1"', 1, '1 hour')});
my $state = q{SELECT id, channel, md5(payload::text), state, priority, attempts, due_at, created_at FROM pgpubsub.notifications ORDER BY id};
my $rights = q{SELECT channel, role, privilege FROM pgpubsub.channel_privileges ORDER BY 1, 2, 3};
my $expected = $old->safe_psql('shop', $state);
is(scalar(split /\n/, $expected), 3, 'three notifications wait');

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$old->command_ok([ 'pg_dump', '--format=custom', "--file=$dump", $old->connstr('shop') ], 'the database is dumped');

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
$new->start;
$new->safe_psql('postgres', 'CREATE ROLE filler; CREATE ROLE app LOGIN; CREATE DATABASE shop');
$new->command_ok([ 'pg_restore', '--exit-on-error', '--dbname=' . $new->connstr('shop'), $dump ], 'and restored elsewhere');

is($new->safe_psql('shop', $state), $expected, 'the notifications are as they were');
is($new->safe_psql('shop', $rights), $old->safe_psql('shop', "SELECT * FROM ($rights) r WHERE role::text !~ '^[0-9]'"),
	'the rights too, but those of a role that is gone');
is($new->safe_psql('shop', "SELECT pgpubsub.ack(ARRAY['$receipt'])"), '1', 'a receipt from before still counts');

$new->safe_psql('shop', q{INSERT INTO media VALUES (3, 'captured in the new place')});
is($new->safe_psql('shop', q{SELECT max(id) > 3 AND count(*) = count(DISTINCT id) FROM pgpubsub.notifications}), 't',
	'ids go on where they were');
$new->safe_psql('shop', q{SELECT pgpubsub.create_channel('third')});
is($new->safe_psql('shop', q{SELECT count(DISTINCT id) FROM pgpubsub.channel}), '3', 'channel ids too');
is($new->safe_psql('shop', q{SELECT string_agg(payload #>> '{new,id}', ',' ORDER BY id) FROM pgpubsub.take('media "1"', 10)},
		extra_params => [ '-U', 'app' ]), '2,3', 'the role with the right consumes');
my ($status, undef, $error) = $new->psql('shop', q{SELECT * FROM pgpubsub.take('other')}, extra_params => [ '-U', 'app' ]);
like($error, qr/permission denied for channel "other"/, 'and only what it may');

# A cluster that lacks the role loses the right, and nothing else.
my $bare = PostgreSQL::Test::Cluster->new('bare');
$bare->init;
$bare->start;
$bare->safe_psql('postgres', 'CREATE DATABASE shop');
my ($out, $err) = ('', '');
IPC::Run::run([ 'pg_restore', '--dbname=' . $bare->connstr('shop'), $dump ], '>', \$out, '2>', \$err);
like($err, qr/role "app" does not exist/, 'a missing role is told of');
is($bare->safe_psql('shop', $state), $expected, 'the notifications are all there');

$_->stop foreach ($old, $new, $bare);
done_testing();
