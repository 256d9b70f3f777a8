# What goes wrong when a consumer starts: the message says what to do, the exit status is 1, and nothing is
# retried for ever. A TAP test, since it needs servers in several states.
use strict;
use warnings;

use ClientTest;
use Test::More;
use Time::HiRes qw(time);

my $node = start_cluster('errors');
my $dsn  = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]) }

sub fails
{
	my ($what, $dsn, $message, $hint, $expected) = @_;
	for my $command (['listen', 'media'], ['publish', 'media', '1'], ['listen', 'media', '--recover'])
	{
		my ($status, $out, $err) = cli(@$command, '--dsn', $dsn);
		is($status, $expected // 1, "$what: @$command[0 .. 1]");
		like($err, $message, 'says what is wrong');
		like($err, $hint, 'and what to do');
		is($out, '', 'prints nothing');
	}
}

sql(q{SELECT pgpubsub.create_channel('media')});
my $host = $node->host;

fails('no server', "host=$host port=1 dbname=postgres", qr/^pgpubsub: could not connect: .*No such file/m, qr/^hint: Check that the server is running/m);
fails('no such database', $node->connstr('nowhere'), qr/database "nowhere" does not exist/, qr/^hint: Check the database, the user/m);
fails('no such user', "$dsn user=nobody_here", qr/role "nobody_here" does not exist/, qr/^hint: Check the database, the user/m);
fails('malformed dsn', 'dbname', qr/^pgpubsub: --dsn: the DSN is malformed: missing "="/m, qr/^hint: Write it as/m, 2);
fails('unknown option', 'colour=blue', qr/the DSN is malformed: .*"colour"/, qr/^hint: Write it as/m, 2);
{
	my ($status, $out, $err) = cli({ env => { PGPUBSUB_DSN => 'dbname' } }, 'channels');
	is($status, 2, 'a malformed PGPUBSUB_DSN');
	like($err, qr/^pgpubsub: the environment variable PGPUBSUB_DSN: the DSN is malformed: missing "="/, 'is named');
}

sql(q{CREATE DATABASE bare});
fails('no extension', $node->connstr('bare'), qr/^pgpubsub: the extension pgpubsub is not installed in the database "bare"/m, qr/^hint: Run CREATE EXTENSION pgpubsub in it, as a superuser\.$/m);

sql(q{UPDATE pg_extension SET extversion = '0.0.9' WHERE extname = 'pgpubsub'});
fails('an older extension', $dsn, qr/^pgpubsub: the extension pgpubsub in the database "postgres" has version 0\.0\.9, and this client needs 0\.1\.0/m,
	qr/^hint: .*ALTER EXTENSION pgpubsub UPDATE/m);
sql(q{UPDATE pg_extension SET extversion = '99.0' WHERE extname = 'pgpubsub'});
my ($status) = cli('publish', 'media', '1', '--dsn', $dsn);
is($status, 0, 'a newer one is accepted');
sql(q{UPDATE pg_extension SET extversion = (SELECT default_version FROM pg_available_extensions WHERE name = 'pgpubsub') WHERE extname = 'pgpubsub'});

sql(q{CREATE ROLE stranger LOGIN});
fails('no privilege', "$dsn user=stranger", qr/^pgpubsub: permission denied/m, qr/^hint: .*pgpubsub\.grant_channel\('media', '?"?stranger"?'?, '(?:publish|consume)'\)/m);
sql(q{SELECT pgpubsub.grant_channel('media', 'stranger', 'publish')});
($status, my $out, my $err) = cli('listen', 'media', '--drain', '--dsn', "$dsn user=stranger");
is($status, 1, 'the right to publish is not the right to consume');
like($err, qr/^hint: .*'consume'/m, 'and the hint names the right one');
sql(q{SELECT pgpubsub.grant_channel('media', 'stranger', 'consume')});
($status, $out) = cli('listen', 'media', '--drain', '--dsn', "$dsn user=stranger");
is($status, 0, 'with the right it works');
is(scalar(split /\n/, $out), 1, 'and consumes');

# A name, or an error text, that tries to drive the terminal or to end the line.
my $evil = "evil\e[2J\n\r\xc2\x9b1m\xe2\x80\xa8";
for my $command (['stats', $evil], ['dead-letters', $evil], ['publish', $evil, '1'], ['redrive', $evil, '--all'], ['listen', $evil, '--drain'], ['listen', $evil, $evil])
{
	($status, $out, $err) = cli(@$command, '--dsn', $dsn);
	isnt($status, 0, "fails: $command->[0]");
	like($err, qr/evil \[2J/, 'names it');
	unlike($err =~ s/\n(?:hint: |\z)//gr, qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]/, 'without its control characters');
}
sql(q{SELECT pgpubsub.create_channel('dead', max_attempts => 1), pgpubsub.publish('dead', to_jsonb(U&'\\2028\\0085'::text))});
sql(q{BEGIN; SELECT pgpubsub.requeue(ARRAY[id], error => E'\\x1b[2J\\u0085\\u2028\\r\\n') FROM pgpubsub.take('dead'); COMMIT});
for my $form ([], ['--json'])
{
	($status, $out) = cli('dead-letters', 'dead', @$form, '--dsn', $dsn);
	is(scalar(() = $out =~ /\n/g), @$form ? 1 : 2, "one line for a dead letter: @$form");
	unlike($out =~ s/\n//gr, qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]/, 'without control characters');
}
like($out, qr/"payload":\s*"\\u2028\\u0085".*"last_error":\s*"\\u001b\[2J\\u0085\\u2028\\r\\n"/, 'which JSON has as escapes');

# The right is taken away from a consumer that runs.
my $consumer = background(cli_path(), 'listen', 'media', '--dsn', "$dsn user=stranger", '--verbose');
eventually(sub { text_of($consumer->{err}) =~ /listening/ }, 'listens');
sql(q{SELECT pgpubsub.revoke_channel('media', 'stranger', 'consume')});
sql(q{SELECT pgpubsub.publish('media', '1')});
is(wait_for_exit($consumer), 1, 'a right that is taken away ends the consumer');
like(text_of($consumer->{err}), qr/permission denied/, 'with the reason');

# A password.
$node->append_conf('pg_hba.conf', '');
sql(q{ALTER ROLE stranger PASSWORD 'secret'});
open my $hba, '>', $node->data_dir . '/pg_hba.conf' or die $!;
print $hba "local all stranger scram-sha-256\nlocal all all trust\n";
close $hba;
$node->reload;
fails('no password', "$dsn user=stranger", qr/no password supplied/, qr/^hint: Give the password with PGPASSWORD or in ~\/\.pgpass/m);
fails('a wrong password', "$dsn user=stranger password=wrong", qr/password authentication failed/, qr/^hint: Check the database, the user and the password/m);

# Patience, when it is asked for, is logged and ends.
my $begun = time;
($status, $out, $err) = cli('listen', 'media', '--give-up-after', '1s', '--dsn', "host=$host port=1 dbname=postgres");
is($status, 1, '--give-up-after gives up');
cmp_ok(time - $begun, '>=', 1, 'after that time');
my @attempts = $err =~ /next attempt in/g;
cmp_ok(scalar @attempts, '>', 1, 'and attempts are logged');
cmp_ok(time - $begun, '<', 20, 'and not at the end of the pause in which it passes');
($status, $out, $err) = cli('listen', 'media', '--give-up-after', '1h', '--dsn', $node->connstr('nowhere'));
is($status, 1, 'what waiting does not mend ends at once all the same');

done_testing();
