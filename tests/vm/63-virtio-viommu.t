#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Guests with an IOMMU of their own drive their vGPUs through IOVAs. In normal operation,
# their memory goes while it is in use:
#   - a stock driver that is unbound with a picture on unmaps it before the GPU has detached
#     it (Linux 6.12; a guest's virtio-iommu must be strict for that, or the unmap comes late)
#   - QEMU's VT-d unmaps all when a guest is reset, before it resets the vGPU (QEMU 7.2)
#   - a driver in user space, through the guest's own VFIO, may unmap whatever it likes
# Guests run 6.12, with MVGPU_FULL=1 the kernel of MVGPU_KERNEL, and all are reset.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Image;
use MVGPU::Rig;
use Test::More;

use constant { EDGE => 256, OK => '0x1100' };

my $kernel = $ENV{MVGPU_FULL} ? $ENV{MVGPU_KERNEL} // '6.12' : '6.12';
my $rig = MVGPU::Rig->new(kernel => $kernel, mem => 3072,
	gpus => ['virtio-gpu-pci,max_outputs=4,id=gpu0']);
# 6.1 comes without virtio-iommu.
my @iommus = grep { !($_ eq 'virtio' && $kernel eq '6.1') } qw(intel virtio);
# Only where interrupts are remapped, VFIO takes them for safe.
my $user_space = 'vfio_iommu_type1 allow_unsafe_interrupts=1';

my $bdf = $rig->boot_virtio;
my (@guests, %uuid, %head);
for my $iommu (@iommus) {
	my $uuid = $uuid{$iommu} = $rig->create_vgpu($bdf, 'virtio-pci-1h64m');
	$head{$iommu} = { device => 'gpu0', head => scalar @guests };
	push @guests, $rig->guest(
		name => $iommu, vgpu => $uuid, iommu => $iommu, append => 'iommu.strict=1',
		modules => ['virtio_gpu', $user_space, 'vfio-pci'],
		programs => ["$rig->{repo}/build/virtio-test"], nowait => 1,
	);
}

# All that is counted of a guest's vGPU
sub counters($guest)
{
	return map { $_ => $rig->vgpu($uuid{$guest->{name}}, $_) }
		qw(maps pinned revokes quarantined);
}

sub pinned($guest) { return $rig->vgpu($uuid{$guest->{name}}, 'pinned') }

sub shows($guest, $picture, $name) { $rig->shows($picture, $name, $head{$guest->{name}}->%*) }

# New modes, new pictures: what is shown no more is given back.
sub pictures($guest)
{
	my %idle = counters($guest);

	for my $size (qw(800x600 640x480), '') {
		my %before = counters($guest);
		my $picture = $guest->draw("picture $size", $size);
		shows($guest, $picture, 'a picture of ' . $picture->size);
		my %now = counters($guest);
		cmp_ok $now{maps}, '>', $before{maps}, 'it is mapped';
		cmp_ok $now{pinned}, '>', $idle{pinned}, 'its pages are pinned';
	}
	$guest->undraw;
	is pinned($guest), $idle{pinned}, 'then they are given back';
}

# The stock driver goes with a picture on, and comes back.
sub unbinding($guest)
{
	my %before = counters($guest);

	for my $round (1 .. ($ENV{MVGPU_FULL} ? 3 : 1)) {
		$guest->draw("round $round");
		$guest->unbind_virtio;
		my %now = counters($guest);
		is $now{pinned} + $now{quarantined}, 0, 'unbound: nothing is pinned';
		my $like = $rig->guest_kernel eq '6.12' ? '>' : '>=';
		cmp_ok $now{revokes}, $like, $before{revokes}, "a revoke: $now{revokes}";
		%before = %now;
		$guest->undraw;
		$guest->bind_virtio;
		shows($guest, $guest->draw("bound $round"), 'bound again, it draws');
	}
	$guest->undraw;
}

# The vGPU is given to VFIO in the guest, and to a driver there that unmaps what is in use.
sub user_space($guest)
{
	my @colours = qw(2060a0 e01030);
	my @pictures = map { MVGPU::Image->flat(hex, EDGE, EDGE) } @colours;
	my $colours = join ',', @colours;
	my $pci = $guest->must(<<~EOF);
		d=\$(readlink -f /sys/class/drm/card0/device)
		# the PCI device, or the virtio device on it
		case \${d##*/} in virtio*) d=\${d%/*} ;; esac
		echo \${d##*/}
		EOF
	my $dir = "/sys/bus/pci/devices/$pci";
	my $said = sub ($word) {
		return [split ' ', $guest->wait_for("grep -a '^$word' /tmp/lose")
			// $guest->trouble("no $word: " . $guest->must('cat /tmp/lose'))];
	};

	$guest->must("echo vfio-pci >$dir/driver_override; echo $pci >$dir/driver/unbind; "
		. "echo $pci >/sys/bus/pci/drivers_probe; readlink $dir/driver | grep vfio-pci");
	my $pid = $guest->must(
		": >/tmp/lose; virtio-test --lose $colours $dir >>/tmp/lose 2>&1 & echo \$!");
	$said->('HOLDING');
	shows($guest, $pictures[0], 'a driver in user space shows a picture');
	my %then = counters($guest);
	for my $round (1 .. 3) {
		my ($old, $new) = @pictures[($round - 1) % 2, $round % 2];
		$guest->must(": >/tmp/lose; kill -USR1 $pid");
		my $gone = $said->('GONE');
		isnt $gone->[1], OK, "its memory gone, a transfer is refused: $gone->[1]";
		shows($guest, $old, 'what is written there is not seen');
		my %now = counters($guest);
		is $now{revokes}, $then{revokes} + $round, 'one more revoke';
		is $now{pinned}, $then{pinned} - EDGE * EDGE * 4 / 4096, 'its pages are not pinned';
		$guest->must(": >/tmp/lose; kill -USR1 $pid");
		is $said->('BACK')->[1], OK, 'its memory is back: a transfer goes well';
		shows($guest, $new, 'now it is seen');
		is pinned($guest), $then{pinned}, 'its pages are pinned';
	}
	$guest->must("kill -KILL $pid; while kill -0 $pid 2>/dev/null; do usleep 10000; done");
	is pinned($guest), 0, 'killed: nothing is pinned';
	$guest->must("echo >$dir/driver_override; echo $pci >$dir/driver/unbind; "
		. "echo $pci >/sys/bus/pci/drivers_probe");
	shows($guest, $guest->draw('back'), 'the stock driver has it again');
}

# Guests are reset with a picture on, at once.
sub resets(@which)
{
	my %before = map { $_->{name} => { counters($_) } } @which;

	for (@which) {
		$_->draw('until the reset');
		$_->reset;
	}
	for (@which) {
		$_->wait_boot;
		shows($_, $_->draw('after the reset'), "$_->{name} is reset and draws");
		my %now = counters($_);
		my $revokes = $now{revokes} - $before{$_->{name}}{revokes};
		# Whether the vGPU or the IOMMU comes first is up to QEMU.
		if ($_->{name} eq 'intel' && $_->{qmp}{version}{major} == 7) {
			cmp_ok $revokes, '>', 0, "it was unmapped while in use: $revokes revokes";
		} else {
			note "$_->{name}: revokes by a reset: $revokes";
		}
	}
}

$_->wait_boot for @guests;
for my $guest (@guests) {
	subtest "$guest->{name}: pictures" => sub { pictures($guest) };
	subtest "$guest->{name}: its driver goes and comes" => sub { unbinding($guest) };
	subtest "$guest->{name}: a driver in user space" => sub { user_space($guest) };
	$guest->clean_dmesg(unbinding => 1);
}
subtest 'resets' => sub { resets($ENV{MVGPU_FULL} ? @guests : $guests[0]) };
$_->kill for @guests;
$rig->end_virtio(@uuid{@iommus});
done_testing;
