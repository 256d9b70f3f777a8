# pgpubsub listen, printing: what arrives, in which form, and when. A TAP test, since it is about programs
# that wait while others publish.
use strict;
use warnings;

use ClientTest;
use JSON::PP;
use Test::More;

my $node = start_cluster('listen');
my $dsn  = $node->connstr('postgres');
my $json = JSON::PP->new->utf8;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub listener { my @arguments = @_; return background(cli_path(), 'listen', @arguments, '--dsn', $dsn, '--poll-interval', '1h') }
sub payloads { my ($program) = @_; return join ',', map { /"payload":(.*?),"key"/ ? $1 : "?$_" } lines_of($program) }
sub left { return sql("SELECT count(*) FROM pgpubsub.notifications WHERE channel = '$_[0]'") }
sub is_listening { my ($channel) = @_; query_is($node, q{SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'}, 't', 'it listens') }

sql("SELECT pgpubsub.create_channel('media')");

# A wake-up: committed changes arrive, rolled-back ones don't. The poll interval is an hour, so only the
# wake-up can bring them.
my $program = listener('media');
is_listening('media');
sql(q{BEGIN; SELECT pgpubsub.publish('media', '0'); ROLLBACK});
sql(q{BEGIN; SELECT pgpubsub.publish('media', '1'); SAVEPOINT s; SELECT pgpubsub.publish('media', '2'); ROLLBACK TO s; COMMIT});
eventually(sub { payloads($program) eq '1' }, 'what was committed arrives, and only that');
sql(q{SELECT pgpubsub.publish('media', to_jsonb(i)) FROM generate_series(3, 202) i});
eventually(sub { payloads($program) eq join ',', 1, 3 .. 202 }, 'two hundred at once arrive in order');
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'and are gone from the queue');
sql(q{SELECT pgpubsub.publish('media', '"same"') FROM generate_series(1, 3)});
eventually(sub { payloads($program) =~ /202,"same","same","same"$/ }, 'equal payloads in one transaction all arrive');

# A delayed one comes when it is due, not at the poll.
sql(q{SELECT pgpubsub.publish('media', '"late"', deliver_at => clock_timestamp() + interval '1.5 seconds')});
is(left('media'), 1, 'a delayed one waits');
eventually(sub { payloads($program) =~ /"late"$/ }, 'and comes when it is due');
my ($late) = map { $json->decode($_) } (lines_of($program))[-1];
is(sql("SELECT clock_timestamp() >= '$late->{deliver_at}'::timestamptz"), 't', 'not before');
kill TERM => $program->{pid};
is(wait_for_exit($program), 0, 'SIGTERM ends it with 0');
is(text_of($program->{err}), '', 'and nothing on stderr');

# A lost connection: told, and nothing about broadcasts, which there are none of.
$program = listener('media');
is_listening('media');
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND backend_type = 'client backend' AND pid <> pg_backend_pid()});
eventually(sub { text_of($program->{err}) =~ /the listening connection: connected again/ }, 'it connects again');
is_listening('media');
unlike(text_of($program->{err}), qr/broadcast/, 'without a word about broadcasts');
kill TERM => $program->{pid};
is(wait_for_exit($program), 0, 'and ends with 0');

# The line.
sql(q{SET pgpubsub.db_version = 7; SET timezone = 'UTC'; SET DateStyle = 'German';
      SELECT pgpubsub.publish('media', '{"n": 12345678901234567890.10, "s": "q\" b\\\\ n\n u\u00e9 😀"}', 'the "key"', '{"h": 1e3}', priority => 5)});
my ($status, $out, $err) = cli('listen', 'media', '--drain', '--dsn', $dsn);
is($status, 0, '--drain ends with 0');
like($out, qr/^\{.*\}\n\z/, 'one line');
like($out, qr/"n": 12345678901234567890\.10[,}]/, 'numbers are exact');
my $line = $json->decode($out);
is_deeply([sort keys %$line], [sort qw(id idempotency_key channel payload key headers created_at deliver_at priority attempts db_version)], 'all the fields');
is($line->{payload}{s}, "q\" b\\ n\n u\x{e9} \x{1F600}", 'quotes, backslashes, newlines, unicode');
is_deeply([@$line{qw(channel key headers deliver_at priority attempts db_version)}], ['media', 'the "key"', { h => 1000 }, undef, 5, 1, 7], 'values');
like($line->{created_at}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d\z/, 'the time is ISO 8601');

# Names.
for my $name ('Capital Letters', 'it\'s "quoted" \\ here', 'x' x 63, 'naïve;--', '*', '{a,b}')
{
	my $quoted = $name =~ s/'/''/gr;
	sql("SELECT pgpubsub.create_channel('$quoted')");
	my $one = background(cli_path(), 'listen', $name, '--dsn', $dsn, '--poll-interval', '1h', '--verbose');
	eventually(sub { text_of($one->{err}) =~ /listening on 1 channel/ }, "listens to $name");
	sql("SELECT pgpubsub.publish('$quoted', '1')");
	eventually(sub { payloads($one) eq '1' }, 'and is woken');
	my ($first) = lines_of($one);
	is(eval { $json->decode($first)->{channel} }, eval { my $n = $name; utf8::decode($n); $n }, 'the name in the line');
	kill TERM => $one->{pid};
	is(wait_for_exit($one), 0, 'stopped');
}
($status, $out, $err) = cli('listen', 'x' x 64, '--dsn', $dsn);
is($status, 2, '64 bytes are refused');
like($err, qr/1 to 63 bytes/, 'with the limit');

# Several channels; a row of 1 MB by a trigger; a channel that does not exist yet.
sql(q{CREATE TABLE big (id int, t text); CREATE TRIGGER c AFTER INSERT ON big FOR EACH ROW EXECUTE FUNCTION pgpubsub.capture('made by trigger')});
$program = listener('media', 'made by trigger');
eventually(sub { text_of($program->{err}) =~ /channel "made by trigger".*does not exist/ }, 'a missing channel is reported');
sql(q{INSERT INTO big SELECT 1, repeat('x', 1048576)});
eventually(sub { text_of($program->{out}) =~ /\n\z/ }, 'the first firing makes it, and wakes us');
my ($row) = map { $json->decode($_) } lines_of($program);
is(length $row->{payload}{new}{t}, 1_048_576, 'a row of 1 MB');
sql(q{SELECT pgpubsub.publish('media', '"other"')});
eventually(sub { payloads($program) =~ /,"other"$/ }, 'the other channel works too');
my @warnings = text_of($program->{err}) =~ /does not exist/g;
is(scalar @warnings, 1, 'the missing channel was reported once');
kill INT => $program->{pid};
is(wait_for_exit($program), 0, 'SIGINT ends it with 0');

# After downtime: what was stored meanwhile.
sql(q{SELECT pgpubsub.publish('media', to_jsonb(i)) FROM generate_series(1, 120) i});
$program = listener('media');
eventually(sub { payloads($program) eq join ',', 1 .. 120 }, 'what was stored before it started');
kill TERM => $program->{pid};
wait_for_exit($program);

# --recover, and leases that somebody left behind.
sql(q{SELECT pgpubsub.publish('media', '"left"')});
sql(q{SELECT pgpubsub.claim('media', 1, interval '1 hour')});
query_is($node, q{SELECT alive FROM pgpubsub.stat_consumers}, 'f', 'the session that has the lease is gone');
($status, $out, $err) = cli('listen', 'media', 'no such', '--recover', '--drain', '--dsn', $dsn);
is($status, 1, '--recover, and one that does not exist fails --drain');
like($err, qr/^pgpubsub: channel "media": recovered 1$/m, 'says how many');
like($err, qr/^pgpubsub: nothing to recover: channel "no such" does not exist$/m, 'and skips what does not exist');
like($err, qr/^pgpubsub: channel "no such" does not exist\nhint: Check the spelling: pgpubsub channels\.$/m, 'which is said once, with what to do');
is($json->decode($out)->{attempts}, 2, 'the abandoned one is delivered again');

# A reader that goes away, and a full disk: nothing is lost, and the exit status tells.
sql(q{SELECT pgpubsub.publish('media', to_jsonb(repeat('x', 3000))) FROM generate_series(1, 100) i});
my $sh = background('/bin/sh', '-c', '{ "$0" listen media --dsn "$1" --drain; echo "$?" >&3; } 3>&2 | head -c 10', cli_path(), $dsn);
wait_for_exit($sh);
is(text_of($sh->{err}), "1\n", 'a reader that has gone away ends it in silence, as a failure');
cmp_ok(left('media'), '>', 0, 'the rest is kept');
my $kept = left('media');
($status) = cli({ out => '/dev/full' }, 'listen', 'media', '--drain', '--dsn', $dsn);
is($status, 1, 'a full disk is a failure');
is(left('media'), $kept, 'and nothing is lost');
is(sql(q{SELECT max(attempts) FROM pgpubsub.notifications}), 0, 'nor counted as tried');
sql(q{SELECT count(*) FROM pgpubsub.take('media', 1000)});

# Leased mode, printing.
sql(q{SELECT pgpubsub.publish('media', to_jsonb(i)) FROM generate_series(1, 70) i});
($status, $out) = cli('listen', 'media', '--mode', 'leased', '--lease', '10s', '--drain', '--dsn', $dsn);
is($status, 0, 'leased mode');
is(scalar(split /\n/, $out), 70, 'prints all');
is(left('media'), 0, 'and acks');

# A name that looks like an option.
sql(q{SELECT pgpubsub.create_channel('-v'); SELECT pgpubsub.publish('-v', '1')});
($status, $out) = cli('listen', '--drain', '--dsn', $dsn, '--', '-v');
like($out, qr/"channel":"-v"/, 'a name that begins with - goes behind --');

# A role whose statement_timeout ends each wait.
sql(q{CREATE ROLE hasty SUPERUSER LOGIN; ALTER ROLE hasty SET statement_timeout = '100ms'});
$program = background(cli_path(), 'listen', 'media', '--no-listen', '--dsn', "$dsn user=hasty");
eventually(sub { text_of($program->{err}) =~ /statement timeout \(a wait lasts for the poll interval: statement_timeout must be longer\); next attempt/ }, 'a wait that statement_timeout ends: what to do is told');
kill TERM => $program->{pid};
is(wait_for_exit($program), 0, 'and it goes on until it is stopped');

# Databases, roles and locks in which nothing can be drained.
sql(q{SELECT pgpubsub.publish('media', '1'); CREATE ROLE reader SUPERUSER LOGIN; ALTER ROLE reader SET default_transaction_read_only = on});
($status, $out, $err) = cli('listen', 'media', '--drain', '--dsn', "$dsn user=reader");
is($status, 1, '--drain: a read-only role ends it');
like($err, qr/^pgpubsub: cannot execute .* in a read-only transaction\nhint: .*target_session_attrs=read-write\.$/m, 'and says what to do');
foreach my $option ('--no-listen', '--verbose')
{
	($status, $out, $err) = cli('listen', 'media', $option, '--dsn', "$dsn user=reader");
	is($status, 1, "$option: without --drain too, when it starts");
	like($err, qr/^pgpubsub: cannot execute .* in a read-only transaction\nhint: /m, 'with the same words');
}
sql(q{ALTER ROLE reader RESET default_transaction_read_only; ALTER ROLE reader SET lock_timeout = '10ms'});
my $locker = $node->background_psql('postgres');
$locker->query_safe(q{BEGIN; LOCK TABLE pgpubsub.notification});
($status, $out, $err) = cli('listen', 'media', '--drain', '--dsn', "$dsn user=reader");
is($status, 1, '--drain: a lock that is not free ends it');
like($err, qr/lock timeout/, 'and says so');
$locker->query_safe('ROLLBACK');
$locker->quit;
is(left('media'), 1, 'and nothing is lost');
sql(q{SELECT count(*) FROM pgpubsub.take('media', 1000)});

# Idle for longer than the server allows its sessions.
sql(q{ALTER ROLE reader SET idle_session_timeout = '1s'});
$program = background(cli_path(), 'listen', 'media', '--verbose', '--dsn', "$dsn user=reader");
is_listening('media');
sql(q{SELECT pg_sleep(2.5)});    # more than twice as long
sql(q{SELECT pgpubsub.publish('media', '1')});
eventually(sub { payloads($program) eq '1' }, 'a consumer may be idle');
unlike(text_of($program->{err}), qr/reconnecting/, 'and its connections stay');

# SIGHUP, as from a terminal that is closed.
kill HUP => $program->{pid};
is(wait_for_exit($program), 0, 'SIGHUP ends it as SIGTERM does');
like(text_of($program->{err}), qr/stopped/, 'in good order');

# A limit: so many, and what is behind stays. A failure counts.
sql(q{SELECT count(*) FROM pgpubsub.take('media', 1000)});
sql(q{SELECT pgpubsub.publish('media', to_jsonb(i)) FROM generate_series(1, 20) i});
for my $more ([], ['--mode', 'leased'], ['--drain'])
{
	my $before = left('media');
	($status, $out, $err) = cli('listen', 'media', '--limit', 3, @$more, '--dsn', $dsn);
	is($status, 0, "--limit 3 @$more");
	is(scalar(() = $out =~ /\n/g), 3, 'prints three');
	is($before - left('media'), 3, 'and takes no more');
}
is((cli('listen', 'media', '--limit', 1, '--exec', 'exit 1', '--dsn', $dsn))[0], 0, '--limit with a command that fails');
is(sql(q{SELECT string_agg(attempts::text, '' ORDER BY id) FROM pgpubsub.notifications}), '10000000000', 'tries one');
sql(q{SELECT pgpubsub.purge_channel('media', 'default')});    # what waits for its next attempt too

# A paused channel is told of, when one listens and when one drains.
sql(q{SELECT pgpubsub.publish('media', '1'), pgpubsub.pause_channel('media')});
my $paused = qr/^pgpubsub: warning: channel "media" is paused: nothing of it is handed out until pgpubsub resume is called\n/;
($status, $out, $err) = cli('listen', 'media', '--drain', '--dsn', $dsn);
is($status, 0, 'draining a paused channel');
like($err, qr/$paused\z/, 'says that it is paused');
$program = listener('media');
eventually(sub { text_of($program->{err}) =~ qr/$paused\z/ }, 'listening to one says so too');
is(left('media'), 1, 'and takes nothing');
sql(q{SELECT pgpubsub.resume_channel('media')});
eventually(sub { payloads($program) eq '1' }, 'until it is resumed');
kill TERM => $program->{pid};
is(wait_for_exit($program), 0, 'stopped');

# Contradictions.
for my $wrong (['--mode', 'transactional', '--lease', '5s'], ['--lease', '5s'], ['--mode', 'both'], ['--batch', '0'],
	['--processes', '0'], ['--lease', '10ms', '--exec', 'true'], ['--poll-interval', 'often'], ['--poll-interval', '0'],
	['--stop-timeout', '5s'], ['--limit', '0'], ['--limit', '1', '--processes', '2'], ['--limit', '1', '--batch', '2'], ['--exec', ''], ['--exec', " \n"])
{
	($status, $out, $err) = cli('listen', 'media', @$wrong, '--dsn', $dsn);
	is($status, 2, "usage: @$wrong");
	like($err, qr/\Q$wrong->[0]\E/, 'names the option');
}
($status, $out, $err) = cli('listen', 'media', 'other', 'media', '--dsn', $dsn);
is($status, 2, 'a channel given twice');
like($err, qr/^pgpubsub: channel: "media" is given twice$/m, 'says so');

done_testing();
