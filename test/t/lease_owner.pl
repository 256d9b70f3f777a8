# A lease ends with the session that holds it; here without the worker, by recover(). Sessions and servers that really end.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('lease_owner');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 4\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION pgpubsub;
	SELECT pgpubsub.create_channel('jobs'), pgpubsub.create_channel('o', ordered => true);
});

sub sql { return $node->safe_psql('postgres', $_[0]) }
sub queue { return sql(q{SELECT string_agg(payload::text || state || attempts, ' ' ORDER BY id) FROM pgpubsub.notifications}) }

# A session that has claimed so many, and its process id.
sub claimer
{
	my ($channel, $count) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_safe("SELECT count(*) FROM pgpubsub.claim('$channel', $count, '1 hour')");
	return ($session, $pid);
}

sub wait_until_gone
{
	my ($pid) = @_;
	$node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)") or die "session $pid does not end";
}

# One that is terminated
sql(q{SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 3) i});
my ($session, $pid) = claimer('jobs', 2);
is(sql('SELECT pgpubsub.recover()'), '0', 'a session that is there keeps its leases');
is(sql('SELECT pid, alive, leases FROM pgpubsub.stat_consumers'), "$pid|t|2", 'and is shown');
sql("SELECT pg_terminate_backend($pid)");
wait_until_gone($pid);
is(sql('SELECT pid, alive, leases FROM pgpubsub.stat_consumers'), "$pid|f|2", 'one that is gone is shown as gone');
is(sql('SELECT pgpubsub.recover()'), '2', 'and loses its leases');
is(queue(), '1ready1 2ready1 3ready0', 'the attempts are counted');
eval { $session->quit };

# One whose client is killed
sql(q{SELECT pgpubsub.purge_channel('jobs')});
sql(q{SELECT count(pgpubsub.publish('o', to_jsonb(i), key => 'k')) FROM generate_series(1, 2) i});
($session, $pid) = claimer('o', 1);
$session->{run}->kill_kill(grace => 0);
wait_until_gone($pid);
is(sql(q{SELECT count(*) FROM pgpubsub.claim('o', 1)}), '0', 'in an ordered channel the next one of the key waits');
is(sql(q{SELECT pgpubsub.recover('o')}), '1', 'until the lost one is released');
is(sql(q{SELECT string_agg(payload::text || attempts, ' ') FROM pgpubsub.take('o', 2)}), '12 21', 'which comes first again');

# A crash of the server: nobody who comes after it is who was there before, whatever the process ids
sql(q{SELECT pgpubsub.publish('jobs', '1')});
($session, $pid) = claimer('jobs', 1);
$node->stop('immediate');
$node->start;
is(queue(), '1leased1', 'a lease outlives a crash');
is(sql('SELECT pgpubsub.recover()'), '1', 'its owner does not');
eval { $session->quit };

# COMMIT PREPARED comes from another session: the claim is not lost with the one that prepared it.
sql(q{BEGIN; SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 hour'); PREPARE TRANSACTION 'claim'});
sql(q{COMMIT PREPARED 'claim'});
is(sql('SELECT pgpubsub.recover()'), '0', 'a claim that was prepared has no owner');
is(queue(), '1leased2', 'and stays');

# PREPARE TRANSACTION looks for the leases of its transaction, and does not read those of others.
sql(q{SELECT count(pgpubsub.publish('jobs', to_jsonb(i))) FROM generate_series(1, 2003) i});
($session, $pid) = claimer('jobs', 2000);
my $reads = q{SELECT sum(pg_stat_get_tuples_returned(indexrelid)) FROM pg_index WHERE indexrelid = 'pgpubsub.notification_leased'::regclass};
my $read = sql($reads);
my $prepares = $node->background_psql('postgres');
$prepares->query_safe(q{SET pgpubsub.lease_scope = 'session'});
$prepares->query_safe($_) foreach 'BEGIN', q{SELECT count(*) FROM pgpubsub.claim('jobs', 2, '1 hour')}, 'SAVEPOINT s', q{SELECT count(*) FROM pgpubsub.claim('jobs', 1, '1 hour')},
	'ROLLBACK TO s', q{SELECT pgpubsub.extend(array_agg(receipt)) FROM pgpubsub.claim('jobs', 1, '1 hour')}, q{PREPARE TRANSACTION 'claims'}, 'SELECT pg_stat_force_next_flush()';
$prepares->quit;
cmp_ok(sql($reads) - $read, '<', 500, 'PREPARE TRANSACTION reads few of the leases of others');
sql(q{COMMIT PREPARED 'claims'});
is(sql(q{SELECT count(*) FROM pgpubsub.notification WHERE lease_token IS NOT NULL AND lease_owner IS NULL}), '4', 'all that it claimed has no owner, as before');
$session->quit;

$node->stop;
done_testing();
