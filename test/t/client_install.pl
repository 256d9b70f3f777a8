# make client-install: what it puts where, and that the dynamic linker hears of it. A TAP test, with stand-ins
# for id and ldconfig, since the real ones need root and change the machine.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;

my $dir = tempdir(CLEANUP => 1);
sub stand_in { my ($name, $text) = @_; write_file("$dir/$name", "#!/bin/sh\n$text\n"); chmod 0755, "$dir/$name" }
sub install
{
	my @arguments = @_;
	unlink "$dir/called";
	my $program = background({ env => { PATH => "$dir:$ENV{PATH}" } }, 'make', '-C', $ENV{PGPUBSUB_ROOT}, '-f', 'client/client.mk',
		'-o', 'client', 'client-install', @arguments);
	is(wait_for_exit($program), 0, "client-install @arguments") or diag(text_of($program->{err}));
	return text_of($program->{err});
}

stand_in('id', 'echo 0');
stand_in('ldconfig', "echo yes > $dir/called");
install("PREFIX=$dir/live", 'DESTDIR=');
ok(-x "$dir/live/bin/pgpubsub", 'the program');
ok(-e "$dir/live/lib/libpgpubsub.so", 'the library');
like(text_of("$dir/live/lib/pkgconfig/pgpubsub.pc"), qr/^prefix=\Q$dir\E\/live$/m, 'the pkg-config file');
is(text_of("$dir/called"), "yes\n", 'ldconfig is run');

install('PREFIX=/usr', "DESTDIR=$dir/package");
ok(-e "$dir/package/usr/lib/libpgpubsub.so", 'DESTDIR is honoured');
is(text_of("$dir/called"), '', 'and ldconfig is not run');

stand_in('ldconfig', 'exit 1');
like(install("PREFIX=$dir/live", 'DESTDIR='), qr/ldconfig failed; run it by hand/, 'a failing ldconfig is told, and no failure');

stand_in('id', 'echo 1000');
stand_in('ldconfig', "echo yes > $dir/called");
install("PREFIX=$dir/live", 'DESTDIR=');
is(text_of("$dir/called"), '', 'not as somebody else than root');

done_testing();
