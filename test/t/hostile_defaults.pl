# Default privileges give nobody a right on the extension's objects, and take none from its owner: neither at CREATE EXTENSION nor at
# ALTER EXTENSION UPDATE, which also takes back what they gave in a release that let them. What was granted by hand stays, and is dumped.
#
# A TAP test, since it is about several databases, a release from before, and pg_dump.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('defaults');
$node->init;
$node->start;
sub sql { my ($database, $query) = @_; return $node->safe_psql($database, $query) }

# Who has which right on which object of the extension, now and as initial rights.
my $rights = q{
	SET search_path = pg_catalog;
	WITH member AS (
		SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
		 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pgpubsub'),
	acl AS (
		SELECT classid, objid, 'now' AS of, coalesce(c.relacl, acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", relowner)) AS acl
		  FROM member JOIN pg_class c ON classid = 'pg_class'::regclass AND c.oid = objid
		UNION ALL SELECT classid, objid, 'now', coalesce(proacl, acldefault('f', proowner)) FROM member JOIN pg_proc p ON classid = 'pg_proc'::regclass AND p.oid = objid
		UNION ALL SELECT classid, objid, 'now', coalesce(nspacl, acldefault('n', nspowner)) FROM member JOIN pg_namespace n ON classid = 'pg_namespace'::regclass AND n.oid = objid
		UNION ALL SELECT classid, objid, 'now', coalesce(typacl, acldefault('T', typowner)) FROM member JOIN pg_type t ON classid = 'pg_type'::regclass AND t.oid = objid AND typrelid = 0 AND typelem = 0
		UNION ALL SELECT classid, objid, 'initially', initprivs FROM member JOIN pg_init_privs i ON (classoid, objoid) = (classid, objid))
	SELECT of || ' ' || pg_describe_object(classid, objid, 0) || ': ' || CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::regrole::text END || ' '
	       || string_agg(r.privilege_type || CASE WHEN r.is_grantable THEN '*' ELSE '' END, ',' ORDER BY r.privilege_type)
	  FROM acl, aclexplode(acl) r GROUP BY of, classid, objid, r.grantee ORDER BY 1};

sub is_same
{
	my ($database, $expected, $what) = @_;
	my %count;
	$count{$_}++ foreach split /\n/, sql($database, $rights);
	$count{$_}-- foreach split /\n/, $expected;
	is(join("\n", map { ($count{$_} > 0 ? 'too much: ' : 'missing: ') . $_ } grep { $count{$_} } sort keys %count), '', $what);
	return;
}

sql('postgres', 'CREATE ROLE r; CREATE ROLE s; CREATE ROLE app; CREATE DATABASE clean');
sql('clean', 'CREATE EXTENSION pgpubsub');
my $clean = sql('clean', $rights);
like($clean, qr/^now table pgpubsub\.notification: \w+ DELETE,INSERT,(?:MAINTAIN,)?REFERENCES,/m, 'the owner has all rights on a table');
like($clean, qr/^now view pgpubsub\.stat_channels: pg_read_all_stats SELECT$/m, 'pg_read_all_stats may read statistics');
# (A type whose only use is that roles depend on it: see the script.)
unlike($clean =~ s/^.* type pgpubsub\.channel_rights: PUBLIC USAGE$//gmr, qr/: (?:PUBLIC|r|s|app) /, 'and nobody else has any');
unlike($clean, qr/^initially.*function pgpubsub\.(?:set_initial_privileges|require_own_schema)/m, 'nothing is left of what the script needed');

# Each in a database of its own, and all together.
my %hostile = (
	tables => 'GRANT ALL ON TABLES TO r WITH GRANT OPTION',
	sequences => 'GRANT ALL ON SEQUENCES TO r',
	functions => 'GRANT ALL ON ROUTINES TO r WITH GRANT OPTION',
	schemas => 'GRANT ALL ON SCHEMAS TO r',
	types => 'GRANT ALL ON TYPES TO r WITH GRANT OPTION',
	everybody => 'GRANT ALL ON TABLES TO PUBLIC',
	fewer => 'REVOKE ALL ON TABLES FROM CURRENT_ROLE',
	fewer_functions => 'REVOKE ALL ON ROUTINES FROM PUBLIC, CURRENT_ROLE',
);
my @of_all = map { "ALTER DEFAULT PRIVILEGES $_;" } @hostile{qw(tables sequences functions schemas types everybody)};
my %defaults = ((map { $_ => "ALTER DEFAULT PRIVILEGES $hostile{$_};" } keys %hostile), all => "@of_all");
foreach my $name (sort keys %defaults)
{
	sql('postgres', "CREATE DATABASE \"$name\"");
	sql($name, "$defaults{$name} CREATE EXTENSION pgpubsub");
	is_same($name, $clean, "CREATE EXTENSION under hostile defaults: $name");
}

# The release from before let them; and rights in its schema come before the update makes more there.
my @old = split /\n/, sql('postgres', q{SELECT version FROM pg_available_extension_versions WHERE name = 'pgpubsub' AND version <> (
	SELECT default_version FROM pg_available_extensions WHERE name = 'pgpubsub') ORDER BY 1});
my $used = q{
	SET client_min_messages = error;
	SELECT pgpubsub.create_channel('jobs'), pgpubsub.grant_channel('jobs', 'app', 'consume'), pgpubsub.publish('jobs', '1');
	GRANT EXECUTE ON FUNCTION pgpubsub.compact() TO s WITH GRANT OPTION;
	GRANT SELECT ON pgpubsub.channels TO PUBLIC;
};
sql('clean', $used);
my $clean_used = sql('clean', $rights);
isnt($clean_used, $clean, 'rights that are granted by hand');
foreach my $old (@old)
{
	foreach my $hostile ('', @of_all, "@of_all")
	{
		my $database = 'update_' . ++$::n;
		sql('postgres', "CREATE DATABASE $database");
		(my $in_schema = $hostile) =~ s/ALTER DEFAULT PRIVILEGES (?!GRANT ALL ON SCHEMAS)/ALTER DEFAULT PRIVILEGES IN SCHEMA pgpubsub /g;
		sql($database, "$hostile CREATE EXTENSION pgpubsub VERSION '$old'; $in_schema $used ALTER EXTENSION pgpubsub UPDATE");
		is_same($database, $clean_used, "$old, updated under: " . ($hostile || 'no default privileges'));
		is(sql($database, q{SET ROLE app; SELECT payload FROM pgpubsub.take('jobs')}), '1', 'the consumer consumes');
	}
}

# What was granted by hand is dumped, also after the update.
my $dump = $node->basedir . '/dump.sql';
sql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr("update_$::n") ], 'pg_dump');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ], 'restored');
is_same('restored', $clean_used, 'with the same rights');

# An update under another name of the schema would act on whatever has the name; it is refused, and works once it is renamed back.
sql('postgres', q{CREATE DATABASE renamed});
sql('renamed', "CREATE EXTENSION pgpubsub VERSION '$old[0]'; ALTER SCHEMA pgpubsub RENAME TO mq; CREATE SCHEMA pgpubsub AUTHORIZATION r");
my $error;
isnt($node->psql('renamed', 'ALTER EXTENSION pgpubsub UPDATE', stderr => \$error), 0, 'an update while the schema has another name is refused');
like($error, qr/ERROR:  schema "pgpubsub" does not belong to extension "pgpubsub".*HINT:  Rename/s, 'and says why');
is(sql('renamed', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'pgpubsub'::regnamespace}), 0, 'nothing was made in the other schema');
sql('renamed', 'DROP SCHEMA pgpubsub; ALTER SCHEMA mq RENAME TO pgpubsub; ALTER EXTENSION pgpubsub UPDATE');
is_same('renamed', $clean, 'once it is renamed back, it is updated');

$node->stop;
done_testing();
