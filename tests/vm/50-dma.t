#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Guest memory through a real DMA engine: every byte of every copy, and every address that
# no guest should name, in front of every kind of IOMMU and of none.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Iommus;
use MVGPU::Rig;
use Test::More;

my $bad = '0x12345000';

my @models = qw(none strict lazy passthrough amd virtio);
my @diagonal = ([none => '6.1'], [strict => '6.12'], [amd => '7.2'], [virtio => '6.12']);

# The physical engine on an address that nobody has mapped: returns what the log says
sub bad_address($rig, $model, $bdf)
{
	my $dir = "/sys/bus/pci/devices/$bdf";

	is_deeply [$rig->dmesg_faults], [], 'no fault before a bad DMA address is used';
	# memory decoding and bus mastering, as a driver would switch on
	$rig->must("printf '\\006\\000' | dd of=$dir/config bs=1 seek=4 conv=notrunc 2>&1");
	$rig->must("/mvgpu/build/dma-test --poke $bdf $bad");
	if (!$model->{fault}) {
		is_deeply [$rig->dmesg_faults], [], 'nothing translates DMA addresses';
		return;
	}
	$rig->wait_for("dmesg | grep -qE 'fault addr|IO_PAGE_FAULT|fault from EP'");
	my @faults = $rig->dmesg_faults;
	ok scalar(grep { /$model->{fault}/ } @faults), 'a bad DMA address faults'
		or diag @faults;
	return @faults;
}

sub run_model($name, $kernel)
{
	my $model = iommu($name);
	my $rig = MVGPU::Rig->new(
		kernel => $kernel, iommu => $model->{iommu}, append => $model->{append} // '',
		gpus => ['edu,dma_mask=0xffffffffffffffff', 'bochs-display,vgamem=64M'],
	);

	$rig->boot;
	like $rig->dmesg, $model->{said}, 'the IOMMU is in the mode that was asked for'
		if $model->{said};
	$rig->load_modules('mvgpu', 'mvgpu-edu dma_bits=64', 'mvgpu-bochs');
	my $edu = $rig->adopt('1234:11e8', 'mvgpu-edu');
	# Some IOMMU drivers take a device only once a driver does.
	$rig->must("echo $edu >/sys/bus/pci/drivers/mvgpu-edu/unbind");
	my @allow = map { qr/^\Q$_\E$/ } bad_address($rig, $model, $edu);
	$rig->adopt($edu, 'mvgpu-edu');
	my $bochs = $rig->adopt('1234:1111', 'mvgpu-bochs');
	my @vgpus = ((map { $rig->create_vgpu($edu, 'mvgpu-edu-copy') } 1 .. 2),
		$rig->create_vgpu($bochs, 'mvgpu-bochs-16m'));
	for my $way ($rig->ways) {
		$rig->relay_tap("/mvgpu/build/dma-test $way --only '$_:' @vgpus 2>&1", "$_ $way",
			timeout => 400) for qw(copy hostile), $name eq 'virtio' ? () : 'edge';
		$rig->relay_tap("/mvgpu/build/dma-test $way --log @vgpus 2>&1", "log $way",
			timeout => 400) if $rig->logs_dma;
	}
	$rig->nothing_held($vgpus[0]);
	$rig->no_leaks;
	$rig->clean_dmesg(allow => \@allow);
	$rig->stop;
}

for (combinations(\@models, \@diagonal)) {
	my ($name, $kernel) = @$_;
	subtest "IOMMU $name, Linux $kernel" => sub { run_model($name, $kernel) };
}
done_testing;
