#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The packages: make deb makes them, and in four Debian suites they are built from source,
# installed, removed and purged. DKMS builds the modules for a kernel of each; nothing is handed
# over that /etc/mvgpu/adopt.conf does not list; what stays behind is looked for.
#
# Each release is a root of provision's, below an overlay that takes what is written. Of sysfs
# it has a few plain files, so that what mvgpuctl would tell the kernel can be read from them.

use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use FindBin;
use lib "$FindBin::Bin/vm/lib";
use MVGPU::Guide qw(blocks_for);
use Test::More;

chdir abs_path(dirname(__FILE__) . '/..') or die "no repository: $!\n";

my $out = 'build/deb-test';
my @modules = qw(mvgpu mvgpu-bochs mvgpu-edu mvgpu-virtio);
my @packages = qw(mvgpu-dkms mvgpu-tools mvgpu-doc);
my @in_ns = $< == 0 ? () : qw(unshare --map-auto --map-root-user);
my %suite = ('6.1' => 'bookworm', '6.12' => 'trixie', '7.2' => 'trixie-backports',
	testing => 'testing');

sub slurp($path)
{
	open my $fh, '<', $path or die "$path: $!\n";
	local $/;
	return <$fh> // '';
}

sub lines_of(@command)
{
	open my $pipe, '-|', @command or die "$command[0]: $!\n";
	chomp(my @lines = <$pipe>);
	close $pipe;
	return @lines;
}

# ---- a release -----------------------------------------------------------------

my $in_root = <<'EOS';
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
mount --rbind /proc "$2/root/proc"
mount --rbind /dev "$2/root/dev"
cd "$2/root"
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C DEBIAN_FRONTEND=noninteractive \
	SYSTEMD_DEVICE_VERIFY_SYSFS=0 chroot . sh -ec "$3"
EOS

sub new_release($version)
{
	my ($lower) = lines_of('tests/vm/provision', 'dkms', $version);
	my $dir = abs_path('.') . "/$out/$version";

	BAIL_OUT("no root of $suite{$version}") unless $lower && -d $lower;
	system @in_ns, 'rm', '-rf', $dir;
	make_path(map { "$dir/$_" } qw(upper work root));
	my ($kernel) = lines_of('tests/vm/provision', 'release', $version);
	return { lower => $lower, dir => $dir, kernel => $kernel };
}

# Status and output of a shell command in a release
sub run($r, $command)
{
	my $pid = open my $pipe, '-|';
	die "fork: $!\n" unless defined $pid;
	if (!$pid) {
		open STDERR, '>&', \*STDOUT;
		exec @in_ns, qw(unshare --mount --propagation private sh -euc), $in_root, 'sh',
			$r->{lower}, $r->{dir}, $command;
	}
	local $/;
	my $text = <$pipe> // '';
	close $pipe;
	return ($? >> 8, $text);
}

sub works($r, $command, $name)
{
	my ($status, $text) = run($r, $command);

	is $status, 0, $name or diag(substr $text, -3000);
	return $text;
}

# What the guide has an operator type, from the block with this in it; apt is dpkg
sub guide($r, $with, $name)
{
	my ($block) = grep { $_->{text} =~ /$with/ } blocks_for('tests/deb.t', 'docs/packages.md');

	return works($r, <<~'EOS' . "bash -e <<'GUIDE'\n$block->{text}GUIDE\n", $name);
		mkdir -p /build/bin
		printf '#!/bin/sh\ndpkg "--$@"\n' >/build/bin/apt
		chmod +x /build/bin/apt
		PATH=/build/bin:$PATH
		EOS
}

# All that is there, but for what dpkg, depmod and DKMS note of any package. DKMS has made its
# signing key before the first of these lists.
sub files($r)
{
	my $others = join ' -o ', map { "-path /$_" } qw(proc dev sys tmp build run/systemd run/udev);
	my @all = split /\n/, works($r, "find / -xdev \\( $others \\) -prune -o -printf '%y %m %p %l\\n' | sort",
		'the files are listed');
	return [grep { !m{^. \d+ (/var/lib/dpkg/|/var/log/|/lib/modules/|/var/cache/man)}
		&& !m{^. \d+ /usr/lib/modules/[^/]+/modules\.} } @all];
}

# Which modules DKMS has put in place, and of those, what does not fit the kernel
sub installed($r)
{
	my %of = map { split / /, $_, 2 } split /\n/, (run($r, 'for m in ' . join(' ', @modules)
		. "; do modinfo -k $r->{kernel} -F vermagic \$m 2>/dev/null | sed \"s/^/\$m /\"; done"))[1];
	return [grep { ($of{$_} // '') =~ /^\Q$r->{kernel}\E / } @modules];
}

# ---- a GPU, as files ------------------------------------------------------------

my $gpu = '0000:00:02.0';
my $conf = '/etc/mvgpu/adopt.conf';
my $sysfs = <<'EOS';
rm -rf /sys/*
dev=/sys/devices/pci0000:00/0000:00:02.0
pci=/sys/bus/pci
mkdir -p $dev $pci/devices $pci/drivers/bochs-drm $pci/drivers/mvgpu-bochs $pci/drivers/mvgpu-edu
mkdir -p $pci/drivers/other /sys/class /sys/module
ln -s ../../../devices/pci0000:00/0000:00:02.0 $pci/devices
ln -s ../../../bus/pci $dev/subsystem
ln -s ../../../bus/pci/drivers/bochs-drm $dev/driver
echo 0x1234 >$dev/vendor
echo 0x1111 >$dev/device
echo 0x038000 >$dev/class
printf 'DRIVER=bochs-drm\nPCI_CLASS=38000\nPCI_ID=1234:1111\nPCI_SLOT_NAME=0000:00:02.0\n' >$dev/uevent
virtio=/sys/devices/pci0000:00/0000:00:04.0
mkdir -p $virtio/virtio0 /sys/bus/virtio
ln -s ../../../bus/pci $virtio/subsystem
ln -s ../../../../bus/virtio $virtio/virtio0/subsystem
echo 0x1af4 >$virtio/vendor
echo 0x1050 >$virtio/device
echo 0x038000 >$virtio/class
echo 0x0010 >$virtio/virtio0/device
echo PCI_SLOT_NAME=0000:00:04.0 >$virtio/uevent
echo MODALIAS=virtio:d00000010v00001AF4 >$virtio/virtio0/uevent
for file in $dev/driver_override $pci/drivers_probe $pci/drivers/bochs-drm/unbind; do : >$file; done
EOS
my $read_told = 'cat /sys/bus/pci/devices/*/driver_override /sys/bus/pci/drivers_probe'
	. ' /sys/bus/pci/drivers/bochs-drm/unbind';

# What of mvgpuctl udev's rule runs for a device
sub rule_runs($r, $device, $action = 'add')
{
	my (undef, $text) = run($r, "udevadm test --action=$action /sys/devices/pci0000:00/$device");

	return [$text =~ m{^[^/\n]*/usr/bin/systemd-cat --identifier=mvgpuctl (/.*?)['"]?$}mg];
}

# What is said, and what the kernel would have been told, when the GPU appears
sub appears($r, $command, $list)
{
	my ($status, $said) = run($r, "$sysfs\nprintf '%s' '$list' >$conf\n$command");
	return ($said, (run($r, $read_told))[1]);
}

# ---- the packages ----------------------------------------------------------------

# Not access times, and not what tests leave in build/
my @tree = qw(find . -path ./build -prune -o -path ./.git -prune -o -type f -printf);
sub tree { return [lines_of(@tree, '%p %T@ %s\n')] }

my $before = tree();
my $log = qx(make deb O=$out 2>&1);
diag substr $log, -3000 if $?;
BAIL_OUT('no packages') unless is $?, 0, 'make deb makes the packages, and lintian finds nothing';
is_deeply tree(), $before, 'and writes nothing into the source tree';
my ($version) = slurp('debian/changelog') =~ /^mvgpu \((.*)\)/;
my ($dsc) = glob "$out/deb/mvgpu_*.dsc";
like $dsc, qr/mvgpu_\Q$version\E\.dsc/, 'there is a source package';
for my $package (@packages) {
	my @deb = glob "$out/deb/${package}_*.deb";
	is scalar @deb, 1, "there is $package";
	ok !(grep { m{/$|Kbuild|dkms\.conf|\.[ch]$} ? 0 : m{usr/src/} }
		map { (split)[5] } lines_of('dpkg-deb', '-c', @deb)), 'with sources only';
}

my $make_key = "openssl req -new -x509 -newkey rsa:2048 -nodes -days 2 -subj '/CN=mvgpu test/'"
	. " -keyout $out/mok.key -outform DER -out $out/mok.pub";
my $key_log = qx($make_key 2>&1);
BAIL_OUT($key_log) if $?;

sub check_release($r)
{
	my $source = "/usr/src/mvgpu-$version";

	# provision's roots leave out what would be looked for, and the kernel that depmod is for
	works($r, "rm -f /etc/dpkg/dpkg.cfg.d/*; mkdir -p /build; touch /var/lib/dkms/mok.key; depmod $r->{kernel}",
		'the root is ready');
	system @in_ns, 'cp', glob("$out/deb/mvgpu_*.dsc"), glob("$out/deb/mvgpu_*.tar.*"), "$r->{dir}/upper/build";
	system @in_ns, 'cp', "$out/mok.key", "$out/mok.pub", "$r->{dir}/upper/var/lib/dkms";
	works($r, 'cd /build && dpkg-source --no-check -x mvgpu_*.dsc mvgpu && cd mvgpu && dpkg-buildpackage -b -uc',
		'the packages build from source');

	my $clean = files($r);
	works($r, "dpkg -i @{[map { qq(/build/${_}_*.deb) } @packages]}", 'they are installed');
	return unless Test::More->builder->is_passing;
	my $status = guide($r, qr/^dkms status/, 'DKMS can be asked');
	like($status, qr{^mvgpu/\Q$version\E, \Q$r->{kernel}\E, x86_64: installed$}m,
		"DKMS has built the modules for $r->{kernel}");
	is_deeply installed($r), \@modules, 'all of them, for that kernel';
	is((run($r, "modinfo -k $r->{kernel} -F alias @modules"))[1], '', 'no device loads them by itself');
	is((run($r, "modinfo -k $r->{kernel} -F signer @modules"))[1], "mvgpu test\n" x @modules,
		"they are signed with the machine owner's key");
	works($r, 'mvgpuctl help && test -s /usr/share/man/man8/mvgpuctl.8.gz'
		. ' && test -s /usr/share/bash-completion/completions/mvgpuctl', 'mvgpuctl is there');
	works($r, 'test -s /usr/share/doc/mvgpu-doc/docs/operators.md', 'so are the documents');

	guide($r, qr/^mvgpuctl adopt/, 'the list can be tried');
	check_adoption($r);
	check_removal($r);
	is_deeply files($r), $clean, 'after the purge, there is what was there before';
	run($r, 'touch /etc/mvgpu.stray');
	is scalar files($r)->@*, @$clean + 1, 'of which a file more would be noticed';
	works($r, "test ! -e $source && test ! -e /var/lib/dkms/mvgpu", 'DKMS has forgotten it');
	check_broken($r);
}

# Of the list that the packages bring, of one that an operator has written, of typos
sub check_adoption($r)
{
	my $shipped = (run($r, "cat $conf"))[1];

	like $shipped, qr/^#$gpu mvgpu-bochs$/m, 'the list has an example';
	unlike $shipped, qr/^\s*[^#\s]/m, 'but no GPU';
	my $modprobe = (run($r, 'cat /etc/modprobe.d/mvgpu.conf'))[1];
	like $modprobe, qr/^#blacklist bochs$/m, 'so has what is for modprobe';
	unlike $modprobe, qr/^\s*[^#\s]/m, 'but no module';
	my $all = "mvgpuctl adopt --list=$conf";
	my $command = "/usr/sbin/$all $gpu";
	run($r, $sysfs);
	is_deeply rule_runs($r, $gpu), [$command], "udev's rule asks the list about a GPU";
	is_deeply rule_runs($r, $gpu, 'change'), [], 'when it appears, not later';
	is_deeply rule_runs($r, '0000:00:04.0'), [], 'of a virtio-gpu, not yet for the PCI device';
	is_deeply rule_runs($r, '0000:00:04.0/virtio0'), ["/usr/sbin/$all 0000:00:04.0"], 'but for the virtio device';
	run($r, "$sysfs\necho 0x020000 >/sys/devices/pci0000:00/$gpu/class");
	is_deeply rule_runs($r, $gpu), [], 'nothing for a network card';

	my ($said, $told) = appears($r, $command, $shipped);
	is "$said$told", '', 'a GPU that is not listed is left alone, without a word';
	($said, $told) = appears($r, $command, "0000:00:03.0 mvgpu-bochs\n0000:00:2.0 mvgpu-bochs\n");
	is "$said$told", '', 'also if others are, and there is a typo';
	($said, $told) = appears($r, $all, "# mine\n0000:00:2.0 mvgpu-bochs\n");
	is $told, '', 'a typo in an address does nothing';
	like $said, qr{^mvgpuctl: $conf line 2: '0000:00:2\.0' is no PCI address.*\nmvgpuctl: -> correct it; then $all$}m,
		'but is named, with what to type';
	for (['', 'no vendor driver follows it', 'correct it'],
		['mvgpu-bohcs', 'no vendor driver mvgpu-bohcs', 'mvgpu-bochs\?'],
		['mvgpu-edu', 'mvgpu-edu takes no GPU 1234:1111', 'mvgpu-bochs\?'],
		["mvgpu-bochs\n$gpu mvgpu-edu", 'line 1 lists it already', 'correct it', 2]) {
		my ($driver, $wrong, $advice, $line) = @$_;

		($said, $told) = appears($r, $command, "$gpu $driver\n");
		$line //= 1;
		is $told, '', "$wrong: the GPU is left alone";
		like $said, qr{^mvgpuctl: $conf line $line: $gpu: $wrong.*\nmvgpuctl: -> .*$advice}m, 'and the line is named';
	}
	($said, $told) = appears($r, $command, "0000:00:2.0 mvgpu-bochs\n$gpu mvgpu-bochs # this one\n");
	like $told, qr/mvgpu-bochs|\Q$gpu\E/, 'a GPU that is listed is handed over';
	like $said, qr{^mvgpuctl: $conf line 2: $gpu: mvgpu-bochs did not take it$}m,
		'as far as that goes with files for a kernel';
	($said, $told) = appears($r, $command, "$gpu other\n");
	like $told, qr/other|\Q$gpu\E/, "to somebody else's driver, too";
	my $nic = "$sysfs\ncd /sys/devices/pci0000:00/$gpu; echo 0x020000 >class; echo 0x8086 >vendor\n"
		. "printf '%s' '$gpu other' >$conf; $all";
	like((run($r, $nic))[1], qr{^mvgpuctl: $conf line 1: $gpu: other takes no PCI device that is no GPU, as 8086:1111$}m,
		'but no network card');
	is((run($r, $read_told))[1], '', 'which is left alone');
	my $no_module = "$sysfs\nrmdir /sys/bus/pci/drivers/mvgpu-bochs\n"
		. "printf '%s' '$gpu mvgpu-bochs' >$conf; $all";
	my $missing = qr{$conf line 1: module mvgpu-bochs: it is not installed.*};
	like((run($r, $no_module))[1], qr{^mvgpuctl: $missing\nmvgpuctl: -> .*; dkms autoinstall$}m,
		'without the module, DKMS is what to ask');
	is((run($r, $read_told))[1], '', 'and the GPU is left alone');
	my $turn = "flock /run/mvgpu/$gpu.lock timeout 5 $command";
	is((run($r, "printf '%s' '$gpu mvgpu-edu' >$conf; mkdir -p /run/mvgpu; $turn"))[0], 124,
		'who adopts a GPU waits while somebody else does');
	works($r, 'systemd-analyze verify --man=no mvgpu-adopt.service', 'systemd understands the service');
	like((run($r, "systemctl is-enabled mvgpu-adopt.service"))[1], qr/^enabled/m, 'which is enabled');
	my ($condition) = (run($r, 'cat /usr/lib/systemd/system/mvgpu-adopt.service'))[1] =~ /^ExecCondition=(.*)$/m;
	for ([$shipped, 1, 'not with the list as it comes'], ["$shipped \n $gpu mvgpu-bochs\n", 0, 'but with a GPU in it']) {
		my ($list, $status, $name) = @$_;

		is((run($r, "printf '%s' '$list' >$conf\n$condition"))[0], $status, "it runs $name");
	}
}

# Of what is loaded, only what no device needs is unloaded
sub check_removal($r)
{
	works($r, $sysfs . <<~'EOS', 'two modules are loaded, one has a device');
		mkdir -p /sys/module/mvgpu_bochs/drivers /sys/module/mvgpu_edu/drivers
		ln -s ../../../bus/pci/drivers/mvgpu-bochs /sys/module/mvgpu_bochs/drivers/pci:mvgpu-bochs
		ln -s ../../../bus/pci/drivers/mvgpu-edu /sys/module/mvgpu_edu/drivers/pci:mvgpu-edu
		ln -s ../../../../module/mvgpu_bochs /sys/bus/pci/drivers/mvgpu-bochs/module
		ln -s ../../../../module/mvgpu_edu /sys/bus/pci/drivers/mvgpu-edu/module
		ln -s ../../../../devices/pci0000:00/0000:00:02.0 /sys/bus/pci/drivers/mvgpu-bochs
		mv /usr/sbin/rmmod /tmp/rmmod.real
		printf '#!/bin/sh\necho "$@" >>/tmp/rmmod\n' >/usr/sbin/rmmod
		chmod +x /usr/sbin/rmmod
		EOS
	my $text = guide($r, qr/^apt remove/, 'they are removed');
	my $advice = qr/mvgpu-dkms: -> mvgpuctl release \Q$gpu\E\nmvgpu-dkms: -> rmmod mvgpu-bochs$/m;
	like $text, qr/^mvgpu-dkms: mvgpu-bochs stays loaded, it has \Q$gpu\E\n$advice/m,
		'a module that has a GPU stays, and what to type is said';
	is((run($r, 'cat /tmp/rmmod'))[1], "mvgpu-edu\n", 'an unused one is unloaded');
	is_deeply installed($r), [], 'the modules are gone';
	works($r, "test -e $conf", "the operator's list is not");
	works($r, 'mv /tmp/rmmod.real /usr/sbin/rmmod', 'rmmod is itself again');
	guide($r, qr/^apt purge/, 'they are purged');
}

# What the checks above would say of sources that do not compile
sub check_broken($r)
{
	works($r, <<~"EOS", 'a package with an error in its sources is made');
		cd /build
		dpkg-deb -R mvgpu-dkms_*.deb broken
		echo '#error' >>broken/usr/src/mvgpu-$version/mdev/parent.c
		dpkg-deb -b broken broken.deb
		EOS
	my ($status, $text) = run($r, 'dpkg -i /build/broken.deb');
	isnt $status, 0, 'it can not be installed';
	is_deeply installed($r), [], 'and there are no modules';
	works($r, 'dpkg -P mvgpu-dkms', 'it can be removed all the same');
}

for my $kernel (grep { ($ENV{MVGPU_KERNEL} // $_) eq $_ } sort keys %suite) {
	my $r = new_release($kernel);

	subtest "$suite{$kernel}: $r->{kernel}" => sub { check_release($r) };
	system @in_ns, 'rm', '-rf', $r->{dir} unless $ENV{MVGPU_KEEP};
}

done_testing;
