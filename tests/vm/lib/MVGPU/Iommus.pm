# SPDX-License-Identifier: MIT
#
# The IOMMUs that L1 can have in front of a GPU, and on which kernels. A test that is about
# DMA runs on a diagonal of them, on all with MVGPU_FULL=1, or on what MVGPU_KERNEL and
# MVGPU_IOMMU (comma-separated) name.

package MVGPU::Iommus;

use v5.36;
use Exporter 'import';

our @EXPORT = qw(iommu virtio_gpu combinations);

# How L1's IOMMU is set up; what it says when a DMA address is bad, what it must have said
# about its mode, and what sysfs says of the GPU's domain
my %iommu = (
	none => { iommu => 'none', type => qr/^no group$/ },
	strict => {
		iommu => 'intel,caching-mode=off', append => 'iommu.strict=1',
		fault => qr/DMAR: \[DMA Read.*fault addr 0x0*12345000/,
		said => qr/iommu: DMA domain TLB invalidation policy: strict/, type => qr/^DMA$/,
	},
	lazy => {
		iommu => 'intel,caching-mode=off', append => 'iommu.strict=0',
		fault => qr/DMAR: \[DMA Read.*fault addr 0x0*12345000/,
		said => qr/iommu: DMA domain TLB invalidation policy: lazy/, type => qr/^DMA-FQ$/,
	},
	passthrough => {
		iommu => 'intel,caching-mode=off', append => 'iommu=pt',
		said => qr/iommu: Default domain type: Passthrough/, type => qr/^identity$/,
	},
	# QEMU loses the address on its way into the event log.
	amd => {
		iommu => 'amd', fault => qr/AMD-Vi: Event logged \[IO_PAGE_FAULT/, type => qr/^DMA/,
	},
	virtio => {
		iommu => 'virtio',
		fault => qr/virtio_iommu.*fault from EP \d+ at 0x0*12345000/, type => qr/^DMA/,
	},
);

sub iommu($name) { return $iommu{$name} // die "no such IOMMU: $name\n" }

# Options of a rig whose virtio-gpu is behind that IOMMU, or, with bypass, not asked to be
sub virtio_gpu($name)
{
	my $bypass = $name eq 'bypass';
	my $iommu = iommu($bypass ? 'none' : $name);
	my $platform = $bypass ? 'off' : 'on';

	return (iommu => $iommu->{iommu}, append => $iommu->{append} // '',
		gpus => ["virtio-gpu-pci,max_outputs=4,iommu_platform=$platform,id=gpu0"]);
}

# 6.1 comes without virtio-iommu
sub _exists_for($name, $kernel) { return !($name eq 'virtio' && $kernel =~ /^(6\.1|host)$/) }

# Pairs of a name and a kernel: @$diagonal, or the product of @$all with every kernel
sub combinations($all, $diagonal)
{
	my @kernels = $ENV{MVGPU_KERNEL} // ();
	my @wanted = split /,/, $ENV{MVGPU_IOMMU} // '';

	return @$diagonal unless $ENV{MVGPU_FULL} || @kernels || @wanted;
	@wanted = $ENV{MVGPU_FULL} ? @$all : @$all[0, 1] unless @wanted;
	@kernels = qw(6.1 6.12 7.2 debug) unless @kernels;
	return grep { _exists_for(@$_) } map { my $k = $_; map { [$_ => $k] } @wanted } @kernels;
}

1;
