#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# What operators type, typos included: each mistake gets the errno that libvirt and
# mdevctl expect and, where it reaches mvgpu, one line in the kernel log.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Image;
use MVGPU::Rig;
use Test::More;

my $rig = MVGPU::Rig->new(
	gpus => ['bochs-display,vgamem=32M', 'VGA,vgamem_mb=16,id=vga0', 'edu'],
);
$rig->boot;
$rig->load_modules(qw(mvgpu mvgpu-bochs));
my ($gpu, $vga) = $rig->find_pci('1234:1111');
my ($edu) = $rig->find_pci('1234:11e8');
$rig->adopt($gpu, 'mvgpu-bochs');
my $types = "/sys/bus/pci/devices/$gpu/mdev_supported_types";

# The log lines that a command causes
sub log_of($command)
{
	$rig->must('dmesg -C');
	$rig->run($command);
	return scalar $rig->must('dmesg');
}

# In bash: of a write that fails, dash doesn't tell why
sub refused($command, $name, $like)
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $rig->fails("bash <<'END'\n$command\nEND", $name, $like);
}

sub available($size) { return $rig->read_file("$types/mvgpu-bochs-$size/available_instances") }

subtest 'types' => sub {
	is $rig->must("ls $types"), join("\n", map { "mvgpu-bochs-$_" } qw(16m 32m 4m 8m)), 'four';
	is $rig->read_file("$types/mvgpu-bochs-16m/name"), 'Bochs display, 16 MiB', 'name';
	like $rig->read_file("$types/mvgpu-bochs-16m/description"), qr/vram=16M/, 'description';
	is $rig->read_file("$types/mvgpu-bochs-16m/device_api"), 'vfio-pci', 'device_api';
	is available('32m'), 0, 'the largest does not fit beside the blank screen';
	is available('16m'), 1, 'one of 16 MiB does';
	is available('4m'), 7, 'or seven of 4 MiB';
};

subtest 'the budget is shared' => sub {
	my $big = $rig->create_vgpu($gpu, 'mvgpu-bochs-16m');
	is available('16m'), 0, '16 MiB are gone';
	is available('4m'), 3, 'and so are four of the small ones';
	my $uuid = MVGPU::Rig->uuid;
	my $create = "echo $uuid >$types/mvgpu-bochs-16m/create";
	refused($create, 'one too many', qr/No space left/);
	like log_of($create), qr/$uuid: no 16m left on $gpu/, 'the log names the vGPU and the reason';
	refused("echo $big >$types/mvgpu-bochs-4m/create", 'a UUID twice', qr/File exists/);

	my @small = map { $rig->create_vgpu($gpu, 'mvgpu-bochs-4m') } 1 .. 3;
	$rig->remove_vgpu($small[1]);
	is available('4m'), 1, 'a removed one leaves its place';
	is available('8m'), 0, 'which is too small for a larger one';
	$rig->remove_vgpu($_) for $big, @small[0, 2];
	is available('4m'), 7, 'all of it is back';
};

subtest 'typos' => sub {
	refused("echo $_ >$types/mvgpu-bochs-4m/create", "UUID '$_'", qr/Invalid argument/)
		for 'nonsense', '12345678-1234-1234-1234-12345678901', '';
	refused("echo @{[MVGPU::Rig->uuid]} >$types/mvgpu-bochs-huge/create", 'unknown type',
		qr/No such file|nonexistent/);
	my $foreground = "/sys/bus/pci/devices/$gpu/mvgpu/foreground";
	refused("echo nonsense >$foreground", 'foreground nonsense', qr/Invalid argument/);
	refused("echo @{[MVGPU::Rig->uuid]} >$foreground", 'foreground of a stranger',
		qr/No such file/);
	like log_of("echo nonsense >$foreground"), qr/$gpu: foreground: neither/, 'is explained';
	my $uuid = $rig->create_vgpu($gpu, 'mvgpu-bochs-4m');
	refused("echo 7x >/sys/bus/mdev/devices/$uuid/mvgpu/foreground", 'neither 0 nor 1',
		qr/Invalid argument/);
	$rig->remove_vgpu($uuid);
};

subtest 'the wrong device' => sub {
	my $bind = sub ($bdf) {
		return "echo mvgpu-bochs >/sys/bus/pci/devices/$bdf/driver_override; "
			. "echo $bdf >/sys/bus/pci/drivers/mvgpu-bochs/bind";
	};
	refused($bind->($edu), 'a device that is no Bochs display', qr/No such device/);
	like log_of($bind->($edu)), qr/$edu: 1234:11e8 is no GPU for mvgpu-bochs/, 'is named';
	refused("echo $vga >/sys/bus/pci/drivers/mvgpu-bochs/bind",
		'without driver_override nothing binds', qr/No such device/);
	$rig->must('modprobe bochs');
	ok defined $rig->wait_for("test -e /sys/bus/pci/devices/$vga/driver"),
		'the in-tree driver takes the other GPU';
	refused($bind->($vga), 'a GPU that another driver uses', qr/No such device|busy/);
	$rig->must("readlink /sys/bus/pci/devices/$gpu/driver | grep mvgpu-bochs");
	pass 'and leaves ours alone';
};

# A guest that shows one colour; its process
sub shows($uuid, $colour, $width)
{
	my $pid = $rig->must("rm -f /tmp/shows; setsid /mvgpu/build/vfio-test --show $uuid $colour $width 700"
		. ' >/tmp/shows 2>&1 </dev/null & echo $!');

	defined $rig->wait_for('grep -q SHOWN /tmp/shows') or $rig->trouble('nothing is shown');
	return $pid;
}

subtest 'a GPU with VGA registers' => sub {
	$rig->adopt($vga, 'mvgpu-bochs');
	is $rig->read_file("/sys/bus/pci/devices/$vga/mdev_supported_types/mvgpu-bochs-8m/available_instances"),
		1, 'is a parent, too';
	my ($other, $uuid) = map { $rig->create_vgpu($vga, 'mvgpu-bochs-4m') } 1, 2;
	$rig->foreground($vga, $uuid);
	is $rig->vgpu($uuid, 'foreground'), 1, 'with a screen of its own';

	# VGA makes 1016 pixels of 1022: with lines that short, the second slice starts in the first.
	my @screen = (device => 'vga0');
	my ($red, $green) = (0xcc3333, 0x33cc33);
	my $pid = shows($other, $red, 1024);
	$rig->foreground($vga, $other);
	$rig->shows(MVGPU::Image->flat($red, 1024, 700), 'it shows what VGA can', @screen);
	my $odd = shows($uuid, $green, 1022);
	like log_of("echo 1 >/sys/bus/mdev/devices/$uuid/mvgpu/foreground"),
		qr/$uuid: $vga can't show this mode/, 'what VGA would round is refused';
	$rig->shows(MVGPU::Image->flat(0, 64, 64), 'the screen is blank', @screen);
	$rig->must("kill $odd; while [ -e /proc/$odd ]; do sleep 0.1; done");
	$odd = shows($uuid, $green, 1024);
	$rig->shows(MVGPU::Image->flat($green, 1024, 700), 'until the mode is one it can', @screen);
	$rig->must("kill $pid $odd; for p in $pid $odd; do while [ -e /proc/\$p ]; do sleep 0.1; done; done");

	$rig->must("echo $vga >/sys/bus/pci/drivers/mvgpu-bochs/unbind");
	$rig->fails("ls /sys/bus/mdev/devices/$uuid", 'its vGPUs go with it', qr/No such file/);
};

$rig->clean_dmesg;
$rig->stop;
done_testing;
