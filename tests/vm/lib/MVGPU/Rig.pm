# SPDX-License-Identifier: MIT
#
# The test rig: boots L1, a stock Debian kernel with an emulated physical GPU,
# under our QEMU, and guests under L1's. This file is what a test sees.
#
#	my $rig = MVGPU::Rig->new(gpus => ['bochs-display,vgamem=64M,id=gpu0']);
#	$rig->boot;
#	$rig->load_modules(qw(mvgpu mvgpu-bochs));
#	my $bdf = $rig->adopt('1234:1111', 'mvgpu-bochs');
#	my $uuid = $rig->create_vgpu($bdf, 'mvgpu-bochs-16m');
#	my $guest = $rig->guest(name => 'a', vgpu => $uuid, display => 1);
#	$rig->ok('lspci', 'lspci works');
#	$rig->clean_dmesg;
#
# In L1 the repository is /mvgpu (read-only) and a directory shared with us /rig:
# what L1 writes to /rig/x, we find as $rig->shared('x'). Whatever else L1 writes
# stays in its memory.
#
# On the debug kernel everything is slower, and the time-outs are longer to match.
#
# Environment: MVGPU_KERNEL, MVGPU_ROOT (defaults for new), MVGPU_ACCEL=kvm (use
# this machine's KVM if it boots a kernel), MVGPU_TIMEOUT_SCALE (say 3 on a slow
# machine), MVGPU_QEMU (L0's QEMU), MVGPU_KEEP=1 (keep the temporary directory), MVGPU_VERBOSE=1 (all of
# L1's kernel log on its console).

package MVGPU::Rig;

use v5.36;
use parent 'MVGPU::Host';
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use MVGPU::Agent;
use MVGPU::Channel;
use MVGPU::Clock;
use MVGPU::Domain;
use MVGPU::Fat;
use MVGPU::Guest;
use MVGPU::Initramfs;
use MVGPU::Machine;
use MVGPU::Qmp;
use Test::Builder;
use Time::HiRes qw(time sleep);

use constant { SLOTS => 4, DEBUG_SLOWDOWN => 3 };

# L1's CPU, which its guests have, too. TCG's SVM never intercepts XSETBV: a guest with XSAVE
# would see sizes that don't match, warn at boot, and change L1's registers. 7.2 takes AVX for
# usable without it, for what needs PCLMUL, and PCLMUL for part of AES.
use constant CPU => 'max,+svm,+npt'
	. join '', map { ",-$_" } qw(xsave pku avx avx2 f16c fma aes pclmulqdq vaes vpclmulqdq);

my $here = abs_path(dirname(__FILE__) . '/../..');
my $repo = abs_path("$here/../..");

# The IOMMUs that L0 can put in front of the GPU: QEMU's device, L1's kernel line
my %iommu = (
	none => ['', ''],
	intel => ['intel-iommu', 'intel_iommu=on'],
	amd => ['amd-iommu', 'amd_iommu=on'],
	virtio => ['virtio-iommu-pci', ''],
);

# kernel	6.1, 6.12, 7.2, testing, host or debug: what L1 runs
# gpus		QEMU device strings, the physical GPUs
# iommu		none, intel, amd or virtio, with options: 'intel,caching-mode=on'
# variant	of our modules, a build for tests: see provision
# root		host: this machine's own files; full: a Debian root with QEMU 11; libvirt: a
#		disk with the kernel's Debian, libvirt and our packages, which systemd runs
# ram => 1	L1's root is in its memory, with this machine's QEMU, and serial lines lead to
#		us, so that it can suspend(): 9p and virtio ports do not survive that
# secure_boot => 1	UEFI, which boots what is signed, and a kernel that is locked down
# mem, smp	of L1; timeout: seconds for any one wait
# append	for L1's kernel line; args: for L0's QEMU
# log		called with a line for each step
sub new($class, %o)
{
	my $kernel = $o{kernel} // $ENV{MVGPU_KERNEL} // 'host';
	my $scale = ($ENV{MVGPU_TIMEOUT_SCALE} // 1) * ($kernel eq 'debug' ? DEBUG_SLOWDOWN : 1);

	return $class->SUPER::new(
		kernel => $kernel, root => $ENV{MVGPU_ROOT} // 'host', scale => $scale,
		gpus => [], iommu => 'none', mem => 2048, smp => 2, args => [], append => '',
		log => sub { }, label => 'L1', here => $here, repo => $repo, began => time,
		%o,
		timeout => ($o{timeout} // 240) * $scale,
	);
}

sub shared($self, $name) { return $self->{machine}->share . "/$name" }

# L0's QEMU sees files where we see them.
sub scratch($self, $name)
{
	return ($self->shared($name)) x 2;
}

sub consoles($self) { return ("$self->{machine}{dir}/qemu.log", $self->{machine}->console) }
sub alive($self) { return $self->{machine} && $self->{machine}->alive }

sub say($self, $line)
{
	$self->{log}->(sprintf '%5.1f s  %s', time - $self->{began}, $line);
}

# ---- what the machines are made of -----------------------------------------

sub provision($self, @what)
{
	# A list, for no shell to split; what it says goes to our stderr.
	open my $pipe, '-|', "$here/provision", @what or die "provision: $!\n";
	my @lines = <$pipe>;
	close $pipe or die "provision @what failed\n";
	chomp @lines;
	return $lines[-1];
}

# Directory and release of a kernel version
sub kernel_of($self, $version = undef)
{
	$version //= $self->{kernel};
	return @{ $self->{kernels}{$version} //= do {
		my $dir = $self->provision('kernel', $version);
		my ($release) = map { s{.*/}{}r } glob "$dir/lib/modules/*";
		[$dir, $release];
	} };
}

sub release($self) { return ($self->kernel_of)[1] }

# Guests are stock: those of a debug kernel run what it is a debug build of.
sub guest_kernel($self) { return $self->debug ? '6.12' : $self->{kernel} }

sub debug($self) { return $self->{kernel} eq 'debug' }

# The QEMU that emulates L1
sub qemu($self) { return $ENV{MVGPU_QEMU} // ($self->{qemu_path} //= $self->provision('qemu')) }

sub guest_programs($self) { return $self->{programs} //= $self->provision('guest') }

# TCG, since a /dev/kvm may well be there and not run a stock kernel, unless
# asked for KVM and a kernel has been seen to boot under it.
sub _accel($self)
{
	return 'tcg,thread=multi' unless ($ENV{MVGPU_ACCEL} // 'tcg') eq 'kvm';
	return 'kvm' if -w '/dev/kvm' && $self->_kvm_boots;
	$self->note('KVM boots no kernel here: using TCG');
	return 'tcg,thread=multi';
}

sub _kvm_boots($self)
{
	my ($dir, $release) = $self->kernel_of;
	my $probe = MVGPU::Machine->new;
	my $ramfs = MVGPU::Initramfs->new($dir, $release);

	$ramfs->add_text('/init', "#!/bin/busybox sh\necho kvm-boots\n"
		. "/bin/busybox poweroff -f\n", 0755);
	my $initrd = $ramfs->write($probe->dir . '/initrd');
	$probe->start($self->qemu, qw(-accel kvm -cpu host -m 256 -nodefaults -display none
		-no-reboot), '-kernel', "$dir/boot/vmlinuz-$release", '-initrd', $initrd,
		'-append', 'console=ttyS0 panic=-1', '-serial', 'file:' . $probe->console);
	$probe->wait_gone(15);
	open my $fh, '<', $probe->console;
	my $boots = grep { /kvm-boots/ } $fh ? <$fh> : ();
	$probe->stop;
	return $boots;
}

sub _initrd($self)
{
	my ($dir, $release) = $self->kernel_of;
	my $ramfs = MVGPU::Initramfs->new($dir, $release);

	$ramfs->add_file('/init', "$here/guest/init-l1", 0755);
	$ramfs->add_file('/agent', "$here/guest/agent", 0755);
	# Devices behind it are not probed before its driver is there.
	$ramfs->add_modules(qw(virtio_pci virtio_iommu)) if $self->{iommu} =~ /^virtio/;
	$ramfs->add_modules(qw(virtio_pci virtio_console 9pnet_virtio 9p),
		$self->has_disk ? qw(virtio_blk ext4) : 'overlay');
	$self->_add_root($ramfs) if $self->{ram};
	return $ramfs->write($self->{machine}->dir . '/initrd');
}

sub has_disk($self) { return $self->{root} eq 'libvirt' }

# L1's files, for QEMU
sub _root($self, $modules)
{
	return ('-drive', 'if=virtio,format=raw,snapshot=on,file=' . $self->provision('libvirt', $self->{kernel}))
		if $self->has_disk;
	my @modules = _share('modules', $modules, ',readonly=on');
	return @modules if $self->{ram};
	my $root = $self->{root} eq 'full' ? $self->provision('root') : '/';
	return (_share('root', $root, ',readonly=on'), @modules);
}

# What tests need of a host: modprobe, and a QEMU for guests
sub _add_root($self, $ramfs)
{
	$ramfs->add_text('/ram', join ' ', $self->_names);
	$ramfs->add_program('/bin/kmod', '/sbin/modprobe');
	$ramfs->add_program('/usr/bin/qemu-system-x86_64', '/usr/bin/qemu-system-x86_64');
	for my $rom (qw(bios-256k.bin kvmvapic.bin linuxboot_dma.bin)) {
		my ($from) = grep { -e } map { "/usr/share/$_/$rom" } qw(seabios qemu);
		$ramfs->add_file("/usr/share/qemu/$rom", $from // die "QEMU has no $rom\n");
	}
}

# What L1 boots: a kernel by itself, or all that comes before it on a PC with Secure Boot. Its
# firmware knows Microsoft's keys, and Debian's loaders are signed with these.
sub _boots($self, $vmlinuz, $line)
{
	my $initrd = $self->_initrd;

	return ('-kernel', $vmlinuz, '-initrd', $initrd, '-append', $line) unless $self->{secure_boot};
	my $firmware = $self->provision('firmware');
	my $dir = $self->{machine}->dir;
	require File::Copy;
	File::Copy::copy("$firmware/usr/share/OVMF/OVMF_VARS_4M.ms.fd", "$dir/vars") or die "no copy: $!\n";
	MVGPU::Fat::make("$dir/esp", vmlinuz => $vmlinuz, initrd => $initrd,
		'EFI/BOOT/BOOTX64.EFI' => "$firmware/usr/lib/shim/shimx64.efi.signed",
		'EFI/BOOT/mmx64.efi' => "$firmware/usr/lib/shim/mmx64.efi.signed",
		'EFI/BOOT/grubx64.efi' => "$firmware/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed",
		'EFI/debian/grub.cfg' => \"linux /vmlinuz $line\ninitrd /initrd\nboot\n");
	return ('-machine', 'smm=on', '-global', 'driver=cfi.pflash01,property=secure,value=on',
		'-drive', "if=pflash,format=raw,unit=0,readonly=on,file=$firmware/usr/share/OVMF/OVMF_CODE_4M.secboot.fd",
		'-drive', "if=pflash,format=raw,unit=1,file=$dir/vars",
		'-drive', "if=none,format=raw,id=esp,file=$dir/esp", '-device', 'ide-hd,drive=esp,bootindex=0');
}

sub _share($tag, $path, $mode)
{
	return ('-virtfs', "local,path=$path,mount_tag=$tag,security_model=none,multidevs=remap$mode");
}

# Since 10.2, AMD's IOMMU translates no DMA unless it is told to.
sub _amd_needs_remap($self)
{
	open my $help, '-|', $self->qemu, '-device', 'amd-iommu,help' or die "QEMU: $!\n";
	return scalar grep { /\bdma-remap=/ } <$help>;
}

sub _port($dir, $name, $id = $name)
{
	return ('-chardev', "socket,id=$id,path=$dir/$name,server=on,wait=off",
		'-device', "virtserialport,chardev=$id,name=$name");
}

# How many guests there can be: a serial card has four lines.
sub _slots($self) { return $self->{ram} ? 3 : SLOTS }

# What L1 and its guests speak to us through
sub _names($self) { return ('agent', map { ("g$_.qmp", "g$_.agent") } 0 .. $self->_slots - 1) }

sub _lines($dir, @names)
{
	my @args;

	while (my @four = splice @names, 0, 4) {
		push @args, '-chardev', "socket,id=$_,path=$dir/$_,server=on,wait=off" for @four;
		push @args, '-device', join ',', 'pci-serial-4x',
			map { 'chardev' . ($_ + 1) . "=$four[$_]" } 0 .. $#four;
	}
	return @args;
}

sub _ports($self, $dir)
{
	return _lines($dir, $self->_names) if $self->{ram};
	return ('-device', 'virtio-serial-pci,id=ports,max_ports=31',
		(map { _port($dir, $_) } $self->_names),
		(map { ('-chardev', "file,id=g$_.console,path=$dir/g$_.console", '-device',
			"virtserialport,chardev=g$_.console,name=g$_.console") } 0 .. $self->_slots - 1));
}

sub _command($self)
{
	my ($kernel, $release) = $self->kernel_of;
	my $dir = $self->{machine}->dir;
	my ($iommu, $iommu_options) = split /,/, $self->{iommu}, 2;
	my ($iommu_device, $iommu_append) = ($iommu{$iommu} // die "no such IOMMU: $iommu\n")->@*;
	my $level = $ENV{MVGPU_VERBOSE} ? 8 : 5;
	my $lines = $self->{ram} ? '8250.nr_uarts=16' : '';
	my $accel = $self->{accel} = $self->_accel;

	$iommu_device .= ",$iommu_options" if $iommu_device && $iommu_options;
	$iommu_device .= ',dma-remap=on' if $iommu eq 'amd' && $self->_amd_needs_remap;
	return (
		$self->qemu, '-accel', $accel,
		'-cpu', $accel eq 'kvm' ? 'host' : CPU,
		'-machine', 'q35' . ($accel eq 'kvm' ? ',kernel-irqchip=split' : ''),
		'-m', $self->{mem}, '-smp', $self->{smp},
		qw(-nodefaults -no-user-config -nic none -vga none -display none -no-reboot),
		# Emulation is slow at times: stalls that are none must not count.
		$self->_boots("$kernel/boot/vmlinuz-$release",
			"console=ttyS0 loglevel=$level panic=-1 mitigations=off tsc=reliable "
			. 'no_timer_check rcupdate.rcu_cpu_stall_timeout=120 watchdog_thresh=60 '
			. "random.trust_cpu=on log_buf_len=4M $iommu_append $lines $self->{append}"
			. ($self->has_disk ? ' root=/dev/vda systemd.show_status=no' : '')),
		($iommu_device ? ('-device', $iommu_device) : ()),
		'-serial', 'file:' . $self->{machine}->console,
		'-qmp', "unix:$dir/qmp,server=on,wait=off",
		$self->_root("$kernel/usr/lib/modules"),
		_share('repo', $repo, ',readonly=on'),
		_share('rig', $self->{machine}->share, ''),
		$self->_ports($dir),
		(map { ('-device', $_) } $self->{gpus}->@*),
		$self->{args}->@*,
	);
}

# ---- L1 --------------------------------------------------------------------

sub boot($self)
{
	my $machine = $self->{machine} = MVGPU::Machine->new;
	my $dir = $machine->dir;
	my $alive = sub { $machine->alive };

	$self->{programs} //= $self->guest_programs;
	my @command = $self->_command;
	my $start = time;
	$machine->start(@command);
	my $connect = sub ($name) {
		return MVGPU::Channel->connect("$dir/$name", 30, $alive)
			// $self->trouble("QEMU doesn't start: " . $machine->log);
	};
	$self->{qmp} = MVGPU::Qmp->new($connect->('qmp'), 30) // $self->trouble('no QMP');
	$self->{slots} = [map { {
		number => $_, console => "$dir/g$_.console",
		qmp => $connect->("g$_.qmp"), agent => $connect->("g$_.agent"),
	} } 0 .. $self->_slots - 1];

	$self->{agent} = MVGPU::Agent->new($connect->('agent'));
	$self->_wait_boot;
	$self->{boot_seconds} = time - $start;
	$self->say(sprintf 'L1 is up: Linux %s, %s', $self->release, $self->{iommu} eq 'none'
		? 'no IOMMU' : "IOMMU $self->{iommu}");
	return $self;
}

sub _wait_boot($self)
{
	$self->{agent}->ready($self->{timeout})
		// $self->trouble($self->alive ? "no agent within $self->{timeout} s"
			: 'died while booting');
	# Drivers may be still on their way when systemd has finished.
	$self->must('systemctl is-system-running --wait; udevadm settle') if $self->has_disk;
}

# Boots L1 again, if it has a disk: what it has written there is kept, its guests are not.
# before: what somebody at its console does meanwhile
sub reboot($self, $before = sub { })
{
	delete @$self{qw(kvm loaded)};
	$_->{guest} = undef for $self->{slots}->@*;
	# QEMU takes it for the end otherwise.
	$self->qmp('set-action', { reboot => 'reset' });
	# The agent may be gone before it can answer.
	$self->{agent}->send('systemctl reboot', $self->{timeout}) // $self->trouble("doesn't answer");
	$before->();
	$self->_wait_boot;
	$self->qmp('set-action', { reboot => 'shutdown' });
}

sub boot_seconds($self) { return $self->{boot_seconds} }

sub stop($self)
{
	return unless $self->{machine};
	eval { $self->qmp('quit', {}, timeout => 5) } if $self->alive;
	$self->{machine}->wait_gone(5);
	$self->{machine}->stop;
	delete @$self{qw(machine agent qmp slots)};
}

# ---- suspend -----------------------------------------------------------------

# Guests need nothing that is shared with us once they run; 9p does not survive a suspend.
sub _unshare($self)
{
	$self->must(<<~'EOF') unless $self->{unshared}++;
	set -e
	umount /mvgpu /rig /usr/lib/modules
	cd /sys/bus/virtio/drivers/9pnet_virtio
	for device in virtio*; do echo $device >unbind; done
	for wakeup in $(find /sys/devices -path '*/power/wakeup'); do echo disabled >$wakeup; done 2>/dev/null || :
	EOF
}

# L1 goes to sleep. state: mem, or what else /sys/power/state takes
sub suspend($self, $state = 'mem')
{
	$self->_unshare;
	# The firmware forgets where it had put the registers that the next one takes.
	my $config = '/sys/bus/pci/devices/0000:00:1f.0/config';
	my $bridge = "dd if=/run/bridge of=$config bs=4 seek=16 conv=notrunc";
	$self->must("dd if=$config of=/run/bridge bs=4 skip=16 count=2 2>/dev/null");
	$self->{woke} = () = $self->_wakings;
	$self->{slept} = () = $self->_sleeps;
	$self->must("(sleep 2; echo $state >/sys/power/state; status=\$?; $bridge; "
		. 'echo rig: awake $status >/dev/console) >/dev/null 2>&1 &');
}

# Lines that it sends to us before it is awake are lost, so nobody asks for an answer.
sub _wakings($self) { return $self->console =~ /^rig: awake (\d+)/mg }

# It is asleep, to the last instruction; 0 if its clock has woken it up again already.
sub asleep($self)
{
	my $awake = sub { $self->{woke} < (() = $self->_wakings) };
	my $asleep = sub { $self->qmp('query-status')->{status} eq 'suspended' };

	$self->_within(sub { $asleep->() || $awake->() });
	return 1 if $asleep->();
	return 0 if $awake->() && $self->{slept} < (() = $self->_sleeps);
	$self->note($self->must('dmesg | tail -n 60')) if $awake->();
	$self->trouble('it does not fall asleep');
}

sub _sleeps($self) { return grep { /^SUSPEND / } $self->{qmp}->events }

# It wakes up, unless it does so by itself; returns whether it had slept as it should.
sub resume($self, %o)
{
	$self->qmp('system_wakeup') unless $o{by_itself};
	$self->_within(sub { $self->{woke} < (() = $self->_wakings) })
		or $self->trouble('it does not wake up');
	return !($self->_wakings)[-1];
}

sub _within($self, $done)
{
	my $deadline = now + $self->{timeout};

	while (now < $deadline) {
		return 1 if $done->();
		sleep 0.1;
	}
	return 0;
}

# ---- modules and vGPUs in L1 -----------------------------------------------

sub modules_dir($self)
{
	my $build = join '+', grep { defined } @$self{qw(kernel variant)};

	return $self->{modules_dir} //= $self->provision('modules', $build);
}

# Loads modules, ours or the kernel's, and what they depend on.
sub load_modules($self, @names)
{
	$self->_load($_) for 'vfio_iommu_type1', @names;
}

sub _load($self, $spec)
{
	my ($name, $parameters) = split ' ', $spec, 2;
	my $plain = $name =~ tr/-/_/r;
	my $key = "$plain";

	return if $self->{loaded}{$key}++;
	my ($ours) = grep { (s{.*/}{}r =~ s/\.ko$//r =~ tr/-/_/r) eq $plain }
		glob $self->modules_dir . '/*.ko';
	if (!$ours) {
		$self->must("modprobe '$name' " . ($parameters // ''));
		return;
	}
	my $depends = qx(PATH=\$PATH:/usr/sbin:/sbin modinfo -F depends '$ours');
	die "modinfo $ours failed\n" if $?;
	$self->_load($_) for split /[,\s]+/, $depends;
	(my $there = $ours) =~ s{^\Q$repo\E}{/mvgpu};
	$self->must("insmod '$there' " . ($parameters // ''));
}

# Removes modules in the order given.
sub unload_modules($self, @names)
{
	for (@names) {
		$self->must("rmmod '$_'");
		delete $self->{loaded}{tr/-/_/r};
	}
}

# Makes KVM work for guests, whichever CPU L1 has.
sub need_kvm($self)
{
	$self->{kvm} //= $self->must(
		'test -e /dev/kvm || modprobe kvm_amd 2>/dev/null || modprobe kvm_intel; test -e /dev/kvm'
	) . '';
}

# From nothing to a virtio-gpu that is our driver's; returns its address. Modules are loaded
# before ours.
sub boot_virtio($self, @modules)
{
	$self->boot;
	$self->load_modules(@modules, qw(mvgpu mvgpu-virtio));
	return $self->adopt_virtio;
}

# TAP: what boot_virtio began ends, with these vGPUs, and nothing is left of it.
sub end_virtio($self, @uuids)
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;

	$self->nothing_held($_) for @uuids;
	$self->remove_vgpu($_) for @uuids;
	$self->release_virtio;
	$self->unload_modules('mvgpu-virtio', 'mvgpu');
	$self->no_leaks;
	$self->clean_dmesg;
	$self->stop;
}

# ---- what VMMs open vGPUs through -------------------------------------------

# The options by which our VFIO clients take each of the ways that this kernel has: the
# legacy container, and iommufd with device files. There must be a vGPU.
sub ways($self)
{
	my ($status) = $self->run('test -e /dev/iommu && ls /dev/vfio/devices/*', quiet => 1);

	$self->trouble('no iommufd in the debug kernel') if $status && $self->debug;
	return $status ? ('') : ('', '--iommufd');
}

# Whether guests can use it
sub has_iommufd($self) { return $self->debug && $self->{root} eq 'full' }

# Whether VFIO logs what a device writes: Debian's kernels after 6.6 need IOMMUFD for it
sub logs_dma($self) { return $self->debug || $self->release =~ /^6\.[1-6]\./ }

# ---- leaks -----------------------------------------------------------------

# Who has to have allocated a leaked object for it to be ours: mvgpu, what works on
# its behalf, or a module that has been removed, whose functions have no names left
my $ours = qr/\bmvgpu|\[(?:vfio\w*|mdev|iommufd)\]|\b0xffffffff[a-f]/;

# What kmemleak finds, on a kernel that has it: texts with size, content and backtrace
# of each object nobody points to. like => qr/../: only those that match.
sub leaks($self, %o)
{
	my $file = '/sys/kernel/debug/kmemleak';

	# An object must be 5 s old, and the same in two scans, to be taken for leaked.
	$self->must("sleep 6; echo scan >$file; sleep 1; echo scan >$file", timeout => 200);
	my $like = $o{like} // $ours;
	return grep { /$like/ } split /^(?=unreferenced object)/m, $self->must("cat $file");
}

# TAP: no memory of ours is left behind. Skipped on kernels without kmemleak.
sub no_leaks($self, %o)
{
	my $tap = Test::Builder->new;

	return $tap->skip('no kmemleak in this kernel') unless $self->debug;
	my @leaks = $self->leaks(%o);
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $tap->ok(!@leaks, $o{name} // 'no memory leaked');
	$tap->diag(@leaks) unless $ok;
	return $ok;
}

# ---- guests ----------------------------------------------------------------

# Boots a guest and returns it.
# name		of your choice; kernel: a version, guest_kernel if not given
# vgpu		a UUID or several; display => 1: L1's QEMU displays it
# devices	further QEMU device strings; args: further QEMU arguments
# iommufd	1: its QEMU uses the vGPU's device file and iommufd (QEMU 11, kernel debug)
# iommu		intel or virtio: the guest's own (vGPUs lie behind it, QEMU's own virtio
#		devices only with iommu_platform=on)
# modules	what to load in the guest, ['bochs'] if not given
# mem, smp, cpu, accel (kvm), append, timeout
# programs	to put into its /bin; files => {path => from}
# nowait => 1	returns at once; $guest->wait_boot waits
sub guest($self, %o) { return $self->_start_guest('MVGPU::Guest', %o) }

# The same as a domain of libvirt; of those, it has name, vgpu, display, modules, mem, append,
# timeout, programs, files and nowait, and ramfb => 1, which shows what comes before the driver;
# or typed and disk, see there.
sub domain($self, %o) { return $self->_start_guest('MVGPU::Domain', %o) }

sub _start_guest($self, $class, %o)
{
	my ($slot) = grep { !$_->{guest} } $self->{slots}->@*;

	die "all @{[$self->_slots]} guest slots are taken\n" unless $slot;
	my $guest = $class->new($self, $slot, name => "g$slot->{number}", %o);
	$slot->{guest} = $guest->{name};
	$guest->start;
	$guest->wait_boot unless $o{nowait};
	return $guest;
}

1;
