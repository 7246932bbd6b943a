#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A vGPU gives IGT's generic tests, test by test, what QEMU's own virtio-gpu gives: a short
# list of them, all with MVGPU_FULL=1. `make igt` does the same and prints a table.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Igt;
use MVGPU::Rig;
use Test::More;

subtest 'what tells results apart' => sub {
	my $output = join "\n", 'Starting subtest: a', 'Subtest a: SUCCESS (0.1s)',
		'Starting subtest: b', 'Starting dynamic subtest: x', 'Dynamic subtest x: FAIL (0.0s)',
		'Subtest b: FAIL (0.1s)', 'Subtest c: SKIP', 'Starting subtest: d', '';
	my $of = MVGPU::Igt::parse('p', $output, 143);
	my %expected = ('p@a' => 'SUCCESS', 'p@b' => 'FAIL', 'p@b@x' => 'FAIL', 'p@c' => 'SKIP',
		'p@d' => 'UNFINISHED');

	is_deeply $of, \%expected, 'tests, parts of tests, one that never ended';
	is_deeply MVGPU::Igt::parse('p', "SKIP (0.1s)\n", 77), { p => 'SKIP' }, 'a program of one test';
	is_deeply [MVGPU::Igt::differences($of, { %expected })], [], 'the same results do not differ';
	delete $expected{'p@c'};
	is_deeply [MVGPU::Igt::differences($of, { %expected, 'p@a' => 'FAIL', 'p@e' => 'SKIP' })],
		[['p@a', 'SUCCESS', 'FAIL'], ['p@c', 'SKIP', 'ABSENT'], ['p@e', 'ABSENT', 'SKIP']],
		'a result that differs, one that is missing and one too many do';
};

my $rig = MVGPU::Rig->new(MVGPU::Igt->rig_options);
my $igt = MVGPU::Igt->new(rig => $rig,
	list => "$rig->{here}/../igt/" . ($ENV{MVGPU_FULL} ? 'full' : 'short') . '.list');
$rig->boot;
my ($reference, undef, $differences, $once) = $igt->compare([qw(reference vgpu)],
	sub ($name, $seconds, $of) { diag sprintf '%s: %d s, %s', $name, $seconds, MVGPU::Igt::summary($of) });

sub table(@differences)
{
	return map { sprintf "%-60s %-12s %s\n", @$_ } ['test', 'QEMU', 'vGPU'], @differences;
}

cmp_ok scalar(grep { $_ eq 'SUCCESS' } values %$reference), '>', 50, 'the reference passes most tests';
ok !@$differences, 'the vGPU differs in none' or diag table(@$differences);
diag "run again, these did not differ:\n", table(@$once) if @$once;
$rig->clean_dmesg;
$rig->stop;
done_testing;
