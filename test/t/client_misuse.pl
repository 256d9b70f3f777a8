# What the library does when it is used as it should not be: test/t/client_misuse.cpp is the program. A TAP test, since
# some of it hung, or ended the process.
use strict;
use warnings;

use ClientTest;
use File::Temp qw(tempdir);
use Test::More;

my $node = start_cluster('misuse');
$node->safe_psql('postgres', q{SELECT pgpubsub.create_channel('work')});
my $program = background(build_probe('client_misuse'), $node->connstr('postgres'));
is(wait_for_exit($program), 0, 'the program comes to its end') or diag(text_of($program->{err}));
is($_ =~ /^ok / ? 1 : 0, 1, $_) for lines_of($program);
is(scalar(lines_of($program)), 22, 'all of it');

# An older C++ is told once, and nothing else.
my $dir = tempdir(CLEANUP => 1);
write_file("$dir/old.cpp", "#include <pgpubsub/pgpubsub.hpp>\nint main() {}\n");
my $compiler = background({ env => { CCACHE_DISABLE => 1 } }, $ENV{CXX} || 'g++', '-std=c++17', '-fsyntax-only', "-I$ENV{PGPUBSUB_ROOT}/client/include", "$dir/old.cpp");
isnt(wait_for_exit($compiler), 0, 'C++17 is refused');
my @errors = text_of($compiler->{err}) =~ /error: (.*)/g;
is(scalar(@errors), 1, 'with one error');
like($errors[0], qr/pgpubsub needs C\+\+20: compile with -std=c\+\+20/, 'that says what to do');

done_testing();
