# A consumer that loses its connections again and again, and does a lot between, needs no more memory and no more file
# descriptors for it. A TAP test, since connections end. PGPUBSUB_RECONNECTS (20) and PGPUBSUB_NOTIFICATIONS (20000) make it
# as long as one likes.
use strict;
use warnings;

use ClientTest;
use Test::More;

my $reconnects    = $ENV{PGPUBSUB_RECONNECTS}    || 20;
my $notifications = $ENV{PGPUBSUB_NOTIFICATIONS} || 20_000;
my $node = start_cluster('endurance');
my $dsn  = $node->connstr('postgres');
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub descriptors { my ($program) = @_; my @all = glob "/proc/$program->{pid}/fd/*"; return scalar(@all) }
sub memory { my ($program) = @_; return text_of("/proc/$program->{pid}/status") =~ /^VmRSS:\s+(\d+) kB/m ? $1 : die 'no VmRSS' }
# Memory that is freed counts for long under a sanitizer, which keeps it to see whether it is used again.
sub no_more_memory
{
	my ($program, $before, $limit, $what) = @_;
	SKIP:
	{
		skip "the memory of a program is not its own under the sanitizer $ENV{PGPUBSUB_SANITIZER}", 1 if $ENV{PGPUBSUB_SANITIZER};
		my $after = memory($program);
		cmp_ok($after - $before, '<', $limit, "$what ($before kB, then $after kB)");
	}
	return;
}
# Until all is done, and both connections are there.
sub settled { my ($what) = @_; query_is($node, q{SELECT (SELECT count(*) FROM pgpubsub.notifications) || ' ' || count(*) FROM pg_stat_activity WHERE application_name = 'consumer' AND state = 'idle'}, '0 2', $what) }
sub publish { my ($count) = @_; sql(qq{SELECT count(pgpubsub.publish('work', jsonb_build_object('value', i))) FROM generate_series(1, $count) i}) }
sub lose { is(sql(q{SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'consumer'}), 2, 'both connections end') }

sql(q{SELECT pgpubsub.create_channel('work')});
for my $mode ('transactional', 'leased')
{
	my $program = background({ env => { PGAPPNAME => 'consumer' }, out => '/dev/null' }, cli_path(), 'listen', 'work', '--mode', $mode, '--dsn', $dsn, '--poll-interval', '1h');
	for (1 .. 5) { settled('it is there'); lose(); publish(100) }
	publish(1000);
	settled('it has been through all of it');
	my ($memory, $descriptors) = (memory($program), descriptors($program));

	for my $time (1 .. $reconnects) { lose(); publish(10); settled("$mode: back, time $time") }
	is(descriptors($program), $descriptors, "$mode: as many descriptors as before $reconnects reconnects");
	no_more_memory($program, $memory, 2048, 'and no more memory');

	for (my $left = $notifications; $left > 0; $left -= 10_000) { publish($left < 10_000 ? $left : 10_000); settled("$mode: $left are left") }
	no_more_memory($program, $memory, 4096, "nor after $notifications notifications");
	is(descriptors($program), $descriptors, 'and as many descriptors');
	kill TERM => $program->{pid};
	is(wait_for_exit($program), 0, 'stopped');
}

done_testing();
