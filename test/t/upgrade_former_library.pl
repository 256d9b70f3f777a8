# The update while the library of the first release is still loaded. Preloaded, it is refused and changes nothing. Else sessions that have it go on with
# the catalog of the present one, but for what has got a new symbol; that fails, loses nothing, and ends when they connect again.
#
# The former library is the present one without the symbols that came later: dlsym() finds what it would find in the real one, and the server says what
# it would say. FORMER_LIBRARY names a real one instead, built from the sources of the first release for the same PostgreSQL; then all is tried that
# doc/reference says of such sessions. It needs a server whose files it can exchange, so it copies the private one.
use strict;
use warnings;

use ClientTest;
use File::Copy ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $first = '0.1.0';
my $real = $ENV{FORMER_LIBRARY};
my $server = PostgreSQL::Test::Utils::tempdir() . '/server';
system('cp', '-a', $ENV{PGPUBSUB_SERVER}, $server) == 0 or BAIL_OUT('could not copy the server');
chomp(my $directory = `$server/bin/pg_config --pkglibdir`);
chomp(my $share = `$server/bin/pg_config --sharedir`);
my $library = "$directory/pgpubsub.so";
my $present = text_of($library);

sub symbols { my ($file) = @_; return text_of("$share/extension/$file") =~ /'MODULE_PATHNAME', '(\w+)'/g }
sub former_library
{
	return text_of($real) if $real;
	my %known = map { $_ => 1 } symbols("pgpubsub--$first.sql");
	my @later = grep { !$known{$_} } map { symbols($_) } grep { !/--\Q$first\E\.sql/ } map { s/.*\///r } glob "$share/extension/pgpubsub--*.sql";
	cmp_ok(scalar @later, '>', 5, 'the present library has symbols that the former one had not');
	my $names = join '|', @later;
	return $present =~ s/($names)\0/('x' x length $1) . "\0"/ger;
}
# As an installation does it, and not into the file that processes have mapped.
sub install
{
	my ($bytes) = @_;
	write_file("$library.new", $bytes);
	rename "$library.new", $library or die "rename: $!";
	return;
}
my $former = former_library();

sub start
{
	my ($name, $settings) = @_;
	install($former);
	my $node = PostgreSQL::Test::Cluster->new($name, install_path => $server);
	$node->init;
	$node->append_conf('postgresql.conf', "fsync = off\nclient_min_messages = warning\n$settings");
	$node->start;
	$node->safe_psql('postgres', qq{CREATE EXTENSION pgpubsub VERSION '$first'; CREATE ROLE app;
		SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('leased'), pgpubsub.create_channel('dead', max_attempts => 1);
		CREATE TABLE item (id serial PRIMARY KEY);
		SELECT pgpubsub.attach('item', 'captured', '{insert}')});
	return $node;
}
my $version = q{SELECT extversion FROM pg_extension WHERE extname = 'pgpubsub'};
my $works = q{SELECT pgpubsub.publish('jobs', '1') > 0, pgpubsub.publish('leased', '1') > 0; INSERT INTO item DEFAULT VALUES; SELECT count(*) FROM pgpubsub.take('jobs'); SELECT count(*) FROM pgpubsub.take('captured');
	SELECT pgpubsub.ack(array_agg(receipt)) FROM pgpubsub.claim('leased')};

# ---- preloaded -----------------------------------------------------------------------------------
my $node = start('preloaded', "shared_preload_libraries = 'pgpubsub'\n");
install($present);
my $errors;
isnt($node->psql('postgres', "\\set VERBOSITY verbose\nALTER EXTENSION pgpubsub UPDATE", stderr => \$errors, on_error_stop => 1), 0, 'preloaded: the update is refused');
like($errors, qr/ERROR:  42883: could not find function "pgpubsub_begin_update" in file ".*pgpubsub\.so"/, 'as the reference says');
is($node->safe_psql('postgres', $version), $first, 'and has changed nothing');
is($node->safe_psql('postgres', $works), "t|t\n1\n1\n1", 'all goes on');
$node->restart;
$node->safe_psql('postgres', 'ALTER EXTENSION pgpubsub UPDATE');
isnt($node->safe_psql('postgres', $version), $first, 'after a restart it is updated');
is($node->safe_psql('postgres', $works), "t|t\n1\n1\n1", 'and all goes on');
$node->stop;

# ---- not preloaded -------------------------------------------------------------------------------
$node = start('loaded', '');
my $session = $node->background_psql('postgres', on_error_stop => 0);
sub in_session
{
	my ($query) = @_;
	$session->set_query_timer_restart;
	$session->{stderr} = '';
	my $out = $session->query($query);
	(my $stderr = $session->{stderr}) =~ s/^.*QUERY_SEPARATOR.*$//mg;
	return ($out, $stderr);
}
sub goes_on { my ($query, $expected) = @_; my ($out, $error) = in_session($query); is($out . $error, $expected, "a session with the former library: $query"); return }
sub fails { my ($query) = @_; my (undef, $error) = in_session($query); like($error, qr/ERROR:  (?:could not find function "pgpubsub_\w+" in file|function pgpubsub\.take\(text, integer, text, jsonb\) does not exist)/, "a session with the former library: $query"); return }

# Consumers of the program, in each of its ways
my %consumers = (taken => [], run => [ '--exec', 'cat' ], waited => ['--no-listen']);
my @channels = sort keys %consumers;
$node->safe_psql('postgres', "SELECT pgpubsub.create_channel('$_')") foreach @channels;
$consumers{$_} = background(cli_path(), 'listen', $_, @{ $consumers{$_} }, '--dsn', $node->connstr('postgres')) foreach @channels;
my $are_given = sub
{
	my ($what, $when) = @_;
	goes_on(qq{SELECT count(pgpubsub.publish(c, '"$what"')) FROM unnest('{taken,run,waited}'::text[]) c}, '3');
	foreach my $channel (@channels)
	{
		eventually(sub { text_of($consumers{$channel}{out}) =~ /"$what"/ }, "a consumer of the program is at work $when the update: $channel") or diag(text_of($consumers{$channel}{err}));
	}
};
$are_given->('early', 'before');
goes_on(q{SELECT count(pgpubsub.publish('leased', to_jsonb(i))) FROM generate_series(1, 5) i}, '5');
goes_on(q{CREATE TEMPORARY TABLE leased AS SELECT payload::integer AS n, receipt FROM pgpubsub.claim('leased', 10, '1 hour')}, '');
install($present);
$node->safe_psql('postgres', 'ALTER EXTENSION pgpubsub UPDATE');
isnt($node->safe_psql('postgres', $version), $first, 'another session has updated');

goes_on(q{SELECT pgpubsub.publish('jobs', '"stored"') > 0}, 't');
goes_on(q{SELECT array_length(pgpubsub.publish_batch('jobs', '{3}'), 1)}, '1');
goes_on(q{INSERT INTO item DEFAULT VALUES}, '');
fails(q{SELECT * FROM pgpubsub.take('jobs')});
fails(q{SELECT * FROM pgpubsub.claim('jobs')});
fails(q{SELECT pgpubsub.redrive('jobs')});
fails(q{SELECT pgpubsub.purge_dead_letters('jobs')});
fails(q{CALL pgpubsub.recover('jobs', 100)});
fails(q{SELECT * FROM pgpubsub.stat_wakeup});
goes_on(q{SELECT pgpubsub.extend(array_agg(receipt), '1 hour') FROM leased}, '5');
goes_on(q{SELECT pgpubsub.ack(array_agg(receipt)) FROM leased WHERE n < 3}, '2');
goes_on(q{SELECT pgpubsub.release(array_agg(receipt)) FROM leased WHERE n = 3}, '1');
goes_on(q{SELECT pgpubsub.nack(array_agg(receipt), error => 'no') FROM leased WHERE n = 4}, '1');
goes_on(q{CALL pgpubsub.wait('{jobs}', '1 minute')}, 'jobs');
goes_on(q{SELECT pgpubsub.create_channel('more'), pgpubsub.attach('item', 'more'), pgpubsub.detach('item', 'more'), pgpubsub.alter_channel('more', max_attempts => 3)}, '|||');
goes_on(q{SELECT pgpubsub.publish('more', '1') > 0}, 't');
goes_on(q{SELECT pgpubsub.recover()}, '0');
goes_on(q{SELECT ready, delayed, in_flight, retrying FROM pgpubsub.stat_channels WHERE channel = 'leased'}, '1|0|1|1');
if ($real)
{
	fails(q{SELECT pgpubsub.grant_channel('jobs', 'app', 'consume')});
	fails(q{SELECT pgpubsub.alter_channel('jobs', owner => 'app')});
	fails(q{DROP OWNED BY app});
}
is($node->safe_psql('postgres', q{SELECT string_agg(channel || coalesce(payload #>> '{new,id}', payload::text), ' ' ORDER BY id) FROM pgpubsub.notifications WHERE state = 'ready'}),
	'leased3 jobs"stored" jobs3 captured1 more1', 'nothing is lost');
# The program's consumers have the former library too, and connect again when a claim fails.
$are_given->('late', 'after');
foreach my $channel (@channels)
{
	like(text_of($consumers{$channel}{err}), qr/could not find function ".*" in file .*; reconnecting/, "$channel: it has told why it connected again");
	kill TERM => $consumers{$channel}{pid};
	is(wait_for_exit($consumers{$channel}), 0, "$channel: and ends in order");
}
$session->quit;
eventually(sub { $node->safe_psql('postgres', q{SELECT pgpubsub.recover()}); $node->safe_psql('postgres', q{SELECT count(*) FROM pgpubsub.notifications WHERE state = 'leased'}) == 0 },
	'the lease that it had ends with it');
is($node->safe_psql('postgres', $works), "t|t\n1\n1\n1", 'whoever connects again goes on');
$node->stop;
done_testing();
