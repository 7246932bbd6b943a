#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# What happens to a parent in a host's life: it is reset, its driver is exchanged, it is pulled
# out and put in again. What a running guest can't survive is refused, or waits and says for
# whom; what comes back does so under the same name.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Clock;
use MVGPU::Rig;
use Test::More;
use Time::HiRes qw(sleep);

my $ctl = '/mvgpu/build/mvgpuctl';
my @gpus = ('bochs-display,vgamem=64M,id=gpu0,bus=rp0',
	'virtio-gpu-pci,max_outputs=2,id=gpu1,bus=rp1');
my $rig = MVGPU::Rig->new(gpus => [(map { "pcie-root-port,id=rp$_,chassis=1$_" } 0, 1), @gpus]);
$rig->boot;
$rig->load_modules(qw(mvgpu mvgpu-bochs mvgpu-virtio));
my ($bochs) = $rig->find_pci('1234:1111');
my ($virtio) = $rig->find_pci('1af4:1050');
my @heads = ([device => 'gpu0', head => 0], [device => 'gpu1', head => 0]);
my %uuid;

# Not every shell says which error it was.
sub reset_gpu($bdf) { return "bash -c 'echo 1 >/sys/bus/pci/devices/$bdf/reset'" }

# Both GPUs are parents, with a vGPU each, as an operator's start-up script would have it.
sub set_up
{
	$rig->must("$ctl adopt $_") for $bochs, $virtio;
	$uuid{a} = $rig->must("$ctl create --name a $bochs 16m");
	$uuid{b} = $rig->must("$ctl create --name b $virtio 1h64m");
	$rig->foreground($bochs, $uuid{a});
}

# Behind a root port, so that QEMU can unplug it; without, it never does.
sub start($name, $unplugs)
{
	my $vgpu = "vfio-pci,sysfsdev=/sys/bus/mdev/devices/$uuid{$name},id=vgpu0";

	return $rig->guest(name => $name, modules => [$name eq 'a' ? 'bochs' : 'virtio_gpu'],
		devices => $unplugs ? ['pcie-root-port,id=rp,chassis=1', "$vgpu,bus=rp"] : [$vgpu]);
}

# One GPU leaves the machine; returns whether it is gone in time.
sub pull($id) { $rig->qmp('device_del', { id => $id }) }

sub pulled($id)
{
	my $deadline = now + $rig->timeout;

	while (now < $deadline) {
		return 1 if grep { /^DEVICE_DELETED .*"$id"/ } $rig->{qmp}->events;
		sleep 0.1;
	}
	return 0;
}

# The same as it was, in the same place
sub put_in($n)
{
	my ($driver, %o) = split /[,=]/, $gpus[$n];

	# QMP takes no suffix
	$o{vgamem} = 64 << 20;
	$rig->qmp('device_add', { driver => $driver, %o }) unless $n;
	$rig->must('echo 1 >/sys/bus/pci/rescan') if $n;
	$rig->wait_for("test -e /sys/bus/pci/devices/" . ($bochs, $virtio)[$n])
		// $rig->trouble('the GPU does not come back');
}

subtest 'a parent is not reset' => sub {
	$rig->ok(reset_gpu($_), "$_: before it is one, it is") for $bochs, $virtio;
	set_up;
	my %guest = map { $_ => start($_, 0) } qw(a b);
	my @shown = map { $guest{$_}->draw("reset $_", '800x600') } qw(a b);
	for my $n (0, 1) {
		my ($status, $said) = $rig->run(reset_gpu(($bochs, $virtio)[$n]));
		isnt $status, 0, "head $n: refused";
		like $said, qr/Inappropriate ioctl/, "head $n: because there is no way to";
		$rig->shows($shown[$n], "head $n: nothing has changed", $heads[$n]->@*);
	}
	@shown = map { $guest{$_}->draw("after reset $_", '800x600') } qw(a b);
	$rig->shows($shown[$_], "head $_: the guest draws on", $heads[$_]->@*) for 0, 1;
	$_->kill for values %guest;
};

subtest 'the drivers are exchanged with guests stopped' => sub {
	my @before = map { $rig->read_file("/sys/module/$_/refcnt") } qw(mvgpu_bochs mvgpu_virtio);

	is_deeply \@before, [0, 0], 'vGPUs that no VMM has open keep no driver';
	$rig->unload_modules(qw(mvgpu-virtio mvgpu-bochs mvgpu));
	$rig->fails("ls /sys/bus/mdev/devices/$uuid{a}", 'they are gone');
	my %was = %uuid;
	$rig->load_modules(qw(mvgpu mvgpu-bochs mvgpu-virtio));
	like $rig->must("readlink /sys/bus/pci/devices/$bochs/driver"), qr/mvgpu-bochs/,
		'a GPU with a driver_override is a parent again at once';
	$rig->fails("ls /sys/bus/virtio/drivers/mvgpu-virtio/virtio*", 'a virtio-gpu has to be adopted');
	set_up;
	is_deeply \%uuid, \%was, 'the same commands give the same vGPUs';
	my %guest = map { $_ => start($_, $_ eq 'a') } qw(a b);
	for my $n (0, 1) {
		my $name = (qw(a b))[$n];
		$rig->shows($guest{$name}->draw("upgrade $name", '800x600'),
			"$name: a guest on it draws", $heads[$n]->@*);
	}
	$rig->fails('rmmod mvgpu-virtio', 'while guests run, a driver stays', qr/in use|busy|temporarily/i);

	# Now the GPUs go. a's QEMU lets go of its vGPU by itself, b's never does.
	pull('gpu0');
	ok pulled('gpu0'), 'a GPU is pulled out from under a guest';
	$rig->fails("ls /sys/bus/pci/devices/$bochs", 'it is gone');
	like $rig->must('dmesg'), qr/$uuid{a}: asked the VMM to unplug/, 'the VMM was asked';
	is $guest{a}->must('echo alive'), 'alive', 'the guest lives on';
	# QEMU can't pull a virtio-gpu out; the kernel takes it as if it had been.
	$rig->must("(echo 1 >/sys/bus/pci/devices/$virtio/remove) >/dev/null 2>&1 &");
	ok defined $rig->wait_for("dmesg | grep '$uuid{b}: .*asked the VMM to unplug'"),
		'a VMM that does not let go is asked, and the log says so';
	$rig->ok("test -e /sys/bus/pci/devices/$virtio", 'the GPU stays meanwhile');
	is $guest{b}->must('echo alive'), 'alive', 'the guest lives on, without its GPU';
	$guest{b}->kill;
	ok defined $rig->wait_for("! test -e /sys/bus/pci/devices/$virtio"), 'when its VMM has ended, the GPU is gone';
	$guest{a}->kill;
};

subtest 'they are put in again' => sub {
	put_in($_) for 0, 1;
	my %was = %uuid;
	set_up;
	is_deeply \%uuid, \%was, 'the same commands give the same vGPUs';
	my %guest = map { $_ => start($_, 0) } qw(a b);
	for my $n (0, 1) {
		my $name = (qw(a b))[$n];
		$rig->shows($guest{$name}->draw("again $name", '800x600'),
			"$name: a guest on it draws", $heads[$n]->@*);
	}
	$_->kill for values %guest;
	$rig->nothing_held($_) for values %uuid;
	$rig->must("$ctl remove $_") for qw(a b);
	$rig->must("$ctl release $_") for $bochs, $virtio;
	$rig->ok(reset_gpu($_), "$_: a parent no more, it is reset") for $bochs, $virtio;
};

$rig->unload_modules(qw(mvgpu-virtio mvgpu-bochs mvgpu));
$rig->no_leaks;
$rig->clean_dmesg;
$rig->stop;
done_testing;
