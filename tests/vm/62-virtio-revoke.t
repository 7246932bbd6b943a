#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A virtio-gpu of QEMU keeps pointers to the memory behind a picture: no IOMMU would notice if
# it were used after it went away. What is written there then must never be seen. A build that
# doesn't tell the GPU shows that it would be. MVGPU_FULL=1 takes every IOMMU and kernel.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Iommus;
use MVGPU::Lost;
use MVGPU::Rig;
use Test::More;

use constant OK => '0x1100';

my @all = qw(bypass none strict passthrough amd virtio);
my @diagonal = ([bypass => '6.1'], [strict => '6.12']);
my $client = '/mvgpu/build/virtio-test';

sub start($name, $kernel, $vgpus, %o)
{
	my $rig = MVGPU::Rig->new(kernel => $kernel, virtio_gpu($name), %o);
	my $bdf = $rig->boot_virtio;

	return ($rig, map { $rig->create_vgpu($bdf, 'virtio-pci-1h64m') } 1 .. $vgpus);
}

sub with_revoke($name, $kernel)
{
	my ($rig, @uuids) = start($name, $kernel, 2);
	my %head = (device => 'gpu0', head => 0);

	for my $way ($rig->ways) {
		my $vmm = MVGPU::Lost->new($rig, $client, $uuids[0], "$way --lose");
		my $pinned = $rig->vgpu($uuids[0], 'pinned');
		my $revokes = $rig->vgpu($uuids[0], 'revokes');
		$rig->shows(MVGPU::Lost::picture(0), 'the picture is there', %head);
		for my $round (1 .. 3) {
			my ($old, $new) = map { MVGPU::Lost::picture($_) } $round - 1, $round;
			my @answers = $vmm->goes;
			isnt $answers[0], OK, "gone: a transfer is refused: $answers[0]";
			is $answers[1], OK, 'a flush is not';
			$rig->shows($old, 'what is written to the memory is not seen', %head);
			is $rig->vgpu($uuids[0], 'revokes'), $revokes + $round, 'one more revoke';
			is $rig->vgpu($uuids[0], 'pinned'), $pinned - MVGPU::Lost::pages,
				'its pages are not pinned';
			is_deeply [$vmm->comes], [OK, OK], 'back: all is well';
			$rig->shows($new, 'now it is seen', %head);
			is $rig->vgpu($uuids[0], 'pinned'), $pinned, 'its pages are pinned';
		}
		$vmm->end;
		$rig->nothing_held($uuids[0], 'without the VMM');
	}
	$rig->end_virtio(@uuids);
}

# Negative control: the unmap and the unpin without the revoke
sub without_revoke($name, $kernel)
{
	my ($rig, $uuid) = start($name, $kernel, 1, variant => 'skip-revoke');
	my $vmm = MVGPU::Lost->new($rig, $client, $uuid);
	my $pinned = $rig->vgpu($uuid, 'pinned');

	my @answers = $vmm->goes;
	is $answers[0], OK, 'a transfer from memory that has gone goes well';
	$rig->shows(MVGPU::Lost::picture(1), 'and shows what is in it now', device => 'gpu0', head => 0);
	cmp_ok $rig->vgpu($uuid, 'pinned'), '<', $pinned, 'though its pages are not pinned';
	$vmm->end;
	$rig->stop;
}

for (combinations(\@all, \@diagonal)) {
	my ($name, $kernel) = @$_;
	subtest "IOMMU $name, Linux $kernel" => sub { with_revoke($name, $kernel) };
	subtest "IOMMU $name, Linux $kernel, without the revoke" =>
		sub { without_revoke($name, $kernel) };
}
done_testing;
