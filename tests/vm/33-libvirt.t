#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A stranger on a bare Debian 13 types what the operator's guide says, from git clone on, and gets
# a guest of libvirt that draws on the physical screen; what comes before the first boot has been
# typed by provision. Then vGPUs as libvirt and mdevctl have them: what virsh says of a GPU is what
# sysfs says; what libvirt's guide types makes vGPUs that are there again after a reboot, and guests
# that draw on the physical screen, unprivileged and confined; what Nova and KubeVirt look for is
# there; and what is said of mistakes is in the guide, too.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Domain;
use MVGPU::Guide qw(blocks_for slurp);
use MVGPU::Png;
use MVGPU::Rig;
use Test::More;

use constant { MIB => 1 << 20, GIB => 1 << 30, PAGE => 4096 };

my $root = "$FindBin::Bin/../..";
my $rig = MVGPU::Rig->new(root => 'libvirt', kernel => '6.12', mem => 3072,
	gpus => ['bochs-display,vgamem=64M,id=gpu0', 'virtio-gpu-pci,max_outputs=4,id=gpu1']);
$rig->boot;
like $rig->must('dkms status mvgpu'), qr/\Q@{[$rig->release]}\E.*: installed$/m,
	'what the guides say has put modules there';
my ($bochs) = $rig->find_pci('1234:1111');
my ($virtio) = $rig->find_pci('1af4:1050');

sub node($bdf) { return 'pci_' . $bdf =~ tr/:./__/r }
sub mdev($uuid, $bdf) { return "mdev_${uuid}_$bdf" =~ tr/-:./___/r }
sub virsh($command) { return $rig->must("virsh $command") }
sub lines($command) { return virsh($command) =~ s/\n+\z//r }

# ---- the guide -------------------------------------------------------------------

# Blocks of a guide that are ours to run; its GPUs are ours
my %address = ('0000:00:02.0' => $bochs, '0000:00:04.0' => $virtio);
%address = (%address, map { tr/:./__/r } %address);
sub blocks($guide)
{
	return map { $_->{text} =~ s/(0000[:_]00[:_]0[24][._]0)/$address{$1}/gr }
		blocks_for('tests/vm/33-libvirt.t', "$root/$guide");
}

my $guide = 'docs/libvirt.md';
my @blocks = (blocks('docs/operators.md'), blocks($guide));

# The one with this in it
sub block($like) { return (grep { /$like/ } @blocks)[0] // die "the guide has no block like $like\n" }

# What a reader types, in one directory
sub type($like, $name)
{
	open my $fh, '>', $rig->shared('block') or die "block: $!\n";
	print $fh block($like);
	close $fh;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $rig->ok('mkdir -p /root/guide && cd /root/guide && bash -e /rig/block 2>&1', $name);
}

# ---- what is there ----------------------------------------------------------------

sub vgpus { return [sort split ' ', $rig->must('ls /sys/bus/mdev/devices')] }

# Of a vGPU that nobody has, or of one that a guest has let go of
sub free($uuid, $name)
{
	my ($status, $said) = $rig->run("mvgpuctl list vgpus | grep '^$uuid.* -\$'");

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $status, 0, $name;
	$rig->nothing_held($uuid, $name);
}

sub wait_free($uuid, $name)
{
	$rig->wait_for("mvgpuctl list vgpus | grep '^$uuid.* -\$'", 30);
	free($uuid, $name);
}

# XML that creates a vGPU
sub device($bdf, $type, $uuid, @attributes)
{
	my $attributes = join '', map { "<attr name='$_->[0]' value='$_->[1]'/>" } @attributes;

	return "<device><parent>@{[$bdf =~ /^pci_/ ? $bdf : node($bdf)]}</parent><capability type='mdev'>"
		. "<type id='$type'/><uuid>$uuid</uuid>$attributes</capability></device>\n";
}

# Of the guide, and another, on the Bochs display
my ($uuid) = block('nodedev-define') =~ m{<uuid>(.*)</uuid>};
my $second = MVGPU::Rig->uuid;

subtest 'before' => sub {
	is virsh('nodedev-list --cap mdev_types'), '', 'a GPU that is not adopted is no parent';
	$rig->fails("mdevctl start -u $uuid -p $virtio -t virtio-pci-1h64m", 'mdevctl knows none either',
		qr/No such file or directory/);
	like +($rig->run('mvgpuctl doctor'))[1], qr/-> mvgpuctl adopt $virtio$/m, 'doctor knows what to type';
};

# ---- a stranger -------------------------------------------------------------------

subtest 'the first guest' => sub {
	my $had = $rig->driver_of($bochs);
	my $typed = slurp("$root/build/libvirt/6.12/typed");
	like $typed, qr/\Q@{[block($_)]}\E/, "typed as it stands there: $_"
		for 'git clone', 'apt install ./build';
	my $first = $rig->domain(name => 'first', disk => '/var/lib/libvirt/images/guest.img',
		typed => sub { type('virt-install', 'the guest is made, and started') });
	is $rig->driver_of($bochs), 'mvgpu-bochs', 'its GPU is adopted';
	$first->ok('ls /sys/bus/pci/drivers/bochs-drm | grep -q :', "the guest's stock driver has the vGPU");
	my $picture = $first->draw('the first guest');
	$rig->shows($picture, 'the physical screen shows what it draws', device => 'gpu0', head => 0);
	type('mvgpuctl screenshot', 'an operator makes a picture of that');
	$rig->must('cp /root/guide/first.png /rig');
	is MVGPU::Png::read($rig->shared('first.png'))->difference($picture), 'none', 'every pixel';
	$first->clean_dmesg;
	$first->destroy;
	type('virsh undefine', 'the GPU is given back');
	is_deeply vgpus(), [], 'no vGPU is left';
	is $rig->driver_of($bochs), $had, 'the GPU is whose it was';
};

# ---- libvirt's guide ------------------------------------------------------------

subtest 'parents' => sub {
	type('adopt --list', 'they are adopted');
	ok defined $rig->wait_for('[ $(virsh nodedev-list --cap mdev_types | grep -c .) = 2 ]', 30),
		'libvirt has seen it';
	is lines('nodedev-list --cap mdev_types'), join("\n", sort map { node($_) } $bochs, $virtio),
		'which are they';
	for my $bdf ($bochs, $virtio) {
		my $xml = virsh('nodedev-dumpxml ' . node($bdf));
		my %type;

		$type{$1} = [$2, $3, $4] while $xml =~ m{<type\ id='(.*?)'>\s*<name>(.*?)</name>\s*
			<deviceAPI>(.*?)</deviceAPI>\s*<availableInstances>(.*?)</availableInstances>}gx;
		my %should = map { my ($id, @of) = split /\|/; ($id => \@of) } split /\n/, $rig->must(
			"cd /sys/class/mdev_bus/$bdf/mdev_supported_types && for t in *; do "
			. 'echo "$t|$(cat $t/name)|$(cat $t/device_api)|$(cat $t/available_instances)"; done');
		is scalar keys %type, 4, "$bdf has four types";
		is_deeply \%type, \%should, 'as sysfs says';
	}
};

subtest 'vGPUs' => sub {
	type('nodedev-define', 'one is defined, marked for autostart, started');
	is $rig->vgpu($uuid, 'weight'), 300, 'its attribute is set';
	my $name = mdev($uuid, $virtio);
	virsh("nodedev-destroy $name");
	is_deeply vgpus(), [], 'nodedev-destroy removes it';
	virsh("nodedev-start $name");
	is $rig->vgpu($uuid, 'weight'), 300, 'nodedev-start creates it again, as it was';
	my ($status) = MVGPU::Domain::virsh($rig, 'nodedev-create',
		device($bochs, 'mvgpu-bochs-16m', $second, ['mvgpu/foreground', 1]));
	is $status, 0, 'another is created';
	is $rig->foreground($bochs), $second, 'with an attribute';
	like virsh('nodedev-dumpxml ' . node($bochs)), qr{'mvgpu-bochs-16m'>.*?<availableInstances>2<}s,
		'there is one less';
	type('mdevctl define', 'so does mdevctl');
	is_deeply vgpus(), [sort $uuid, $second], 'and leaves none behind';
};

subtest 'Nova' => sub {
	my $conf = block('enabled_mdev_types');
	my ($types) = $conf =~ /^enabled_mdev_types = (.*)$/m;

	for my $type (split /, /, $types) {
		my ($bdf) = $conf =~ /^\[mdev_\Q$type\E\]\ndevice_addresses = (.*)$/m;

		like virsh('nodedev-dumpxml ' . node($bdf)), qr{<type id='\Q$type\E'>}, "$type is a type of $bdf";
		$rig->ok("test -w /sys/class/mdev_bus/$bdf/mdev_supported_types/$type/create",
			'and can be created the way that Nova does it');
	}
	is scalar split(/, /, $types), 2, 'which the guide says of two';
};

# What virt-handler makes of a type's or a vGPU's name
sub selector($path) { return $rig->read_file($path) =~ tr/ /_/r }

subtest 'KubeVirt' => sub {
	my ($type) = block('mediatedDeviceTypes:') =~ /^ *mediatedDeviceTypes:\n *- (\S+)$/m;
	my ($selector, $resource) = block('mdevNameSelector')
		=~ /mdevNameSelector: "(.*)"\n *resourceName: (\S+)$/m;
	my ($requested) = block('deviceName:') =~ /deviceName: (\S+)$/m;
	my $types = "/sys/class/mdev_bus/$virtio/mdev_supported_types/$type";

	is $rig->must("ls -d /sys/class/mdev_bus/*/mdev_supported_types/$type"), $types, 'the type has one parent';
	is selector("$types/name"), $selector, 'the selector is its name';
	is selector("/sys/bus/mdev/devices/$uuid/mdev_type/name"), $selector, 'and that of its vGPUs';
	is $rig->must("basename \$(dirname \$(readlink /sys/bus/mdev/devices/$uuid))"), $virtio,
		'the link to a vGPU names the parent';
	like $rig->must("readlink /sys/bus/mdev/devices/$uuid/iommu_group"), qr{/\d+$}, 'it has an IOMMU group';
	like $rig->must("cat /sys/bus/pci/devices/$virtio/numa_node"), qr/^-?\d+$/, 'and the parent a NUMA node';
	is $requested, $resource, 'what a guest asks for is what is permitted';
	# As many as fit
	my @filled = map { MVGPU::Rig->uuid } 1 .. $rig->must("cat $types/available_instances");
	$rig->must("echo $_ >/sys/bus/pci/devices/$virtio/mdev_supported_types/$type/create") for @filled;
	is $rig->must("cat $types/available_instances"), 0, 'the parent can be filled';
	$rig->remove_vgpu($_) for @filled;
	cmp_ok scalar @filled, '>', 1, 'with several';
};

# ---- guests ----------------------------------------------------------------------

my @physical = (device => 'gpu1', head => 0);
my $guest;

# How a domain's QEMU is confined
sub limit($guest, $which)
{
	return ($rig->must("grep 'Max $which' /proc/$guest->{pid}/limits") =~ /(\d+) +(\d+) +\w+ *$/)[0];
}

subtest 'a guest with a display' => sub {
	$guest = $rig->domain(name => 'display', vgpu => $uuid, display => 1, modules => ['virtio_gpu']);
	my $picture = $guest->draw('with a display');
	$rig->shows($picture, 'the physical screen shows its picture', @physical);
	$guest->shows($picture, 'so does libvirt');
	isnt $guest->screendump->differing(MVGPU::Image->picture('another', 1280, 800)), 0,
		'which would notice another';

	my $status = $rig->read_file("/proc/$guest->{pid}/status");
	my $user = $rig->must('id -u libvirt-qemu');
	like $status, qr/^Uid:\s+$user\s+$user\s+$user\s+$user$/m, 'QEMU is run by a user of its own';
	like $status, qr/^CapEff:\s+0+$/m, 'without capabilities';
	my ($profile) = $rig->read_file("/proc/$guest->{pid}/attr/current") =~ /^(libvirt-[0-9a-f-]{36}) \(enforce\)$/;
	ok $profile, 'under an AppArmor profile';
	my $denied = "journalctl -k -b | grep 'apparmor=.DENIED.*profile=.$profile'";
	$rig->fails($denied, 'which it has not run into');
	$rig->fails("aa-exec -p $profile -- cat /etc/shadow", 'as who reads what is not its own would',
		qr/denied/);
	ok defined $rig->wait_for($denied, 30), 'with a line in the log';
	like $rig->read_file("/proc/$guest->{pid}/cgroup"), qr{/machine\.slice/machine-qemu}, 'in its cgroup';
	unlike virsh('dumpxml display'), qr/memtune|<locked/, 'the definition says nothing of locked memory';
	my $limit = limit($guest, 'locked memory');
	is $limit, 256 * MIB + GIB, 'which libvirt limits to the guest and 1 GiB';
	my $pinned = $rig->vgpu($uuid, 'pinned') * PAGE;
	cmp_ok $pinned, '>', 0, 'memory is pinned';
	cmp_ok $pinned, '<=', 256 * MIB, 'no more than the guest has';
	is $rig->vgpu($uuid, 'quota') * PAGE, $limit, 'the quota follows the limit';

	$rig->fails("virsh nodedev-destroy @{[mdev($uuid, $virtio)]}", 'a vGPU in use is not removed',
		qr/device in use/);
	my (undef, $said) = MVGPU::Domain::virsh($rig, 'detach-device display', $guest->hostdev_xml($uuid));
	ok defined $rig->wait_for("[ \$(cat /sys/bus/mdev/devices/$uuid/mvgpu/pinned) = 0 ]", 60),
		'when it is unplugged, nothing stays pinned' or diag $said;
	is $rig->vgpu($uuid, 'mode'), 'off', 'and nothing is shown';
	isnt $rig->screendump(@physical)->differing($picture), 0, 'on the physical screen either';
	is $guest->must('echo alive'), 'alive', 'and lives';
	$guest->destroy;
	free($uuid, 'destroyed by force');
};

subtest 'a guest as KubeVirt makes it' => sub {
	$guest = $rig->domain(name => 'kubevirt', vgpu => $second, display => 1, ramfb => 1);
	my $picture = $guest->draw('as KubeVirt makes it');
	$rig->foreground($bochs, $second);
	$rig->shows($picture, 'the screen of a Bochs display shows its picture', device => 'gpu0', head => 0);
	$guest->shows($picture, 'so does libvirt');
	$guest->destroy;
	free($second, 'destroyed by force');
};

subtest 'a guest that runs' => sub {
	$guest = $rig->domain(name => 'guest', modules => ['virtio_gpu']);
	cmp_ok limit($guest, 'locked memory'), '<', 256 * MIB, 'without a vGPU it can lock little';
	for my $round (1 .. 2) {
		type('attach-device', "it gets a vGPU, round $round");
		is limit($guest, 'locked memory'), 256 * MIB + GIB, 'and may lock what that takes';
		ok defined $guest->wait_for('ls /dev/dri/card*', 60), 'its driver has it';
		my $picture = $guest->draw("round $round");
		$rig->shows($picture, 'the physical screen shows its picture', @physical);
		cmp_ok $rig->vgpu($uuid, 'pinned'), '>', 0, 'from its own memory';
		last if $round == 2;
		$guest->undraw;
		type('detach-device', 'it gives it back');
		wait_free($uuid, 'unplugged');
		is $guest->must('echo alive'), 'alive', 'and lives';
	}
};

subtest 'too little locked memory' => sub {
	$guest->undraw;
	my $before = $rig->vgpu($uuid, 'errors');
	$rig->must("prlimit --pid $guest->{pid} --memlock=65536:");
	$guest->run('draw -f limited', quiet => 1);
	isnt $rig->vgpu($uuid, 'errors'), $before, 'what is over the limit is refused';
	like +($rig->run('mvgpuctl doctor'))[1], qr/$uuid: mappings .* refused.*\n *-> raise the VMM's limit of locked/,
		'and doctor names the limit';
	$guest->destroy;
	free($uuid, 'destroyed by force');
};

# ---- a reboot --------------------------------------------------------------------

subtest 'a reboot' => sub {
	my ($status, $said) = $rig->run('cd /root/guide && virsh attach-device guest hostdev.xml --config && '
		. 'virsh autostart guest');
	is $status, 0, 'the guest is to have its vGPU and to start at boot' or diag $said;
	$rig->clean_dmesg;
	$rig->reboot;
	is $rig->driver_of($bochs), 'mvgpu-bochs', 'the GPUs are adopted';
	is_deeply vgpus(), [$uuid], 'the vGPU that was marked is there, no other';
	is $rig->vgpu($uuid, 'weight'), 300, 'with its attribute';
	is lines('list --name'), 'guest', 'the guest has been started'
		or diag $rig->must('journalctl -b -t libvirtd -t mdevctl -t mvgpuctl');
	$guest->follow->wait_boot;
	$rig->shows($guest->draw('after a reboot'), 'the physical screen shows its picture', @physical);
	$guest->clean_dmesg;
	$guest->destroy;
	free($uuid, 'destroyed by force');
};

# ---- mistakes --------------------------------------------------------------------

my $text = slurp("$root/$guide");

# It fails, says so in words that the guide explains
sub refused($words, $status, $said, $name)
{
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok $status && $said =~ /$words/, $name or diag "status $status\n$said";
	like $text, qr/^\|[^|]*"$words/m, 'which is in the guide';
}

sub create($what, @device)
{
	return MVGPU::Domain::virsh($rig, "nodedev-$what", device(@device));
}

subtest 'mistakes' => sub {
	my $new = MVGPU::Rig->uuid;
	my $type = 'mvgpu-bochs-32m';

	virsh("nodedev-destroy @{[mdev($uuid, $virtio)]}");
	is +(create('create', $bochs, $type, $new))[0], 0, 'there is a vGPU';
	refused('No available instances', create('create', $bochs, $type, MVGPU::Rig->uuid), 'type full');
	like $rig->must('mvgpuctl list types'), qr/^$bochs +$type +0 +1 /m, 'mvgpuctl shows it';
	refused('does not support mdev type', create('create', $bochs, 'mvgpu-bochs-64m', MVGPU::Rig->uuid),
		'no such type');
	refused('Invalid uuid', create('define', $bochs, $type, substr $new, 1), 'a typo in a UUID');
	refused('invalid value', $rig->run("mdevctl start -u ${new}x -p $bochs -t $type"), 'in one for mdevctl');
	refused('Device exists with different type', create('create', $bochs, 'mvgpu-bochs-4m', $new),
		'a UUID twice');
	refused('Unable to find parent device', create('create', 'pci_0000_00_00_0', $type, MVGPU::Rig->uuid),
		'a parent that is none');
	refused('invalid parent device', create('create', 'pci_0000_00_99_0', $type, MVGPU::Rig->uuid),
		'a parent that is not there');
	refused('Invalid attribute', create('create', $bochs, 'mvgpu-bochs-4m', MVGPU::Rig->uuid,
		['mvgpu/wieght', 3]), 'a typo in an attribute');
	my $wrong = MVGPU::Rig->uuid;
	refused('Failed to write', create('create', $virtio, 'virtio-pci-1h64m', $wrong, ['mvgpu/weight', 99999]),
		'an attribute out of its range');
	like scalar $rig->must('dmesg'), qr/$wrong: weight: not a number from 1 to 10000/, 'the log says more';
	is_deeply vgpus(), [$new], 'none of these has left a vGPU behind';
	$rig->fails('virsh start guest', 'a guest whose vGPU is not there', qr/mediated device '.*$uuid' not found/);
	like $text, qr/"mediated device \.\.\. not found"/, 'is in the guide';
	$rig->remove_vgpu($new);
};

# What was there after the other reboot was there because of the list.
subtest 'a reboot without the list' => sub {
	$rig->clean_dmesg;
	$rig->must('rm /etc/mvgpu/adopt.conf');
	$rig->reboot;
	is lines('nodedev-list --cap mdev_types'), '', 'no GPU is a parent';
	is lines('nodedev-list --cap mdev'), '', 'there is no vGPU';
	is lines('nodedev-list --cap mdev --inactive'), mdev($uuid, $virtio), 'but it is still defined';
	is lines('list --name'), '', 'the guest has not been started';
	$rig->fails('virsh start guest', 'nor can it be', qr/mediated device '.*$uuid' not found/);
	virsh("nodedev-undefine @{[mdev($uuid, $virtio)]}");
	is lines('nodedev-list --cap mdev --inactive'), '', 'what is undefined is forgotten';
};

$rig->clean_dmesg;
$rig->stop;
done_testing;
