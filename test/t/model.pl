# The library beside a model of it (ChannelModel.pm), step by step under chance: a few sessions publish, take, claim, fail, give back, and
# so on, in transactions of each isolation level, with savepoints and two-phase commit. After each step what the library gave, what the views
# show and what was broadcast is compared with the model; with shared memory for the remembered places and without.
#
# The server has a clock that can be set (clock.cpp): an hour passes when a step says so, and so a run depends on nothing but its seed.
# One that fails is made short, and printed as the statements that somebody may type.
#
#   PGPUBSUB_SECONDS  how long it goes on. Unless given, a few rounds whose seeds are always the same, so that they fail for nobody
#                     but who has changed something
#   PGPUBSUB_SEED     the first seed; each round has one of its own, counted up, and begins with nothing stored. With PGPUBSUB_SECONDS, by
#                     chance unless given
#
# The tests of remembered places under load find what depends on how sessions interleave within a statement; this one finds what is hidden,
# handed out wrongly or counted wrongly between statements.
use strict;
use warnings;

use File::Temp ();
use ModelGenerator;
use ModelReduce qw(printed reduce);
use ModelRun;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

# A session that ended is told of, with what it was to do.
$SIG{PIPE} = 'IGNORE';

my $seconds = $ENV{PGPUBSUB_SECONDS};
my $first_seed = $ENV{PGPUBSUB_SEED} || ($seconds ? int(rand(1_000_000)) : 1);
my $rounds_of_a_short_run = 5;
my $steps_of_a_round = 200;
my $seconds_to_reduce = 120;
# A long run says what it did, whatever shows the tests.
sub say_what { my ($what) = @_; $seconds ? diag $what : note $what; return }
say_what("seed $first_seed");

# --- the server ---

my $directory = File::Temp->newdir('pgpubsubXXXXXX', TMPDIR => 1);
my $clock = "$directory/clock";
sub set_clock { my ($hours) = @_; open my $file, '+<:raw', $clock or die $!; print $file pack('q', 3600 * $hours); close $file or die $!; return }
write_file($clock, pack('q', 0));
sub write_file { my ($name, $bytes) = @_; open my $file, '>:raw', $name or die $!; print $file $bytes; close $file or die $!; return }
my @command = ($ENV{CXX} || 'g++', '-std=c++20', '-O1', '-shared', '-fPIC', '-o', "$directory/clock.so", "$ENV{PGPUBSUB_ROOT}/test/t/clock.cpp", '-ldl');
system(@command) == 0 or BAIL_OUT("could not compile the clock: @command");

# There is no worker, which would do by itself what the steps do.
my $node = PostgreSQL::Test::Cluster->new('model');
$node->init;
$node->append_conf('postgresql.conf', q{
max_worker_processes = 0
max_prepared_transactions = 20
max_locks_per_transaction = 256
shared_buffers = 64MB
fsync = off
autovacuum = off
pgpubsub.wakeup = off
pgpubsub.max_skip_time = 30min
});
sub start_server { local @ENV{'LD_PRELOAD', 'PGPUBSUB_CLOCK'} = ("$directory/clock.so", $clock); $node->start; return }
start_server();

# What ChannelModel.pm knows of the channels.
my $setup = q{CREATE EXTENSION pgpubsub;
SELECT pgpubsub.create_channel('plain', max_attempts => 2, history => '90 min', backoff_base => '1 hour', backoff_max => '3 hours', backoff_jitter => 0);
SELECT pgpubsub.subscribe('plain', 'odd', '{"odd": true}', max_attempts => 0, backoff_base => '1 hour', backoff_max => '3 hours', backoff_jitter => 0);
SELECT pgpubsub.create_channel('ordered', ordered => true, max_attempts => 3, history => '90 min', backoff_base => '1 hour', backoff_max => '3 hours', backoff_jitter => 0);
SELECT pgpubsub.subscribe('ordered', 'second', max_attempts => 1, backoff_base => '1 hour', backoff_max => '3 hours', backoff_jitter => 0);
SELECT pgpubsub.create_channel('news', 'broadcast');
};
$node->safe_psql('postgres', $setup . 'CREATE TABLE fresh AS SELECT id, max_attempts FROM pgpubsub.subscription');

# --- rounds ---

my $hours = 0;
my $cut = 0;  # rounds that ended early, since several answers were right, and which one it was does not show

# What is wrong after one of the steps, and how many it took; nothing where they tell nothing. $how: of ModelRun::run_steps().
sub run_steps
{
	my ($run, $max_join, $how, @steps) = @_;
	my ($wrong, $count) = eval { ModelRun::run_steps($run, $max_join, $how, @steps) };
	return ($wrong, $count) if $@ eq '';
	return if ref $@ && $@->{inconclusive};
	my $said = $@;
	ModelRun::revive($run);
	return ("server: $said", scalar @steps);
}

# The steps of the seed, made one after the other, for what is made depends on what the ones before have given. Returns what is wrong, or
# nothing, and the steps.
sub run_seed
{
	my ($run, $seed, $max_join) = @_;
	my $generator = ModelGenerator->new($seed);
	my @steps;
	my $wrong = eval {
		ModelRun::start($run, $max_join);
		while (my $p = @steps < $steps_of_a_round ? $generator->next_step($run) : $generator->last_step($run))
		{
			push @steps, $p;
			my $wrong = ModelRun::step($run, $p);
			return $wrong if defined $wrong;
			$generator->note($run, $p);
		}
		return;
	};
	return ($wrong, @steps) if $@ eq '';
	++$cut, return (undef, @steps) if ref $@ && $@->{inconclusive};
	my $said = $@;
	ModelRun::revive($run);
	return ("server: $said", @steps);
}

sub report
{
	my ($run, $where, $seed, $max_join, $wrong, @steps) = @_;
	diag "$where: PGPUBSUB_SEED=$seed: $wrong\nIt took " . @steps . ' steps.';
	# The views are looked at only where that shows the fault; and the sessions stay, unless it then does not show.
	my $how = { looks => $wrong =~ /^(views|broadcast|server)/ };
	$how->{keeps_sessions} = 1;
	$how->{keeps_sessions} = 0 if !defined run_steps($run, $max_join, $how, @steps);
	my ($last, @few) = reduce(sub { return run_steps($run, $max_join, $how, @_) }, $seconds_to_reduce, $wrong, @steps);
	diag "Few steps that fail in the same way (each line: session, statement, what came of it; :'r3' is the receipt that was given for 3):\n"
		. "${setup}SET pgpubsub.max_join_time = $max_join; SET lock_timeout = 5; -- in each session\n" . printed(@few) . "\n-- $last";
	return;
}

sub run_all
{
	my ($where, $sees_all) = @_;
	my $run = ModelRun->new(connstr => $node->connstr('postgres'), sees_all => $sees_all, clock => \&set_clock, hour => $hours);
	my $until = time() + ($seconds // 0) / 2;
	my ($wrong, $rounds, $count) = (undef, 0, 0);
	$cut = 0;
	for (my $seed = $first_seed; !defined $wrong && ($rounds < ($seconds ? 1 : $rounds_of_a_short_run) || time() < $until); ++$seed, ++$rounds)
	{
		my $max_join = $seed % 2 ? 0 : -1;
		($wrong, my @steps) = run_seed($run, $seed, $max_join);
		$count += @steps;
		report($run, $where, $seed, $max_join, $wrong, @steps) if defined $wrong;
	}
	ok(!defined $wrong, "$where: the library does what the model does");
	say_what("$where: $rounds rounds from seed $first_seed on, $count steps; $cut rounds were cut short");
	$hours = $run->{hour};
	ModelRun::end($run);
	return;
}

run_all('without shared memory', 0);
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pgpubsub'\n");
$node->stop;
start_server();
run_all('with shared memory', 1);
$node->stop;
done_testing();
