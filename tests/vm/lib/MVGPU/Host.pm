# SPDX-License-Identifier: MIT
#
# What a host does with GPUs, their drivers and vGPUs. L1 is one, and a guest can be.

package MVGPU::Host;

use v5.36;
use parent 'MVGPU::Node';
use Test::Builder;

# Addresses of the PCI devices with these IDs, in order
sub find_pci($self, $ids)
{
	my ($vendor, $device) = split /:/, $ids;

	return split /\n/, $self->must(<<~EOF);
	for d in /sys/bus/pci/devices/*; do
		[ "\$(cat \$d/vendor)" = 0x$vendor ] && [ "\$(cat \$d/device)" = 0x$device ] &&
			echo \${d##*/}
	done
	:
	EOF
}

# The driver that has a PCI device, or ''
sub driver_of($self, $bdf)
{
	return $self->must("basename \"\$(readlink /sys/bus/pci/devices/$bdf/driver)\"");
}

# Hands a device over to a driver; returns its address. Takes an address, too.
sub adopt($self, $which, $driver)
{
	my ($bdf) = $which =~ /^[0-9a-f]{4}:[0-9a-f]{2}:/ ? $which : $self->find_pci($which);

	$self->trouble("no PCI device $which") unless $bdf;
	$self->must(<<~EOF);
	set -e
	cd /sys/bus/pci/devices/$bdf
	[ ! -e driver ] || echo $bdf >driver/unbind
	echo $driver >driver_override
	echo $bdf >/sys/bus/pci/drivers_probe
	bound=\$(readlink driver) || { echo "$driver did not bind $bdf"; exit 1; }
	[ "\${bound##*/}" = $driver ]
	EOF
	return $bdf;
}

# Hands a virtio device over to our driver, from whichever has it, and the other way; both
# return its PCI address. Take IDs, an address or a virtio device's name.
sub adopt_virtio($self, $which = '1af4:1050', $driver = 'mvgpu-virtio')
{
	my $bdf = $self->_virtio($which);

	$self->must(<<~EOF);
	set -e
	echo $bdf >/sys/bus/virtio/drivers/$driver/adopt
	bound=\$(readlink /sys/bus/pci/devices/$bdf/virtio*/driver) ||
		{ echo "$driver did not bind $bdf"; exit 1; }
	[ "\${bound##*/}" = $driver ]
	EOF
	return $bdf;
}

sub release_virtio($self, $which = '1af4:1050', $driver = 'mvgpu-virtio')
{
	my $bdf = $self->_virtio($which);

	$self->must("echo $bdf >/sys/bus/virtio/drivers/$driver/release");
	return $bdf;
}

sub _virtio($self, $which)
{
	my $bdf;

	if ($which =~ /^virtio\d+$/) {
		($bdf) = $self->must("readlink -f /sys/bus/virtio/devices/$which") =~ m{([^/]+)/$which$};
	} else {
		($bdf) = $which =~ /^[0-9a-f]{4}:[0-9a-f]{2}:/ ? $which : $self->find_pci($which);
	}
	return $bdf // $self->trouble("no virtio device $which");
}

sub uuid
{
	open my $fh, '<', '/proc/sys/kernel/random/uuid' or die "no UUID: $!\n";
	chomp(my $uuid = <$fh>);
	return $uuid;
}

# Creates a vGPU; returns its UUID.
sub create_vgpu($self, $bdf, $type, $uuid = uuid())
{
	$self->must("echo $uuid >/sys/bus/pci/devices/$bdf/mdev_supported_types/$type/create");
	return $uuid;
}

sub remove_vgpu($self, $uuid)
{
	$self->must("echo 1 >/sys/bus/mdev/devices/$uuid/remove");
}

# Attributes of a vGPU, read, or written if there is a value
sub vgpu($self, $uuid, $attribute, $value = undef)
{
	my $path = "/sys/bus/mdev/devices/$uuid/mvgpu/$attribute";

	return $self->read_file($path) unless defined $value;
	$self->must("echo '$value' >$path");
	return $value;
}

# TAP: a vGPU has no guest memory.
sub nothing_held($self, $uuid, $when = 'in the end')
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	Test::Builder->new->is_eq($self->vgpu($uuid, $_), 0, "$when: nothing is $_")
		for qw(pinned quarantined);
}

# Which vGPU the physical screen shows: a UUID or none, read or chosen
sub foreground($self, $bdf, $uuid = undef)
{
	my $path = "/sys/bus/pci/devices/$bdf/mvgpu/foreground";

	return $self->read_file($path) unless defined $uuid;
	$self->must("echo '$uuid' >$path");
	return $uuid;
}

1;
