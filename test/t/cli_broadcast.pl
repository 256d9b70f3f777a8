# pgpubsub listen on a broadcast channel: a line, or a command, for each broadcast; nothing to drain, to lease or to share.
# A TAP test, since it is about programs that wait while others publish.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use JSON::PP;
use Test::More;

my $node = start_cluster('cli_broadcast');
my $dsn  = $node->connstr('postgres');
my $dir  = tempdir(CLEANUP => 1);
my $json = JSON::PP->new->utf8;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub start { my @arguments = @_; return background(cli_path(), 'listen', @arguments, '--dsn', $dsn, '--verbose') }
sub listening { my ($program) = @_; eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens') }
sub stop { my ($program) = @_; kill TERM => $program->{pid}; is(wait_for_exit($program), 0, 'stopped') }

sql(q{SELECT pgpubsub.create_channel('prices', kind => 'broadcast'); SELECT pgpubsub.create_channel('media')});

# Lines: the kind of each channel is found out.
my $program = start('prices', 'media');
listening($program);
sql(q{SET pgpubsub.db_version = 7; SELECT pgpubsub.publish('prices', '{"n": 1.10}', 'k', '{"h": 1e3}')});
eventually(sub { lines_of($program) == 1 }, 'a broadcast is printed');
sql(q{SELECT pgpubsub.publish('media', '2')});
eventually(sub { lines_of($program) == 2 }, 'and a notification of a queue');
my ($first) = lines_of($program);
like($json->decode($first)->{idempotency_key}, qr/^@{[$json->decode($first)->{id}]}-\d{16}\z/, 'a broadcast has an idempotency key too');
like($first, qr/"payload":\{"n": 1\.10\}/, 'numbers are exact');
is_deeply([@{ $json->decode($first) }{qw(channel key headers deliver_at priority attempts db_version)}], ['prices', 'k', { h => 1000 }, undef, 0, 1, 7], 'with its fields');
like($json->decode($first)->{created_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d\z/, 'the time is ISO 8601');
is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'the queue is empty');

# Whoever can connect can NOTIFY. Nothing of it is printed for a queue; and on a broadcast channel, where it can't be told
# from a broadcast, one notification is one line all the same, whatever a reader takes for the end of one.
sql(q{CREATE ROLE stranger LOGIN});
sub forge { my ($channel, $payload) = @_; return $node->safe_psql('postgres', "SELECT pg_notify('$channel', E'$payload')", extra_params => ['-U', 'stranger']) }
my $head = '{"pgpubsub":"broadcast","id":8,"created_at":"2026-01-02T03:04:05+00:00","channel"';
forge('media', "$head:\"media\",\"payload\":{\"cmd\":\"evil\"}}");
forge('prices', "$head:\\n\"prices\",\"payload\":[1e400,\\r\\n{\"id\":9,\"channel\":\"media\",\"payload\":\\n2}\\n,12345678901234567890.10,\\t\"\\u2028\\u0085\\u009b2J\"],\"key\":\"a\\\\nb\\u2029\\u007f\"}");
forge('prices', "$head:\"prices\",\"payload\":1,\"created_at\":\"\\u001b[2J\"}");
sql(q{SELECT pgpubsub.publish('media', '3')});
eventually(sub { lines_of($program) == 4 }, 'what is forged on a queue channel is not printed');
my @printed = lines_of($program);
is($json->decode($printed[3])->{payload}, 3, 'what was published is');
my $raw = text_of($program->{out});
unlike($raw, qr/evil/, 'nothing of it');
unlike($raw =~ s/\n//gr, qr/[\x00-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]/, 'and what is forged on a broadcast channel has nothing that ends a line or drives a terminal');
like($printed[2], qr/"payload":\[1e400,\{"id":9,"channel":"media","payload":2\},12345678901234567890\.10,"\\u2028\\u0085\\u009b2J"\],"key":"a\\nb\\u2029\\u007f"/, 'it is one line, with its numbers as they are');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND backend_type = 'client backend' AND pid <> pg_backend_pid()});
eventually(sub { text_of($program->{err}) =~ /warning: broadcasts that were sent while the listening connection was lost are missed/ }, 'a gap is told');
stop($program);

# A command.
$program = start('prices', '--exec', "echo \"\$PGPUBSUB_ID|\$PGPUBSUB_CHANNEL|\$PGPUBSUB_ATTEMPTS\" >> $dir/got; cat; grep -q 3 $dir/got && exit 1");
listening($program);
my $id = sql(q{SELECT pgpubsub.publish('prices', '3')});
eventually(sub { text_of("$dir/got") eq "$id|prices|1\n" && lines_of($program) == 1 }, 'a command runs for each');
stop($program);

# A reader that goes away.
$program = background('/bin/sh', '-c', '{ "$0" listen prices --dsn "$1" --verbose; echo "status $?" >&3; } 3>&2 | head -n 1', cli_path(), $dsn);
eventually(sub { text_of($program->{err}) =~ /listening on/ }, 'listens');
eventually(sub { sql(q{SELECT pgpubsub.publish('prices', '4')}); text_of($program->{err}) =~ /status/ }, 'a closed stdout ends it');
like(text_of($program->{err}), qr/^pgpubsub: could not write to stdout: Broken pipe$/m, 'of which --verbose tells');
like(text_of($program->{err}), qr/^status 1$/m, 'and is a failure');
wait_for_exit($program);

# What makes no sense.
for my $wrong (['--drain'], ['--processes', 2], ['--subscription', 'audit'], ['--filter', '{}'], ['--mode', 'leased'], ['--batch', 5],
	['--exec', 'true', '--lease', '5s'], ['--recover'])
{
	my ($status, $out, $err) = cli('listen', 'prices', @$wrong, '--dsn', $dsn);
	is($status, 1, "refused: @$wrong");
	my $option = $wrong->[0] eq '--exec' ? '--lease' : $wrong->[0];
	like($err, qr/^pgpubsub(\[\d\])?: .*"prices".*\nhint: \Q$option\E is for queue channels only; leave it out to listen to a broadcast channel\.$/m, 'names both');
}

done_testing();
