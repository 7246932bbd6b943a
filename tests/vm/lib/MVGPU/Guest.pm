# SPDX-License-Identifier: MIT
#
# L2: a guest that runs under L1's QEMU. Its console, agent and QMP session
# come out of L1 through virtio ports, without anything to forward them.

package MVGPU::Guest;

use v5.36;
use parent 'MVGPU::Host';
use MVGPU::Agent;
use MVGPU::Initramfs;
use MVGPU::Qmp;
use MVGPU::Clock;
use Time::HiRes qw(sleep);

use constant VIRTIO_GPU => '/sys/bus/virtio/drivers/virtio_gpu';

# The IOMMUs a guest can have: QEMU's machine option and device, the kernel line. VFIO
# needs to hear of mappings that a guest adds, hence caching mode; emulated, an IOMMU
# and interrupts through KVM need them apart.
my %iommu = (
	none => ['', '', ''],
	intel => [',kernel-irqchip=split', 'intel-iommu,caching-mode=on', 'intel_iommu=on'],
	virtio => ['', 'virtio-iommu-pci', ''],
);

# Made by $rig->guest(); see there for the options.
sub new($class, $rig, $slot, %o)
{
	my $self = $class->SUPER::new(
		%o, rig => $rig, slot => $slot, label => "guest $o{name}", scale => $rig->{scale},
		timeout => defined $o{timeout} ? $rig->scaled($o{timeout}) : $rig->timeout,
	);
	$self->_prepare;
	return $self;
}

sub consoles($self)
{
	# The slot may have had earlier guests: show only this one's.
	my ($file, $from) = ($self->{slot}{console}, $self->{console_from} // 0);
	my $copy = "$self->{rig}{machine}{dir}/console-$self->{name}";

	open my $in, '<:raw', $file or return;
	seek $in, $from, 0;
	local $/;
	open my $out, '>:raw', $copy or return;
	print $out scalar(<$in>) // '';
	close $out;
	my ($log) = $self->scratch('qemu.log');
	return ($log, $copy);
}

# A file of ours in the directory that L1 shares with us
sub scratch($self, $name)
{
	return map { "$_/$self->{name}-$name" } $self->{rig}{machine}->share, '/rig';
}

sub alive($self)
{
	return 0 unless $self->{pid} && $self->{rig}->alive;
	my ($status) = $self->{rig}->run("kill -0 $self->{pid}", timeout => 30, quiet => 1);
	return $status == 0;
}

sub show_console($self)
{
	$self->SUPER::show_console;
	# A triple fault leaves no other trace: SHUTDOWN with reason guest-reset.
	$self->note(map { "its QEMU: $_" } $self->{qmp}->events) if $self->{qmp};
	$self->note('--- its QEMU in L1:', $self->_qemu_state, '---') if $self->alive;
	$self->{rig}->show_console;
}

# What each thread of its QEMU waits for, and what L1 knows of the ports between us
sub _qemu_state($self)
{
	my (undef, $state) = $self->{rig}->run(<<~EOF, timeout => 30, quiet => 1);
	for task in /proc/$self->{pid}/task/*; do
		echo "\$(cat \$task/comm): \$(cat \$task/wchan), system call \$(cat \$task/syscall)"
		cat \$task/stack
	done
	cd /sys/kernel/debug/virtio-ports && for port in *; do echo \$(cat \$port); done
	cat /proc/interrupts
	EOF
	return $state;
}

# Kernel and initramfs, where L1 sees them
sub _prepare($self)
{
	my ($dir, $release) = $self->{rig}->kernel_of($self->{kernel} // $self->{rig}->guest_kernel);
	my $share = $self->{rig}{machine}->share;
	my $guest = $self->{rig}->guest_programs;

	$self->{release} = $release;
	my $vmlinuz = "$share/vmlinuz-$release";
	if (!-e $vmlinuz) {
		require File::Copy;
		File::Copy::copy("$dir/boot/vmlinuz-$release", $vmlinuz)
			or die "$dir/boot/vmlinuz-$release: $!\n";
	}

	my $ramfs = MVGPU::Initramfs->new($dir, $release);
	$ramfs->add_file('/init', "$self->{rig}{here}/guest/init-l2", 0755);
	$ramfs->add_file('/agent', "$self->{rig}{here}/guest/agent", 0755);
	# Devices behind it are not probed before its driver is there.
	$ramfs->add_modules(qw(virtio_pci virtio_iommu)) if ($self->{iommu} // '') eq 'virtio';
	$ramfs->add_modules(qw(virtio_pci virtio_console), ($self->{modules} // ['bochs'])->@*);
	$ramfs->add_program($_)
		for "$guest/draw", "$guest/bar", ($self->{programs} // [])->@*;
	$ramfs->add_file($_, $self->{files}{$_}, 0755) for sort keys(($self->{files} // {})->%*);
	my ($ours) = $self->scratch('initrd');
	$ramfs->write($ours);
}

sub _vgpus($self)
{
	my $of = $self->{vgpu} // return;
	return ref $of ? @$of : $of;
}

# Every character on the serial line is an exit to an emulated hypervisor: the boot's
# chatter stays in the log buffer.
sub kernel_line($self)
{
	return 'console=ttyS0 earlyprintk=ttyS0 loglevel=5 panic=-1 mitigations=off tsc=reliable '
		. 'iomem=relaxed random.trust_cpu=on ' . ($self->{append} // '');
}

# What its QEMU keeps open is not shared with us in an L1 that suspends.
sub _local($self, $path)
{
	return $path unless $self->{rig}{ram};
	my $copy = $path =~ s{^/rig}{/run}r;
	$self->{rig}->must("cp $path $copy");
	return $copy;
}

sub _command($self)
{
	my $ports = "/dev/virtio-ports/g$self->{slot}{number}";
	my (undef, $initrd) = $self->scratch('initrd');
	my $vmlinuz = "/rig/vmlinuz-$self->{release}";
	my $display = $self->{display} ? 'on' : 'off';
	my $accel = $self->{accel} // 'kvm';
	my $iommufd = $self->{iommufd} ? ',iommufd=iommufd0' : '';
	my $iommu = $iommu{$self->{iommu} // 'none'} // die "no such IOMMU: $self->{iommu}\n";
	my ($machine, $iommu_device, $iommu_append) = @$iommu;
	my $n = 0;
	my $line = $self->{rig}{ram} ? 'serial' : 'pipe';
	my $console = $self->{rig}{ram} ? "file,path=/run/$self->{name}.console"
		: "pipe,path=$ports.console";

	my @command = (
		'qemu-system-x86_64', '-name', $self->{name}, '-accel', $accel,
		'-cpu', $self->{cpu} // ($accel =~ /^kvm/ ? 'host' : 'max'),
		'-machine', "q35$machine", '-m', $self->{mem} // 256, '-smp', $self->{smp} // 1,
		qw(-nodefaults -no-user-config -nic none -vga none -display none -no-reboot),
		'-kernel', $self->_local($vmlinuz), '-initrd', $self->_local($initrd),
		'-append', $self->kernel_line . " $iommu_append",
		# Before the devices that are to lie behind it
		($iommu_device ? ('-device', $iommu_device) : ()),
		'-chardev', "$console,id=console", '-serial', 'chardev:console',
		'-chardev', "$line,id=qmp,path=$ports.qmp", '-mon', 'chardev=qmp,mode=control',
		'-chardev', "$line,id=agent,path=$ports.agent",
		qw(-device virtio-serial-pci -device), 'virtserialport,chardev=agent,name=agent',
		($iommufd ? ('-object', 'iommufd,id=iommufd0') : ()),
		(map { ('-device', "vfio-pci,sysfsdev=/sys/bus/mdev/devices/$_,display=$display,id=vgpu"
			. $n++ . $iommufd) } $self->_vgpus),
		(map { ('-device', $_) } ($self->{devices} // [])->@*),
		($self->{args} // [])->@*,
	);
	return join ' ', map { "'" . s/'/'\\''/gr . "'" } @command;
}

# Starts the guest without waiting for it, so that several boot at once.
sub start($self)
{
	$self->{rig}->need_kvm if ($self->{accel} // 'kvm') =~ /^kvm/;
	$self->{started} = now;
	if (!$self->_launch) {
		# QEMU opens vGPUs after it has greeted, so this is not theirs to explain.
		$self->note("$self->{label}: its QEMU says nothing, so start another", $self->_qemu_state);
		$self->_signal('KILL');
		$self->_launch or $self->trouble("its QEMU doesn't speak QMP");
	}
	return $self;
}

# QEMU greets as soon as its monitor is up, before the guest runs.
sub _launch($self)
{
	my $command = $self->_command;
	my (undef, $log) = $self->scratch('qemu.log');
	$log =~ s{^/rig}{/run} if $self->{rig}{ram};

	$self->{console_from} = -s $self->{slot}{console} // 0;
	$_->drain for @{ $self->{slot} }{qw(qmp agent)};
	$self->{pid} = $self->{rig}->must("setsid $command </dev/null >'$log' 2>&1 & echo \$!");
	return $self->{qmp} = MVGPU::Qmp->new($self->{slot}{qmp}, $self->{timeout} / 2);
}

sub wait_boot($self)
{
	$self->{agent} = MVGPU::Agent->new($self->{slot}{agent});
	my $until = now + $self->{timeout};
	my ($release, $again);
	# In slices, to notice an early death.
	while (!$release && now < $until) {
		$release = $self->{agent}->ready(5) and last;
		next if $self->alive;
		$self->trouble('died while booting') if $again++ || $self->_has_seen_devices;
		$self->note("$self->{label}: died before it looked for devices, so start it again");
		$self->_launch or $self->trouble("its QEMU doesn't speak QMP");
	}
	$self->trouble("no agent within $self->{timeout} s") unless $release;
	$self->{boot_seconds} = now - $self->{started};
	return $self;
}

# Emulated SVM loses a guest now and then: a triple fault before its clock runs. From then on
# what happens to it may be a vGPU's doing.
sub _has_seen_devices($self)
{
	return $self->console =~ /^\[ *(?:[1-9]\d*\.|0\.0*[1-9])/m;
}

sub boot_seconds($self) { return $self->{boot_seconds} }
sub release($self) { return $self->{release} }

# Shows a picture of draw.c in place of an earlier one; returns its Image. With
# card => n or head => n, from 0, other heads keep what was drawn on them like that.
sub draw($self, $seed, $size = '', %o)
{
	my $where = _where(%o);

	$self->undraw(%o);
	my $output = $self->must("draw $where-f '$seed' $size");
	my ($width, $height) = $output =~ /READY (\d+)x(\d+)/
		or $self->trouble("draw said: $output");
	return MVGPU::Image->picture($seed, $width, $height);
}

sub _where(%o)
{
	return '' unless %o;
	return sprintf '-d /dev/dri/card%d -c %d ', $o{card} // 0, $o{head} // 0;
}

sub undraw($self, %o)
{
	# What has all heads can't stay either.
	my $which = %o ? "'draw -f'* | 'draw @{[_where(%o)]}'*" : '*';

	$self->must(<<~EOF);
	for pid in \$(pidof draw); do
		case \$(tr '\\0' ' ' </proc/\$pid/cmdline) in $which)
			kill \$pid
			while kill -0 \$pid; do usleep 10000; done
		esac
	done 2>/dev/null
	EOF
}

# Takes the virtio-gpu from the guest's driver, and gives it back.
sub unbind_virtio($self)
{
	$self->{virtio} = $self->must('cd ' . VIRTIO_GPU . ' && v=$(ls -d virtio*) && '
		. 'echo $v >unbind && echo $v');
}

sub bind_virtio($self)
{
	$self->must("echo $self->{virtio} >" . VIRTIO_GPU . '/bind');
}

# Resets the guest, and doesn't wait until it has booted.
sub reset($self)
{
	# Its QEMU takes a reset for the end otherwise.
	$self->qmp('set-action', { reboot => 'reset' });
	$self->qmp('system_reset');
}

# Sends a signal to the guest's QEMU and waits until it has gone.
sub kill($self, $signal = 'KILL')
{
	return unless $self->{pid};
	$self->_signal($signal);
	$self->_release;
}

sub _signal($self, $signal)
{
	$self->{rig}->run("kill -$signal $self->{pid}");
	$self->_wait_gone;
}

sub _wait_gone($self)
{
	$self->{rig}->wait_for("! kill -0 $self->{pid} 2>/dev/null")
		// $self->trouble("its QEMU doesn't go");
}

sub _release($self)
{
	delete @$self{qw(pid qmp agent)};
	$self->{slot}{guest} = undef;
}

# The orderly way: the guest powers itself off.
sub shutdown($self)
{
	return unless $self->{pid};
	$self->{agent}->send('poweroff -f', $self->{timeout});
	$self->_wait_gone;
	$self->_release;
}

1;
