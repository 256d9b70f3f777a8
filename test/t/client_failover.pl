# A DSN of several hosts, of which some do not answer, refuse, or are read-only; and names of hosts. A TAP test, since it
# needs several servers, and peers that behave badly.
use strict;
use warnings;

use ClientTest;
use FaultProxy;
use File::Temp ();
use Test::More;
use Time::HiRes qw(time);

my $node = start_cluster('first');
my $proxy = FaultProxy->start($node);
my $silent = FaultProxy->start($node);
$silent->silent;
my $dir = File::Temp->newdir('failoverXXXXXX', TMPDIR => 1);
my $user = $node->safe_psql('postgres', q{SELECT pgpubsub.create_channel('work'); SELECT current_user});
$user =~ s/\s//g;
sub published { my ($options, $dsn, $what) = @_; my ($status, $out, $err) = cli($options, 'publish', 'work', '1', '--dsn', $dsn); is($status, 0, $what); note $err if $err; return }
sub refused { my ($options, $dsn, $pattern, $what) = @_; my ($status, $out, $err) = cli($options, 'publish', 'work', '1', '--dsn', $dsn); isnt($status, 0, $what); like($err, $pattern, 'and why'); return }
sub both { my ($first, $second) = @_; return 'host=127.0.0.1,127.0.0.1 port=' . $first->port . ',' . $second->port . " dbname=postgres user=$user connect_timeout=2" }

# Each host has its own time.
my $begun = time;
published({}, both($silent, $proxy), 'a first host that does not answer: the second one is tried');
cmp_ok(time - $begun, '>=', 2, 'when its time was over');
$proxy->refuse;
published({}, "host=127.0.0.1,@{[$node->host]} port=@{[$proxy->port]},@{[$node->port]} dbname=postgres", 'so it is after one that refuses');
refused({}, both($silent, $proxy), qr/could not connect: connection to server at "127\.0\.0\.1", port @{[$silent->port]} failed: timed out after 2 s; .*port @{[$proxy->port]} failed: .*refused/, 'none answers');
$proxy->forward;
my $listener = background(cli_path(), 'listen', 'work', '--drain', '--dsn', both($silent, $proxy));
is(wait_for_exit($listener), 0, 'a listener does so too');
is(scalar(lines_of($listener)), 2, 'and has all');

# So does each address of one name, and a name that nobody resolves has a limit.
my $names = "$dir/odd_names.so";
is(system($ENV{CXX} || 'g++', '-shared', '-fPIC', '-o', $names, "$ENV{PGPUBSUB_ROOT}/test/t/odd_names.cpp", '-ldl'), 0, 'a name service');
my %odd = (env => { LD_PRELOAD => $names });
my $other = FaultProxy->start($node, address => '127.0.0.2', port => $silent->port);
published(\%odd, "host=two.test port=@{[$silent->port]} dbname=postgres user=$user connect_timeout=2", 'the second address of a name is tried');
refused(\%odd, "host=silent.test dbname=postgres connect_timeout=2", qr/could not translate host name "silent.test" to address: timed out/, 'a name server that does not answer');
published(\%odd, "host=silent.test,127.0.0.1 port=5432,@{[$proxy->port]} dbname=postgres user=$user connect_timeout=2", 'does not keep the next host from being tried');
refused({}, 'host=no.such.host.invalid dbname=postgres', qr/could not translate host name "no.such.host.invalid" to address: .*\nhint: Check the name of the host/, 'an unknown name');

# Where nothing is said, that of several hosts is meant that can be written to.
my $second = start_cluster('second');
$second->safe_psql('postgres', q{SELECT pgpubsub.create_channel('work'), pgpubsub.purge_channel('work')});
$node->safe_psql('postgres', q{SELECT pgpubsub.purge_channel('work')});
my $two = "host=@{[$node->host]},@{[$second->host]} port=@{[$node->port]},@{[$second->port]} dbname=postgres";
sub read_only { my ($which, $value) = @_; $which->safe_psql('postgres', "ALTER SYSTEM SET default_transaction_read_only = $value"); $which->reload; query_is($which, 'SHOW default_transaction_read_only', $value, "read-only: $value"); return }
sub stored { my ($which, $count, $what) = @_; query_is($which, 'SELECT count(*) FROM pgpubsub.notifications', $count, $what); return }
published({}, $two, 'both can: the first one');
stored($node, 1, 'it was');
read_only($node, 'on');
published({}, $two, 'the first is read-only');
stored($second, 1, 'so the second one has it');
refused({}, "$two target_session_attrs=any", qr/read-only/, 'unless it is said that any will do');
refused({ env => { PGTARGETSESSIONATTRS => 'any' } }, $two, qr/read-only/, 'by the environment too');
refused({}, "$two target_session_attrs=read-only", qr/read-only/, 'or even the other kind');
published({}, "$two target_session_attrs=read-write", 'read-write');
published({}, "host=@{[$second->host]},@{[$node->host]} port=@{[$second->port]},@{[$node->port]} dbname=postgres target_session_attrs=prefer-standby", 'prefer-standby, and there is none: any');
my ($status, undef, $err) = cli('publish', 'work', '1', '--dsn', "$two target_session_attrs=standby");
is($status, 1, 'standby, and there is none');
like($err, qr/could not connect: .*; .*\nhint: None of the hosts is of the kind/, 'and what to do');
read_only($node, 'off');

# A switch-over: a consumer follows to the server that can be written to, with both connections.
$_->safe_psql('postgres', q{SELECT pgpubsub.purge_channel('work')}) for $node, $second;
my $consumer = background(cli_path(), 'listen', 'work', '--poll-interval', '1s', '-v', '--dsn', $two);
eventually(sub { text_of($consumer->{err}) =~ /listening on/ }, 'it listens');
$node->safe_psql('postgres', q{SELECT pgpubsub.publish('work', '"before"')});
eventually(sub { text_of($consumer->{out}) =~ /before/ }, 'at the first server');
read_only($node, 'on');
$node->safe_psql('postgres', q{SET default_transaction_read_only = off; SELECT pgpubsub.publish('work', '"there"')});
$second->safe_psql('postgres', q{SELECT pgpubsub.publish('work', '"after"')});
eventually(sub { text_of($consumer->{out}) =~ /after/ }, 'and then at the second one');
query_is($second, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()}, 2, 'with both connections');
unlike(text_of($consumer->{out}), qr/there/, 'what is at the first one stays');
kill TERM => $consumer->{pid};
is(wait_for_exit($consumer), 0, 'stopped');
$node->safe_psql('postgres', 'SET default_transaction_read_only = off; ALTER SYSTEM RESET default_transaction_read_only');
$node->reload;

# Settings that libpq finds fault with late or never, and hints that suit.
my $here = "host=@{[$node->host]} port=@{[$node->port]} dbname=postgres";
refused({}, "$here connect_timeout=abc", qr/connect_timeout is "abc", and must be a number of seconds\nhint: .*PGCONNECT_TIMEOUT/, 'connect_timeout');
refused({ env => { PGCONNECT_TIMEOUT => 'abc' } }, $here, qr/connect_timeout is "abc"/, 'from the environment');
refused({}, 'port=abc', qr/the port is "abc", and must be a number from 1 to 65535\nhint: .*PGPORT/, 'a port');
refused({ env => { PGPORT => '70000' } }, '', qr/the port is "70000"/, 'from the environment');
refused({}, 'service=nosuch', qr/the settings of the connection are wrong: definition of service "nosuch" not found\nhint: .*PGSERVICE/, 'a service');
refused({}, 'sslmode=maybe', qr/invalid sslmode value: "maybe"\nhint: /, 'a mode of TLS');
refused({}, 'host=a,b port=1,2,3', qr/could not match 3 port numbers to 2 hosts/, 'lists of different lengths');
write_file("$dir/services", "[db]\nhost=127.0.0.1,@{[$node->host]}\nport=@{[$silent->port]},@{[$node->port]}\ndbname=postgres\nconnect_timeout=2\n");
published({ env => { PGSERVICEFILE => "$dir/services" } }, 'service=db', 'a service of two hosts');
refused({}, $proxy->dsn("user=$user sslmode=require"), qr/SSL was required\nhint: The server does not offer TLS/, 'no TLS');
$node->safe_psql('postgres', q{CREATE ROLE lim LOGIN CONNECTION LIMIT 0});
refused({}, "$here user=lim", qr/too many connections for role "lim"\nhint: .*ALTER ROLE/, 'the limit of a role');
refused({}, "$here user=nobody", qr/FATAL:  role "nobody" does not exist\nhint: Check the database/, 'no such role, without what is for programs');

done_testing();
