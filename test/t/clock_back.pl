# The server's clock is set back by a day while it runs: what is measured in intervals goes on as if nothing had happened. It needs a clock
# that can be set (test/t/clock.cpp), and a preloaded library.
use strict;
use warnings;

use ClientTest;
use File::Temp ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use WakeupTest;

my $directory = File::Temp->newdir('pgpubsubXXXXXX', TMPDIR => 1);
my $clock = "$directory/clock";
sub set_clock { my ($seconds) = @_; open my $file, '+<:raw', $clock or die $!; print $file pack('q', $seconds); close $file or die $!; return }
write_file($clock, pack('q', 0));
my @command = ($ENV{CXX} || 'g++', '-std=c++20', '-O1', '-shared', '-fPIC', '-o', "$directory/clock.so", "$ENV{PGPUBSUB_ROOT}/test/t/clock.cpp", '-ldl');
system(@command) == 0 or BAIL_OUT("could not compile the clock: @command");

# What is given back before the clock is set back: at once, after no pause, after a long one, with a key.
my $given_back = q{
	SELECT pgpubsub.create_channel('back'), pgpubsub.create_channel('order', ordered => true);
	SELECT pgpubsub.publish('back', to_jsonb(w)) FROM unnest('{release,nack,pause,requeue}'::text[]) w;
	SELECT pgpubsub.publish('order', to_jsonb(i), key => 'k') FROM generate_series(1, 2) i;
	SELECT pgpubsub.publish('back', '"delayed"', deliver_at => now() + interval '1 hour') \gset
	SELECT pgpubsub.release(array_agg(receipt)) FROM pgpubsub.claim('order');
	SELECT pgpubsub.requeue(array_agg(id), '0 s') FROM pgpubsub.take('back', filter => '"requeue"');
	SELECT array_agg(receipt) FILTER (WHERE payload = '"release"') AS release, array_agg(receipt) FILTER (WHERE payload = '"nack"') AS nack,
		array_agg(receipt) FILTER (WHERE payload = '"pause"') AS pause FROM pgpubsub.claim('back', 3) \gset
	SELECT pgpubsub.release(:'release'), pgpubsub.nack(:'nack', '0 s'), pgpubsub.nack(:'pause', '10 min');
};
my $what_is_there = q{SELECT string_agg(payload #>> '{}', ',' ORDER BY payload #>> '{}') FROM pgpubsub.take('back', 10)};
my $next_of_key = q{SELECT payload FROM pgpubsub.take('order')};
my $pause = q{SELECT round(extract(epoch FROM due_at - clock_timestamp()) / 60) FROM pgpubsub.notifications WHERE payload = '"pause"'};

my $node = PostgreSQL::Test::Cluster->new('clock_back');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\nfsync = off\nautovacuum = off\nmax_worker_processes = 20\npgpubsub.storage_interval = 500ms\n");
{
	local @ENV{'LD_PRELOAD', 'PGPUBSUB_CLOCK'} = ("$directory/clock.so", $clock);
	$node->start;
}
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
sql(q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel(c) FROM unnest('{jobs,late,heap,nix}'::text[]) c});
has_worker($node, 'postgres', 'a worker');
my $listener = listener($node, 'postgres', 'jobs', 'late');

# Before: everything has been planned once; a session holds a lease.
my $holder = $node->background_psql('postgres');
sql(q{SELECT pgpubsub.publish('jobs', '1')});
is($holder->query_safe(q{SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 hour')}), 1, 'a lease');
my $other = $node->background_psql('postgres');
sql(q{SELECT pgpubsub.publish('jobs', '2')});
is($other->query_safe(q{SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 hour')}), 1, 'another one');
$other->quit;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pgpubsub.notifications WHERE state = 'leased'}), 'whose session ends: it is released');
is(sql(q{SELECT count(*) FROM pgpubsub.take('jobs')}), 1, 'and taken');
my $waiter = background({ in => "CALL pgpubsub.wait('{nix}', '4 s');\n" }, 'psql', '-X', $node->connstr('postgres'));
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'CALL pgpubsub.wait%'}), 'a session waits');

sql($given_back);
my $before = sql(q{SELECT extract(epoch FROM clock_timestamp())});
set_clock(-86400);
cmp_ok($before - sql(q{SELECT extract(epoch FROM clock_timestamp())}), '>', 86000, 'the clock is set back by a day');

sql(q{SELECT pgpubsub.publish('jobs', '0')});  # the worker looks at the clock when it has something to do
ok($node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM pgpubsub.notifications WHERE channel = 'back' AND state = 'ready'}), 'what was given back is ready');
is(sql($what_is_there), 'nack,release,requeue', 'and taken');
is(sql($next_of_key), '1', 'no key is blocked');
is(sql($pause), '10', 'a pause begins again, and is no longer');
is(sql(q{SELECT pgpubsub.take('jobs') IS NULL}), 'f', 'the same of what was published since');

$holder->quit;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pgpubsub.notifications WHERE state = 'leased'}), 'the lease of a session that ends is released');
wait_for_exit($waiter, 'wait()');
pass('who waits for 4 seconds does not wait for a day');
forget($listener);
foreach my $round (1 .. 3)
{
	sql(q{SELECT pgpubsub.publish('jobs', '3')});
	hears($listener, 'jobs', "a hint is given ($round)");
}
sql(q{SELECT pgpubsub.publish('late', '1', deliver_at => clock_timestamp() + interval '0.5 second')});
hears($listener, 'late', 'so is one for what becomes due');
sql(q{SELECT count(pgpubsub.publish_batch('heap', array_fill('1'::jsonb, '{60000}')))});
cmp_ok(sql(q{SELECT pg_relation_size('pgpubsub.notification')}), '>', 3_000_000, 'a large table');
sql(q{SELECT pgpubsub.purge_channel('heap')});
ok($node->poll_query_until('postgres', q{SELECT pg_relation_size('pgpubsub.notification') < 1000000}), 'is made small');
# The sweep, each minute, finds a hint that was lost.
{
	local $ClientTest::deadline = 90;
	sql(q{SET pgpubsub.wakeup = off; SELECT pgpubsub.purge_channel('late'), pgpubsub.publish('late', '2')});
	forget($listener);
	hears($listener, 'late', 'and lost hints are looked for');
}
unlike(slurp_file($node->logfile), qr/(ERROR|PANIC|TRAP).*/, 'no errors');
end_probe($listener);
$node->stop;

# Without a preloaded library there is no worker: recover() does it, in the function's step and in the procedure's.
set_clock(0);
$node = PostgreSQL::Test::Cluster->new('clock_back_alone');
$node->init;
$node->append_conf('postgresql.conf', "fsync = off\nautovacuum = off\n");
{
	local @ENV{'LD_PRELOAD', 'PGPUBSUB_CLOCK'} = ("$directory/clock.so", $clock);
	$node->start;
}
sql('CREATE EXTENSION pgpubsub');
foreach my $recover ('SELECT pgpubsub.recover()', 'CALL pgpubsub.recover(NULL, 2)')
{
	set_clock(0);
	sql($given_back);
	set_clock(-86400);
	is(sql($what_is_there), '', 'nothing is due by the clock that was set back');
	is(sql($recover), '5', $recover);
	is(sql($what_is_there), 'nack,release,requeue', 'makes ready what was given back');
	is(sql($next_of_key), '1', 'no key is blocked');
	is(sql($pause), '10', 'a pause begins again, and is no longer');
	is(sql($recover), '0', 'once');
	sql(q{SELECT pgpubsub.drop_channel('back'), pgpubsub.drop_channel('order')});
}
$node->stop;
done_testing();
