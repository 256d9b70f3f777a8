# Asynchronous fail-over, and recovery to an earlier point in time: ids are given a second time, idempotency keys are not. And the recipe by which
# ids don't come again either.
#
# Only a standby that has not received everything shows it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1, has_archiving => 1);
$primary->start;
$primary->safe_psql('postgres', q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel('jobs')});
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;

# Publishes, and takes what it published: ids and keys that were handed out.
sub handed_out
{
	my ($node, $count) = @_;
	$node->safe_psql('postgres', "SELECT count(pgpubsub.publish('jobs', '1')) FROM generate_series(1, $count)");
	return map { [ split /\|/ ] } split /\n/, $node->safe_psql('postgres', 'SELECT id, pgpubsub.idempotency_key(id, created_at) FROM pgpubsub.take($$jobs$$, 1000)');
}
sub common { my ($i, $left, $right) = @_; my %seen = map { $_->[$i] => 1 } @$left; return scalar grep { $seen{ $_->[$i] } } @$right }

handed_out($primary, 10);
$primary->wait_for_catchup($standby);
# From here on the standby receives nothing. A sequence writes to the log ahead of what it gives, so it takes more than that.
$standby->stop;
my @lost = handed_out($primary, 200);
is(scalar @lost, 200, 'handed out by the primary');
my $consumed = $lost[-1][0];
$primary->stop('immediate');
$standby->start;
$standby->promote;
my @again = handed_out($standby, 200);
is(scalar @again, 200, 'handed out by the new primary');
cmp_ok(common(0, \@lost, \@again), '>', 100, 'the same ids once more');
is(common(1, \@lost, \@again), 0, 'but no key');
is(scalar(keys %{ { map { $_->[1] => 1 } @again } }), 200, 'and each has its own');

# The same by recovery to an earlier point in time; with the ids moved beyond what consumers have seen, before anybody publishes.
my $restored = PostgreSQL::Test::Cluster->new('restored');
$restored->init_from_backup($primary, 'base');
$restored->start;
$restored->safe_psql('postgres', "SELECT setval('pgpubsub.notification_id_seq', greatest(nextval('pgpubsub.notification_id_seq'), $consumed + 1))");
my @restored = handed_out($restored, 200);
is(common(0, \@lost, \@restored), 0, 'after setval() no id comes again');
is(common(1, \@lost, \@restored), 0, 'nor a key');
$restored->stop;
$standby->stop;
done_testing();
