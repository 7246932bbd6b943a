#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The ways in which a vGPU, its parent or its driver goes while a guest uses it. Nothing
# may leak, hang or be used after it is freed.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $rig = MVGPU::Rig->new(gpus => ['bochs-display,vgamem=64M,id=gpu0']);
$rig->boot;
$rig->load_modules(qw(mvgpu mvgpu-bochs));
my $bdf = $rig->adopt('1234:1111', 'mvgpu-bochs');
my @physical = (device => 'gpu0', head => 0);
my $resource = '/sys/bus/pci/devices/$(ls /sys/bus/pci/drivers/bochs-drm | grep :)/resource';

# Behind a root port, so that QEMU can unplug it, which it never does with display=on
sub start($name)
{
	my $uuid = $rig->create_vgpu($bdf, 'mvgpu-bochs-16m');
	return ($uuid, $rig->guest(name => $name, devices => ['pcie-root-port,id=rp,chassis=1',
		"vfio-pci,sysfsdev=/sys/bus/mdev/devices/$uuid,bus=rp,id=vgpu0"]));
}

# Writes to sysfs, and doesn't wait; through($name) does. The vGPU's folder goes before its
# driver does, so only the end of the write says that all is over.
sub begin($name, $write) { $rig->must("(echo $write; touch /tmp/$name) >/dev/null 2>&1 &") }
sub through($name) { return defined $rig->wait_for("test -e /tmp/$name") }

subtest 'what is in use stays' => sub {
	my ($uuid, $guest) = start('a');
	$rig->fails('rmmod mvgpu-bochs', 'the vendor driver is in use', qr/in use|busy|temporarily/i);
	$rig->fails('rmmod mvgpu', 'so is the framework', qr/in use/);

	# QEMU answers the request by unplugging the device.
	begin('remove', "1 >/sys/bus/mdev/devices/$uuid/remove");
	ok through('remove'), 'a vGPU that is removed while its guest runs goes';
	like scalar $rig->must('dmesg'), qr/$uuid: asked the VMM to unplug/, 'after asking';
	is $guest->must('echo alive'), 'alive', 'and the guest lives on';
	$guest->kill;
};

subtest 'a second guest sees nothing of the first' => sub {
	my ($uuid, $guest) = start('b');
	my $size = $rig->vgpu($uuid, 'vram');
	$guest->must('for d in /sys/bus/pci/drivers/bochs-drm/*:*; do echo ${d##*/} >'
		. '/sys/bus/pci/drivers/bochs-drm/unbind; done');
	my $bar = '/sys/bus/pci/devices/0000:00:02.0/resource0';
	$bar = $guest->must('grep -l 0x1234 /sys/bus/pci/devices/*/vendor') =~ s/vendor/resource0/r;
	is $guest->must("bar fill $bar 0x5ec4e75e"), $size, 'the first fills its memory';
	$guest->kill('KILL');
	my $next = $rig->guest(name => 'c', vgpu => $uuid, modules => []);
	$bar = $next->must('grep -l 0x1234 /sys/bus/pci/devices/*/vendor') =~ s/vendor/resource0/r;
	is $next->must("echo 1 >${\($bar =~ s/resource0/enable/r)}; bar count $bar 0x5ec4e75e"), 0,
		'the second finds none of it';
	$next->kill;
	$rig->remove_vgpu($uuid);
};

subtest 'the parent goes' => sub {
	my ($uuid, $guest) = start('d');
	my ($other, $second) = start('e');
	my $picture = $guest->draw('parting');
	$rig->foreground($bdf, $uuid);
	$rig->shows($picture, 'a guest is on the screen', @physical);
	begin('unbind', "$bdf >/sys/bus/pci/drivers/mvgpu-bochs/unbind");
	ok defined $rig->wait_for("dmesg | grep -q 'MDEV: Unregistering'"), 'it is leaving';
	isnt $rig->screendump(@physical)->differing($picture), 0, 'the screen is blank';
	ok through('unbind'), 'both VMMs let go';
	is $_->must('echo alive'), 'alive', 'the guest lives on' for $guest, $second;
	$_->kill for $guest, $second;
};

subtest 'a killed VMM leaves nothing' => sub {
	$rig->adopt($bdf, 'mvgpu-bochs');
	my ($uuid, $guest) = start('f');
	$guest->draw('doomed');
	$guest->kill('KILL');
	is $rig->vgpu($uuid, 'mode'), 'off', 'the vGPU is back at power-on';
	$rig->remove_vgpu($uuid);
	$rig->unload_modules('mvgpu-bochs', 'mvgpu');
	pass 'the modules can be unloaded';
	$rig->load_modules(qw(mvgpu mvgpu-bochs));
	$rig->adopt($bdf, 'mvgpu-bochs');
	pass 'and loaded again';
};

$rig->no_leaks;
$rig->clean_dmesg;
$rig->stop;
done_testing;
