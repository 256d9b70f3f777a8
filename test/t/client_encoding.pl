# A database without an encoding may hold what no client that speaks UTF-8 can be sent: such a notification is
# put aside with its error, and the others of its channel are delivered. A TAP test, since it needs a
# database of its own.
use strict;
use warnings;

use ClientTest;
use Test::More;

my $node = start_cluster('encoding');
$node->safe_psql('postgres', q{CREATE DATABASE raw ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'});
my $dsn = $node->connstr('raw');
sub sql { return $node->safe_psql('raw', $_[0]) }
sub payloads { my ($out) = @_; return join ',', $out =~ /"payload":(.*?),"key"/g }

sql(q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour')});
for my $mode ('transactional', 'leased')
{
	for my $batch (1, 50)
	{
		sql(q{DELETE FROM pgpubsub.notification});
		# The sixth can't be sent for its payload, the eighth for its key; the batches grow to more than one before.
		sql(q{SELECT pgpubsub.publish('work', CASE i WHEN 6 THEN to_jsonb(convert_from('\xc3', 'SQL_ASCII')) ELSE to_jsonb(i) END,
			CASE i WHEN 8 THEN convert_from('\xff', 'SQL_ASCII') END) FROM generate_series(1, 12) i});
		my ($status, $out, $err) = cli('listen', 'work', '--mode', $mode, '--batch', $batch, '--drain', '--dsn', $dsn);
		is($status, 1, "$mode, batches of $batch: the status says that some failed");
		is(payloads($out), '1,2,3,4,5,7,9,10,11,12', 'the others are delivered, in order');
		is(sql(q{SELECT string_agg(state || ' ' || attempts, ', ') FROM pgpubsub.notifications}), 'retrying 1, retrying 1', 'those that can\'t be sent are kept');
		is(sql(q{SELECT count(*) FROM pgpubsub.notifications WHERE last_error LIKE 'the notification can''t be sent to the client: invalid byte sequence for encoding "UTF8": 0x%'}),
			2, 'with the error');
		my $first = sql(q{SELECT min(id) FROM pgpubsub.notifications});
		like($err, qr/channel "work": notification $first failed \(attempt 1\).*can't be sent.*0xc3/, 'and the message names channel and notification');
		like($err, qr/^pgpubsub: 2 notifications failed$/m, 'and their number');
	}
}

done_testing();
