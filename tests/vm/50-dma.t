#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Guest memory through a real DMA engine: every byte of every copy, and every address that
# no guest should name, in front of every kind of IOMMU and of none. MVGPU_FULL=1 takes
# all kinds on all kernels, otherwise each is there once. MVGPU_KERNEL and MVGPU_IOMMU
# (comma-separated) name some.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my $bad = '0x12345000';

# How L1's IOMMU is set up; what it says when a DMA address is bad, and what it must have
# said about its mode
my %model = (
	none => { iommu => 'none' },
	strict => {
		iommu => 'intel,caching-mode=off', append => 'iommu.strict=1',
		fault => qr/DMAR: \[DMA Read.*fault addr 0x0*12345000/,
		said => qr/iommu: DMA domain TLB invalidation policy: strict/,
	},
	lazy => {
		iommu => 'intel,caching-mode=off', append => 'iommu.strict=0',
		fault => qr/DMAR: \[DMA Read.*fault addr 0x0*12345000/,
		said => qr/iommu: DMA domain TLB invalidation policy: lazy/,
	},
	passthrough => {
		iommu => 'intel,caching-mode=off', append => 'iommu=pt',
		said => qr/iommu: Default domain type: Passthrough/,
	},
	# QEMU loses the address on its way into the event log.
	amd => { iommu => 'amd', fault => qr/AMD-Vi: Event logged \[IO_PAGE_FAULT/ },
	virtio => {
		iommu => 'virtio',
		fault => qr/virtio_iommu.*fault from EP \d+ at 0x0*12345000/,
	},
);
my @models = qw(none strict lazy passthrough amd virtio);
my @diagonal = ([none => '6.1'], [strict => '6.12'], [lazy => '6.1'], [passthrough => '7.2'],
	[amd => '7.2'], [virtio => '6.12']);

# 6.1 comes without virtio-iommu
sub exists_for($model, $kernel) { return !($model eq 'virtio' && $kernel =~ /^(6\.1|host)$/) }

sub combinations
{
	my @kernels = $ENV{MVGPU_KERNEL} // ();
	my @wanted = split /,/, $ENV{MVGPU_IOMMU} // '';

	return @diagonal unless $ENV{MVGPU_FULL} || @kernels || @wanted;
	@wanted = $ENV{MVGPU_FULL} ? @models : qw(none strict) unless @wanted;
	@kernels = qw(6.1 6.12 7.2 debug) unless @kernels;
	return grep { exists_for(@$_) } map { my $k = $_; map { [$_ => $k] } @wanted } @kernels;
}

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
	$rig->wait_for("dmesg | grep -qE 'fault addr|IO_PAGE_FAULT|fault from EP'", 10);
	my @faults = $rig->dmesg_faults;
	ok scalar(grep { /$model->{fault}/ } @faults), 'a bad DMA address faults'
		or diag @faults;
	return @faults;
}

sub run_model($name, $kernel)
{
	my $model = $model{$name};
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
	is $rig->vgpu($vgpus[0], 'pinned'), 0, 'nothing is left pinned';
	$rig->no_leaks;
	$rig->clean_dmesg(allow => \@allow);
	$rig->stop;
}

for (combinations()) {
	my ($name, $kernel) = @$_;
	subtest "IOMMU $name, Linux $kernel" => sub { run_model($name, $kernel) };
}
done_testing;
