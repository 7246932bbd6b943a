#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# GPUs that somebody has: mvgpuctl takes them by force from a program that draws, and when the
# vendor driver refuses one, whoever had it before has it again, and draws. Where the kernel has
# iommufd, screenshots of vGPUs that a VMM uses through it.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Ctl;
use MVGPU::Png;
use MVGPU::Rig;
use Test::More;

# The last two are refused: one has its registers in I/O ports, the other takes no indirect
# descriptors. VFIO takes only what is behind an IOMMU.
my $rig = MVGPU::Rig->new(gpus => ['bochs-display,vgamem=64M,id=gpu0', 'virtio-gpu-pci,id=gpu1',
	'VGA,mmio=off,id=gpu2', 'virtio-gpu-pci,indirect_desc=off,id=gpu3'],
	iommu => 'intel');
$rig->boot;
my $ctl = ctl_of($rig);
$rig->load_modules(qw(mvgpu mvgpu-bochs mvgpu-virtio));
my ($bochs, $ports) = $rig->find_pci('1234:1111');
my ($virtio, $direct) = $rig->find_pci('1af4:1050');
my %screen = ($bochs => 'gpu0', $virtio => 'gpu1', $ports => 'gpu2', $direct => 'gpu3');
my $pci = '/sys/bus/pci';
# The debug kernel's virtio_gpu drives no screens.
my $screens = !$rig->debug;
my $draw = $rig->guest_programs =~ s/^\Q$rig->{repo}\E/\/mvgpu/r . '/draw';

# The driver of a GPU, wherever that is, or ''
sub has($bdf) { return driver($bdf eq $virtio || $bdf eq $direct ? "$bdf/virtio*" : $bdf) }

# No virtio device has an override.
sub override($bdf) { return $rig->read_file("$pci/devices/$bdf/driver_override") }

# A program of the host draws on a GPU and stays: what it draws, and its PID
sub draws($bdf, $seed)
{
	my $card = $rig->wait_for("bash -c 'ls -d $pci/devices/$bdf/{,virtio*/}drm/card*' 2>/dev/null "
		. '| sed s,.*/,, | grep .') // $rig->trouble("$bdf has no screen");
	chomp $card;
	# It has the GPU open when it says so.
	my $output = $rig->must("$draw -d /dev/dri/$card '$seed' 800x600 >/tmp/$seed 2>&1 & echo \$!; "
		. "until grep -q . /tmp/$seed; do sleep 0.1; done; cat /tmp/$seed");
	my ($pid) = $output =~ /^(\d+)\nREADY 800x600$/ or $rig->trouble("draw said: $output");
	return (MVGPU::Image->picture($seed, 800, 600), $pid);
}

# TAP: whoever has the GPU draws on it
sub can_draw($bdf, $seed)
{
	my ($picture, $pid) = draws($bdf, $seed);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	$rig->shows($picture, "$seed: every pixel is on the physical head", device => $screen{$bdf}, head => 0);
	$rig->must("kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.1; done");
}

# TAP: an adoption is refused, and the GPU is where it was before
sub undone($bdf, $name)
{
	my $vendor = $bdf eq $direct ? 'mvgpu-virtio' : 'mvgpu-bochs';
	my $reason = $bdf eq $direct ? 'it takes no indirect descriptors' : 'no registers in BAR 2';
	my ($had, $override) = (has($bdf), override($bdf));

	subtest $name => sub {
		my $said = refuses("adopt $bdf", REFUSED, "$bdf: $vendor did not take it",
			"the kernel says: .*$reason");
		is has($bdf), $had, 'the driver is as before: ' . ($had || 'none');
		is override($bdf), $override, "so is the override: $override";
		is scalar($said =~ /^mvgpuctl: $bdf: (\S+) has it$/m ? $1 : ''), $had, 'and it says so';
		$rig->fails("ls $pci/devices/$bdf/mdev_supported_types", 'no parent is left', qr/No such file/);
	};
}

subtest 'refused, and nobody had it' => sub {
	is has($_), '', "no driver has $screen{$_}" for $ports, $direct;
	undone($ports, 'a Bochs display');
	$rig->must("echo nobody >$pci/devices/$ports/driver_override");
	undone($ports, 'one that is kept for another');
	$rig->must("echo >$pci/devices/$ports/driver_override");
	undone($direct, 'a virtio-gpu');
	my ($status, $out) = ctl("adopt --json $ports");
	my $error = JSON::PP::decode_json($out)->{error};
	is $status, REFUSED, 'with --json, the status is the same';
	is $error->{status}, REFUSED, 'and told';
	like $error->{message}, qr/^$ports: mvgpu-bochs did not take it/, 'the message';
	like $error->{advice}, qr/no registers in BAR 2/, 'and what the kernel says';
};

subtest 'refused, and VFIO had it' => sub {
	$rig->load_modules('vfio-pci');
	$rig->adopt($ports, 'vfio-pci');
	undone($ports, 'by override');
	is override($ports), 'vfio-pci', 'which stays';
	$rig->must("echo nobody >$pci/devices/$ports/driver_override");
	undone($ports, 'though now it is kept for another');
	$rig->must("echo >$pci/devices/$ports/driver_override; echo $ports >$pci/devices/$ports/driver/unbind");
};

subtest 'refused, and somebody drew' => sub {
	$rig->load_modules(qw(bochs virtio_gpu));
	for ([$ports, 'bochs-drm', 'bochs'], $screens ? [$direct, 'virtio_gpu', 'virtio'] : ()) {
		my ($bdf, $its, $name) = @$_;

		is has($bdf), $its, "$name: the kernel's own driver has it";
		undone($bdf, "$name: unused");
		can_draw($bdf, "$name-unused");
		$rig->must("echo vfio-pci >$pci/devices/$bdf/driver_override");
		undone($bdf, "$name: though the next one is to be VFIO");
		is override($bdf), 'vfio-pci', 'which still is';
		$rig->must("echo >$pci/devices/$bdf/driver_override");
		can_draw($bdf, "$name-override");
		my ($picture, $pid) = draws($bdf, "$name-used");
		refuses("adopt $bdf", BUSY, "draw \\(pid $pid\\) has /dev/dri/card\\d+ open", 'adopt --force');
		$rig->shows($picture, 'which changes nothing', device => $screen{$bdf}, head => 0);
		my ($status, undef, $said) = ctl("adopt --force $bdf");
		is $status, REFUSED, 'by force, it is refused, too';
		like $said, qr/^mvgpuctl: $bdf: draw \(pid $pid\) loses it$/m, 'and the program has lost it';
		is has($bdf), $its, 'but the driver has it again';
		can_draw($bdf, "$name-again");
		$rig->must("kill $pid");
	}
	undone($direct, 'virtio: though its driver complains when it has it again') unless $screens;
	my $device = $rig->must("cd $pci/devices/$direct && echo virtio*");
	$rig->must("echo $device >/sys/bus/virtio/drivers/virtio_gpu/unbind");
	undone($direct, 'virtio: nobody has it, though its driver is there');
};

subtest 'by force' => sub {
	for ([$bochs, 'bochs-drm', 'mvgpu-bochs', 'bochs'],
			$screens ? [$virtio, 'virtio_gpu', 'mvgpu-virtio', 'virtio'] : ()) {
		my ($bdf, $its, $vendor, $name) = @$_;
		my ($picture, $pid) = draws($bdf, "$name-before");
		my @head = (device => $screen{$bdf}, head => 0);

		$rig->shows($picture, "$name: a program draws", @head);
		refuses("adopt $bdf", BUSY, "draw \\(pid $pid\\) has /dev/dri/card\\d+ open", "adopt --force $bdf");
		works("adopt --force $bdf", "$name: adopted by force",
			qr/^mvgpuctl: $bdf: draw \(pid $pid\) loses it\nmvgpuctl: $bdf: $vendor has it now$/);
		is has($bdf), $vendor, 'it is ours';
		isnt $rig->screendump(@head)->differing($picture), 0, 'the program has lost its screen';
		$rig->ok("kill -0 $pid", 'but lives');
		works("release $bdf", "$name: given back while the program is still there",
			qr/$bdf: $its has it now/);
		is override($bdf), '(null)', 'no override stays';
		can_draw($bdf, "$name-after");
		$rig->must("kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.1; done");
		can_draw($bdf, "$name-later");
	}
};

subtest 'screenshots through iommufd' => sub {
	plan skip_all => 'this host has no iommufd' unless $rig->has_iommufd;
	works("adopt $bochs", 'adopted', qr/mvgpu-bochs has it now/);
	works("adopt $virtio", 'adopted, too', qr/mvgpu-virtio has it now/);
	my @vgpus = map { works("create @$_", 'created') }
		[$bochs, '16m'], [$bochs, '16m'], [$virtio, '1h64m'];
	my $guest = $rig->guest(name => 'iommufd', vgpu => \@vgpus, iommufd => 1,
		modules => [qw(bochs virtio_gpu)]);
	my $open = $rig->must("ls -l /proc/$guest->{pid}/fd");
	unlike $open, qr/vfio-device\]/, 'its VMM has no file of the legacy container';
	is scalar(() = $open =~ m{/dev/vfio/devices/vfio\d+}g), 3, 'but three device files';
	# One VMM's three devices, each told from the others
	for my $when ('first', 'second') {
		my @pictures = map { $guest->draw("$when $_", '800x600', card => $_) } 0 .. 2;
		my @shots = map {
			my $shot = json("screenshot $_ /rig/shot.png");
			is "$shot->{width}x$shot->{height}", '800x600', 'a screenshot has the size of the mode';
			MVGPU::Png::read($rig->shared('shot.png'));
		} @vgpus;
		for my $n (0 .. 2) {
			is $shots[$n]->difference($pictures[$n]), 'none', "$when picture, vGPU $n: every pixel";
			isnt $shots[$n]->differing($pictures[$n - 1]), 0, 'and not those of another';
		}
	}
	like works('list vgpus'), qr/^$vgpus[2] .*qemu-system-x86 \(pid $guest->{pid}\)$/m, 'list says who has it';
	refuses("remove $vgpus[0]", BUSY, "$vgpus[0]: qemu-system-x86 \\(pid $guest->{pid}\\) uses it",
		'remove --wait', 'a vGPU in use');
	$guest->clean_dmesg;
	$guest->kill;
	works("release --wait $_", "released: $_", qr/(?:bochs-drm|virtio_gpu) has it now/) for $bochs, $virtio;
};

# With several virtio-gpus, their in-tree driver has several caches of one name.
$rig->clean_dmesg(unbinding => 1, reports => [qr/\b__kmem_cache_create_args\b/]);
$rig->stop;
done_testing;
