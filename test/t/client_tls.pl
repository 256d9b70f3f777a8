# Connections by TLS: large values in both directions, and what is said when a certificate does not suit. A TAP test,
# since the server needs certificates.
use strict;
use warnings;

use ClientTest;
use File::Temp ();
use Test::More;

my $dir = File::Temp->newdir('tlsXXXXXX', TMPDIR => 1);
my ($openssl) = grep { -x } map { "$_/openssl" } split(/:/, $ENV{PATH});
plan skip_all => 'there is no openssl' unless $openssl;
sub certificate
{
	my ($name) = @_;
	return system("$openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=$name -keyout $dir/$name.key -out $dir/$name.crt >$dir/$name.log 2>&1") == 0;
}
plan skip_all => 'openssl makes no certificates' unless certificate('right.test') && certificate('other.test');

my $node = PostgreSQL::Test::Cluster->new('tls');
plan skip_all => 'PostgreSQL was built without TLS' unless `pg_config --configure` =~ /--with-(?:open)?ssl/;
$node->init;
my $data = $node->data_dir;
system('cp', "$dir/right.test.crt", "$data/server.crt") == 0 && system('cp', "$dir/right.test.key", "$data/server.key") == 0 or die 'cp';
chmod 0600, "$data/server.key";
$node->append_conf('postgresql.conf', "ssl = on\nlisten_addresses = '127.0.0.1'\nfsync = off\n");
$node->append_conf('pg_hba.conf', "hostssl all all 127.0.0.1/32 trust\n");
$node->start;
$node->safe_psql('postgres', q{CREATE EXTENSION pgpubsub; SELECT pgpubsub.create_channel('work')});
my $user = $node->safe_psql('postgres', 'SELECT current_user');
my $dsn = "host=right.test hostaddr=127.0.0.1 port=@{[$node->port]} dbname=postgres user=$user";
sub refused { my ($more, $pattern, $what) = @_; my ($status, undef, $err) = cli('publish', 'work', '1', '--dsn', "$dsn $more"); is($status, 1, $what); like($err, $pattern, 'and why'); return }

# Sizes around those of a record, and large ones. What one read leaves of a record must not be waited for.
my $good = "$dsn sslmode=verify-full sslrootcert=$dir/right.test.crt";
my @sizes = (100, 8_000, 16_000, 16_384, 20_000, 24_700, 33_000, 70_000, 1_000_000, 5_000_000);
foreach my $size (@sizes)
{
	my ($status, undef, $err) = cli({ in => '"' . 'x' x $size . '"' }, 'publish', 'work', '-', '--dsn', $good);
	is($status, 0, "published: $size bytes") or diag($err);
}
my $listener = background(cli_path(), 'listen', 'work', '--drain', '--dsn', $good);
is(wait_for_exit($listener), 0, 'received');
is(join(' ', map { /"payload":"(x*)"/ ? length $1 : 'none' } lines_of($listener)), "@sizes", 'all of them, whole');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pgpubsub.notifications}), 0, 'and none is left');

refused("sslmode=verify-full sslrootcert=$dir/other.test.crt", qr/certificate verify failed\nhint: The server's certificate is not signed by/, 'another authority');
refused("sslmode=verify-full sslrootcert=$dir/none.crt", qr/root certificate file .* does not exist.*\nhint: To verify the server's certificate/, 'no file of an authority');
$dsn =~ s/right\.test/other.test/;
refused("sslmode=verify-full sslrootcert=$dir/right.test.crt", qr/does not match host name "other.test"\nhint: The server's certificate is for another name/, 'another name');

done_testing();
