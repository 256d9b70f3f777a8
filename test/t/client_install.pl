# make client-install: what it puts where, and that the dynamic linker hears of it. A TAP test, with stand-ins
# for id and ldconfig, since the real ones need root and change the machine.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use POSIX ();
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

# Its exit status; what went wrong is shown. A compiler takes as long as it takes.
sub run_to_end
{
	my @command = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		$ENV{CCACHE_DISABLE} = 1;
		open STDOUT, '>', "$dir/said";
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	waitpid $pid, 0;
	diag("@command: ", text_of("$dir/said")) if $?;
	return $?;
}
sub compile { my ($source, @more) = @_; return run_to_end($ENV{CXX} || 'g++', '-std=c++20', '-O0', '-o', "$dir/app", $source, @more) }
sub run_quietly { my ($what, @command) = @_; return is(run_to_end(@command), 0, $what) }
sub said_by { my $program = background(@_); return wait_for_exit($program) == 0 ? text_of($program->{out}) : "failed: " . text_of($program->{err}) }

stand_in('id', 'echo 0');
stand_in('ldconfig', "echo yes > $dir/called");
install("PREFIX=$dir/live", 'DESTDIR=');
ok(-x "$dir/live/bin/pgpubsub", 'the program');
ok(-e "$dir/live/lib/libpgpubsub.so", 'the library');
like(text_of("$dir/live/lib/pkgconfig/pgpubsub.pc"), qr/^prefix=\Q$dir\E\/live$/m, 'the pkg-config file');
is(text_of("$dir/called"), "yes\n", 'ldconfig is run');

# A program with the library inside, as doc/client.md says.
write_file("$dir/app.cpp", "#include <cstdio>\n#include <pgpubsub/pgpubsub.hpp>\nint main() { std::puts(pgpubsub::version()); }\n");
is(compile("$dir/app.cpp", "-I$dir/live/include", "$dir/live/lib/libpgpubsub.a", '-lpq', '-lfmt', '-pthread'), 0, 'the static library is linked with libpq and fmt');
my $version = said_by("$dir/app");
like($version, qr/^\d+\.\d+/, 'the program runs without the shared one, and says the version');
like(text_of("$dir/live/lib/pkgconfig/pgpubsub.pc"), qr/^Libs\.private: -lpq -lfmt -pthread$/m, 'which pkg-config says too');

# As pkg-config and CMake have it, where no other library is to be found.
rename $_, "$_.away" or die "$_: $!" for glob "$dir/live/lib/libpgpubsub.so*";
$ENV{PKG_CONFIG_PATH} = "$dir/live/lib/pkgconfig";
unlink "$dir/app";
is(compile("$dir/app.cpp", split ' ', qx(pkg-config --static --cflags --libs pgpubsub)), 0, 'pkg-config --static names all that is to be linked');
is(said_by("$dir/app"), $version, 'and the program runs');
SKIP:
{
	skip 'there is no cmake', 3 if system('cmake --version > /dev/null 2>&1') != 0;
	write_file("$dir/CMakeLists.txt", <<'CMAKE');
cmake_minimum_required(VERSION 3.16)
project(app CXX)
find_package(pgpubsub REQUIRED CONFIG)
add_executable(app app.cpp)
target_link_libraries(app pgpubsub::pgpubsub_static)
CMAKE
	run_quietly('cmake finds it', 'cmake', '-S', $dir, '-B', "$dir/build", "-DCMAKE_PREFIX_PATH=$dir/live", '-DCMAKE_CXX_COMPILER=' . ($ENV{CXX} || 'g++'));
	run_quietly('and links with its static target', 'cmake', '--build', "$dir/build");
	is(said_by("$dir/build/app"), $version, 'and the program runs');
}
rename $_, s/\.away$//r or die "$_: $!" for glob "$dir/live/lib/*.away";

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
