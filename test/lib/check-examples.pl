#!/usr/bin/env perl
# check-examples.pl FOLDER COMPILER...: the examples of doc/ work as they stand there, as TAP. check-docs.sh starts the server.
#
# Each page has a database of its own, "app", with the extension, and one session of psql, in which its blocks run in order:
#
#   ```sql                 must succeed.  ```sql error=42501: its last error must be this one.
#   ```sh                  must succeed; runs in a folder of its own. A consumer of the program runs until nothing is left (--drain).
#   ```cpp                 all blocks of a page are one program, in order, of which they are the main function. "…" is left out.
#                          It must compile, and run: until nothing is left, then it gets SIGTERM, and must end with 0.
#   ```output              what the block before it must have shown. "…" stands for any text, or, alone in its line, for any lines.
#   <!-- sql  …  -->       runs too, and isn't shown; so do "sh" and "cpp"
#   <!-- not run: why -->  before a block that can't run here
#
# A block of another language (text, json, mermaid) is no example. Each block says its language. A page without an example is named below,
# with the reason. T=doc/security.md in the environment: that page alone.
use strict;
use utf8;
use warnings;
use open qw(:std :encoding(UTF-8));
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use POSIX qw(WNOHANG);

my ($out, @compile) = @ARGV;
my $root = abs_path(dirname(abs_path($0)) . '/../..');
my %runs = map { $_ => 1 } qw(sql sh cpp output);
my %no_example = (
	'doc/bench.md'       => 'make bench writes it',
	'doc/glossary.md'    => 'words only',
	'doc/performance.md' => 'make bench runs for half an hour',
	map { ("doc/internals/$_.md" => 'about the code') } qw(README capture channels claims queue server storage wakeups worker));

my ($tests, $failed) = (0, 0);

sub result {
	my ($name, @wrong) = @_;
	$tests++;
	$failed ||= @wrong;
	my @lines = map { split /\n/ } @wrong;
	splice @lines, 30;
	print @wrong ? 'not ok' : 'ok', " $tests - $name\n", map { "#   $_\n" } @lines;
}

sub slurp {
	my ($file) = @_;
	open my $in, '<:encoding(UTF-8)', $file or return '';
	local $/;
	return scalar <$in> // '';
}

sub spew {
	my ($file, $text) = @_;
	open my $to, '>:encoding(UTF-8)', $file or die "$file: $!\n";
	print $to $text;
	close $to or die "$file: $!\n";
}

# The blocks of a page, in order: where, language, what else its first line says, text; not_run: why.
sub blocks {
	my ($page) = @_;
	my ($number, $block, $end, $why, @blocks) = (0);
	foreach my $line (split /\n/, slurp("$root/$page")) {
		$number++;
		if ($block) {
			if ($line =~ $end) { push @blocks, $block; undef $block }
			else               { $block->{text} .= "$line\n" }
		}
		elsif ($line =~ /^```(\w*) *(.*)$/) {
			$block = { at => "$page:$number", language => $1, says => $2, text => '', not_run => $why };
			($end, $why) = (qr/^```$/, undef);
		}
		elsif ($line =~ /^<!-- (sql|sh|cpp)$/) {
			$block = { at => "$page:$number", language => $1, says => '', text => '', hidden => 1 };
			$end = qr/^-->$/;
		}
		elsif ($line =~ /^<!-- not run: (\S.*) -->$/) { $why = $1 }
		elsif ($line =~ /\S/)                         { undef $why }
	}
	push @blocks, { %$block, unended => 1 } if $block;
	return @blocks;
}

sub shows {
	my ($shown, $expected) = @_;
	s/[ \t]+$//mg, s/\A\n+//, s/\s+\z/\n/ foreach ($shown, $expected);
	my $pattern = '';
	foreach my $line (split /\n/, $expected) {
		$pattern .= $line eq '…' ? '(?:[^\n]*\n)*?' : join('[^\n]*?', map { quotemeta } split /…/, $line, -1) . '\n';
	}
	return $shown =~ /\A$pattern\z/;
}

# Runs the SQL and the commands of a page, and notes what each block has shown.
sub run_session {
	my ($folder, @blocks) = @_;
	my $script = "\\set QUIET on\nCREATE EXTENSION pgpubsub;\n\\set QUIET off\n";
	foreach my $n (0 .. $#blocks) {
		my $block = $blocks[$n];
		$script .= "\\echo == block $n\n";
		if ($block->{language} eq 'sh') {
			my $text = $block->{text} =~ s/^(pgpubsub listen (?!.*--drain)[^#\n]*)/$1 --drain /gmr;
			spew("$folder/$n.sh", "set -euo pipefail\ncd $folder\n$text");
			$script .= "\\! bash $folder/$n.sh > $folder/$n.out 2>&1; echo \$? > $folder/$n.status\n";
			next;
		}
		my $fails = $block->{says} =~ /error=/ ? 'off' : 'on';
		$script .= "\\set ON_ERROR_STOP $fails\n\\set LAST_ERROR_SQLSTATE 00000\n$block->{text}\n\\echo == sqlstate :LAST_ERROR_SQLSTATE\n";
	}
	spew("$folder/session.sql", $script . "\\echo == end\n");
	system("timeout --foreground -k 5 300 psql -X -d app < $folder/session.sql > $folder/session.log 2>&1");
	my ($n, @shown);
	foreach my $line (split /\n/, slurp("$folder/session.log")) {
		if    ($line =~ /^== block (\d+)$/)                        { $n = $1; $shown[$n] = '' }
		elsif ($line =~ /^== end$/)                                { undef $n }
		elsif (defined $n && $line =~ /^== sqlstate (\w+)$/)       { $blocks[$n]{sqlstate} = $1 }
		elsif (defined $n)                                         { $shown[$n] .= "$line\n" }
	}
	foreach my $n (0 .. $#blocks) {
		my $block = $blocks[$n];
		if ($block->{language} eq 'sh') {
			$block->{shown} = slurp("$folder/$n.out");
			my $status = slurp("$folder/$n.status") =~ s/\s//gr;
			$block->{wrong} = "exit status: $status\n$block->{shown}" unless $status eq '0';
			next;
		}
		my ($expected) = $block->{says} =~ /^error=(\w{5})$/;
		$expected //= '00000';
		my $got = $block->{sqlstate} // 'not at its end';
		$block->{shown} = $shown[$n] // '';
		$block->{wrong} = "SQLSTATE $got\n$block->{shown}" unless $got eq $expected;
	}
}

# The program that the blocks of C++ make together, compiled and run.
sub run_program {
	my ($folder, @blocks) = @_;
	my $body = join '', map { s/…//gr =~ s/^/    /gmr } map { $_->{text} } @blocks;
	spew("$folder/program.cpp", "#include <pgpubsub/pgpubsub.hpp>\n\nint main() {\n$body}\n");
	my $said = qx(@compile $folder/program $folder/program.cpp -Wno-unused-parameter 2>&1);
	return "does not compile\n$said" if $?;
	my $pid = fork() // die "fork: $!\n";
	if ($pid == 0) {
		open STDOUT, '>', "$folder/program.log";
		open STDERR, '>&', \*STDOUT;
		exec "$folder/program";
	}
	my ($left, $status) = (1);
	for (my $tries = 0; $tries < 600 && $left && !defined $status; $tries++) {
		select undef, undef, undef, 0.1;
		$left = qx(psql -XAtd app -c 'SELECT EXISTS (SELECT FROM pgpubsub.notifications)') =~ /t/;
		$status = $? if waitpid($pid, WNOHANG) == $pid;
	}
	unless (defined $status) {
		kill TERM => $pid;
		waitpid $pid, 0;
		$status = $?;
	}
	return "status $status, " . ($left ? 'something is left' : 'nothing is left') . "\n" . slurp("$folder/program.log") if $status || $left;
	return;
}

sub check_page {
	my ($page) = @_;
	my @blocks = blocks($page);
	my $folder = "$out/" . ($page =~ s{[/.]}{-}gr);
	make_path($folder);
	result("$page: each block says its language, and ends", map { $_->{at} } grep { $_->{language} eq '' || $_->{unended} } @blocks);
	my @run = grep { $runs{ $_->{language} } && !$_->{not_run} } @blocks;
	my @session = grep { $_->{language} =~ /^(sql|sh)$/ } @run;
	if (grep { !$_->{hidden} } @run) {
		result("$page: has examples, and is not said to have none", $no_example{$page} ? "it has none: $no_example{$page}" : ());
	}
	else {
		result("$page: has no examples, since: " . ($no_example{$page} // 'not said'), $no_example{$page} ? () : 'check-examples.pl should name it');
		return;
	}
	system(q(psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS app WITH (FORCE)' -c 'CREATE DATABASE app')) == 0 or die "no database\n";
	run_session($folder, @session);
	result("$_->{at} $_->{language} $_->{says}", $_->{wrong} // ()) foreach @session;
	my $before;
	foreach my $block (@run) {
		result("$block->{at} is what is shown", shows($before->{shown}, $block->{text}) ? () : "shown:\n$before->{shown}") if $block->{language} eq 'output';
		$before = $block;
	}
	my @program = grep { $_->{language} eq 'cpp' } @run;
	result("$page: the C++ compiles and runs", run_program($folder, @program)) if @program;
}

my @pages = sort map { s{^\Q$root\E/}{}r } glob("$root/doc/*.md"), glob("$root/doc/*/*.md");
result('the pages that are said to have no example are there', grep { my $page = $_; !grep { $_ eq $page } @pages } sort keys %no_example);
check_page($_) foreach grep { !$ENV{T} || $_ eq $ENV{T} } @pages;
print "1..$tests\n";
exit($failed ? 1 : 0);
