# What the tests of storage share: notifications with a number, which is noted where they are published and where they are consumed.
package StorageTest;

use strict;
use warnings;

use Exporter 'import';

our @EXPORT = qw(numbered_notifications);

# SQL that makes the tables published and done, publish(channel, count, length of the payload), consume(channel, count), and work_off(channel, count),
# which claims and acks.
sub numbered_notifications
{
	return <<'SQL';
	CREATE SEQUENCE n;
	CREATE TABLE published (n bigint);
	CREATE TABLE done (n bigint);
	CREATE FUNCTION publish(channel text, count integer, length integer) RETURNS void LANGUAGE sql AS $$
		WITH new AS (INSERT INTO published SELECT nextval('n') FROM generate_series(1, count) RETURNING n)
		SELECT pgpubsub.publish_batch(channel, array_agg(jsonb_build_object('n', n, 'text',
			(SELECT string_agg(md5(n || '/' || i), '') FROM generate_series(1, length / 32) i)))) FROM new;
	$$;
	CREATE FUNCTION consume(channel text, count integer) RETURNS void LANGUAGE sql AS $$
		INSERT INTO done SELECT (payload ->> 'n')::bigint FROM pgpubsub.take(channel, count);
	$$;
	CREATE FUNCTION work_off(channel text, count integer) RETURNS void LANGUAGE sql AS $$
		WITH claimed AS (SELECT (payload ->> 'n')::bigint AS n, receipt FROM pgpubsub.claim(channel, count)),
			noted AS (INSERT INTO done SELECT n FROM claimed)
		SELECT pgpubsub.ack(array_agg(receipt)) FROM claimed;
	$$;
SQL
}

1;
