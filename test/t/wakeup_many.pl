# More channels in one transaction than are looked through one by one, and sub-transactions: those are woken whose hint stands.
#
# A regression test has no worker, and an isolation test would print what comes in an order that depends on the worker.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use WakeupTest;

my $node = start_preloaded('wakeup_many');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
has_worker($node, 'postgres', 'there is a worker');

# Runs a transaction over channels of its own, in which NAME stands for the first part of their names, and compares who is woken: a listener
# that claims nothing is soon told less often, so each case begins with channels that were never used.
my $case = 0;
sub wakes
{
	my ($transaction, $expected, $what) = @_;
	my $name = 'c' . ++$case . '_';
	my @channels = map { $name . $_ } 1 .. 30;
	sql("SELECT count(pgpubsub.create_channel(c)) FROM unnest('{" . join(',', @channels, "${name}marker") . "}'::text[]) c;
	     SET pgpubsub.wakeup = off; SELECT count(pgpubsub.publish(c, '1')) FROM unnest('{" . join(',', @channels) . "}'::text[]) c");
	my $listener = listener($node, 'postgres', @channels, "${name}marker");
	$transaction =~ s/NAME/$name/g;
	sql($transaction);
	my $is_all = sub { my $heard = heard($listener); return !grep { $heard !~ /^\Q$name\E$_ /m } @$expected };
	eventually($is_all, "$what: all that stands") or diag(heard($listener));
	sql("SELECT pgpubsub.publish('${name}marker', '1')");
	eventually(sub { heard($listener) =~ /^${name}marker /m }, 'the marker');
	my %heard = map { $_ => 1 } heard($listener) =~ /^\Q$name\E(\d+) /mg;
	is(join(' ', sort { $a <=> $b } keys %heard), join(' ', @$expected), "$what: nobody else");
	end_probe($listener);
	return;
}
sub publish { my ($from, $to) = @_; return "SELECT count(pgpubsub.publish('NAME' || i, '1')) FROM generate_series($from, $to) i;" }
sub take { my ($from, $to) = @_; return "SELECT count(*) FROM generate_series($from, $to) i, LATERAL pgpubsub.take('NAME' || i);" }

wakes('BEGIN;' . publish(1, 12) . publish(1, 12) . 'COMMIT;', [ 1 .. 12 ], 'a transaction');
wakes('BEGIN;' . publish(1, 10) . 'SAVEPOINT s;' . publish(1, 20) . 'ROLLBACK TO s; COMMIT;', [ 1 .. 10 ], 'a sub-transaction that is rolled back');
wakes('BEGIN;' . publish(1, 10) . 'SAVEPOINT s;' . publish(1, 20) . 'ROLLBACK TO s;' . publish(15, 25) . 'COMMIT;', [ 1 .. 10, 15 .. 25 ], 'and published again after it');
wakes('BEGIN;' . publish(1, 5) . 'SAVEPOINT s;' . publish(3, 20) . 'RELEASE s;' . publish(1, 21) . 'COMMIT;', [ 1 .. 21 ], 'one that is released');
wakes('BEGIN; SAVEPOINT s;' . publish(1, 10) . 'SAVEPOINT t;' . publish(5, 20) . 'RELEASE t; ROLLBACK TO s;' . publish(2, 3) . 'COMMIT;', [ 2, 3 ], 'one that is released within one that is rolled back');
wakes('BEGIN;' . publish(1, 20) . 'ROLLBACK;', [], 'a transaction that is rolled back');
wakes('BEGIN;' . take(1, 12) . 'ROLLBACK;', [ 1 .. 12 ], 'what was taken is there again');
wakes('BEGIN;' . take(1, 12) . 'SAVEPOINT s;' . take(10, 20) . 'ROLLBACK TO s; COMMIT;', [ 13 .. 20 ], 'what a sub-transaction took');
wakes('BEGIN; SAVEPOINT s;' . take(1, 6) . 'SAVEPOINT t;' . take(5, 20) . 'RELEASE t; ROLLBACK TO s; COMMIT;', [ 1 .. 20 ], 'what one within it took');
wakes('BEGIN; SAVEPOINT s;' . take(1, 10) . 'RELEASE s; SAVEPOINT s;' . take(11, 20) . 'RELEASE s; COMMIT;', [], 'what stays taken');
$node->stop;
done_testing();
