# Who could call a function of an earlier release can call what the update puts in its place, and pg_dump carries that. And the
# library serves the functions of the earlier release as they are, before the update.
#
# A regression test can't show it: it would change the extension that all others use, and can't dump.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('upgrade_privileges');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop; CREATE ROLE app LOGIN; CREATE ROLE publisher LOGIN; CREATE ROLE every LOGIN; CREATE ROLE stranger LOGIN');
sub sql { my ($query, $role) = @_; return $node->safe_psql('shop', $query, extra_params => [ '-U', $role // $ENV{PGUSER} // getpwuid($<) ]) }

sql(q{CREATE EXTENSION pgpubsub VERSION '0.1.0';
SELECT pgpubsub.create_channel('jobs', max_attempts => 1);
SELECT pgpubsub.grant_channel('jobs', 'app', 'publish'), pgpubsub.grant_channel('jobs', 'app', 'consume'), pgpubsub.grant_channel('jobs', 'publisher', 'publish');
GRANT USAGE ON SCHEMA pgpubsub TO every;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA pgpubsub TO every;
GRANT EXECUTE ON FUNCTION pgpubsub.take(text, integer, text, jsonb) TO every WITH GRANT OPTION});

# What the functions of 0.1.0 do, with this library.
my $old = q{
SELECT cardinality(pgpubsub.publish_batch('jobs', '{1,2,3,4,5}'));
SELECT payload FROM pgpubsub.take('jobs', 1);
SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('jobs', 1);
SELECT pgpubsub.nack(array_agg(receipt), reject => true) FROM pgpubsub.claim('jobs', 3);
SELECT pgpubsub.redrive('jobs', ids => (SELECT array_agg(id) FROM pgpubsub.dead_letters WHERE payload = '3'));
SELECT pgpubsub.redrive('jobs', filter => '4');
SELECT pgpubsub.purge_dead_letters('jobs', ids => NULL), pgpubsub.purge_dead_letters('jobs', filter => '6', older_than => '1 hour');
SELECT pgpubsub.purge_dead_letters('jobs');
SELECT count(*) FROM pgpubsub.take('jobs', 10);
CALL pgpubsub.recover('jobs', 100)};
my $done = "5\n1\n1\n3\n1\n1\n0|0\n1\n2\n0";
is(sql($old, 'app'), $done, 'the library serves the catalog of 0.1.0');

# The routines of the extension that the role may call, by name.
my $callable = q{SELECT string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
 WHERE p.pronamespace = 'pgpubsub'::regnamespace AND has_function_privilege('%s', p.oid, 'EXECUTE')};
my @roles = qw(app publisher every stranger);
my %before = map { $_ => sql(sprintf $callable, $_) } @roles;
like($before{app}, qr/\bredrive\b.*\btake\b/, 'what the test compares is there');
is($before{stranger}, '', 'and nothing for a stranger');
sql('ALTER EXTENSION pgpubsub UPDATE');

foreach my $role (@roles)
{
	my %new = map { $_ => 1 } split / /, sql(sprintf $callable, $role);
	is(join(' ', grep { !$new{$_} } split / /, $before{$role}), '', "$role may still call what it could");
}
is(sql(sprintf $callable, 'stranger'), '', 'and who could nothing still cannot');
is(sql($old, 'app'), $done, 'and so does the new catalog');
is(sql(q{SELECT has_function_privilege('every', 'pgpubsub.take(text, bigint, text, jsonb)', 'EXECUTE WITH GRANT OPTION')}), 't', 'a grant option stays');
is(sql(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace AND (proname LIKE 'former%' OR proname = 'pass_on_privileges')}), '0', 'nothing of the update is left');

# A dump leaves out what it takes for the extension's own grants.
$node->safe_psql('postgres', 'CREATE DATABASE copy');
my $dump = PostgreSQL::Test::Utils::tempdir() . '/shop.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('shop') ], 'dump');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('copy') ], 'restore');
foreach my $role (@roles)
{
	is($node->safe_psql('copy', sprintf $callable, $role), sql(sprintf $callable, $role), "a restored dump has the rights of $role");
}

# New rights are those of the new functions.
sql(q{SELECT pgpubsub.grant_channel('jobs', 'stranger', 'consume')});
is(sql(sprintf $callable, 'stranger'), sql(sprintf $callable, 'app') =~ s/\b(?:detach|publish|publish_batch) //gr, 'grant_channel() grants the new functions');

# A role can be dropped once its rights are taken, as before.
$node->safe_psql('postgres', 'DROP DATABASE copy');
sql('DROP OWNED BY every; DROP ROLE every');
is(sql(q{SELECT count(*) FROM pg_init_privs WHERE initprivs::text LIKE '%every%' OR initprivs::text LIKE '%app%'}), '0', 'what was granted is not taken for the extension\'s own');
$node->stop;
done_testing();
