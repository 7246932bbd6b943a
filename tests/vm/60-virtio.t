#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A virtio-gpu shared, in front of every kind of IOMMU and of none: guests with their
# distribution's own virtio-gpu driver draw on physical heads of their own, and every pixel
# is compared.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Image;
use MVGPU::Iommus;
use MVGPU::Rig;
use Test::More;

# Feature bits of virtio
use constant { INDIRECT_DESC => 28, EVENT_IDX => 29, ACCESS_PLATFORM => 33 };

my @all = qw(bypass none strict passthrough amd virtio);
my @diagonal = ([bypass => '6.1'], [strict => '6.12'], [virtio => '7.2']);

# What its QEMU displays: the first head, whatever that shows and wherever the guest draws it
sub display($rig, $guest, $uuid, $picture)
{
	my @own = (device => 'vgpu0');

	$guest->shows($picture, 'its QEMU displays head 0', @own);
	is $rig->vgpu($uuid, 'mode'), $picture->size . 'x32', 'the host sees its mode';
	$picture = $guest->draw('other', '', head => 0);
	$guest->shows($picture, 'another picture', @own);
	$picture = $guest->draw('small', '800x600', head => 0);
	is $rig->vgpu($uuid, 'mode'), '800x600x32', 'it changes its mode';
	$guest->shows($picture, 'a picture in another mode', @own);
	$rig->shows($picture, 'which is on the physical head, too', device => 'gpu0', head => 0);
	return $picture;
}

# Two heads of one guest, before and after its driver is unbound
sub heads($rig, $bdf, %o)
{
	my $uuid = $rig->create_vgpu($bdf, 'virtio-pci-2h256m');
	my $guest = $rig->guest(name => 'a', vgpu => $uuid, modules => ['virtio_gpu'],
		display => 1, %o);

	for my $round ('first', 'bound again') {
		my @pictures = map { $guest->draw("$round $_", '', head => $_) } 0, 1;
		$rig->shows($pictures[$_], "$round: physical head $_ shows head $_",
			device => 'gpu0', head => $_) for 0, 1;
		cmp_ok $rig->vgpu($uuid, 'pinned'), '>', 1000, 'the pictures are pinned';
		my $last = display($rig, $guest, $uuid, $pictures[0]);
		$guest->undraw;
		$guest->unbind_virtio;
		$rig->nothing_held($uuid, 'its driver unbound');
		is $rig->vgpu($uuid, 'mode'), 'off', 'its head is off';
		my ($width, $height) = split /x/, $last->size;
		$guest->shows(MVGPU::Image->flat(0, $width, $height), 'its QEMU displays nothing',
			device => 'vgpu0');
		$guest->bind_virtio;
	}
	$guest->draw('last', '', head => 0);
	$guest->clean_dmesg(unbinding => 1);
	$guest->kill('KILL');
	$rig->nothing_held($uuid, 'its QEMU killed');
	$rig->remove_vgpu($uuid);
}

sub run_iommu($name, $kernel)
{
	my $bypass = $name eq 'bypass';
	my $iommu = iommu($bypass ? 'none' : $name);
	my $rig = MVGPU::Rig->new(kernel => $kernel, virtio_gpu($name),
		$kernel eq 'debug' ? (root => 'full') : ());

	my $bdf = $rig->boot_virtio('virtio_gpu');
	like $rig->dmesg, $iommu->{said}, 'the IOMMU is in the mode that was asked for' if $iommu->{said};
	like $rig->must("cat /sys/bus/pci/devices/$bdf/iommu_group/type 2>/dev/null || echo no group"),
		$iommu->{type}, 'so it is for the GPU';
	my @features = split //, $rig->must("cat /sys/bus/pci/devices/$bdf/virtio*/features");
	is_deeply [@features[INDIRECT_DESC, EVENT_IDX, ACCESS_PLATFORM]], [1, 1, $bypass ? 0 : 1],
		'what has been agreed upon with the GPU';
	heads($rig, $bdf, iommufd => $_) for $kernel eq 'debug' ? (0, 1) : 0;
	$rig->release_virtio($bdf);
	is $rig->must("basename \$(readlink /sys/bus/pci/devices/$bdf/virtio*/driver)"), 'virtio_gpu',
		'given back, the in-tree driver has it again';
	$rig->unload_modules('mvgpu-virtio', 'mvgpu');
	$rig->clean_dmesg(unbinding => 1);
	$rig->stop;
}

for (combinations(\@all, \@diagonal)) {
	my ($name, $kernel) = @$_;
	subtest "IOMMU $name, Linux $kernel" => sub { run_iommu($name, $kernel) };
}
done_testing;
