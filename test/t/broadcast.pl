# What those who listen on a broadcast channel receive, with nothing but LISTEN: each its copy of each broadcast, in commit order.
#
# psql tells of a notification with the number of a server process, and only after a command; so this is not a script of pg_regress.
# The listeners here are psql sessions that run another psql (\!) while they listen, and then one more command.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('broadcast');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 4\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('News "1"', 'broadcast');
	CREATE TABLE media (id integer, name text);
	SELECT pgpubsub.attach('media', 'News "1"');
	CREATE ROLE nobody LOGIN;
});

my $folder = PostgreSQL::Test::Utils::tempdir();
my $psql = 'psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 ' . "--dbname='" . $node->connstr('postgres') . "'";

# A file with the commands, and the shell command that runs it.
my $files = 0;
sub script
{
	my ($sql) = @_;
	my $file = "$folder/" . ++$files . '.sql';
	append_to_file($file, $sql);
	return "$psql --file=$file";
}

# What one who listens receives while the command runs: for each, the payload of NOTIFY.
sub listener
{
	my ($command) = @_;
	return qq{LISTEN "News ""1""";\n\\! $command\nSELECT 1 \\g $folder/ignored\n};
}

sub received
{
	my ($output) = @_;
	return [ $output =~ /^Asynchronous notification "News "1"" with payload "(.*)" received from/mg ];
}

sub listened
{
	my ($command) = @_;
	my ($out, $err) = run_command([ 'sh', '-c', script(listener($command)) ]);
	is($err, '', 'no error');
	return received($out);
}

# Members of an envelope, by way of the server's own JSON.
sub members
{
	my ($envelope, @names) = @_;
	my $text = $envelope =~ s/'/''/gr;
	return $node->safe_psql('postgres', 'SELECT ' . join(', ', map { "j -> '$_'" } @names) . " FROM (SELECT '$text'::jsonb AS j) e");
}

# The envelope says what it is, and has all that was published.
my $publish = script(q{SELECT pgpubsub.publish('News "1"', '{"n": 1}', key => 'k', headers => '{"h": 1}') \g /dev/null});
my $got = listened($publish);
is(scalar(@$got), 1, 'one broadcast, one notification');
is(members($got->[0], qw(pgpubsub channel key headers payload)), '"broadcast"|"News \"1\""|"k"|{"h": 1}|{"n": 1}', 'the envelope has it all');
like(members($got->[0], 'id'), qr/^\d+$/, 'with an id');
is($node->safe_psql('postgres', "SELECT now() - ('" . $got->[0] . "'::jsonb ->> 'created_at')::timestamptz BETWEEN '0' AND '1 hour'"), 't', 'and its time');

# Each of two listeners gets each, identical ones in one transaction too.
my $three = script(q{
	BEGIN;
	SELECT pgpubsub.publish('News "1"', '"same"') \g /dev/null
	SELECT pgpubsub.publish('News "1"', '"same"') \g /dev/null
	SELECT pgpubsub.publish_batch('News "1"', '{1,1}'::text[]::jsonb[]) \g /dev/null
	COMMIT;
});
my ($outer, $err) = run_command([ 'sh', '-c', script(listener(script(listener($three)) . " >$folder/inner")) ]);
is($err, '', 'no error');
my $inner = received(slurp_file("$folder/inner"));
is(scalar(@$inner), 4, 'identical ones are not collapsed');
is_deeply(received($outer), $inner, 'and reach the other listener likewise');

# In the order of the commits.
my $second = script(q{SELECT pgpubsub.publish('News "1"', '"committed first"') \g /dev/null});
$got = listened(script(qq{
	BEGIN;
	SELECT pgpubsub.publish('News "1"', '"published first"') \\g /dev/null
	\\! $second
	COMMIT;
}));
is(join(' ', map { members($_, 'payload') } @$got), '"committed first" "published first"', 'commit order');

# What rolls back is not heard of, a sub-transaction alone too.
$got = listened(script(q{
	BEGIN;
	SELECT pgpubsub.publish('News "1"', '"undone"') \g /dev/null
	ROLLBACK;
	BEGIN;
	SELECT pgpubsub.publish('News "1"', '"kept"') \g /dev/null
	SAVEPOINT s;
	SELECT pgpubsub.publish('News "1"', '"undone"') \g /dev/null
	ROLLBACK TO s;
	COMMIT;
}));
is(join(' ', map { members($_, 'payload') } @$got), '"kept"', 'nothing of what was rolled back');

# The largest that fits goes with NOTIFY; one byte more, and there is a reference. All in one transaction: the rest of
# the envelope has the same size then.
$got = listened(script(q{
	SELECT setval('pgpubsub.notification_id_seq', 1000000) \g /dev/null
	BEGIN;
	SELECT pgpubsub.publish('News "1"', to_jsonb(repeat('x', 9000))) AS id \gset
	SELECT 7999 - octet_length((pgpubsub.read_broadcast('News "1"', :id) || '{"payload": ""}')::text) AS room \gset
	SELECT pgpubsub.publish('News "1"', to_jsonb(repeat('x', :room))) \g /dev/null
	SELECT pgpubsub.publish('News "1"', to_jsonb(repeat('x', :room + 1))) \g /dev/null
	SELECT pgpubsub.publish('News "1"', to_jsonb(repeat('é', :room / 2))) \g /dev/null
	SELECT pgpubsub.publish('News "1"', to_jsonb(repeat('é', :room / 2 + 1))) \g /dev/null
	COMMIT;
}));
is(join(' ', map { members($_, 'pgpubsub') } @$got), '"reference" "broadcast" "reference" "broadcast" "reference"', 'by size, in bytes');
is(length($got->[1]), 7999, 'up to 7999 bytes');
is(members($got->[2], qw(channel payload)), '"News \"1\""|', 'a reference names its channel, and has no payload');
my $id = members($got->[2], 'id');
is($node->safe_psql('postgres', qq{SELECT octet_length(e::text), e ->> 'pgpubsub', (e ->> 'id')::bigint = $id FROM pgpubsub.read_broadcast('News "1"', $id) e}),
	'8000|broadcast|t', 'read_broadcast() gives the whole envelope');

# Captured changes, of any size.
$got = listened(script(q{INSERT INTO media VALUES (1, 'small'), (2, repeat('x', 100000))}));
is(members($got->[0], 'payload') =~ s/"context": .*//r, '{"op": "insert", "new": {"id": 1, "name": "small"}, "old": null, "table": "media", "schema": "public", ', 'a captured change')
  or diag($got->[0]);
is(members($got->[1], 'pgpubsub'), '"reference"', 'a large one by reference');
$id = members($got->[1], 'id');
is($node->safe_psql('postgres', qq{SELECT length(pgpubsub.read_broadcast('News "1"', $id) #>> '{payload,new,name}')}), '100000', 'and whole');

# NOTIFY is part of the transaction; so PostgreSQL refuses to prepare one that broadcast.
my (undef, undef, $stderr) = $node->psql('postgres', q{
	BEGIN;
	SELECT pgpubsub.publish('News "1"', '1');
	PREPARE TRANSACTION 'x';
});
like($stderr, qr/cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY/, 'a broadcast is not prepared');

$node->stop;
done_testing();
