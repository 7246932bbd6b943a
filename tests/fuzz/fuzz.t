#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Fuzzing what parses guest input: each target runs for FUZZ_SECONDS, 10 unless that is
# set, all at once. What they find interesting stays in the build folder for next time.
# Altered copies of the sources show that the targets notice when something is wrong.

use v5.36;
use File::Path qw(make_path remove_tree);
use FindBin;
use lib "$FindBin::Bin/../unit";
use Test::More;
use Unit;

# [ target, what is wrong, file, what is replaced, by what ]
my @mutants = (
	['queue', 'an indirect table is longer than the room for it', 'queue.c',
	 qr/ > VG_CHAIN_MAX - \(n - 1\)/, ' > 2 * VG_CHAIN_MAX'],
	['transport', 'a queue is enabled twice', 'transport.c',
	 qr/else if \(q->enabled\)[^;]*return;/, ''],
	['command', 'memory goes before the hardware has let go of it', 'resource.c',
	 qr/wait_for_completion\(&backing->off\);/, ';'],
	['command', 'a transfer goes on behind the backing', 'command.c',
	 qr/ && 4 \* pixels <= len - offset/, ''],
);

my $seconds = $ENV{FUZZ_SECONDS} // 10;
ok build('all'), 'the fuzzers build' or BAIL_OUT('no fuzzers');
my ($folder, $sources) = (variable('O'), variable('GVT'));

# Start a target. Returns where it says what it does.
sub start($binary, $target, $limit, $corpus)
{
	make_path $corpus;
	open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'fuzz', 'timeout', '-s', 'KILL',
		$limit + 60, $binary, "-max_total_time=$limit", '-max_len=4096', '-timeout=20',
		'-print_final_stats=1', "-artifact_prefix=$corpus.", $corpus, "$folder/$target.seeds"
		or die "$binary: $!";
	return $out;
}

# Wait for it. Returns its exit status and all that it said.
sub finish($out)
{
	my $said = do { local $/; <$out> } // '';
	close $out;
	return ($?, $said);
}

my %running = map { $_ => start("$folder/${_}_fuzz", $_, $seconds, "$folder/corpus-$_") }
	variable('TARGETS');
for my $target (sort keys %running) {
	my ($status, $said) = finish($running{$target});
	my ($runs) = $said =~ /^Done (\d+) runs/m;
	my ($cover) = $said =~ /.*cov: (\d+)/s;
	my ($slowest) = $said =~ /slowest_unit_time_sec: *(\d+)/;

	ok !$status && $runs, "$target holds for $seconds seconds"
		or diag join "\n", grep { !/^(?:#|INFO|"|==\d+==INFO)/ } split /\n/, $said;
	note "$runs inputs, the slowest took $slowest s; $cover edges covered" if $runs;
}

for (@mutants) {
	my ($target, $what, $file, $pattern, $by) = @$_;
	my $dir = "$folder/mutant-$target";

	remove_tree $dir;
	make_path $dir;
	system('cp', '-r', $sources, "$dir/src") == 0 or die "cannot copy to $dir";
	open my $in, '<', "$dir/src/$file" or die "$file: $!";
	my $text = do { local $/; <$in> };
	my $applied = $text =~ s/$pattern/$by/;
	open my $out, '>', "$dir/src/$file" or die "$file: $!";
	print $out $text;
	close $out;

	my $built = $applied && build("GVT=$dir/src", "BIN=$dir", "$dir/${target}_fuzz");
	my ($status, $said) = $built ?
		finish(start("$dir/${target}_fuzz", $target, 60, "$dir/corpus")) : (0, 'it does not build');
	ok $status && $said =~ /^SUMMARY: (.*)/m, "$target notices: $what" or diag $said;
	note $1 if $status && $said =~ /^(?:SUMMARY|# shim): (.*)/m;
}
done_testing;
