# A setting of the server reaches every session, whatever its database's encoding: what the postmaster takes, the sessions have, and one that
# can't use it says so.
#
# A regression test can't show it: it takes ALTER SYSTEM, a server that preloads the library, and databases of two encodings.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('settings');
$node->init;
my $preload = "shared_preload_libraries = 'pgpubsub'\nmax_worker_processes = 20\n";
$node->append_conf('postgresql.conf', $preload);
$node->start;
my %encoding = (utf8 => 'UTF8', ascii => 'SQL_ASCII', latin1 => 'LATIN1');
foreach my $database (sort keys %encoding)
{
	$node->safe_psql('postgres', "CREATE DATABASE $database ENCODING '$encoding{$database}' TEMPLATE template0 LOCALE 'C'");
	$node->safe_psql($database, q{CREATE EXTENSION pgpubsub; CREATE TABLE t (x integer); SELECT pgpubsub.attach('t', 't')});
}

# What a new session captures with, and what it was told.
sub captured
{
	my ($database) = @_;
	my ($out, $err) = ('', '');
	$node->psql($database, q{SELECT 1; INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);
		SELECT string_agg(DISTINCT payload ->> 'context', ' ') FROM pgpubsub.take('t', 10)}, stdout => \$out, stderr => \$err);
	$out =~ s/.*\n//s;
	return ($out, $err);
}
sub everywhere
{
	my ($when, %expected) = @_;
	foreach my $database (sort keys %encoding)
	{
		my ($context, $err) = captured($database);
		is($context, $expected{$database} // '{}', "$when: in a database with $encoding{$database}");
		my @warnings = $err =~ /WARNING:  the value of parameter "pgpubsub.notification_context" cannot be used/g;
		is(scalar @warnings, defined $expected{$database} ? 0 : 1, 'and a session that cannot use it says so, once') or diag($err);
		like($err, qr/encoding "$encoding{$database}".* empty context/, 'and what holds') if !defined $expected{$database};
	}
	return;
}

# Set in a UTF-8 session, with an escape that only UTF-8 databases have.
my $value = q{{"site": "K\u00f6ln"}};
$node->safe_psql('utf8', "ALTER SYSTEM SET pgpubsub.notification_context = '$value'");
$node->reload;
$node->poll_query_until('utf8', 'SELECT current_setting($$pgpubsub.notification_context$$) <> $$$$') or die 'not reloaded';
everywhere('reloaded', utf8 => "{\"site\": \"K\x{c3}\x{b6}ln\"}");
$node->restart;
everywhere('restarted', utf8 => "{\"site\": \"K\x{c3}\x{b6}ln\"}");
$node->adjust_conf('postgresql.conf', 'shared_preload_libraries', "''");
$node->restart;
everywhere('not preloaded', utf8 => "{\"site\": \"K\x{c3}\x{b6}ln\"}");

# A session is told at once of what it sets itself; a role's value may be for another database.
my ($out, $err) = ('', '');
$node->psql('latin1', "LOAD 'pgpubsub'; SET pgpubsub.notification_context = '$value'", stderr => \$err);
like($err, qr/ERROR:  invalid value for parameter "pgpubsub.notification_context"/, 'SET of what this database cannot hold is an error');
$node->safe_psql('latin1', "LOAD 'pgpubsub'; ALTER ROLE CURRENT_USER SET pgpubsub.notification_context = '{\"role\": \"\\u20ac\"}'");
everywhere('of a role', utf8 => "{\"role\": \"\x{e2}\x{82}\x{ac}\"}");
$node->safe_psql('utf8', 'ALTER ROLE CURRENT_USER RESET pgpubsub.notification_context; ALTER SYSTEM RESET pgpubsub.notification_context');

# Bytes of a file that are no characters of the database.
$node->append_conf('postgresql.conf', "pgpubsub.notification_context = '{\"a\": \"\xe4\"}'");
$node->restart;
my ($context, $warning) = captured('utf8');
is($context, '{}', 'bytes that are no UTF-8 do not come into a payload');
like($warning, qr/cannot be used in this database/, 'and that is said');

# What no database can hold is refused everywhere.
$node->append_conf('postgresql.conf', q{pgpubsub.notification_context = '{"a": "\\\\u0000"}'});
$node->restart;
(undef, $warning) = captured('utf8');
like($warning, qr/WARNING:  invalid value for parameter "pgpubsub.notification_context".*WARNING:  parameter "pgpubsub.notification_context" is "" in this session/s,
	'a value that is good nowhere is refused, and what holds is said');
$node->stop;
done_testing();
