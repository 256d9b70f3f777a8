# pgpubsub channels, stats, dead-letters, redrive, purge-dead-letters, recover, pause, resume, purge, subscribe and
# unsubscribe; and listen with a subscription and a filter. A TAP test, since it is about a program.
use strict;
use warnings;

use ClientTest;
use JSON::PP;
use Test::More;

my $node = start_cluster('admin');
my $dsn  = $node->connstr('postgres');
my $json = JSON::PP->new->utf8;
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub run { my @arguments = @_; return cli(@arguments, '--dsn', $dsn) }
sub works { my @arguments = @_; my ($status, $out, $err) = run(@arguments); is($status, 0, "@arguments") or diag($err); is($err, '', 'nothing on stderr'); return $out }
sub fails { my ($expected, $message, @arguments) = @_; my ($status, $out, $err) = run(@arguments); is($status, $expected, "fails: @arguments"); like($err, $message, 'with the reason'); is($out, '', 'prints nothing') }
sub objects { return map { $json->decode($_) } split /\n/, $_[0] }
sub payloads { my ($out) = @_; return join ',', $out =~ /"payload":(.*?),"key"/g }
sub left { my ($what) = @_; return sql("SELECT count(*) FROM pgpubsub.$what WHERE channel = 'work'") }

sql(q{SELECT pgpubsub.create_channel('work', max_attempts => 1, backoff_base => '2 seconds', backoff_factor => 3, backoff_max => '1 hour');
      SELECT pgpubsub.create_channel('steps', ordered => true); SELECT pgpubsub.create_channel('prices', kind => 'broadcast', retention => '5 minutes')});

# Subscriptions, and what they get.
is(works('subscribe', 'work', 'audit', '--filter', '{"tenant": 7}', '--max-attempts', 4, '--backoff-base', '3s', '--backoff-factor', '1.5',
	'--backoff-max', '1m', '--backoff-jitter', '0.25', '--history', '1d'), '', 'prints nothing');
fails(1, qr/^pgpubsub: .*"audit".*exists\nhint: Pass --if-not-exists if that is fine\.$/m, 'subscribe', 'work', 'audit');
works('subscribe', 'work', 'audit', '--if-not-exists');
sql(q{SELECT pgpubsub.publish('work', jsonb_build_object('tenant', i)) FROM generate_series(6, 8) i});
is(payloads(works('listen', 'work', '--subscription', 'audit', '--drain')), '{"tenant": 7}', 'a subscription gets what its filter lets through');
is(payloads(works('listen', 'work', '--filter', '{"tenant": 8}', '--drain')), '{"tenant": 8}', 'a filter takes what contains it');
is(payloads(works('listen', 'work', '--drain')), '{"tenant": 6},{"tenant": 7}', 'and leaves the rest');
fails(2, qr/^pgpubsub: --filter: is not valid JSON: line 1/m, 'listen', 'work', '--filter', '{');
fails(2, qr/^pgpubsub: --subscription: "": the name of a subscription has 1 to 63 bytes$/m, 'listen', 'work', '--subscription', '');

# channels.
my $table = works('channels');
like($table, qr/^channel +kind +subscription +state +attempts +back-off +keeps +filter +owner$/m, 'channels: a header');
like($table, qr/^prices +broadcast +- +- +- +- +00:05:00 +- +\w+$/m, 'a broadcast channel');
like($table, qr/^steps +ordered queue +default +active +[0-9]+ /m, 'an ordered one');
like($table, qr/^work +queue +default +active +1 +00:00:02 x 3, up to 01:00:00 /m, 'a queue');
like($table, qr/^work +queue +audit +active +4 +00:00:03 x 1\.5, up to 00:01:00 +24:00:00 +\{"tenant": 7\} +\w+$/m, 'and its other subscription');
my ($audit) = grep { ($_->{subscription} // '') eq 'audit' } objects(works('channels', '--json'));
is_deeply([@$audit{qw(channel kind paused max_attempts backoff_factor backoff_jitter filter)}], ['work', 'queue', JSON::PP::false, 4, 1.5, 0.25, { tenant => 7 }], 'as JSON');

# pause and resume: all subscriptions, or one.
is(works('pause', 'work', '--subscription', 'audit'), '', 'pause');
sql(q{SELECT pgpubsub.publish('work', '{"tenant": 7, "n": 1}')});
my ($status, $out, $err) = run('listen', 'work', '--subscription', 'audit', '--drain');
is($out, '', 'a paused subscription gets nothing');
is($err, qq(pgpubsub: warning: channel "work", subscription "audit" is paused: nothing of it is handed out until pgpubsub resume is called\n), 'which is told');
like(works('stats', 'work'), qr/^work +audit .* t$/m, 'and stats shows it');
is(payloads(works('listen', 'work', '--drain')), '{"n": 1, "tenant": 7}', 'the other one does');
like(works('channels'), qr/^work +queue +audit +paused /m, 'it is shown');
is(works('resume', 'work'), '', 'resume');
is(payloads(works('listen', 'work', '--subscription', 'audit', '--drain')), '{"n": 1, "tenant": 7}', 'and it gets what was stored');
works('pause', 'work');
is(sql(q{SELECT string_agg(DISTINCT paused::text, ',') FROM pgpubsub.subscriptions WHERE channel = 'work'}), 'true', 'without a name: all');
works('resume', 'work', '--subscription', 'default');
works('resume', 'work', '--subscription', 'audit');
fails(1, qr/^pgpubsub: channel "nobody" does not exist$/m, $_, 'nobody') for 'pause', 'resume';
works('unsubscribe', 'work', 'audit');
is(sql(q{SELECT count(*) FROM pgpubsub.subscriptions WHERE channel = 'work'}), 1, 'unsubscribe');
fails(1, qr/^pgpubsub: .*"audit".*does not exist/m, 'unsubscribe', 'work', 'audit');

# Dead letters: shown, redriven, purged. Each failed at its only attempt.
sub kill_off { my ($count) = @_; sql("SELECT pgpubsub.publish('work', jsonb_build_object('n', i), 'k' || i) FROM generate_series(1, $count) i"); sql(q{BEGIN; SELECT count(pgpubsub.requeue(ARRAY[id], error => E'bad\n' || id)) FROM pgpubsub.take('work', 1000); COMMIT}) }
sub dead_ids { return split /\n/, sql(q{SELECT id FROM pgpubsub.dead_letters WHERE channel = 'work' ORDER BY id}) }
is(works('dead-letters', 'work'), "id  subscription  attempts  died_at  key  last_error  payload\n", 'no dead letters');
fails(1, qr/^pgpubsub: channel "nobody" does not exist\nhint: pgpubsub channels /m, 'dead-letters', 'nobody');
kill_off(3);
my @ids = dead_ids();
is(scalar @ids, 3, 'three dead letters');
like(works('dead-letters', 'work'), qr/^ *$ids[0] +default +1 +[-0-9]+ [0-9:]+\S* +k1 +bad $ids[0] +\{"n": 1\}$/m, 'are listed, each in one line');
my @letters = objects(works('dead-letters', 'work', '--json', '--subscription', 'default'));
is_deeply([map { @$_{qw(id channel subscription payload key attempts last_error)} } $letters[1]], [$ids[1], 'work', 'default', { n => 2 }, 'k2', 1, "bad\n$ids[1]"], 'as JSON');
is(scalar objects(works('dead-letters', 'work', '--json', '--subscription', 'other')), 0, 'of another subscription: none');
($status, $out, $err) = run('dead-letters', 'work', '--limit', 2, '--json');
is(scalar objects($out), 2, '--limit');
like($err, qr/^pgpubsub: the oldest 2 dead letters; there may be more\nhint: --limit N shows more\.$/m, 'says that there may be more');

is(works('redrive', 'work', '--id', $ids[0], $ids[2]), "2\n", 'redrive by id, prints how many');
is(sql(q{SELECT string_agg(id || ' ' || state || ' ' || attempts, ',' ORDER BY id) FROM pgpubsub.notifications WHERE channel = 'work'}), "$ids[0] ready 0,$ids[2] ready 0", 'they are ready again');
is(works('redrive', 'work', '--filter', '{"n": 1}'), "0\n", 'by a filter that nothing matches');
is(works('redrive', 'work', '--filter', '{"n": 2}'), "1\n", 'by a filter');
is(payloads(works('listen', 'work', '--drain')), '{"n": 1},{"n": 2},{"n": 3}', 'all are delivered');
kill_off(5);
@ids = dead_ids();
is(works('redrive', 'work', '--all', '--subscription', 'default'), "5\n", 'all');
is(works('purge', 'work', '--all'), "5\n", 'purge, prints how many');
is(left('notifications'), 0, 'and they are gone');
kill_off(5);
@ids = dead_ids();
is(works('purge-dead-letters', 'work', '--older-than', '1h'), "0\n", 'purge-dead-letters: none is so old');
is(works('purge-dead-letters', 'work', '--id', $ids[0]), "1\n", 'by id');
is(works('purge-dead-letters', 'work', '--filter', '{"n": 2}'), "1\n", 'by a filter');
is(works('purge-dead-letters', 'work', '--filter', '{"n": 3}', '--older-than', '1h'), "0\n", 'by both');
is(works('purge-dead-letters', 'work', '--older-than', '0s'), "3\n", 'by age');
kill_off(1);
is(works('purge-dead-letters', 'work', '--all'), "1\n", 'all');
is(left('dead_letters'), 0, 'and they are gone');

# What is too long to be sent, which an earlier version has stored, holds up neither what is behind it nor the list.
sql(q{DO $$ DECLARE too_long bigint := pgpubsub.publish('work', '0'); BEGIN
	UPDATE pgpubsub.notification SET payload = ('[' || repeat('1e131000,', 8400) || '0]')::jsonb WHERE id = too_long;
	PERFORM pgpubsub.publish('work', '{"n": 9}');
	END $$});
is(payloads(works('listen', 'work', '--drain')), '{"n": 9}', 'what is behind one that is too long is delivered');
like(works('dead-letters', 'work'), qr/^ *\d+ +default +0 .* too long to be read: [ \w]+,000 MB +-$/m, 'it is listed, without its payload');
is_deeply([map { @$_{qw(payload headers last_error)} } objects(works('dead-letters', 'work', '--json'))],
	[undef, undef, 'too long to be read: as text it is longer than 1,000 MB'], 'as JSON, too');
is(works('purge-dead-letters', 'work', '--all'), "1\n", 'and can be purged');

# peek shows what waits, and takes nothing.
sql(q{SELECT pgpubsub.publish('work', jsonb_build_object('n', i)) FROM generate_series(1, 5) i});
sql(q{SELECT pgpubsub.publish('work', '{"n": 6}', deliver_at => now() + interval '1 hour')});
my @stored = split /\n/, sql(q{SELECT id FROM pgpubsub.notifications ORDER BY id});
like(works('peek', 'work'), qr/^ *id +state +attempts +created_at +due_at +key +payload +last_error\n *$stored[0] +ready +0 +[-0-9]+ [0-9:+]+ +- +- +\{"n": 1\} +-\n/, 'peek: a table');
my @seen = objects(works('peek', 'work', '--json'));
is_deeply([map { $_->{id} } @seen], \@stored, 'all of them, by their ids');
is_deeply([map { @$_{qw(channel subscription state payload attempts)} } $seen[5]], ['work', 'default', 'delayed', { n => 6 }, 0], 'as JSON');
is(scalar objects(works('peek', 'work', '--json', '--state', 'ready')), 5, 'of one state');
is(scalar objects(works('peek', 'work', '--json', '--filter', '{"n": 3}')), 1, 'by a filter');
is(scalar objects(works('peek', 'work', '--json', '--after', $stored[3])), 2, 'from somewhere on');
($status, $out, $err) = run('peek', 'work', '--json', '--limit', 2);
is(scalar objects($out), 2, 'no more than the limit');
like($err, qr/^pgpubsub: the first 2 notifications; there may be more\nhint: --limit N shows more, --after ID what comes behind\.$/m, 'which is told');
is(left('notifications'), 6, 'and nothing is taken');
fails(1, qr/^pgpubsub: channel "nobody" does not exist\nhint: pgpubsub channels lists those that there are/m, 'peek', 'nobody');
fails(2, qr/--state/, 'peek', 'work', '--state', 'dead');
works('purge', 'work', '--all');

# What is to go must be said.
for my $command ('redrive', 'purge-dead-letters')
{
	fails(2, qr/^pgpubsub: channel: say which dead letters: --id, --filter(, --older-than)? or --all\nhint: See pgpubsub $command --help\.$/m, $command, 'work');
	fails(2, qr/^pgpubsub: --all: excludes --id$/m, $command, 'work', '--all', '--id', 1);
	fails(2, qr/^pgpubsub: --all: excludes --filter$/m, $command, 'work', '--all', '--filter', '{}');
	fails(2, qr/^pgpubsub: --filter: is not valid JSON/m, $command, 'work', '--filter', 'x');
	fails(1, qr/^pgpubsub: channel "nobody" does not exist$/m, $command, 'nobody', '--all');
}
fails(2, qr/^pgpubsub: --all: excludes --older-than$/m, 'purge-dead-letters', 'work', '--all', '--older-than', '1h');
fails(2, qr/^pgpubsub: channel: say which notifications: --subscription or --all$/m, 'purge', 'work');
fails(2, qr/^pgpubsub: --all: excludes --subscription$/m, 'purge', 'work', '--all', '--subscription', 'default');
sql(q{SELECT pgpubsub.publish('work', '1')});
is(works('purge', 'work', '--subscription', 'default'), "1\n", 'purge of one subscription');

# recover, in chunks, of one channel or all.
my $abandon = q{SELECT pgpubsub.publish('work', to_jsonb(i)), pgpubsub.publish('steps', to_jsonb(i)) FROM generate_series(1, 10) i;
	SELECT count(*) FROM pgpubsub.claim('work', 10, interval '1 hour'); SELECT count(*) FROM pgpubsub.claim('steps', 10, interval '1 hour')};
sql($abandon);
query_is($node, q{SELECT sum(leases) FROM pgpubsub.stat_consumers WHERE NOT alive}, '20', 'the session that has leases is gone');
is(works('recover', 'work', '--chunk-size', 3), "10\n", 'recover, prints how many');
is(works('recover'), "10\n", 'of all channels');
is(works('recover'), "0\n", 'nothing is left to do');
fails(1, qr/^pgpubsub: channel "nobody" does not exist$/m, 'recover', 'nobody');
fails(2, qr/--chunk-size/, 'recover', '--chunk-size', 0);

# stats.
sql(q{SELECT pgpubsub.publish('work', '1', deliver_at => now() + interval '1 hour')});
$table = works('stats');
like($table, qr{^channel +subscription +ready +delayed +in_flight +retrying +dead +oldest +published/s +processed/s +failed/s +paused$}m, 'stats: a header');
is(scalar(() = $table =~ /^(?:steps|work) +default +(?:~?[0-9]+ +){5}[-0-9]/mg), 2, 'a line for each subscription');
my $counts = 'ready, delayed, in_flight, retrying, dead';
my @view = split /\|/, sql("SELECT $counts FROM pgpubsub.stat_channels WHERE channel = 'work'");
$table = works('stats', 'work');
like($table, qr/^work +default +~?$view[0] +~?$view[1] +~?$view[2] +~?$view[3] +~?$view[4] /m, 'with what the view says');
unlike($table, qr/^steps/m, 'of one channel only');
my ($stats) = objects(works('stats', 'work', '--json'));
is_deeply([sort keys %$stats], [sort qw(channel subscription ready delayed in_flight retrying dead oldest_age published_per_second processed_per_second failed_per_second estimated paused)], 'as JSON');
is(join('|', @$stats{split /, /, $counts}), join('|', @view), 'with the same');
my $estimated = sql(q{SELECT count(*) FROM pgpubsub.stat_channels, unnest(estimated) e WHERE e IN ('ready', 'delayed', 'in_flight', 'retrying', 'dead')});
is(scalar(() = works('stats') =~ /~/g), $estimated, 'each estimate is marked');
fails(1, qr/^pgpubsub: channel "nobody" does not exist$/m, 'stats', 'nobody');

# The help of each, and an output that can't be written.
for my $command (qw(peek channels stats dead-letters redrive purge-dead-letters recover pause resume purge subscribe unsubscribe))
{
	($status, $out) = cli($command, '--help');
	is($status, 0, "$command --help");
	like($out, qr/--dsn DSN.*Exit status: 0 /s, 'has the connection and the exit statuses');
}
($status) = cli({ out => '/dev/full' }, 'channels', '--dsn', $dsn);
is($status, 1, 'a table that can not be printed is a failure');
sql(q{CREATE ROLE stranger LOGIN});
($status, $out, $err) = cli('dead-letters', 'work', '--dsn', "$dsn user=stranger");
is($status, 1, 'without any right');
like($err, qr/^pgpubsub: permission denied/m, 'says so');

done_testing();
