#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A virtio-gpu shared: two guests, each with its distribution's own virtio-gpu driver, draw on
# physical heads of their own.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $rig = MVGPU::Rig->new(gpus => ['virtio-gpu-pci,max_outputs=4,id=gpu0'], timeout => 120);
$rig->boot;
$rig->load_modules(qw(mvgpu mvgpu-virtio));
my $bdf = $rig->adopt_virtio;
my ($ua, $ub) = map { $rig->create_vgpu($bdf, 'virtio-pci-1h64m') } 1 .. 2;
my ($ga, $gb) = map {
	$rig->guest(name => $_->[0], vgpu => $_->[1], modules => ['virtio_gpu'], nowait => 1)
} ['a', $ua], ['b', $ub];
$_->wait_boot for $ga, $gb;
my ($pa, $pb) = map { $_->draw($_->{name}) } $ga, $gb;
$rig->shows($pa, 'the first physical head shows A', device => 'gpu0', head => 0);
$rig->shows($pb, 'the second shows B', device => 'gpu0', head => 1);
for my $u ($ua, $ub) {
	diag join ' ', map { "$_=" . $rig->vgpu($u, $_) } qw(pinned maps hits misses revokes commands bytes exits interrupts);
}
$ga->clean_dmesg;
$ga->kill('KILL');
$gb->shutdown;
is $rig->vgpu($_, 'pinned'), 0, 'nothing is left pinned' for $ua, $ub;
$rig->remove_vgpu($_) for $ua, $ub;
$rig->release_virtio($bdf);
$rig->unload_modules('mvgpu-virtio', 'mvgpu');
$rig->clean_dmesg;
$rig->stop;
done_testing;
