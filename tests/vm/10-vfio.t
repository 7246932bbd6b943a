#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Every ioctl and region of real vGPUs, as a VMM uses them and as no VMM should. MVGPU_FULL=1
# gives the stress tests more time.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $seconds = $ENV{MVGPU_FULL} ? 5 : 2;	# for each stress test

my $rig = MVGPU::Rig->new(
	kernel => $ENV{MVGPU_KERNEL} // '7.2',
	gpus => ['bochs-display,vgamem=64M', 'ivshmem-plain,memdev=shared'],
	args => ['-object', 'memory-backend-ram,id=shared,size=16M,share=on'],
);
$rig->boot;
$rig->load_modules(qw(mvgpu mvgpu-bochs mvgpu-test));
my @vgpus = (
	$rig->create_vgpu($rig->adopt('1234:1111', 'mvgpu-bochs'), 'mvgpu-bochs-16m'),
	$rig->create_vgpu($rig->adopt('1af4:1110', 'mvgpu-test'), 'mvgpu-test-1m'),
);
for my $way ($rig->ways) {
	$rig->relay_tap("/mvgpu/build/vfio-test --seconds $seconds $way @vgpus 2>&1",
		'VFIO on Linux ' . $rig->release . " $way", timeout => 400);
}
$rig->no_leaks;
$rig->clean_dmesg;
$rig->stop;
done_testing;
