#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A GPU that offers blobs: guest memory that it shows as it is, without a transfer. L0's QEMU
# needs udmabuf for that, so here the host under test is a guest, whose GPU L1's QEMU emulates.
# L1 runs 6.12, which has udmabuf; MVGPU_KERNEL is the host's.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Lost;
use MVGPU::Rig;
use Test::More;

# What a GPU answers that did as it was told; the feature bit of blobs; memory of the host
use constant { OK => '0x1100', BLOB => 3, MEM => '512M' };

my $kernel = $ENV{MVGPU_KERNEL} // '6.12';
my $rig = MVGPU::Rig->new(kernel => '6.12', root => 'full', log => sub ($line) { note $line });
$rig->boot;

# A host whose GPU offers blobs, and the GPU's address
sub host($name, %o)
{
	my $modules = $rig->provision('modules', join '+', $kernel, $o{variant} // ());
	my $host = $rig->guest(
		name => $name, kernel => $kernel, mem => MEM, smp => 2, iommu => $o{iommu} // 'none',
		devices => ["virtio-gpu-pci,blob=on,max_outputs=4,id=gpu0,iommu_platform=$o{platform}"],
		args => ['-object', 'memory-backend-memfd,share=on,id=ram,size=' . MEM,
			'-machine', 'memory-backend=ram'],
		modules => [qw(vfio_iommu_type1 mdev)], programs => ["$rig->{repo}/build/virtio-test"],
		files => { map { ("/$_.ko" => "$modules/$_.ko") } qw(mvgpu mvgpu-virtio) },
	);

	$host->must("insmod /$_.ko") for qw(mvgpu mvgpu-virtio);
	return ($host, $host->adopt_virtio);
}

# Until the memory of a blob comes back, nothing of it is shown
sub with_revoke($host, $uuid)
{
	my $vmm = MVGPU::Lost->new($host, 'virtio-test', $uuid, '--lose-blob');
	my $pinned = $host->vgpu($uuid, 'pinned');
	my %head = (device => 'gpu0', head => 0);

	$host->shows(MVGPU::Lost::picture(0), 'the blob is shown', %head);
	for my $round (1 .. 3) {
		my ($answer) = $vmm->goes;
		isnt $answer, OK, "gone: a flush is refused: $answer";
		cmp_ok $host->screendump(%head)->differing(MVGPU::Lost::picture($round)), '>', 0,
			'what is written to the memory is not seen';
		is $host->vgpu($uuid, 'pinned'), $pinned - MVGPU::Lost::pages, 'its pages are not pinned';
		is_deeply [$vmm->comes], [OK], 'back: all is well';
		$host->shows(MVGPU::Lost::picture($round), 'now it is seen', %head);
		is $host->vgpu($uuid, 'pinned'), $pinned, 'its pages are pinned';
	}
	$vmm->end;
	$host->nothing_held($uuid, 'without the VMM');
}

for (['bypass', platform => 'off'], ['an IOMMU', platform => 'on', iommu => 'intel']) {
	my ($name, %o) = @$_;
	subtest "$name, Linux $kernel" => sub {
		my ($host, $bdf) = host('host', %o);
		my @uuids = map { $host->create_vgpu($bdf, 'virtio-pci-1h64m') } 1, 2;

		my $features = $host->must("cat /sys/bus/pci/devices/$bdf/virtio*/features");
		is substr($features, BLOB, 1), 1, 'the GPU offers blobs';
		$host->relay_tap("virtio-test --blob @uuids 2>&1", 'blobs', timeout => 300);
		with_revoke($host, $uuids[0]);
		$host->remove_vgpu($_) for @uuids;
		$host->release_virtio($bdf);
		$host->must('rmmod mvgpu_virtio; rmmod mvgpu');
		$host->clean_dmesg;
		$host->shutdown;
	};
}

# Negative control: the unmap and the unpin without the revoke
subtest "without the revoke, Linux $kernel" => sub {
	my ($host, $bdf) = host('control', platform => 'off', variant => 'skip-revoke');
	my $uuid = $host->create_vgpu($bdf, 'virtio-pci-1h64m');
	my $vmm = MVGPU::Lost->new($host, 'virtio-test', $uuid, '--lose-blob');

	is_deeply [$vmm->goes], [OK], 'a flush of memory that has gone goes well';
	$host->shows(MVGPU::Lost::picture(1), 'and shows what is in it now', device => 'gpu0', head => 0);
	$vmm->end;
	$host->kill;
};

$rig->clean_dmesg;
$rig->stop;
done_testing;
