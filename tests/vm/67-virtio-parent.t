#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A physical virtio-gpu whose windows are resized, closed and opened; that lacks what it may
# lack; that lacks what it mustn't; and that goes, in order and by surprise, while a guest draws.

use v5.36;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use MVGPU::Vnc;
use Test::More;

# Feature bits of virtio
use constant { INDIRECT_DESC => 28, EVENT_IDX => 29 };

my $dir = tempdir(CLEANUP => 1);

my $rig = MVGPU::Rig->new(
	gpus => ['virtio-gpu-pci,max_outputs=2,id=gpu0',
		'virtio-gpu-pci,max_outputs=2,id=gpu1,indirect_desc=off',
		'virtio-gpu-pci,max_outputs=2,id=gpu2,event_idx=off',
		'pcie-root-port,id=port0,chassis=1,slot=1',
		'virtio-gpu-pci,max_outputs=2,id=gpu3,bus=port0'],
	args => [map { ('-vnc', "unix:$dir/head$_,display=gpu0,head=$_") } 0, 1],
);
$rig->boot;
$rig->load_modules(qw(virtio_gpu mvgpu mvgpu-virtio));
my @gpus = $rig->find_pci('1af4:1050');
my $port = $rig->must("basename \$(dirname \$(readlink -f /sys/bus/pci/devices/$gpus[3]))");
my $there = "/sys/bus/pci/devices/$gpus[3]";

sub driver_of($gpu)
{
	return $rig->must("basename \$(readlink /sys/bus/pci/devices/$gpu/virtio*/driver)");
}

sub features($gpu)
{
	return split //, $rig->must("cat /sys/bus/pci/devices/$gpu/virtio*/features");
}

# What a machine's driver has of a connector's EDID: its bytes
sub edid($machine, $connector)
{
	return pack 'H*', $machine->must("od -An -v -tx1 $connector/edid") =~ s/\s//gr;
}

# Who has made an EDID, and the mode that it prefers: VESA E-EDID 1.4, 3.4.1 and 3.10.2
sub describe($edid)
{
	my ($id, @timing) = unpack 'x8 n x44 x2 C6', $edid;

	return (join('', map { chr(64 + ($id >> $_ & 31)) } 10, 5, 0),
		($timing[0] | ($timing[2] & 0xf0) << 4) . 'x' . ($timing[3] | ($timing[5] & 0xf0) << 4));
}

# The connector of a GPU's first head, while the kernel's own driver has that
sub own_connector($gpu)
{
	my $find = "find /sys/bus/pci/devices/$gpu/ -name 'card*-Virtual-1'";

	defined $rig->wait_for("$find | grep -q .") or $rig->trouble('its driver has no connector');
	return $rig->must($find);
}

# A guest on a new vGPU of a GPU: both
sub start($name, $gpu, $type = 'virtio-pci-1h128m')
{
	my $uuid = $rig->create_vgpu($gpu, $type);
	return ($uuid, $rig->guest(name => $name, vgpu => $uuid, modules => ['virtio_gpu'],
		programs => [$rig->guest_programs . '/frames']));
}

subtest 'windows are resized, closed and opened' => sub {
	my $theirs = edid($rig, own_connector($gpus[0]));
	is_deeply [describe($theirs)], ['RHT', '1280x800'], 'the monitor that QEMU makes up for head 0';
	$rig->adopt_virtio($gpus[0]);
	my ($uuid, $guest) = start('a', $gpus[0], 'virtio-pci-2h256m');
	my @window = map { MVGPU::Vnc->connect("$dir/head$_") } 0, 1;
	my @connector = map { "/sys/class/drm/card0-Virtual-$_" } 1, 2;
	my $events = 'grep -h "$(basename $(ls -d /sys/bus/virtio/drivers/virtio_gpu/virtio*))-config" '
		. '/proc/interrupts';
	my $count = sub { my ($n) = $guest->must($events) =~ /:\s+(\d+)/; $n };
	my $prefers = sub ($head, $mode) {
		defined $guest->wait_for("[ \$(head -n1 $connector[$head]/modes) = $mode ]", 60);
	};

	ok $prefers->(0, '1280x800'), 'the head as it was';
	ok edid($guest, $connector[0]) eq $theirs, 'its monitor has the same EDID, byte for byte';
	is $guest->read_file("$connector[1]/status"), 'connected',
		'a head that nobody has ever looked at is there';
	is_deeply [describe(edid($guest, $connector[1]))], ['MVG', '1280x800'],
		'with a monitor that we make up';
	# No larger than the console: its hot-plug asks for no other modes.
	for ([0, 1152, 720], [0, 800, 600], [1, 1024, 768]) {
		my ($head, $width, $height) = @$_;
		my $before = $count->();

		$window[$head]->resize($width, $height);
		ok $prefers->($head, "${width}x$height"),
			"window $head becomes ${width}x$height: the guest's head prefers that";
		cmp_ok $count->(), '>', $before, 'its driver has been told';
		is_deeply [describe(edid($guest, $connector[$head]))], ['RHT', "${width}x$height"],
			'its monitor is the new window\'s';
		my $picture = $guest->draw("$width by $height", '', head => $head);
		is $picture->size, "${width}x$height", 'it draws in that mode';
		$rig->shows($picture, 'every pixel is right', device => 'gpu0', head => $head);
		$guest->undraw;
	}
	$window[1]->resize(0, 0);
	ok defined $guest->wait_for("grep -q disconnected $connector[1]/status", 60),
		'window 1 is closed: so is the guest\'s head';
	is $guest->read_file("$connector[0]/status"), 'connected', 'the other one stays';
	$theirs = edid($guest, $connector[0]);
	$window[1]->resize(1024, 768);
	ok defined $guest->wait_for("grep -qx connected $connector[1]/status", 60),
		'it is opened again: the head is back';
	$guest->clean_dmesg;
	$guest->kill;
	$rig->nothing_held($uuid);
	$rig->remove_vgpu($uuid);
	$rig->release_virtio($gpus[0]);
	ok edid($rig, own_connector($gpus[0])) eq $theirs,
		'what the guest had last is what the kernel\'s own driver is told, byte for byte';
};

subtest 'without indirect descriptors it is refused' => sub {
	is +(features($gpus[1]))[INDIRECT_DESC], 0, 'it has none';
	is driver_of($gpus[1]), 'virtio_gpu', 'the kernel\'s own driver has it';
	$rig->fails("echo $gpus[1] >/sys/bus/virtio/drivers/mvgpu-virtio/adopt", 'it is not adopted');
	like $rig->dmesg, qr/it takes no indirect descriptors: backings would not fit/, 'for a reason';
	is driver_of($gpus[1]), 'virtio_gpu', 'the kernel\'s own driver has it back';
	$rig->fails("/mvgpu/build/mvgpuctl adopt --force $gpus[1]", 'mvgpuctl says so, too',
		qr/$gpus[1]: .*mvgpu-virtio.*the kernel says: .*no indirect descriptors/s);
	is driver_of($gpus[1]), 'virtio_gpu', 'and nobody has lost it';
};

subtest 'without event indices a guest draws' => sub {
	$rig->adopt_virtio($gpus[2]);
	is_deeply [(features($gpus[2]))[INDIRECT_DESC, EVENT_IDX]], [1, 0], 'it has none';
	my ($uuid, $guest) = start('b', $gpus[2]);
	$rig->shows($guest->draw($_), "$_: every pixel is right", device => 'gpu2', head => 0)
		for 'first', 'second';
	$guest->clean_dmesg;
	$guest->kill;
	$rig->nothing_held($uuid);
	$rig->remove_vgpu($uuid);
	$rig->release_virtio($gpus[2]);
};

# The power of the port's slot, under the kernel's feet: without it, the GPU is not there, and
# afterwards it is as new. Slot Control is 24 bytes into the PCI Express capability; QEMU, which
# doesn't let a virtio-gpu be unplugged, knows its Power Controller Control.
sub power($on)
{
	my $config = "/sys/bus/pci/devices/$port/config";
	my @byte = split ' ', $rig->must("od -An -v -tu1 -N256 $config");
	my $at = $byte[0x34];

	$at = $byte[$at + 1] while $at && $byte[$at] != 0x10;
	my $high = $byte[$at + 25] & ~4 | ($on ? 0 : 4);
	$rig->must(sprintf q{printf '\\%03o\\%03o' | dd of=%s bs=2 seek=%d conv=notrunc 2>/dev/null},
		$byte[$at + 24], $high, $config, ($at + 24) / 2);
	my ($status) = $rig->run("od -An -tx1 -N2 $there/config | grep -q 'ff ff'");
	is !!$status, !!$on, $on ? 'the GPU has power' : 'the GPU is gone';
}

# The kernel forgets the GPU, as its hot-plug driver has it do. In the background: it waits for
# the VMM.
sub forget { $rig->must("rm -f /tmp/forgot; (echo 1 >$there/remove; touch /tmp/forgot) >/dev/null 2>&1 &") }

sub forgot($uuid)
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok defined $rig->wait_for('test -e /tmp/forgot', 60), 'once it has, the GPU goes';
	$rig->ok("! test -e $there", 'the kernel knows it no more');
	$rig->ok("! test -e /sys/bus/mdev/devices/$uuid", 'nor the vGPU');
}

sub find_again
{
	$rig->must('echo 1 >/sys/bus/pci/rescan');
	defined $rig->wait_for("test -e $there/virtio*/driver", 60) or $rig->trouble('no GPU');
	$rig->adopt_virtio($gpus[3]);
}

subtest 'it is removed in order' => sub {
	$rig->adopt_virtio($gpus[3]);
	my ($uuid, $guest) = start('c', $gpus[3]);
	$rig->shows($guest->draw('before'), 'a guest draws', device => 'gpu3', head => 0);
	forget();
	ok defined $rig->wait_for("dmesg | grep -q '$uuid: asked the VMM to unplug'", 60),
		'the VMM is asked to let go';
	is $guest->must('echo alive'), 'alive', 'the guest lives on, without its vGPU';
	$guest->kill;
	forgot($uuid);
};

subtest 'it disappears' => sub {
	find_again();
	my ($uuid, $guest) = start('d', $gpus[3]);
	my $commands = "/sys/bus/mdev/devices/$uuid/mvgpu/commands";
	$guest->must('frames dirty 100000000 >/dev/null 2>&1 &');
	ok defined $rig->wait_for("[ \$(cat $commands) -gt 50 ]"), 'a guest draws';
	power(0);
	ok defined $guest->wait_for('dmesg | grep -q "response 0x1200"', 60), 'its commands fail';
	is $guest->must('echo alive'), 'alive', 'it lives';
	forget();
	ok defined $rig->wait_for("dmesg | grep -q '$uuid: asked the VMM to unplug'", 60),
		'the VMM is asked to let go';
	$guest->kill('KILL');
	forgot($uuid);
	$rig->unload_modules('mvgpu-virtio', 'mvgpu');
	$rig->no_leaks;
};

subtest 'it comes back' => sub {
	power(1);
	$rig->load_modules(qw(mvgpu mvgpu-virtio));
	find_again();
	my ($uuid, $guest) = start('e', $gpus[3]);
	$rig->shows($guest->draw('new'), 'a guest draws on it', device => 'gpu3', head => 0);
	$guest->clean_dmesg;
	$guest->kill;
	$rig->nothing_held($uuid);
	$rig->remove_vgpu($uuid);
	$rig->release_virtio($gpus[3]);
};

$rig->unload_modules('mvgpu-virtio', 'mvgpu');
$rig->no_leaks;
$rig->clean_dmesg(unbinding => 1);
$rig->stop;
done_testing;
