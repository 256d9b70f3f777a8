# A proxy between a client and a server of the test, which behaves badly when it is told to: for tests of what a client
# does when its peer hangs, goes or is slow. It is a process of its own, on a loopback address, and ends with the test.
#
#   my $proxy = FaultProxy->start($node);             # options: address => '::1', port => 4711
#   background(cli_path(), 'listen', 'media', '--dsn', $proxy->dsn);
#   $proxy->freeze;
#
# Each method returns when it is in force. What one of them says about new connections holds until another one says
# otherwise; forward() takes all back.
package FaultProxy;

use strict;
use warnings;

use Errno qw(EADDRINUSE EAGAIN EINTR EWOULDBLOCK);
use IO::Socket::IP;
use IO::Socket::UNIX;
use POSIX ();
use PostgreSQL::Test::Cluster;
use Socket qw(AF_UNIX PF_UNSPEC SOCK_STREAM SOL_SOCKET SO_LINGER);
use Time::HiRes qw(sleep time);

my $tick = 0.02;    # how often a slow connection sends its share

sub start
{
	my ($class, $node, %options) = @_;
	my $address  = $options{address} // '127.0.0.1';
	# One that is reserved, and not of those that connections get: it has to be there again after refuse().
	my $port = $options{port} // PostgreSQL::Test::Cluster::get_free_port();
	my $listener = listen_at($address, $port) or die "no proxy at $address, port $port: $!";
	socketpair(my $ours, my $its, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die "socketpair: $!";
	my $self = bless { address => $address, port => $port, control => $ours, node => $node }, $class;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		close $ours;
		$SIG{PIPE} = 'IGNORE';
		my $proxy = { control => $its, listener => $listener, address => $address, port => $self->{port},
			server => $node->host, server_port => $node->port, mode => 'forward', pairs => [], accepted => 0 };
		eval { serve($proxy); 1 } or print STDERR "FaultProxy: $@";
		POSIX::_exit(0);    # without what the test does at its end
	}
	$self->{pid} = $pid;
	return $self;
}

# --- what a test says -----------------------------------------------------------------------------

sub port { return $_[0]{port} }

# A DSN that leads through the proxy, with more settings if given.
sub dsn
{
	my ($self, $more) = @_;
	return "host=$self->{address} port=$self->{port} dbname=postgres " . ($more // '');
}

# Passes on everything, as at the beginning; also what was held back meanwhile.
sub forward { return $_[0]->say('forward') }

# The peer takes what it is sent, and nothing comes back: a server that is stopped, or dead behind a balancer. New
# connections are accepted and silent, too. With numbers (in the order in which the connections came, from 1), only
# these connections, and new ones are served.
sub freeze { my ($self, @which) = @_; return $self->say("freeze @which") }

# New connections are accepted, and nothing comes back; those that there are go on.
sub silent { return $_[0]->say('silent') }

# New connections are refused; those that there are go on.
sub refuse { return $_[0]->say('refuse') }

# Ends all connections, in an orderly way or (reset) by RST.
sub drop  { return $_[0]->say('drop') }
sub reset { return $_[0]->say('reset') }

# Ends the connection that has got so many more bytes from the server: in the middle of a reply.
sub cut { my ($self, $bytes) = @_; return $self->say("cut $bytes") }

# So many bytes a second at most for each connection and direction.
sub slow { my ($self, $rate) = @_; return $self->say("slow $rate") }

# How many connections have come so far, and how many the client holds now.
sub accepted { return $_[0]->say('accepted') }
sub open     { return $_[0]->say('open') }

# How many bytes of a connection are held back, questions and answers: if any, the client waits for an answer.
sub held { my ($self, $which) = @_; return $self->say("held $which") }

# Ends the proxy, with all its connections. A test need not.
sub stop
{
	my ($self) = @_;
	$self->say('stop');    # not just by closing the socket: other processes of the test may have it open
	waitpid $self->{pid}, 0;
	return;
}

sub say
{
	my ($self, $what) = @_;
	syswrite $self->{control}, "$what\n" or die "the proxy is gone: $!";
	return line_from($self->{control}) // die 'the proxy is gone';
}

# undef: the other end is gone. A process that ends meanwhile interrupts the read: PostgreSQL's test modules have a handler
# for SIGCHLD from 18 on.
sub line_from
{
	my ($socket) = @_;
	my $line = '';
	while ($line !~ /\n/)
	{
		my $count = sysread $socket, $line, 1, length $line;
		next if !defined $count && $! == EINTR;
		return unless $count;
	}
	chomp $line;
	return $line;
}

# --- the proxy's process --------------------------------------------------------------------------

# A socket that is bound to the port; unless told otherwise it listens. Bound only, it refuses who connects.
sub listen_at
{
	my ($address, $port, $bound_only) = @_;
	foreach (1 .. 100)
	{
		my $socket = IO::Socket::IP->new(LocalHost => $address, LocalPort => $port, Type => SOCK_STREAM, ReuseAddr => 1, V6Only => 1,
			$bound_only ? () : (Listen => 100));
		if ($socket) { $socket->blocking(0); return $socket }
		return unless $! == EADDRINUSE;
		sleep 0.02;
	}
	return;
}

# A pair is a connection of the client and one to the server. What was read from one side waits in the buffer of the
# other; a side that ended is closed when the other one's buffer is empty.
sub serve
{
	my ($p) = @_;
	while (1)
	{
		my ($read, $write, $hurry) = ('', '', 0);
		vec($read, fileno($_), 1) = 1 for $p->{control}, $p->{mode} eq 'refuse' ? () : $p->{listener};
		foreach my $pair (@{ $p->{pairs} })
		{
			foreach my $side (grep { $_->{socket} } @{ $pair->{sides} })
			{
				vec($read, fileno($side->{socket}), 1) = 1 unless $side->{ended} || length $side->{other}{buffer} > 50_000_000;
				next unless length $side->{buffer} && !$pair->{frozen};
				if   (may_send($p, $side)) { vec($write, fileno($side->{socket}), 1) = 1 }
				else                       { $hurry = 1 }
			}
		}
		my $ready = select($read, $write, undef, $hurry ? $tick : undef);
		next if $ready < 0;
		obey($p) or return if vec($read, fileno($p->{control}), 1);
		# An order may have changed everything: then what was ready is looked at in the next round.
		next if vec($read, fileno($p->{control}), 1);
		take_new($p) if $p->{mode} ne 'refuse' && vec($read, fileno($p->{listener}), 1);
		foreach my $pair (@{ $p->{pairs} })
		{
			foreach my $side (@{ $pair->{sides} })
			{
				receive($side) if $side->{socket} && vec($read, fileno($side->{socket}), 1);
				send_to($p, $pair, $side) if $side->{socket} && vec($write, fileno($side->{socket}), 1);
			}
			end($pair) if !$pair->{frozen} && grep { !$_->{socket} || ($_->{ended} && !length $_->{other}{buffer}) } @{ $pair->{sides} };
		}
		@{ $p->{pairs} } = grep { !$_->{gone} } @{ $p->{pairs} };
	}
}

sub obey
{
	my ($p) = @_;
	my $order = line_from($p->{control}) // return 0;
	my ($verb, @numbers) = split ' ', $order;
	if ($verb eq 'stop') { syswrite $p->{control}, "ok\n"; return 0 }
	my $reply = 'ok';
	if ($verb eq 'forward' || $verb eq 'slow')
	{
		$p->{rate} = $verb eq 'slow' ? $numbers[0] : undef;
		$p->{cut} = undef;
		$_->{frozen} = 0 for @{ $p->{pairs} };
		new_mode($p, 'forward');
		connect_to_server($p, $_) for grep { !$_->{sides}[1]{socket} } @{ $p->{pairs} };
	}
	elsif ($verb eq 'freeze' && @numbers)
	{
		foreach my $pair (@{ $p->{pairs} }) { $pair->{frozen} = 1 if grep { $_ == $pair->{number} } @numbers }
	}
	elsif ($verb eq 'freeze') { $_->{frozen} = 1 for @{ $p->{pairs} }; new_mode($p, 'silent') }
	elsif ($verb eq 'silent' || $verb eq 'refuse') { new_mode($p, $verb) }
	elsif ($verb eq 'drop' || $verb eq 'reset') { end($_, $verb eq 'reset') for @{ $p->{pairs} }; $p->{pairs} = [] }
	elsif ($verb eq 'cut')      { $p->{cut} = $numbers[0] }
	elsif ($verb eq 'accepted') { $reply = $p->{accepted} }
	elsif ($verb eq 'open')     { $reply = grep { !$_->{sides}[0]{ended} } @{ $p->{pairs} } }
	elsif ($verb eq 'held')
	{
		my ($pair) = grep { $_->{number} == $numbers[0] } @{ $p->{pairs} };
		$reply = $pair ? length($pair->{sides}[0]{buffer}) + length($pair->{sides}[1]{buffer}) : 0;
	}
	else                        { $reply = "unknown: $verb" }
	syswrite $p->{control}, "$reply\n";
	return 1;
}

sub new_mode
{
	my ($p, $mode) = @_;
	if (($p->{mode} eq 'refuse') != ($mode eq 'refuse'))
	{
		close $p->{listener};
		$p->{listener} = listen_at($p->{address}, $p->{port}, $mode eq 'refuse') or die "port $p->{port}: $!";
	}
	$p->{mode} = $mode;
	return;
}

sub take_new
{
	my ($p) = @_;
	my $client = $p->{listener}->accept or return;
	$client->blocking(0);
	my @sides = ({ socket => $client, buffer => '' }, { socket => undef, buffer => '' });
	($sides[0]{other}, $sides[1]{other}) = ($sides[1], $sides[0]);
	my $pair = { number => ++$p->{accepted}, sides => \@sides, frozen => $p->{mode} eq 'silent' };
	push @{ $p->{pairs} }, $pair;
	connect_to_server($p, $pair) if $p->{mode} eq 'forward';
	return;
}

sub connect_to_server
{
	my ($p, $pair) = @_;
	my $server = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => "$p->{server}/.s.PGSQL.$p->{server_port}");
	if (!$server) { return end($pair, 1) }    # it is down
	$server->blocking(0);
	$pair->{sides}[1]{socket} = $server;
	return;
}

sub receive
{
	my ($side) = @_;
	my $count = sysread $side->{socket}, $side->{other}{buffer}, 65536, length $side->{other}{buffer};
	return if !defined $count && ($! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR);
	$side->{ended} = 1 unless $count;
	return;
}

# Whether a slow connection may send now.
sub may_send
{
	my ($p, $side) = @_;
	return !$p->{rate} || time >= ($side->{not_before} // 0);
}

sub send_to
{
	my ($p, $pair, $side) = @_;
	my $most = length $side->{buffer};
	my $to_client = $side == $pair->{sides}[0];
	if ($p->{rate})
	{
		my $share = POSIX::ceil($p->{rate} * $tick);
		$most = $share if $most > $share;
	}
	$most = $p->{cut} if $to_client && defined $p->{cut} && $most > $p->{cut};
	my $count = $most == 0 ? 0 : syswrite $side->{socket}, $side->{buffer}, $most;
	if (!defined $count)
	{
		return if $! == EAGAIN || $! == EWOULDBLOCK || $! == EINTR;
		return end($pair);
	}
	substr($side->{buffer}, 0, $count) = '';
	$side->{not_before} = time + $count / $p->{rate} if $p->{rate};
	return unless $to_client && defined $p->{cut} && ($p->{cut} -= $count) <= 0;
	$p->{cut} = undef;
	return end($pair);
}

sub end
{
	my ($pair, $by_reset) = @_;
	foreach my $side (@{ $pair->{sides} })
	{
		my $socket = delete $side->{socket} or next;
		setsockopt $socket, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0) if $by_reset;
		close $socket;
	}
	$pair->{gone} = 1;
	return;
}

1;
