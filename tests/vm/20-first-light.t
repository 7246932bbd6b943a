#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The whole chain: two guests under KVM, each with its distribution's own
# bochs-drm on its own vGPU of one physical GPU. What the physical screen
# shows is compared pixel by pixel, every pixel.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Image;
use MVGPU::Rig;
use Test::More;

my $rig = MVGPU::Rig->new(gpus => ['bochs-display,vgamem=64M,id=gpu0']);
$rig->boot;
$rig->load_modules(qw(mvgpu mvgpu-bochs));
my $bdf = $rig->adopt('1234:1111', 'mvgpu-bochs');
my ($ua, $ub) = map { $rig->create_vgpu($bdf, 'mvgpu-bochs-16m') } 1 .. 2;
my ($ga, $gb) = map { $rig->guest(name => $_->[0], vgpu => $_->[1], display => 1, nowait => 1) }
	['a', $ua], ['b', $ub];
$_->wait_boot for $ga, $gb;
diag sprintf 'Linux %s; guests up in %.1f s and %.1f s', $rig->release,
	$ga->boot_seconds, $gb->boot_seconds;

my @physical = (device => 'gpu0', head => 0);
my @own = (device => 'vgpu0');
my $resource = '/sys/bus/pci/devices/$(ls /sys/bus/pci/drivers/bochs-drm | grep :)/resource';

# A cursor that blinks in the background would change the guests' video memory.
$_->run('echo 0 >/sys/class/graphics/fbcon/cursor_blink') for $ga, $gb;
for my $guest ($ga, $gb) {
	$guest->ok('ls /sys/bus/pci/drivers/bochs-drm | grep -q :', "stock bochs-drm binds in $guest->{name}");
}

subtest 'the physical screen' => sub {
	my ($pa, $pb) = map { $_->draw($_->{name}) } $ga, $gb;
	is $rig->vgpu($ua, 'mode'), $pa->size . 'x32', 'the host sees the guest\'s mode';
	isnt $pa->differing($pb), 0, 'the two pictures differ';

	$rig->vgpu($ua, 'foreground', 1);
	$rig->shows($pa, 'A in the foreground: the screen shows A', @physical);
	is $rig->foreground($bdf), $ua, 'the parent says so';
	$ga->shows($pa, 'its QEMU displays it, too', @own);
	$gb->shows($pb, 'B in the background: its QEMU displays it', @own);

	$rig->foreground($bdf, $ub);
	$rig->shows($pb, 'switched to B: the screen shows B', @physical);
	is $rig->vgpu($ua, 'foreground'), 0, 'A is no longer in the foreground';
	is $rig->vgpu($ub, 'foreground'), 1, 'B is';
	$ga->shows($pa, 'A goes on in the background', @own);

	my $small = $ga->draw('small', '800x600');
	is $rig->vgpu($ua, 'mode'), '800x600x32', 'A changes its mode in the background';
	$rig->shows($pb, 'the screen doesn\'t notice', @physical);
	$ga->shows($small, 'A\'s QEMU does', @own);
	$rig->vgpu($ua, 'foreground', 1);
	$rig->shows($small, 'A in the foreground again, in its new mode', @physical);

	$rig->foreground($bdf, 'none');
	isnt $rig->screendump(@physical)->differing($small), 0, 'nobody in the foreground: A is gone';
	$rig->foreground($bdf, $ub);
	$rig->shows($pb, 'and B is there unchanged', @physical);
};

subtest 'pixels are not trapped' => sub {
	my ($width, $height) = (1024, 768);

	$ga->undraw;
	$rig->vgpu($ua, 'foreground', 1);
	$ga->must('mkfifo /tmp/go');
	$ga->must("draw -n 20 -w /tmp/go -F 3366cc ${width}x$height >/tmp/draw.log 2>&1 &");
	defined $ga->wait_for('grep -q READY /tmp/draw.log') or $ga->trouble('draw is not ready');

	my $before = $rig->vgpu($ua, 'exits');
	cmp_ok $before, '>', 0, "the modeset was trapped ($before so far)";
	$ga->must('echo go >/tmp/go');
	ok defined $ga->wait_for('grep -q FILLED /tmp/draw.log'), 'a frame is filled 20 times';
	is $rig->vgpu($ua, 'exits') - $before, 0, 'not one trapped access';
	$rig->shows(MVGPU::Image->flat(0x3366cc, $width, $height), 'and the screen shows it', @physical);

	# Negative control: the counter does count.
	$before = $rig->vgpu($ua, 'exits');
	my $value = $ga->must("bar read ${resource}2 0x500 100");
	is $value, '0xb0c5', 'a register read 100 times';
	is $rig->vgpu($ua, 'exits') - $before, 100, '100 trapped accesses';
	$ga->undraw;
};

subtest 'neither reaches the other\'s memory' => sub {
	my $size = $rig->vgpu($ua, 'vram');

	for ([$ga, $ua, $gb, $ub, 0x11111111], [$gb, $ub, $ga, $ua, 0x22222222]) {
		my ($writer, $uw, $other, $uo, $seed) = @$_;
		my ($w, $o) = ($writer->{name}, $other->{name});

		my $picture = $other->draw("canary in $o");
		$rig->vgpu($uo, 'foreground', 1);
		my $sum = $other->must("bar sum ${resource}0");
		my $own = $writer->must("bar sum ${resource}0");

		# Without its driver, so that nobody else writes.
		$writer->undraw;
		my $device = $writer->must('ls /sys/bus/pci/drivers/bochs-drm | grep :');
		my $bar = "/sys/bus/pci/devices/$device/resource0";
		$writer->must("echo $device >/sys/bus/pci/drivers/bochs-drm/unbind");
		is $writer->must("bar fill $bar $seed"), $size, "$w writes all of its $size bytes";
		is $writer->must("bar count $bar $seed"), $size, "$w reads all of them back";
		isnt $writer->must("bar sum $bar"), $own, 'a write does change the checksum';

		is $other->must("bar sum ${resource}0"), $sum, "$o has every byte as it was";
		$rig->shows($picture, "the screen still shows $o", @physical);
		$writer->must("echo $device >/sys/bus/pci/drivers/bochs-drm/bind");
	}
};

subtest 'leaving' => sub {
	my $picture = $ga->draw('last');
	$rig->vgpu($ua, 'foreground', 1);
	$rig->shows($picture, 'A is on the screen', @physical);
	$ga->clean_dmesg;
	$gb->clean_dmesg;
	$ga->kill('KILL');
	isnt $rig->screendump(@physical)->differing($picture), 0,
		'a guest whose QEMU is killed leaves the screen';
	$gb->shutdown;
	$rig->remove_vgpu($_) for $ua, $ub;
	$rig->unload_modules('mvgpu-bochs', 'mvgpu');
	pass 'vGPUs and modules go';
};

$rig->clean_dmesg;
$rig->stop;
done_testing;
