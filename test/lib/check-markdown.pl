#!/usr/bin/env perl
# check-markdown.pl: the Markdown of the tree, as TAP. Each link within the tree leads to a file and to a heading that are there; so
# does each document that a source or a message names; no line has over 120 characters. Tables, headings and examples may be wider,
# and so may what a program writes.
use strict;
use utf8;
use warnings;
use open qw(:std :encoding(UTF-8));
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find;

chdir dirname(abs_path($0)) . '/../..' or die "no tree: $!\n";
my $widest  = 120;
my %written = ('doc/bench.md' => 1);                     # by "make bench"
my %frozen  = ('extension/pgpubsub--0.1.0.sql' => 1);    # scripts of released versions name what there was then

sub lines_of {
	my ($file) = @_;
	open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
	my @lines = <$in>;
	chomp @lines;
	return @lines;
}

# The lines of a page without its examples, each as [number, text].
sub prose {
	my ($number, $inside, @prose) = (0, 0);
	foreach my $line (lines_of($_[0])) {
		$number++;
		if ($line =~ /^\s*```/) { $inside = !$inside }
		elsif (!$inside)        { push @prose, [ $number, $line ] }
	}
	return @prose;
}

# The names by which GitHub links to the headings of a page, and those that it sets itself.
my %anchors;
sub anchors_of {
	my ($page) = @_;
	return $anchors{$page} //= do {
		my (%seen, %anchor);
		foreach my $line (map { $_->[1] } prose($page)) {
			$anchor{$1} = 1 while $line =~ /<a id="([^"]+)">/g;
			next unless $line =~ /^#+\s+(.*?)\s*$/;
			my $name = lc $1 =~ s/\[([^\]]*)\]\([^)]*\)/$1/gr;
			$name =~ s/[^\w\- ]//g;
			$name =~ tr/ /-/;
			$anchor{ $seen{$name}++ ? "$name-" . ($seen{$name} - 1) : $name } = 1;
		}
		\%anchor;
	};
}

# What is wrong with a link from a file in the folder, or nothing.
sub broken {
	my ($folder, $page, $link) = @_;
	return if $link =~ /^[a-z]+:/;
	my ($path, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
	my $there = $path eq '' ? $page : "$folder/$path";
	return "there is no $there" unless -e $there;
	return unless defined $anchor;
	return "$there has no headings" unless $there =~ /\.md$/;
	return anchors_of($there)->{$anchor} ? () : "$there has no heading #$anchor";
}

my ($tests, $failed) = (0, 0);
sub none {
	my ($name, @wrong) = @_;
	$tests++;
	$failed ||= @wrong;
	print @wrong ? 'not ok' : 'ok', " $tests - $name\n", map { "#   $_\n" } @wrong[ 0 .. ($#wrong > 29 ? 29 : $#wrong) ];
}

my (@pages, @others);
find(
	{   no_chdir => 1,
		wanted   => sub {
			my $file = s{^\./}{}r;
			if ($file =~ m{^(build|\.git)$}) { $File::Find::prune = 1 }
			elsif ($file =~ /\.md$/)         { push @pages,  $file }
			elsif (-f $_ && -T _)            { push @others, $file }
		}
	},
	'.');
@pages = sort @pages;

foreach my $page (@pages) {
	my (@links, @wide);
	my $folder = dirname($page);
	my $text   = join "\n", map { $_->[1] } prose($page);
	$text =~ s/`[^`]*`//g;
	foreach my $link ($text =~ /\]\(([^)\s]+)\)/g) { push @links, map { "$link: $_" } broken($folder, $page, $link) }
	none("$page: each link leads somewhere", @links);
	next if $written{$page};
	foreach my $line (prose($page)) {
		my ($number, $said) = @$line;
		push @wide, "$page:$number has " . length($said) . ' characters' if length $said > $widest && $said !~ /^(\||#|<!--)/;
	}
	none("$page: no line is wider than $widest", @wide);
}

my @unknown;
foreach my $file (grep { !$frozen{$_} } @others) {
	foreach my $named (join("\n", lines_of($file)) =~ m{(?<![\w/.])(doc/[\w/-]+\.md(?:#[\w-]+)?)}g) {
		push @unknown, "$file: $named" if broken('.', $file, $named);
	}
}
none('each document that a source names is there', @unknown);
print "1..$tests\n";
exit($failed ? 1 : 0);
