# check-catalog.pl ROOT: that the numbers of arguments and of columns in extension/src are those of the scripts. Prints what
# is wrong, a line for each, and nothing when all is well. check-symbols.sh makes a test of it.
#
# A C function may be there for several forms of an SQL function, of this version and of former ones: each has the first
# names of the list, and one has all.
use strict;
use warnings;

chdir $ARGV[0] or die "$ARGV[0]: $!\n";    # glob() takes a path with a space for two
# Names of 0.1.0 that are others now.
my %renamed = (table => 'relation');
# Never called: it stands in the condition of a trigger.
my %reads_none = map { $_ => 1 } qw(capture_filter);

sub text_of
{
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	local $/;
	return scalar <$in>;
}

# The names that a caller passes values for; none where one has no name.
sub names
{
	my ($parameters) = @_;
	my @names;
	# A comma in quotes or parentheses separates nothing.
	for ($parameters =~ /((?:'[^']*'|\([^()]*\)|[^,'()])+)/g)
	{
		my ($mode, $name, $type) = /^\s*(?:(IN|OUT|INOUT)\s+)?"?(\w+)"?(\s+\S.*)?/s or next;
		return () unless defined $type;
		push @names, $renamed{$name} // $name unless ($mode // '') eq 'OUT';
	}
	return @names;
}

# The forms of each C function: [where, names...].
my %forms;
for my $file (glob("extension/*.sql"), glob("extension/sql/*.sql"))
{
	my $script = text_of($file) =~ s/--[^\n]*//gr;
	my $quoted = qr/'[^']*'/;
	my $parameters = qr/\(((?:$quoted|\([^()]*\)|[^()'])*)\)/;
	while ($script =~ /CREATE (?:FUNCTION|PROCEDURE) pgpubsub\.(\w+)\s*$parameters((?:$quoted|[^;'])*);/g)
	{
		my ($function, $parameters_here, $rest) = ($1, $2, $3);
		my @names = names($parameters_here) or next;
		my ($symbol) = $rest =~ /'MODULE_PATHNAME',\s*'pgpubsub_(\w+?)(?:_\d+_\d+)?'/ or next;
		push @{ $forms{$symbol} }, [ ($file =~ s/.*\///r) . ": $function", @names ];
	}
}

# The lists in the sources, by the name of the C function.
my (%lists, %aliases, %place);
for my $file (glob "extension/src/*/*.[ch]pp")
{
	my $source = text_of($file) =~ s{//[^\n]*}{}gr;
	my $where = $file =~ s{^extension/src/}{}r;
	while ($source =~ /\bstruct (\w+)_arguments \{\s*enum : int \{([^}]*)\};/g)
	{
		my ($name, $enumerators) = ($1, $2);
		($lists{$name}, $place{$name}) = ([ $enumerators =~ /(\w+)/g ], $where);
	}
	while ($source =~ /\busing (\w+)_arguments = (\w+)_arguments;/g) { ($aliases{$1}, $place{$1}) = ($2, $where) }
	my $line = 0;
	for (split /\n/, $source)
	{
		++$line;
		print "$where:$line reads an argument by its number: $_\n"
		  if /\b(?:PG_GETARG_(?!POINTER)\w+|PG_ARGISNULL)\(\s*\d|(?<!InitMaterializedSRF)\(fcinfo, \d|PG_NARGS\(\)\s*[<>=]+\s*\d/;
	}
}
$lists{$_} = $lists{ $aliases{$_} } // [] for keys %aliases;

for my $symbol (sort keys %forms)
{
	next if $reads_none{$symbol};
	my $list = $lists{$symbol};
	if (!$list) { print "extension/src has no ${symbol}_arguments\n"; next }
	my $has_all;
	for (@{ $forms{$symbol} })
	{
		my ($where, @names) = @$_;
		my $count = @names > @$list ? @$list : @names;
		$has_all ||= @names == @$list;
		print "$where has (@names), $place{$symbol} has (@$list)\n" unless "@names" eq "@{$list}[0 .. $count - 1]";
	}
	print "no script has a $symbol with all of (@$list)\n" unless $has_all;
}
for (sort keys %lists) { print "$place{$_} has ${_}_arguments, which no script has a function for\n" unless $forms{$_} }
print "found no lists, or no functions\n" unless keys %lists > 20 && keys %forms > 20;

# The columns: of archives, the one that says when has another name in each table.
my %columns_of = (channel_column => ['channel'], privilege_column => ['channel_privilege'], subscription_column => ['subscription'],
	column => ['notification'], archive_column => [ 'dead_letter', 'processed' ], broadcast_column => ['broadcast'],
	stat_count_column => ['stat_count']);
my %tables;
my $script = text_of("extension/sql/tables.sql") =~ s/--[^\n]*//gr;
while ($script =~ /^CREATE TABLE pgpubsub\.(\w+) \((.*?)^\)/gms)
{
	my ($table, $columns) = ($1, $2);
	$tables{$table} = [ map { s/^(died|processed)_at$/archived_at/r } grep { $_ ne 'CONSTRAINT' } $columns =~ /^    (\w+) /gm ];
}
my $source = text_of("extension/src/channel/table_columns.hpp") =~ s{//[^\n]*}{}gr;
while ($source =~ /namespace (\w+) \{\s*enum : AttrNumber \{([^}]*)\}/g)
{
	my ($enum, $enumerators) = ($1, $2);
	my @list = grep { !/count$/ } map { /^\s*(\w+)/ ? $1 : () } split /,/, $enumerators;
	my @of = @{ delete $columns_of{$enum} // [] } or print "table_columns.hpp: $enum is of no table\n";
	for my $table (@of)
	{
		my @columns = @{ delete $tables{$table} // [] };
		# The history has the columns of a dead letter but the last.
		my $count = $table eq 'processed' ? @list - 1 : @list;
		print "tables.sql: $table has (@columns), $enum has (@list)\n" unless "@columns" eq "@list[0 .. $count - 1]";
	}
}
print "table_columns.hpp has no $_\n" for sort keys %columns_of;
print "table_columns.hpp has no columns of $_\n" for sort keys %tables;
