#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Guests that come and go in every way, at once, on one virtio-gpu: one is reset in a loop, one
# is killed in mid-transfer, one has its driver unbound and bound. A fourth, with two vGPUs,
# keeps two pictures all the while; when one of those changes, the other stays. And guests on
# the last of as many heads as there can be, and on none.
# MVGPU_FULL=1 takes more rounds.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $rounds = $ENV{MVGPU_FULL} ? 8 : 2;

my $rig = MVGPU::Rig->new(mem => 3072,
	gpus => ['virtio-gpu-pci,max_outputs=5,max_hostmem=536870912,id=gpu0']);
my $bdf = $rig->boot_virtio;
$rig->must("echo 536870912 >/sys/bus/pci/devices/$bdf/mvgpu/memory");
my $types = "/sys/bus/pci/devices/$bdf/mdev_supported_types";

# What is left of the parent: type by type, how many more vGPUs it has room for
sub room { return $rig->must("grep -H . $types/*/available_instances") }

my $room = room();
my @uuids = map { $rig->create_vgpu($bdf, 'virtio-pci-1h64m') } 0 .. 4;
isnt room(), $room, 'vGPUs take of the parent';

my %vgpu = (two => [@uuids[0, 1]], reset => $uuids[2], killed => $uuids[3], unbound => $uuids[4]);
my %head = (reset => 2, killed => 3, unbound => 4);

sub launch($name)
{
	return $rig->guest(name => $name, vgpu => $vgpu{$name}, modules => ['virtio_gpu'],
		programs => [$rig->guest_programs . '/frames'], nowait => 1);
}

my %guest = map { $_ => launch($_) } sort keys %vgpu;
$_->wait_boot for values %guest;
# What the console takes
my %idle = map { $_ => $rig->vgpu($_, 'pinned') } @uuids;

# The pictures that must stay
my @stay;

sub draw_two($seed, $card)
{
	$stay[$card] = $guest{two}->draw("$seed $card", '', card => $card);
}

sub two_stay($when)
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$rig->shows($stay[$_], "$when: vGPU $_ of two shows its picture", device => 'gpu0',
		head => $_) for 0, 1;
}

sub shows($name, $seed)
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$rig->shows($guest{$name}->draw($seed), "$name: shows $seed", device => 'gpu0',
		head => $head{$name});
}

# Frames without end; returns when the GPU has had some of them.
sub transfer($name)
{
	my $commands = "/sys/bus/mdev/devices/$vgpu{$name}/mvgpu/commands";
	my $before = $rig->vgpu($vgpu{$name}, 'commands');

	$guest{$name}->must('killall draw; frames dirty 100000000 >/dev/null 2>&1 &');
	defined $rig->wait_for("[ \$(cat $commands) -gt " . ($before + 50) . ' ]')
		or $guest{$name}->trouble('no frames');
}

sub round($n)
{
	$guest{reset}->draw("reset in round $n");
	$guest{reset}->reset;
	two_stay('one is reset');

	transfer('killed');
	$guest{killed}->kill('KILL');
	$rig->nothing_held($vgpu{killed}, 'killed by SIGKILL');
	two_stay('one is killed');
	$guest{killed} = launch('killed');

	$guest{unbound}->draw("unbound in round $n");
	$guest{unbound}->unbind_virtio;
	$rig->nothing_held($vgpu{unbound}, 'unbound by its driver');
	two_stay('the driver of one is unbound');
	$guest{unbound}->undraw;
	$guest{unbound}->bind_virtio;
	shows('unbound', "bound in round $n");

	# In between, one of the two pictures is a new one.
	draw_two("round $n", $n % 2);
	two_stay('one of two is new');
	$guest{$_}->wait_boot for qw(reset killed);
	shows($_, "booted in round $n") for qw(reset killed);
	two_stay('all are back');
}

draw_two('first', $_) for 0, 1;
two_stay('first');
# A check that sees no difference between two pictures would be worth nothing.
cmp_ok $rig->screendump(device => 'gpu0', head => 0)->differing($stay[1]), '>', 1000,
	'they differ';
shows($_, 'first') for qw(reset killed unbound);
for my $n (1 .. $rounds) {
	subtest "round $n" => sub { round($n) };
}

for my $name (sort keys %guest) {
	my ($guest, $of) = ($guest{$name}, $vgpu{$name});
	$guest->undraw;
	is $rig->vgpu($_, 'pinned'), $idle{$_}, "$name: without its pictures, as before"
		for ref $of ? @$of : $of;
	$guest->clean_dmesg(unbinding => $name eq 'unbound');
}
$guest{two}->shutdown;
$guest{$_}->kill for qw(reset killed unbound);
for my $uuid (@uuids) {
	$rig->nothing_held($uuid);
	$rig->remove_vgpu($uuid);
}
is room(), $room, 'the parent has as much room as in the beginning';
$rig->end_virtio;

subtest 'sixteen heads, and none' => sub {
	my $rig = MVGPU::Rig->new(gpus => ['virtio-gpu-pci,max_outputs=16,id=gpu0']);
	my $bdf = $rig->boot_virtio;

	$rig->must("echo \$((9 * 256 << 20)) >/sys/bus/pci/devices/$bdf/mvgpu/memory");
	my @uuids = map { $rig->create_vgpu($bdf, 'virtio-pci-2h256m') } 1 .. 8;
	is $rig->must("cat /sys/bus/pci/devices/$bdf/mdev_supported_types/virtio-pci-1h64m/available_instances"),
		0, 'all heads are taken';
	push @uuids, $rig->create_vgpu($bdf, 'virtio-pci-0h32m');
	my @guests = map { $rig->guest(name => $_->[0], vgpu => $_->[1], modules => ['virtio_gpu'],
		nowait => 1) } [last => $uuids[7]], [headless => $uuids[8]];
	$_->wait_boot for @guests;
	my ($last, $headless) = @guests;
	my $picture = $last->draw('the last', '', head => 1);
	$rig->shows($picture, 'the last head shows it', device => 'gpu0', head => 15);
	$headless->ok('ls /sys/bus/virtio/drivers/virtio_gpu | grep -q ^virtio',
		'the stock driver has a vGPU without heads');
	$headless->fails('grep -qx connected /sys/class/drm/card*-*/status', 'which connects nothing');
	$_->clean_dmesg for @guests;
	$_->shutdown for @guests;
	$rig->remove_vgpu($_) for @uuids;
	$rig->end_virtio;
};
done_testing;
