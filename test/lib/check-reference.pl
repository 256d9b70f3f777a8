#!/usr/bin/env perl
# check-reference.pl: doc/reference/ has all that there is, as TAP. It asks the database "app", where the extension has just been
# made, and the sources:
#
#   - each public function and procedure has a heading, a signature with the same arguments, types, defaults and result, and a table
#     with its arguments;
#   - each view has a heading, and a table with its columns and their types;
#   - each setting has a heading, and a table with its default and with who may set it;
#   - each SQLSTATE that the library reports is in errors.md;
#   - the index in README.md leads to each of them.
#
# Public is what belongs to the extension and whose COMMENT does not begin with "private".
use strict;
use utf8;
use warnings;
use open qw(:std :encoding(UTF-8));
use Cwd qw(abs_path);
use File::Basename qw(dirname);

my ($includes) = @ARGV;
my $root = abs_path(dirname(abs_path($0)) . '/../..');

my ($tests, $failed) = (0, 0);

sub result {
	my ($name, @wrong) = @_;
	$tests++;
	$failed ||= @wrong;
	print @wrong ? 'not ok' : 'ok', " $tests - $name\n", map { "#   $_\n" } @wrong;
}

sub slurp {
	my ($file) = @_;
	open my $in, '<:encoding(UTF-8)', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

# The rows of a query, each as a list of its columns.
sub query {
	my ($sql) = @_;
	open my $out, '-|', 'psql', '-XAtq', '-F', "\t", '-v', 'ON_ERROR_STOP=1', '-d', 'app', '-c', $sql or die "psql: $!\n";
	my @rows = map { chomp; [ split /\t/, $_, -1 ] } <$out>;
	close $out or die "psql failed: $sql\n";
	return @rows;
}

# The sections of the reference by the name in their heading, which is code: page, text.
my %sections;
foreach my $page (glob "$root/doc/reference/*.md") {
	my $text = slurp($page);
	while ($text =~ /^(#+) `([^`]+)`\n(.*?)(?=^#{1,3} |\z)/gms) {
		my ($name, $body) = ($2, $3);
		push @{ $sections{$name} }, { page => $page =~ s{.*/}{}r, text => $body };
	}
}
my $index = slurp("$root/doc/reference/README.md");

# What is wrong with the number of sections of a name, and with its entry in the index.
sub not_found {
	my ($name) = @_;
	my @there = @{ $sections{$name} // [] };
	return 'no heading' unless @there;
	return 'headings on ' . join(' and ', map { $_->{page} } @there) if @there > 1;
	my $anchor = $name =~ s/[^\w]//gr;
	return "the index does not lead to $there[0]{page}#$anchor" unless index($index, "[`$name`]($there[0]{page}#$anchor)") >= 0;
	return;
}

# The rows of the tables in a section whose first column is code, as lists of columns; names that share a row have one each.
sub table_rows {
	my ($text) = @_;
	my @rows;
	foreach my $line (grep { /^\| `/ } split /\n/, $text) {
		my @columns = map { s/^\s+|\s+$//gr } split /\|/, $line =~ s/^\|//r, -1;
		push @rows, map { [ $_, @columns[ 1 .. $#columns ] ] } $columns[0] =~ /`([^`]+)`/g;
	}
	return @rows;
}

# ---- functions and procedures ----------------------------------------------------------------------------------

# By its kind and name: arguments as [name, type, default], and the result.
my $members = q{SELECT objid FROM pg_depend WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
                 AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pgpubsub') AND classid = };
my @functions = query(qq{
    SELECT p.oid, p.proname, p.prokind, CASE WHEN p.proretset THEN 'setof' ELSE replace(pg_get_function_result(p.oid), 'timestamp with time zone', 'timestamptz') END
      FROM pg_proc p WHERE p.oid IN ($members 'pg_proc'::regclass)
       AND coalesce(obj_description(p.oid, 'pg_proc'), '') NOT LIKE 'private%' ORDER BY p.proname, p.prokind});
my %arguments_of;
foreach my $a (query(q{
    SELECT p.oid, a.name, format_type(a.type, NULL), coalesce(pg_get_function_arg_default(p.oid, a.at::integer), '')
      FROM pg_proc p, unnest(p.proargnames, coalesce(p.proallargtypes, p.proargtypes::oid[]), p.proargmodes) WITH ORDINALITY a (name, type, mode, at)
     WHERE p.pronamespace = 'pgpubsub'::regnamespace AND coalesce(a.mode, 'i') = 'i' ORDER BY p.oid, a.at})) {
	my ($oid, @argument) = @$a;
	push @{ $arguments_of{$oid} }, \@argument;
}
my @compared;
result('there are public functions', @functions > 30 ? () : 'only ' . @functions);
foreach my $f (@functions) {
	my ($oid, $name, $kind, $returns) = @$f;
	my @arguments = @{ $arguments_of{$oid} // [] };
	my @wrong = not_found("$name()");
	my $text  = ($sections{"$name()"} // [ { text => '' } ])->[0]{text};
	my $call  = $kind eq 'p' ? 'CALL ' : '';
	my ($signature, $result) = $text =~ /^```text\n\Q$call$name\E\((.*?)\)(?: → ([^\n]*))?\n```$/ms;
	push @wrong, "no signature ($call$name)" unless defined $signature;
	$result //= $returns eq 'void' ? 'void' : '';
	push @wrong, "the result is $returns, not $result" unless $kind eq 'p' || $result eq $returns || $returns eq 'setof' && $result =~ /^setof /;
	my @said = map { [ /^\s*(\w+)\s+(.*?)(?:\s+DEFAULT (.*?))?,?$/ ] } grep { /\S/ } split /\n/, $signature // '';
	push @wrong, 'has the arguments ' . join(', ', map { $_->[0] } @said) . '; they are ' . join(', ', map { $_->[0] } @arguments)
	  unless join(' ', map { $_->[0] } @said) eq join(' ', map { $_->[0] } @arguments);
	unless (@wrong) {
		foreach my $n (0 .. $#arguments) {
			my ($argument, $type, $default) = @{ $arguments[$n] };
			my $short = $type =~ s/timestamp with time zone/timestamptz/r;
			push @wrong, "$argument is $short, not $said[$n][1]" unless $said[$n][1] eq $short;
			push @wrong, "$argument has " . ($default eq '' ? 'no' : 'a') . ' default' if ($default eq '') != !defined $said[$n][2];
			push @compared, [ "$name.$argument", $type, $default, $said[$n][2] ] if $default ne '' && defined $said[$n][2];
		}
		my %rows = map { $_->[0] => 1 } table_rows($text);
		push @wrong, "$_->[0] is not in the table of the arguments" foreach grep { !$rows{ $_->[0] } } @arguments;
		push @wrong, 'no example' unless $text =~ /^```sql/m;
	}
	result(($kind eq 'p' ? 'procedure' : 'function') . " $name(" . join(', ', map { $_->[1] } @arguments) . ')', @wrong);
}
my $differ = join ' UNION ALL ', map { "SELECT '$_->[0]', \$q\$$_->[3]\$q\$ WHERE ($_->[2])::$_->[1] IS DISTINCT FROM ($_->[3])::$_->[1]" } @compared;
result('the defaults of ' . @compared . ' arguments are those that are said', map { "$_->[0]: $_->[1]" } query($differ));

# ---- views -----------------------------------------------------------------------------------------------------

my @views = query("SELECT c.oid, c.relname FROM pg_class c WHERE c.relkind = 'v' AND c.oid IN ($members 'pg_class'::regclass) ORDER BY c.relname");
my %columns_of;
push @{ $columns_of{ $_->[0] } }, "$_->[1] $_->[2]" foreach query(q{
    SELECT attrelid, attname, replace(format_type(atttypid, NULL), 'timestamp with time zone', 'timestamptz')
      FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'pgpubsub'::regnamespace AND relkind = 'v' AND attnum > 0
     ORDER BY attrelid, attnum});
result('there are views', @views >= 10 ? () : 'only ' . @views);
foreach my $v (@views) {
	my ($oid, $name) = @$v;
	my @wrong   = not_found($name);
	my @columns = @{ $columns_of{$oid} };
	my @said    = map { "$_->[0] $_->[1]" } table_rows(($sections{$name} // [ { text => '' } ])->[0]{text});
	my ($columns, $said) = (join(', ', @columns), join(', ', @said));
	push @wrong, "the columns are $columns", "and not        $said" if $columns ne $said;
	result("view $name", @wrong);
}

# ---- settings --------------------------------------------------------------------------------------------------

my %set_by = (user => 'any user', sighup => 'reload', postmaster => 'restart');
my @settings = query("SELECT name, context, current_setting(name) FROM pg_settings WHERE name LIKE 'pgpubsub.%' ORDER BY name");
result('there are settings', @settings >= 10 ? () : 'only ' . @settings);
foreach my $s (@settings) {
	my ($name, $context, $default) = @$s;
	my @wrong = not_found($name);
	$default = 'empty' if $default eq '';
	my ($said, $by) = (($sections{$name} // [ { text => '' } ])->[0]{text}) =~ /^\| type \| default \| values \| set by \|\n\|[-|]+\|\n\|[^|]*\| (.*?) \|.*\| (.*?) \|$/m;
	push @wrong, 'no table' unless defined $said;
	push @wrong, "the default is $default, not $said" if defined $said && $said ne $default;
	push @wrong, "it is set by $set_by{$context}, not $by" if defined $by && $by ne $set_by{$context};
	result("setting $name", @wrong);
}

# ---- SQLSTATEs -------------------------------------------------------------------------------------------------

my $codes = slurp("$includes/utils/errcodes.h");
my %state;
$state{$1} = "$2$3$4$5$6" while $codes =~ /#define (ERRCODE_\w+) MAKE_SQLSTATE\('(.)','(.)','(.)','(.)','(.)'\)/g;
my $errors = slurp("$root/doc/reference/errors.md");
my %used;
foreach my $file (glob("$root/extension/src/*.?pp"), glob("$root/extension/src/*/*.?pp")) {
	my $text = slurp($file);
	$used{$_} = $file =~ s{.*/}{}r foreach $text =~ /\b(ERRCODE_\w+)/g;
}
result('the library reports errors', keys %used > 30 ? () : join ' ', keys %used);
result('errors.md has each SQLSTATE that the library reports',
	map { "$_ (" . ($state{$_} // 'not known') . "), of $used{$_}" } grep { !defined $state{$_} || $errors !~ /^\|[^|]*`$state{$_}`/m } sort keys %used);

# ---- no heading is of something that is gone -------------------------------------------------------------------

my %there = map { $_ => 1 } (map { "$_->[1]()" } @functions), (map { $_->[1] } @views), (map { $_->[0] } @settings);
my %besides = ('hide_from_decoding()' => 'private, but to be called after pg_upgrade');
result('each heading names something that is there', grep { !$there{$_} && !$besides{$_} } sort keys %sections);

print "1..$tests\n";
exit($failed ? 1 : 0);
