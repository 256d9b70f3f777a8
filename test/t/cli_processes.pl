# pgpubsub listen --processes: nobody is left behind, whoever dies is replaced, and what makes no sense is
# not repeated. A TAP test, since it is about processes.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;
use Time::HiRes qw(sleep time);

my $node = start_cluster('processes');
my $dsn  = $node->connstr('postgres');
my $dir  = tempdir(CLEANUP => 1);
sub sql { return $node->safe_psql('postgres', $_[0]) }
sub listener { my @arguments = @_; return background(cli_path(), 'listen', 'work', @arguments, '--dsn', $dsn) }
sub connected { my ($count) = @_; query_is($node, q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'}, $count, "$count listen") }
sub published { my ($count) = @_; return sql("SELECT count(pgpubsub.publish('work', to_jsonb(i))) FROM generate_series(1, $count) i") }
sub distinct { my ($name) = @_; my %seen; $seen{$_}++ for split /\n/, text_of($name); return scalar keys %seen }

# The shells of the commands in hand, and what they started; beside them each worker has its guard.
sub running_commands { my @workers = @_; my @shells = grep { text_of("/proc/$_/comm") eq "sh\n" } map { children_of($_) } @workers; return (@shells, map { children_of($_) } @shells) }

sql(q{SELECT pgpubsub.create_channel('work', backoff_base => '1 hour', backoff_max => '1 hour')});

# SIGTERM and SIGINT end all.
for my $signal ('TERM', 'INT')
{
	my $parent = listener('--processes', 3);
	connected(3);
	my @workers = children_of($parent->{pid});
	is(scalar @workers, 3, 'three workers');
	kill $signal => $parent->{pid};
	is(wait_for_exit($parent), 0, "SIG$signal ends the parent with 0");
	is_deeply([grep { is_alive($_) } @workers], [], 'and all workers are gone before it');
	is(text_of($parent->{err}), '', 'without a word');
	connected(0);
}

# SIGKILL of the parent.
my $parent = listener('--processes', 2);
connected(2);
my @workers = children_of($parent->{pid});
kill KILL => $parent->{pid};
wait_for_exit($parent);
eventually(sub { !grep { is_alive($_) } @workers }, 'when the parent is killed, the workers end');
connected(0);

# A worker that is killed is replaced, and everything is processed.
$parent = listener('--processes', 2, '--batch', 5, '--exec', "echo \$PGPUBSUB_ID >> $dir/leased", '--lease', '1s');
published(150);
for my $round (1 .. 3)
{
	eventually(sub { distinct("$dir/leased") >= 20 * $round }, "working, round $round");
	my ($victim) = children_of($parent->{pid});
	kill KILL => $victim;
	eventually(sub { my @now = children_of($parent->{pid}); @now == 2 && !grep { $_ == $victim } @now }, 'a killed worker is replaced');
}
query_is($node, q{SELECT count(*) FROM pgpubsub.notifications}, '0', 'all is processed');
is(distinct("$dir/leased"), 150, 'each notification');
like(text_of($parent->{err}), qr/^pgpubsub: worker [12] \(pid [0-9]+\) was killed by signal 9 \(Killed\); replacing it in [0-9]+ ms$/m, 'and said so');
kill TERM => $parent->{pid};
is(wait_for_exit($parent), 0, 'stopped');

# The same with a stopped server in between: the replacement waits for it, as the others do.
$parent = listener('--processes', 2);
connected(2);
$node->stop('fast');
my ($victim) = children_of($parent->{pid});
kill KILL => $victim;
eventually(sub { text_of($parent->{err}) =~ /could not connect.*next attempt/s }, 'without a server the attempts are logged');
eventually(sub { my @now = children_of($parent->{pid}); @now == 2 && !grep { $_ == $victim } @now }, 'the worker is replaced');
$node->start;
connected(2);
published(10);
eventually(sub { my @l = lines_of($parent); @l == 10 }, 'and works when the server is back');
kill TERM => $parent->{pid};
is(wait_for_exit($parent), 0, 'stopped');

# --drain with several.
published(200);
my ($status, $out) = cli('listen', 'work', '--processes', 3, '--drain', '--dsn', $dsn);
is($status, 0, '--drain with three processes');
is(scalar(split /\n/, $out), 200, 'prints all, each once');

published(3);
($status, $out, my $drained) = cli('listen', 'work', '--processes', 2, '--drain', '--dsn', $dsn, '--exec', 'grep -q \'"payload":2,\' && exit 1; cat');
is($status, 1, '--drain with several: one that fails shows in the status');
is(scalar(split /\n/, $drained), 3, 'is told, by its worker');
is(sql(q{SELECT count(*) FROM pgpubsub.notifications}), 1, 'and keeps nobody from the others');
sql(q{DELETE FROM pgpubsub.notification});

# What a worker has in hand that does not end is ended, after the limit or at the second signal.
published(1);
$parent = listener('--processes', 2, '--exec', "echo x >> $dir/stuck; sleep 1000; echo", '--stop-timeout', '500ms', '--lease', '1s');
eventually(sub { text_of("$dir/stuck") ne '' }, 'a command that does not end');
@workers = children_of($parent->{pid});
my @commands = running_commands(@workers);
is(scalar @commands, 2, 'is running');
kill TERM => $parent->{pid};
is(wait_for_exit($parent), 1, 'the limit ends it, with 1');
eventually(sub { !grep { is_alive($_) } @workers, @commands }, 'and leaves nobody behind');
like(text_of($parent->{err}), qr/1 worker\(s\) did not end in time: ending what they have in hand/, 'and says so');
unlike(text_of($parent->{err}), qr/killing/, 'the worker itself ends in good order');
query_is($node, q{SELECT state || attempts FROM pgpubsub.notifications}, 'ready0', 'and gives its notification back');

unlink "$dir/stuck";
$parent = listener('--processes', 2, '--exec', "echo x >> $dir/stuck; sleep 1000; echo", '--lease', '1s');
eventually(sub { text_of("$dir/stuck") ne '' }, 'once more');
@workers = children_of($parent->{pid});
@commands = running_commands(@workers);
kill TERM => $parent->{pid};
eventually(sub { children_of($parent->{pid}) == 1 }, 'the idle worker ends');
eventually(sub { kill TERM => $parent->{pid}; text_of($parent->{err}) =~ /asked twice/ }, 'SIGTERM again');
is(wait_for_exit($parent), 1, 'a second SIGTERM ends it at once, with 1');
eventually(sub { !grep { is_alive($_) } @workers, @commands }, 'and leaves nobody behind');

# SIGKILL of a worker ends its command, with what that has started.
unlink "$dir/stuck";
$parent = listener('--processes', 2, '--exec', "echo x >> $dir/stuck; sleep 1000; echo", '--lease', '1h');
eventually(sub { text_of("$dir/stuck") ne '' }, 'a command is running');
@commands = ();
eventually(sub { @commands = running_commands(children_of($parent->{pid})); @commands == 2 }, 'a shell and what it started');
my ($shell) = @commands;
my ($owner) = text_of("/proc/$shell/stat") =~ /\) \w (\d+)/;
kill KILL => $owner;
eventually(sub { !grep { is_alive($_) } @commands }, 'both are gone when the worker is killed');
eventually(sub { text_of($parent->{err}) =~ /was killed by signal 9/ }, 'which is said');
kill TERM => $parent->{pid};
is(wait_for_exit($parent), 0, 'stopped');

# A worker that died before the request to stop is no failure of the stop, though both signals wait for the parent.
$parent = listener('--processes', 2, '--stop-timeout', '60s');
connected(2);
@workers = children_of($parent->{pid});
kill STOP => $parent->{pid};
eventually(sub { text_of("/proc/$parent->{pid}/stat") =~ /\) T / }, 'the parent is stopped');
kill KILL => $workers[0];
# A process of several threads is a zombie before it can be waited for: the signal says that it can.
sub has_pending_chld { my ($pid) = @_; return text_of("/proc/$pid/status") =~ /^ShdPnd:\s*[0-9a-f]*([0-9a-f]{8})$/m && hex($1) & 1 << 16 }
eventually(sub { has_pending_chld($parent->{pid}) }, 'a worker is killed while its parent is stopped');
kill TERM => $parent->{pid};
kill CONT => $parent->{pid};
is(wait_for_exit($parent), 0, 'the request after it ends the parent with 0');
like(text_of($parent->{err}), qr/^pgpubsub: worker 1 \(pid $workers[0]\) was killed by signal 9 \(Killed\); replacing it/m, 'and what became of the worker is said');

# A worker that dies while it is stopping is a failure, and is named.
$parent = listener('--processes', 2, '--stop-timeout', '60s');
connected(2);
@workers = children_of($parent->{pid});
kill STOP => $workers[0];
eventually(sub { text_of("/proc/$workers[0]/stat") =~ /\) T / }, 'a worker is stopped');
kill TERM => $parent->{pid};
eventually(sub { !is_alive($workers[1]) }, 'the other one ends');
kill KILL => $workers[0];
is(wait_for_exit($parent), 1, 'it is killed: 1');
like(text_of($parent->{err}), qr/^pgpubsub: worker 1 \(pid $workers[0]\) was killed by signal 9 \(Killed\) while it was stopping$/m, 'and said');

# A request to stop may come before the workers can catch it.
my @early;
for my $ms (0 .. 24)
{
	$parent = listener('--processes', 8);
	my $deadline = time + 60;
	while (text_of("/proc/$parent->{pid}/comm") ne "pgpubsub\n" && time < $deadline) { }    # until then it is this script's
	sleep $ms / 1000;
	kill TERM => $parent->{pid};
	my $status = wait_for_exit($parent);
	push @early, "$ms ms: $status" unless $status == 0 || $status == 143;    # 143: before the program could take it
}
is_deeply(\@early, [], 'a request to stop within the first milliseconds is no failure');

# What makes no sense for one makes none for all.
($status, $out, my $err) = cli('listen', 'work', '--processes', 3, '--dsn', 'host=/nowhere dbname=x');
is($status, 1, 'no server');
like($err, qr/could not connect/, 'says so');
sql(q{CREATE DATABASE bare});
($status, $out, $err) = cli('listen', 'work', '--processes', 3, '--dsn', $node->connstr('bare'));
is($status, 1, 'no extension');
like($err, qr/hint: Run CREATE EXTENSION pgpubsub/, 'and what to do');

done_testing();
