# No herd: of 50 consumers that listen to a channel, each hint wakes one, unless that one does nothing; then others.
#
# How many claims find nothing depends on how busy the machine is: who is addressed has some ms until others are. So it is looked
# at who was addressed first; "make bench" measures the rest.
use strict;
use warnings;

use ClientTest;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(sleep time);
use WakeupTest;

my $node = start_preloaded('herd');
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query) }
sql(q{
	SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('marker'), pgpubsub.create_channel('many'), pgpubsub.create_channel('waited'), pgpubsub.subscribe('many', 'audit');
	CREATE PROCEDURE publish_slowly(count integer, pause float DEFAULT 0.02) LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1 .. count LOOP PERFORM pgpubsub.publish('jobs', to_jsonb(i)); COMMIT; PERFORM pg_sleep(pause); COMMIT; END LOOP;
	END $$;
});
has_worker($node, 'postgres', 'there is a worker');
my $idle = q{SELECT count(*) = 0 FROM pgpubsub.notifications WHERE channel = 'jobs'};

# ---- single notifications ------------------------------------------------------------------------
my $herd = probe('herd', $node->connstr('postgres'), 'jobs', 50);
my $marker = listener($node, 'postgres', 'marker');
sub marker { sql(q{SELECT pgpubsub.publish('marker', '1')}) }
my %who;
foreach my $round (1 .. 20)
{
	forget($herd);
	sql(q{SELECT pgpubsub.publish('jobs', '1')});
	eventually(sub { heard($herd) =~ /^took 1 /m && heard($herd) =~ /^told /m }, "round $round: it is taken") or last;
	my ($addressed) = heard($herd) =~ /^told (.*)$/m;
	like($addressed, qr/^\d+$/, 'the first hint was addressed to one of them');
	$who{$addressed}++;
	my ($full, $empty) = taken_by($herd);
	note "$empty claims found nothing";
	# Hints of this round, if the machine is so slow that there are further ones, come before the marker's.
	hears_nothing($marker, \&marker, 'nothing else is heard');
}
cmp_ok(scalar(keys %who), '>', 1, 'it is not always the same one: ' . keys %who);
end_probe($marker);

# ---- many at once: further consumers are woken ---------------------------------------------------
forget($herd);
sql(q{SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 20000) i});
ok($node->poll_query_until('postgres', $idle), '20,000 at once, taken by 10: all are taken');
%who = map { $_ => 1 } heard($herd) =~ /^took \d+ (\d+)/mg;
cmp_ok(scalar(keys %who), '>', 1, 'claims that are full wake further consumers: ' . scalar(keys %who));
end_probe($herd);
eventually(sub { sql(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'}) == 1 }, 'they end');

# ---- who is addressed does nothing ---------------------------------------------------------------
my $lazy = probe('lazy', $node->connstr('postgres'), 'jobs', 50);
forget($lazy);
sql(q{SELECT pgpubsub.publish('jobs', '1')});
eventually(sub { heard($lazy) =~ /^took 1 /m }, 'who is addressed does nothing, and another one takes it');
my ($after) = heard($lazy) =~ /^took 1 \d+ (\d+)/m;
cmp_ok($after, '<', 20_000, "$after ms later: it was told, and did not sweep, which is done once a minute");
end_probe($lazy);

# ---- a listener that does not know of addresses, and one subscription more ----------------------
my $listener = listener($node, 'postgres', 'many');
sql(q{SELECT pgpubsub.publish('many', '1')});
hears($listener, 'many', 'a channel with two subscriptions');
$herd = listener($node, 'postgres', 'many');
forget($listener);
sql(q{SELECT pgpubsub.publish('many', '1')});
eventually(sub { heard($_) =~ /^many  \[/m }, 'everybody is told, since nobody knows whose it is') foreach ($listener, $herd);
end_probe($_) foreach ($listener, $herd);

# Nobody claims: in the end everybody is told.
my @all = map { listener($node, 'postgres', 'jobs') } 1 .. 4;
sql(q{SELECT pgpubsub.publish('jobs', '1')});
eventually(sub { heard($_) =~ /^jobs  \[/m }, 'nobody claims: everybody is told') foreach @all;
my $first = join '', map { heard($_) } @all;
like($first, qr/^jobs \d+ \[/m, 'but first one was');
my $sent = sql('SELECT notifies FROM pgpubsub.stat_wakeup');
sleep 0.5;
is(sql('SELECT notifies FROM pgpubsub.stat_wakeup'), $sent, 'and then no more');
end_probe($_) foreach @all;

# ---- who was told, and has not begun a claim yet, is not told again at once -----------------------
my $busy = listener($node, 'postgres', 'jobs');
$sent = sql('SELECT notifies FROM pgpubsub.stat_wakeup');
my $begun = time;
sql('CALL publish_slowly(200, 0.003)');
my $told = sql('SELECT notifies FROM pgpubsub.stat_wakeup') - $sent;
my $pauses = (time - $begun) / 0.010;
cmp_ok($told, '<=', $pauses + 2, "200 notifications for a listener that claims nothing: it was told $told times, with pauses of 10 ms or more");
foreach my $i (1 .. 3)
{
	forget($busy);
	sql(q{SELECT pgpubsub.publish('jobs', '1')});
	hears($busy, 'jobs', "but it is told of what came meanwhile, $i");
}
# What is published just after it was told waits, for the follow-up, not for the sweep that comes once a minute.
sql(q{
	CREATE PROCEDURE publish_after_hint() LANGUAGE plpgsql AS $$
	DECLARE before bigint := (SELECT notifies FROM pgpubsub.stat_wakeup);
	BEGIN
		PERFORM pgpubsub.publish('jobs', '1');
		COMMIT;
		WHILE (SELECT notifies FROM pgpubsub.stat_wakeup) = before LOOP PERFORM pg_sleep(0.001); COMMIT; END LOOP;
		PERFORM pgpubsub.publish('jobs', '2');
		COMMIT;
	END $$;
});
foreach my $round (1 .. 2)
{
	forget($busy);
	sql('CALL publish_after_hint()');
	my $published_at = time;
	eventually(sub { my @told = heard($busy) =~ /^jobs /mg; @told > 1 }, "what is published after a hint gets one of its own, $round");
	cmp_ok(time - $published_at, '<', 20, 'soon');
}
sleep 0.5;
$sent = sql('SELECT notifies FROM pgpubsub.stat_wakeup');
sql(qq{SELECT pgpubsub.publish('jobs', '1'); SELECT pg_sleep(0.005); SELECT count(*) FROM pgpubsub.take('jobs', 1000); SELECT pgpubsub.publish('jobs', '2')});
eventually(sub { sql('SELECT notifies FROM pgpubsub.stat_wakeup') - $sent == 2 }, 'after a claim it is told again');
end_probe($busy);

$node->stop;
done_testing();
