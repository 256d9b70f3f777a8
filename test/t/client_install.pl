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

# A program with the library inside, as doc/client.md says.
write_file("$dir/app.cpp", "#include <cstdio>\n#include <pgpubsub/pgpubsub.hpp>\nint main() { std::puts(pgpubsub::version()); }\n");
my $compiler = background({ env => { CCACHE_DISABLE => 1 } }, $ENV{CXX} || 'g++', '-std=c++20', '-O0', "-I$dir/live/include", '-o', "$dir/app", "$dir/app.cpp",
	"$dir/live/lib/libpgpubsub.a", '-lpq', '-lfmt', '-pthread');
is(wait_for_exit($compiler), 0, 'the static library is linked with libpq and fmt') or diag(text_of($compiler->{err}));
my $app = background("$dir/app");
is(wait_for_exit($app), 0, 'the program runs without the shared one');
like(text_of($app->{out}), qr/^\d+\.\d+/, 'and says the version');
like(text_of("$dir/live/lib/pkgconfig/pgpubsub.pc"), qr/^Libs\.private: -lpq -lfmt -pthread$/m, 'which pkg-config says too');

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
