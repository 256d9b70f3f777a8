# pgpubsub publish: what it stores, what it prints, what it refuses. A TAP test, since it is about a program.
use strict;
use warnings;

use ClientTest;
use File::Temp;
use Test::More;

my $node = start_cluster('publish');
my $dsn  = $node->connstr('postgres');
$node->safe_psql('postgres', q{SELECT pgpubsub.create_channel('media')});
$node->safe_psql('postgres', q{SELECT pgpubsub.create_channel('Say "hi" it''s')});

sub stored { my ($what, $id) = @_; return $node->safe_psql('postgres', "SELECT $what FROM pgpubsub.notifications WHERE id = $id") }

# The payload, by argument and by stdin.
my ($status, $out, $err) = cli('publish', 'media', '{"a": 1}', '--dsn', $dsn);
is($status, 0, 'published');
like($out, qr/^[0-9]+\n\z/, 'the id is printed, and nothing else');
is($err, '', 'nothing on stderr');
is(stored('payload', $out), '{"a": 1}', 'the payload is stored');
($status, $out) = cli({ in => qq("from\\nstdin"\n) }, 'publish', 'media', '-', '--dsn', $dsn);
is(stored(q{payload #>> '{}'}, $out), "from\nstdin", '- reads stdin');
($status, $out) = cli({ in => '[1]' }, 'publish', 'media', '--dsn', $dsn);
is(stored('payload', $out), '[1]', 'without a payload too');
my $long = '{"s": "' . ('äöü"' =~ s/"/\\"/r x 150_000) . '"}';
($status, $out) = cli({ in => $long }, 'publish', 'media', '--dsn', $dsn);
is($status, 0, 'a payload of over 1 MB');
is(stored(q{length(payload ->> 's')}, $out), 600_000, 'is stored in full');

# Numbers are not touched.
my $number = '{"big": 123456789012345678901234567890.12345678901234567890, "huge": 1e400}';
($status, $out) = cli('publish', 'media', $number, '--dsn', $dsn);
is($status, 0, 'numbers that no double holds are accepted');
is(stored(q{payload ->> 'big'}, $out), '123456789012345678901234567890.12345678901234567890', 'and stored exactly');

# The other fields.
($status, $out) = cli('publish', 'Say "hi" it\'s', 'null', '--key', "k'1", '--headers', '{"h": [1]}', '--deliver-at',
	'2999-01-02 03:04:05+00', '--priority', '-7', '--dsn', $dsn);
is($status, 0, 'all fields');
is(stored(q{concat_ws('|', channel, payload, key, headers, deliver_at AT TIME ZONE 'UTC', priority, state)}, $out),
	q{Say "hi" it's|null|k'1|{"h": [1]}|2999-01-02 03:04:05|-7|delayed}, 'are stored');
# One that waits already, however long the commands take.
$node->safe_psql('postgres', q{ALTER DATABASE postgres SET pgpubsub.max_join_time = '1h'});
($status, my $first) = cli('publish', 'media', '{"v": 1}', '--dedup-key', 'd 1', '--dsn', $dsn);
($status, $out) = cli('publish', 'media', '{"v": 2}', '--dedup-key', 'd 1', '--dsn', $dsn);
is($out, $first, 'with the dedup_key of one that waits: its id is printed');
is(stored('payload', $first), '{"v": 1}', 'and nothing is changed');
($status, $out) = cli('publish', 'media', '{"v": 3}', '--dedup-key', 'd 1', '--replace', '--dsn', $dsn);
is($out, $first, '--replace: the same id');
is(stored('payload', $first), '{"v": 3}', 'and the new payload');
($status, $out, $err) = cli('publish', 'media', '1', '--replace', '--dsn', $dsn);
is($status, 2, '--replace alone');
like($err, qr/^pgpubsub: --replace: needs --dedup-key$/m, 'is refused');
($status, $out) = cli({ env => { PGPUBSUB_DSN => $dsn } }, 'publish', 'media', '2');
is($status, 0, 'the DSN from PGPUBSUB_DSN');

# What is no JSON is refused before it is sent, so no server is needed.
for my $wrong ('hello', '{"a": 1,}', "{'a': 1}", '[1] [2]')
{
	($status, $out, $err) = cli({ in => $wrong }, 'publish', 'media', '--dsn', 'host=/nowhere');
	is($status, 1, "refused: $wrong");
	like($err, qr/^pgpubsub: the payload on stdin is not valid JSON: line 1, column [0-9]+: /, 'with the place');
	is($err =~ /double quotes/ ? 1 : 0, $wrong eq 'hello' ? 1 : 0, 'quotes are advised where they may be what is missing');
}
($status, $out, $err) = cli({ in => " \n" }, 'publish', 'media', '--dsn', 'host=/nowhere');
is($status, 1, 'nothing on stdin');
is($err, "pgpubsub: the payload on stdin is empty\n", 'says so');
for my $case (['{', qr/^pgpubsub: --headers: is not valid JSON: line 1/], [' [1]', qr/^pgpubsub: --headers: must be a JSON object/], ['1', qr/object/])
{
	($status, $out, $err) = cli('publish', 'media', '1', '--headers', $case->[0], '--dsn', 'host=/nowhere');
	is($status, 2, "headers are checked too: $case->[0]");
	like($err, $case->[1], 'with the reason');
}

# What the server refuses.
($status, $out, $err) = cli('publish', 'nobody', '1', '--dsn', $dsn);
is($status, 1, 'a channel that does not exist');
like($err, qr/^pgpubsub: channel "nobody" does not exist\nhint: .*create_channel/, 'and what to do');
($status, $out, $err) = cli('publish', 'media', '"\\u0000"', '--dsn', $dsn);
is($status, 1, 'what jsonb refuses');
like($err, qr/^pgpubsub: unsupported Unicode escape sequence/, 'is reported');

# The command line.
for my $usage (['publish'], ['unknown'], ['publish', 'media', '1', '--colour'], ['publish', 'media', '1', '--priority', '99999'],
	['publish', 'media', '1', '2'], ['--colour'])
{
	($status, $out, $err) = cli(@$usage);
	is($status, 2, "usage: @$usage");
	like($err, qr/^pgpubsub: .+\nhint: See pgpubsub .*--help\.\n\z/, 'says so');
	is($out, '', 'prints nothing');
}
($status, $out, $err) = cli('lisen', 'media');
is($err, qq(pgpubsub: unknown subcommand "lisen"; there are: listen, publish, peek, channels, stats, dead-letters, redrive, purge-dead-letters, recover, pause, resume, purge, subscribe, unsubscribe\nhint: See pgpubsub --help.\n), 'a misspelt subcommand');
($status, $out, $err) = cli('--version');
is($status, 0, '--version');
like($out, qr/^pgpubsub [0-9]+\.[0-9]+\.[0-9]+\n\z/, 'prints the version');
for my $help (['--help'], ['listen', '--help'], ['publish', '--help'])
{
	($status, $out, $err) = cli(@$help);
	is($status, 0, "@$help");
	like($out, qr/Exit status: 0 /, 'documents the exit statuses');
	like($out, qr/^PGPUBSUB_DSN is used, else PGHOST, PGPORT, PGDATABASE, PGUSER and so on, as\nwith psql\.\n\nExit status: 0 .*\nfinishes what/m, 'with the lines as they are written');
	unlike($out, qr/^.{81}/m, 'in 80 columns');
	like($out, qr/PGPUBSUB_ID, PGPUBSUB_CHANNEL,\s+PGPUBSUB_ATTEMPTS, PGPUBSUB_IDEMPOTENCY_KEY\s.*PGPUBSUB_KEY /, 'and the variables of a command') if $help->[0] eq 'listen';
}
# Options in front of the subcommand, and other ways of asking.
for my $way (['--dsn', $dsn, 'publish', 'media', '1'], ["--dsn=$dsn", 'publish', 'media', '1'], ['--dsn', $dsn, '--key', 'k', 'publish', 'media', '1'])
{
	($status, $out, $err) = cli(@$way);
	is($status, 0, "options in front: $way->[0] …") or diag($err);
	like($out, qr/^[0-9]+\n\z/, 'work');
}
for my $case ([['-x'], 'unknown option "-x"', ''], [['-v'], 'a subcommand is missing', ''], [['--dsn', 'x'], 'a subcommand is missing', ''],
	[['publish', 'media', '1', '--delay', '5m'], 'unknown option "--delay"', 'publish '], [['publish', 'media', '1', '2', '3'], 'unexpected argument "2"', 'publish '],
	[['help', 'lisen'], 'unknown subcommand "lisen"; there are: .*', ''], [['--completion', 'bash'], 'unknown option "--completion"', ''])
{
	($status, $out, $err) = cli(@{ $case->[0] });
	is($status, 2, "wrong: @{ $case->[0] }");
	like($err, qr/^pgpubsub: $case->[1]\nhint: See pgpubsub $case->[2]--help\.\n\z/, 'is named as it was given');
}
my $help = (cli('--help'))[1];
($status, $out, $err) = cli();
is($status, 2, 'nothing');
is($err, $help, 'shows the help');
is((cli('help'))[1], $help, 'so does help');
is((cli('help', 'publish'))[1], (cli('publish', '--help'))[1], 'help of a subcommand');
is((cli($_))[1], (cli('--version'))[1], $_) for '-V', 'version';
for my $case ([['publish', 'media', 'not json'], qr/^pgpubsub: the payload is not valid JSON: line 1.*\nhint: Text needs double quotes/],
	[['publish', 'media', '1', '--deliver-at', 'garbage'], qr/^pgpubsub: --deliver-at: invalid input syntax for type timestamp with time zone: "garbage"/],
	[['publish', 'media', '1', '--lines'], qr/^pgpubsub: --lines: reads the payloads from stdin/], [['publish', 'media', '--lines', '--dedup-key', 'd'], qr/^pgpubsub: --lines: excludes --dedup-key/])
{
	($status, $out, $err) = cli(@{ $case->[0] }, '--dsn', $dsn);
	is($status, 2, "a wrong command line: @{ $case->[0] }");
	like($err, $case->[1], 'with the reason');
}

# A reader that has seen enough.
my $sh = background('/bin/sh', '-c', '{ "$0" channels --dsn "$1"; echo "$?" >&3; } 3>&2 | true', cli_path(), $dsn);
wait_for_exit($sh);
like(text_of($sh->{err}), qr/\A0\n\z/, 'a reader that goes away ends a list in silence');

# Many at once: each line.
my $lines = join "\n", (map { qq({"n": $_}) } 1 .. 2500), '', ' ';
($status, $out, $err) = cli({ in => $lines }, 'publish', 'media', '-', '--lines', '--key', 'of all', '--priority', 3, '--dsn', $dsn);
is($status, 0, '--lines') or diag($err);
my @line_ids = split /\n/, $out;
is(scalar @line_ids, 2500, 'an id for each');
is(stored(q{payload || jsonb_build_object('key', key, 'priority', priority)}, $line_ids[2499]), '{"n": 2500, "key": "of all", "priority": 3}', 'stored');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT payload) FROM pgpubsub.notifications WHERE key = 'of all'}), '2500', 'all of them');
($status, $out, $err) = cli({ in => "1\n2\n\n{\n5\n" }, 'publish', 'media', '--lines', '--dsn', $dsn);
is($status, 1, 'a line that is no JSON');
like($err, qr/^pgpubsub: line 4 on stdin is not valid JSON: line 1, column 2/, 'is named by its number');
is(scalar(() = $out =~ /\n/g), 2, 'and those before it are published');
($status, $out, $err) = cli({ in => "1\n\"\\u0000\"\n" }, 'publish', 'media', '--lines', '--dsn', $dsn);
is($status, 1, 'a line that the server refuses');
like($err, qr/^pgpubsub: lines 1 to 2 are not published: unsupported Unicode escape sequence/, 'none of its transaction is published');
{
	# As they come: what is written is published before there is more.
	pipe(my $read, my $write) or die $!;
	my $pid = fork // die $!;
	if ($pid == 0)
	{
		close $write;
		open STDIN, '<&', $read;
		exec cli_path(), 'publish', 'media', '--lines', '--key', 'stream', '--dsn', $dsn;
	}
	close $read;
	syswrite $write, "1\n2\n";
	query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE key = 'stream'}, '2', 'lines are published as they come');
	syswrite $write, '3';
	close $write;
	waitpid $pid, 0;
	is($?, 0, 'and the last one needs no newline');
	query_is($node, q{SELECT count(*) FROM pgpubsub.notifications WHERE key = 'stream'}, '3', 'all three');
}

# What is longer than the server stores is refused before it is read; and a zero byte is named.
my $large = background('/bin/sh', '-c', 'head -c 268435456 /dev/zero | tr "\\0" 1 | { "$0" publish media -; } ', cli_path());
is(wait_for_exit($large), 1, 'a payload of more than 255 MB');
like(text_of($large->{err}), qr/^pgpubsub: the payload on stdin is longer than 268435455 bytes\nhint: /, 'is refused');
$large = background('/bin/sh', '-c', 'truncate -s 100G "$1" && "$0" publish media - < "$1"; s=$?; rm "$1"; exit $s', cli_path(), File::Temp->new->filename);
is(wait_for_exit($large), 1, 'a file of 100 GB');
like(text_of($large->{err}), qr/^pgpubsub: the payload on stdin is longer than 268435455 bytes\nhint: /, 'is refused at once');
for my $case (["{\"a\": 1}\0", 'line 1, column 9: a zero byte'], ["1\n \0", 'line 2, column 2: a zero byte'], ["\"a\0b\"", 'line 1, column 3: a zero byte'], ["\xEF\xBB\xBF1", 'line 1, column 1: a byte order mark'])
{
	($status, $out, $err) = cli({ in => $case->[0] }, 'publish', 'media', '-', '--dsn', 'host=/nowhere');
	is($status, 1, 'refused');
	like($err, qr/^pgpubsub: the payload on stdin is not valid JSON: $case->[1]/, $case->[1]);
}

($status) = cli({ out => '/dev/full' }, 'publish', 'media', '1', '--dsn', $dsn);
is($status, 1, 'an id that can not be printed is a failure');

done_testing();
