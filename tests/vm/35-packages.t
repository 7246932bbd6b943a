#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A host of each Debian release into which somebody has typed what our guides say, from git clone
# on (see provision): it boots with the modules that DKMS has made for its kernel, GPUs are handed
# over when they are listed and again at the next boot, those that are not listed are left alone,
# and a guest draws. When the packages are gone, so is all that.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $list = '/etc/mvgpu/adopt.conf';

# Loaded modules of ours, and drivers that GPUs have
sub modules($rig) { return $rig->must("sed -n 's/^\\(mvgpu[a-z_]*\\) .*/\\1/p' /proc/modules | sort | paste -sd ' '") }
sub drivers($rig, @gpus)
{
	return join ' ', map { $rig->must("basename \$(readlink -f $_/driver)") }
		"/sys/bus/pci/devices/$gpus[0]", "/sys/bus/pci/devices/$gpus[1]/virtio*";
}

sub host($kernel)
{
	my $rig = MVGPU::Rig->new(root => 'libvirt', kernel => $kernel, mem => 3072,
		gpus => ['bochs-display,vgamem=64M,id=gpu0', 'virtio-gpu-pci,max_outputs=4,id=gpu1',
			'bochs-display,id=gpu2']);
	$rig->boot;
	my ($bochs, $unlisted) = $rig->find_pci('1234:1111');
	my @gpus = ($bochs, $rig->find_pci('1af4:1050'));
	my $theirs = drivers($rig, @gpus);
	my $ours = 'mvgpu-bochs mvgpu-virtio';

	is $rig->must('uname -r'), $rig->release, 'it has booted its own kernel';
	like $rig->must('dkms status mvgpu'), qr/\Q@{[$rig->release]}\E.*: installed$/m, 'DKMS has made modules for it';
	is modules($rig), '', 'which no device loads';
	$rig->must("echo $gpus[0] mvgpu-bochs >>$list; echo $gpus[1] mvgpu-virtio >>$list");
	$rig->ok("mvgpuctl adopt --list=$list", 'GPUs are listed and handed over');
	is drivers($rig, @gpus), $ours, 'to our drivers';
	is modules($rig), 'mvgpu mvgpu_bochs mvgpu_virtio', 'which were loaded for that';
	is $rig->must('modinfo -F filename mvgpu') =~ s{/mvgpu\.ko.*}{}r,
		"/lib/modules/@{[$rig->release]}/updates/dkms", "DKMS' modules";
	is $rig->driver_of($unlisted), 'bochs-drm', 'one that is not listed is left alone';
	$rig->must('sed -i "s/^#\(blacklist bochs\)/\1/" /etc/modprobe.d/mvgpu.conf');
	$rig->reboot;
	is drivers($rig, @gpus), $ours, 'so they are after a reboot';
	is $rig->driver_of($unlisted), '', "modprobe keeps the kernel's own driver away once it is told to";
	my $guest = $rig->domain(name => 'guest', vgpu => $rig->create_vgpu($gpus[1], 'virtio-pci-1h64m'),
		modules => ['virtio_gpu']);
	$rig->shows($guest->draw('a guest'), 'a guest draws on the physical screen', device => 'gpu1', head => 0);
	$guest->destroy;
	$rig->must("mvgpuctl remove \$(ls /sys/bus/mdev/devices); mvgpuctl release $_") for $gpus[1];
	$rig->ok('apt-get purge -y mvgpu-dkms mvgpu-tools 2>&1', 'the packages are removed');
	$rig->reboot;
	is modules($rig), '', 'after another reboot nothing of them is there';
	is drivers($rig, @gpus), $theirs, "and GPUs are whose they were: $theirs";
	is $rig->driver_of($unlisted), 'bochs-drm', 'so is the one that nobody had';
	$rig->fails('modinfo mvgpu', 'there are no modules', qr/not found/);
	$rig->clean_dmesg;
	$rig->stop;
}

for my $kernel ($ENV{MVGPU_KERNEL} // qw(6.1 6.12 testing)) {
	subtest "Linux $kernel" => sub { host($kernel) };
}
done_testing;
