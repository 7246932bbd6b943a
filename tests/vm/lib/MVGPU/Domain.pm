# SPDX-License-Identifier: MIT
#
# L2 as a domain of L1's libvirt: a guest whose QEMU libvirt starts, confines and ends. L1 is a
# host with root => 'libvirt'. With typed => sub { ... }, that defines and starts it, and it boots
# from the disk => PATH.

package MVGPU::Domain;

use v5.36;
use parent 'MVGPU::Guest';
use MVGPU::Fat;
use MVGPU::Image;
use MVGPU::Png;

use constant IMAGES => '/var/lib/libvirt/images';

# Runs virsh on XML, as $rig->run does
sub virsh($rig, $command, $xml)
{
	open my $fh, '>', $rig->shared('virsh.xml') or die "virsh.xml: $!\n";
	print $fh $xml;
	close $fh;
	return $rig->run("virsh $command /rig/virsh.xml");
}

sub hostdev_xml($self, $uuid)
{
	my $display = "display='@{[$self->{display} ? 'on' : 'off']}'";

	$display .= " ramfb='on'" if $self->{ramfb};
	return <<~EOF;
	<hostdev mode='subsystem' type='mdev' model='vfio-pci' $display>
	  <source><address uuid='$uuid'/></source>
	</hostdev>
	EOF
}

sub xml($self)
{
	my $name = $self->{name};

	return <<~EOF;
	<domain type='kvm'>
	  <name>$name</name>
	  <memory unit='MiB'>@{[$self->{mem} // 256]}</memory>
	  <vcpu>1</vcpu>
	  <os>
	    <type arch='x86_64' machine='q35'>hvm</type>
	    <kernel>@{[IMAGES]}/$name-vmlinuz</kernel>
	    <initrd>@{[IMAGES]}/$name-initrd</initrd>
	    <cmdline>@{[$self->kernel_line]}</cmdline>
	  </os>
	  <features><acpi/><apic/></features>
	  <cpu mode='host-passthrough'/>
	  <on_reboot>destroy</on_reboot>
	  <devices>
	    <serial type='file'><source path='/var/log/libvirt/qemu/$name.console'/></serial>
	    <channel type='unix'><target type='virtio' name='agent'/></channel>
	    <graphics type='vnc'><listen type='socket'/></graphics>
	    <video><model type='none'/></video>
	    <memballoon model='none'/>
	    @{[map { $self->hostdev_xml($_) } $self->_vgpus]}
	  </devices>
	</domain>
	EOF
}

# A disk from which any PC boots our kernel and initramfs, as its QEMU sees it
sub _disk($self)
{
	my ($initrd) = $self->scratch('initrd');
	my ($ours, $theirs) = $self->scratch('disk');

	MVGPU::Fat::make($ours, vmlinuz => $self->{rig}->shared("vmlinuz-$self->{release}"),
		initrd => $initrd, 'syslinux.cfg' => \<<~EOF);
		DEFAULT linux
		LABEL linux
		KERNEL vmlinuz
		APPEND initrd=initrd @{[$self->kernel_line]}
		EOF
	system(qw(syslinux --install), $ours) == 0 or die "syslinux: $?\n";
	return $theirs;
}

# Somebody types what defines and starts it, on a disk of ours; then it gets an agent's port.
sub _launch_typed($self)
{
	my ($rig, $name) = @$self{qw(rig name)};

	$rig->must("cp @{[$self->_disk]} $self->{disk}");
	$self->{typed}->();
	my ($status, $said) = virsh($rig, "attach-device $name --live",
		"<channel type='unix'><target type='virtio' name='agent'/></channel>\n");
	$self->trouble("gets no agent: $said") if $status;
	return $self->follow;
}

sub _launch($self)
{
	my ($rig, $name) = @$self{qw(rig name)};
	my (undef, $initrd) = $self->scratch('initrd');

	return $self->_launch_typed if $self->{typed};
	$rig->must("cp /rig/vmlinuz-$self->{release} @{[IMAGES]}/$name-vmlinuz && "
		. "cp $initrd @{[IMAGES]}/$name-initrd");
	my ($status, $said) = virsh($rig, 'define', $self->xml);
	$self->trouble("can't be defined: $said") if $status;
	return $self->boot_domain;
}

# Starts what is defined, without waiting for its agent
sub boot_domain($self)
{
	$self->{rig}->must("rm -f /var/log/libvirt/qemu/$self->{name}.console; virsh start '$self->{name}'");
	return $self->follow;
}

# One that libvirt has started
sub follow($self)
{
	my ($rig, $name) = @$self{qw(rig name)};

	$self->{slot}{agent}->drain;
	$self->{slot}{guest} = $name;
	$self->{pid} = $rig->must("cat '/run/libvirt/qemu/$name.pid'");
	# The guest's end of its agent is libvirt's socket, the rig's is a port of L1.
	my ($agent) = $rig->must("virsh dumpxml '$name'") =~ m{<source mode='bind' path='(.*?/agent)'/>}
		or $self->trouble('libvirt has no socket for its agent');
	$rig->must(<<~EOF);
		setsid socat FILE:/dev/virtio-ports/g$self->{slot}{number}.agent,rdwr \\
			UNIX-CONNECT:'$agent' >/rig/$name-socat.log 2>&1 &
		EOF
	return $self;
}

sub consoles($self)
{
	my $name = $self->{name};

	$self->{rig}->run("cd /var/log/libvirt/qemu && cp $name.console /rig/$name-console && "
		. "cp $name.log /rig/$name-qemu.log", quiet => 1) if $self->{rig}->alive;
	return map { ($self->scratch($_))[0] } qw(qemu.log console);
}

# What QEMU displays of the domain, which has one display
sub screendump($self, %)
{
	my ($ours, $theirs) = $self->scratch('screen');

	$self->{rig}->must("virsh screenshot '$self->{name}' --file $theirs");
	open my $fh, '<:raw', $ours or die "$ours: $!\n";
	read $fh, my $magic, 2;
	close $fh;
	return $magic eq 'P6' ? MVGPU::Image->from_ppm($ours) : MVGPU::Png::read($ours);
}

# By force
sub destroy($self)
{
	$self->{rig}->must("virsh destroy '$self->{name}'");
	$self->_wait_gone;
	$self->_release;
}

1;
