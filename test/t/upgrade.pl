# ALTER EXTENSION UPDATE leads from each release to what a fresh CREATE EXTENSION makes: the same objects with the same
# definitions, comments, privileges and settings.
#
# A regression test can't show it: it would have to write down the whole catalog, and would compare with that.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Everything that the extension consists of, a line for each, in an order that does not depend on OIDs.
my $catalog = q{
SET search_path = pg_catalog;
WITH member AS (
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
	 WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'pgpubsub')
SELECT line FROM (
	SELECT 'object ' || pg_describe_object(classid, objid, 0) || ' -- ' || coalesce(obj_description(objid, classid::regclass::name), '')
	  FROM member
	UNION ALL
	SELECT 'function ' || p.oid::regprocedure || ' ' || coalesce(p.proacl::text, 'default acl') || ' ' || p.prorows || ' ' || p.procost || ' '
	       || coalesce(p.prosupport::text, '') || E'\n' || pg_get_functiondef(p.oid)
	  FROM pg_proc p JOIN member m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
	UNION ALL
	SELECT 'relation ' || c.oid::regclass || ' ' || c.relkind::text || ' ' || c.relpersistence::text || ' ' || c.relreplident::text || ' '
	       || coalesce(c.reloptions::text, '') || ' ' || coalesce(t.reloptions::text, '') || ' ' || coalesce(c.relacl::text, 'default acl')
	       || CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) ELSE '' END
	  FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	  LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
	UNION ALL
	SELECT 'column ' || c.oid::regclass || ' ' || a.attnum || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
	       || a.attnotnull || ' ' || a.attstorage::text || ' ' || a.attcompression::text || ' ' || coalesce(a.attcollation::regcollation::text, '') || ' '
	       || coalesce(pg_get_expr(d.adbin, d.adrelid), '') || ' -- ' || coalesce(col_description(c.oid, a.attnum), '')
	  FROM pg_class c JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
	  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	  LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
	UNION ALL
	SELECT 'index ' || pg_get_indexdef(i.indexrelid) || ' ' || coalesce(x.reloptions::text, '')
	  FROM pg_index i JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
	UNION ALL
	SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(k.oid)
	  FROM pg_constraint k JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = k.conrelid
	UNION ALL
	SELECT 'trigger ' || pg_get_triggerdef(g.oid) || ' ' || g.tgenabled::text
	  FROM pg_trigger g JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = g.tgrelid
	UNION ALL
	SELECT 'rule ' || pg_get_ruledef(r.oid)
	  FROM pg_rewrite r JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = r.ev_class
	UNION ALL
	SELECT 'sequence ' || s.seqrelid::regclass || ' ' || format_type(s.seqtypid, null) || ' ' || s.seqstart || ' ' || s.seqincrement || ' '
	       || s.seqmax || ' ' || s.seqmin || ' ' || s.seqcache || ' ' || s.seqcycle
	  FROM pg_sequence s JOIN member m ON m.classid = 'pg_class'::regclass AND m.objid = s.seqrelid
	UNION ALL
	SELECT 'event trigger ' || evtname || ' ' || evtevent || ' ' || evtfoid::regproc || ' ' || evtenabled::text || ' ' || coalesce(evttags::text, '')
	  FROM pg_event_trigger v JOIN member m ON m.classid = 'pg_event_trigger'::regclass AND m.objid = v.oid
	UNION ALL
	SELECT 'schema ' || n.nspname || ' ' || coalesce(n.nspacl::text, 'default acl')
	  FROM pg_namespace n WHERE n.nspname = 'pgpubsub'
	UNION ALL
	SELECT 'initial privileges ' || pg_describe_object(i.classoid, i.objoid, i.objsubid) || ' ' || i.initprivs::text
	  FROM pg_init_privs i JOIN member m ON m.classid = i.classoid AND m.objid = i.objoid
	UNION ALL
	SELECT 'dumped ' || t.oid::regclass || ' ' || t.condition
	  FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS t(oid, condition) WHERE e.extname = 'pgpubsub'
	UNION ALL
	SELECT 'extension ' || extversion || ' ' || extrelocatable || ' ' || extnamespace::regnamespace FROM pg_extension WHERE extname = 'pgpubsub'
) x(line) ORDER BY line};

my $node = PostgreSQL::Test::Cluster->new('upgrade');
$node->init;
$node->start;
my $version = $node->safe_psql('postgres', q{SELECT default_version FROM pg_available_extensions WHERE name = 'pgpubsub'});

$node->safe_psql('postgres', 'CREATE DATABASE fresh');
$node->safe_psql('fresh', 'CREATE EXTENSION pgpubsub');
my $fresh = $node->safe_psql('fresh', $catalog);
cmp_ok(scalar(() = $fresh =~ /^object /mg), '>', 50, 'a fresh installation has its objects');

my @views = split /\n/, $node->safe_psql('fresh', q{SELECT relname FROM pg_class WHERE relnamespace = 'pgpubsub'::regnamespace AND relkind = 'v'});
my @old = split /\n/, $node->safe_psql('postgres',
	qq{SELECT version FROM pg_available_extension_versions WHERE name = 'pgpubsub' AND version <> '$version' ORDER BY 1});
ok(@old > 0, 'there is an earlier release');
foreach my $old (@old)
{
	(my $database = "from_$old") =~ tr/./_/;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, "CREATE EXTENSION pgpubsub VERSION '$old'");
	# Views of users' on ours, and on functions whose arguments and results stay, go on.
	my @kept = map { "kept_$_" } 'functions', sort @views;
	$node->safe_psql($database, "CREATE VIEW kept_$_ AS SELECT * FROM pgpubsub.$_") foreach @views;
	$node->safe_psql($database, q{CREATE VIEW kept_functions AS SELECT pgpubsub.publish('jobs', '1'), pgpubsub.has_channel_privilege('jobs', 'consume'), pgpubsub.next_due('jobs')});
	# One on a function that is replaced has to go for the update, which changes nothing before.
	my $taking = 'CREATE VIEW taking AS SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim(\'jobs\')';
	if ($old eq '0.1.0')
	{
		$node->safe_psql($database, $taking);
		my $before = $node->safe_psql($database, $catalog);
		$node->psql($database, 'ALTER EXTENSION pgpubsub UPDATE', stderr => \my $error);
		like($error, qr/cannot drop function [^\n]* because other objects depend on it\nDETAIL:  view public.taking depends/, "$old: a view on ack() and claim() is in the way");
		is($node->safe_psql($database, $catalog), $before, "$old: nothing was changed");
		$node->safe_psql($database, 'DROP VIEW taking');
	}
	$node->safe_psql($database, 'ALTER EXTENSION pgpubsub UPDATE');
	$node->safe_psql($database, q{SELECT pgpubsub.create_channel('jobs')});
	$node->safe_psql($database, "SELECT * FROM $_") foreach @kept;
	pass("$old: views on what stays are there after the update");
	$node->safe_psql($database, "DROP VIEW $_") foreach @kept;
	$node->safe_psql($database, "$taking; SELECT * FROM taking; DROP VIEW taking; SELECT pgpubsub.drop_channel('jobs')");
	my @differences = difference($fresh, $node->safe_psql($database, $catalog));
	is(join("\n", @differences), '', "$old updated to $version is what a fresh $version is");
}
$node->stop;
done_testing();

# The lines that one text has and the other has not.
sub difference
{
	my ($left, $right) = @_;
	my %count;
	$count{$_}++ foreach split /\n/, $left;
	$count{$_}-- foreach split /\n/, $right;
	return map { ($count{$_} > 0 ? 'fresh only: ' : 'updated only: ') . $_ } grep { $count{$_} != 0 } sort keys %count;
}
