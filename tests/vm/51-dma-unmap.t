#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Guest memory that goes while a DMA engine uses it: unmap under load, reset, SIGKILL,
# parent unbind, and another vGPU that comes and goes meanwhile. Afterwards nothing is
# pinned, nothing mapped, nothing charged, and memory that was not mapped is untouched.
# Builds of mvgpu-edu that don't stop the engine show that the tests would notice.
# MVGPU_FULL=1 takes every kernel, more time, and the controls that take long.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $full = $ENV{MVGPU_FULL};
my @kernels = $ENV{MVGPU_KERNEL} // ($full ? qw(6.1 6.12 7.2 debug) : '6.12');
my $test = '/mvgpu/build/dma-test';
my $trace = '/sys/kernel/tracing';

my %strict = (iommu => 'intel,caching-mode=off', append => 'iommu.strict=1');

# Returns the rig, the parent's address and vGPUs
sub start($kernel, $vgpus, %o)
{
	my $rig = MVGPU::Rig->new(
		kernel => $kernel, gpus => ['edu,dma_mask=0xffffffffffffffff'], %o,
	);

	$rig->boot;
	$rig->load_modules('mvgpu', 'mvgpu-edu dma_bits=64');
	my $edu = $rig->adopt('1234:11e8', 'mvgpu-edu');
	return ($rig, $edu, map { $rig->create_vgpu($edu, 'mvgpu-edu-copy') } 1 .. $vgpus);
}

# ---- tracepoints: ours, and iommu:map and iommu:unmap ------------------------

sub trace_begin($rig)
{
	$rig->must("cd $trace && echo 0 >tracing_on && echo 16384 >buffer_size_kb && echo >trace && "
		. 'echo 1 | tee events/iommu/map/enable events/iommu/unmap/enable '
		. 'events/mvgpu/enable tracing_on');
}

# Mappings, pages and bytes since then: pairs that have to be alike in the end
sub trace_sums($rig)
{
	my $text = $rig->must("cat $trace/trace");
	my %sum = map { $_ => 0 } qw(map unmap revoke pin unpin);

	$sum{$1}++ while $text =~ /: mvgpu_(unmap|revoke): /g;
	$sum{map}++ while $text =~ /: mvgpu_map: .* error=0$/mg;
	$sum{$1} += $2 while $text =~ /: mvgpu_(pin|unpin): .* pages=(\d+)/g;
	my ($mapped, $unmapped) = (0, 0);
	$mapped += $1 while $text =~ /: map: IOMMU: .* size=(\d+)/g;
	$unmapped += $1 while $text =~ /: unmap: IOMMU: .* unmapped_size=(\d+)/g;
	return ([@sum{qw(map unmap)}], [@sum{qw(pin unpin)}], [$mapped, $unmapped], $sum{revoke});
}

sub balanced($rig, $name, $translated)
{
	my ($maps, $pins, $bytes, $revokes) = trace_sums($rig);

	is $rig->must("grep -h '^overrun: [^0]' $trace/per_cpu/cpu*/stats; :"), '',
		"$name: the trace is complete";
	cmp_ok $_, '>', 0, "$name: it has seen mappings and revokes" for $maps->[0], $revokes;
	is $maps->[1], $maps->[0], "$name: every mapping is unmapped";
	is $pins->[1], $pins->[0], "$name: every page is unpinned";
	return unless $translated;
	cmp_ok $bytes->[0], '>', 0, "$name: it has seen the IOMMU map";
	is $bytes->[1], $bytes->[0], "$name: as much is unmapped as was mapped";
}

# Negative control: in the middle of a copy there is more on one side
sub unbalanced($rig)
{
	my ($maps, $pins);

	for (1 .. 20) {
		($maps, $pins) = trace_sums($rig);
		last if $maps->[0] > $maps->[1] && $pins->[0] > $pins->[1];
	}
	cmp_ok $maps->[0], '>', $maps->[1], 'while it is mapped, it is not unmapped';
	cmp_ok $pins->[0], '>', $pins->[1], 'nor unpinned';
}

# ---- a VMM in the middle of a copy -------------------------------------------

sub hold($rig, $uuid)
{
	my $pid = $rig->must("setsid $test --hold $uuid >/tmp/hold 2>&1 </dev/null & echo \$!");

	$rig->wait_for("grep -q HOLDING /tmp/hold && [ \$(cat /sys/bus/mdev/devices/$uuid/mvgpu/pinned) = 2 ]")
		// $rig->trouble('no copy begins: ' . $rig->must('cat /tmp/hold'));
	return $pid;
}

sub charged($rig, $pid)
{
	return $rig->must("awk '/^Vm(Lck|Pin):/ { n += \$2 / 4 } END { print n }' /proc/$pid/status");
}

sub killed($rig, $uuid)
{
	my $pid = hold($rig, $uuid);

	is charged($rig, $pid), 2, 'a copy in progress is charged its two pages';
	unbalanced($rig);
	# at whatever point of the copy
	for my $delay (0, 0.05, 0.11, 0.17) {
		$rig->must("sleep $delay; kill -KILL $pid");
		$rig->wait_for("! kill -0 $pid 2>/dev/null") // fail 'the VMM is gone';
		$rig->wait_for("[ \$(cat /sys/bus/mdev/devices/$uuid/mvgpu/pinned) = 0 ]", 5);
		$rig->nothing_held($uuid, "killed after $delay s");
		$pid = hold($rig, $uuid);
	}
	$rig->must("kill -KILL $pid");
	$rig->wait_for("! kill -0 $pid 2>/dev/null");
	$rig->relay_tap("$test --only 'copy: one page' $uuid 2>&1", 'the next VMM can copy');
}

# The VMM is still there, and is charged nothing any more.
sub orphaned($rig, $edu, $uuid)
{
	my $pid = hold($rig, $uuid);

	$rig->must("(echo $edu >/sys/bus/pci/drivers/mvgpu-edu/unbind; touch /tmp/unbound) "
		. '>/dev/null 2>&1 &');
	my $charged = "awk '/^Vm(Lck|Pin):/ { n += \$2 } END { exit n != 0 }' /proc/$pid/status";
	ok defined $rig->wait_for($charged, 15), 'nothing is pinned though the VMM lives';
	$rig->ok("kill -0 $pid", 'it does');
	$rig->ok('! test -e /tmp/unbound', 'the unbind waits for it');
	$rig->must("kill -KILL $pid");
	ok defined $rig->wait_for('test -e /tmp/unbound'), 'then the parent goes';
}

sub everything($kernel, $model, %o)
{
	my ($rig, $edu, @vgpus) = start($kernel, 8, %o);
	my @two = @vgpus[0, 1];
	my $translated = $model eq 'strict';
	# Few copies get through, and fewer where everything is slow.
	my $seconds = $full ? 30 : $rig->scaled(8);

	trace_begin($rig);
	for my $way ($rig->ways) {
		$rig->relay_tap("$test $way --only '$_:' @two 2>&1", "$_ $way", timeout => 400)
			for qw(unmap two);
		$rig->relay_tap("$test $way --seconds $seconds --only 'load:' @two 2>&1",
			"two vGPUs under load $way", timeout => 400);
		$rig->relay_tap("$test $way --seconds $seconds --only 'load:' @vgpus 2>&1",
			"eight vGPUs under load $way", timeout => 400);
		$rig->relay_tap("$test $way --seconds $seconds --only 'race:' @two 2>&1",
			"open and close beside unmap $way", timeout => 400);
	}
	balanced($rig, 'after all that', $translated);
	subtest 'the VMM is killed' => sub { killed($rig, $vgpus[2]) };
	balanced($rig, 'after SIGKILL', $translated);
	subtest 'the parent goes' => sub { orphaned($rig, $edu, $vgpus[3]) };
	balanced($rig, 'after unbinding the parent', $translated);
	$rig->ok('rmmod mvgpu-edu && rmmod mvgpu', 'the modules can be unloaded');
	$rig->no_leaks;
	$rig->clean_dmesg;
	$rig->stop;
}

for my $kernel (@kernels) {
	subtest "VT-d strict, Linux $kernel" => sub { everything($kernel, 'strict', %strict) };
	subtest "no IOMMU, Linux $kernel" => sub { everything($kernel, 'none') } if $full;
}

# Negative controls
subtest 'without the revoke, VT-d faults' => sub {
	my ($rig, undef, @vgpus) = start($kernels[0], 2, %strict, variant => 'skip-revoke');

	$rig->run("$test --only 'load:' --seconds 30 @vgpus 2>&1", timeout => 200);
	ok scalar(grep { /DMAR: .*fault addr/ } $rig->dmesg_faults), 'the IOMMU noticed';
	$rig->stop;
};

if ($full) {
	subtest 'without the revoke and without an IOMMU, a canary breaks' => sub {
		my ($rig, undef, @vgpus) = start($kernels[0], 2, variant => 'skip-revoke');

		$rig->fails("$test --only 'load:' --seconds 60 @vgpus 2>&1", 'the load test fails',
			qr/canary broken/);
		$rig->fails("$test --only 'unmap: the destination goes' @vgpus 2>&1",
			'and so does the test of one unmap', qr/written after it was taken away/);
		$rig->stop;
	};

	subtest 'a callback that waits without a limit deadlocks the container' => sub {
		my ($rig, undef, @vgpus) = start($kernels[0], 2, variant => 'wait-forever');
		my @waiting = qw(mvgpu_tracker_dma_unmap vfio_iommu_type1_(un)?register_device
			vfio_iommu_type1_unpin_pages);
		my $all = join ' && ', 'cat /proc/[0-9]*/task/*/stack >/tmp/stacks 2>/dev/null; :',
			map { "grep -Eq '$_\\+' /tmp/stacks" } @waiting;

		$rig->must("setsid $test --seconds 60 --only 'race:' @vgpus >/tmp/race 2>&1 </dev/null &");
		ok defined $rig->wait_for("for i in 1 2 3 4 5; do { $all; } || exit 1; sleep 1; done", 100),
			'the unmap, the open or close and the unpin wait for each other'
			or diag $rig->must('cat /tmp/race; grep -E "mvgpu|vfio" /tmp/stacks');
		$rig->stop;
	};
}

subtest 'an engine that never gets quiet' => sub {
	my ($rig, undef, @vgpus) = start($kernels[0], 1, %strict, variant => 'hang');

	$rig->relay_tap("$test --hang @vgpus 2>&1", 'quarantine');
	$rig->nothing_held($vgpus[0]);
	$rig->clean_dmesg;
	$rig->stop;
};

done_testing;
