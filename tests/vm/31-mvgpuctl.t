#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# mvgpuctl as operators use it: a bochs-display and virtio-gpus are adopted, shared, watched
# and given back. What it says as JSON is compared with what sysfs says, what it takes for a
# screenshot with what the guest has drawn; each mistake gets its exit status, its reason
# and the next command.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Ctl;
use MVGPU::Png;
use MVGPU::Rig;
use JSON::PP;
use Test::More;

my $rig = MVGPU::Rig->new(
	gpus => ['bochs-display,vgamem=64M,id=gpu0',
		'virtio-gpu-pci,max_outputs=2,iommu_platform=on,id=gpu1',
		'virtio-gpu-pci,iommu_platform=off,id=gpu2', 'edu'],
	iommu => 'intel,caching-mode=off', append => 'iommu.strict=1',
);
$rig->boot;
my $ctl = ctl_of($rig);
$rig->load_modules(qw(virtio_gpu mvgpu mvgpu-bochs));
my ($bochs) = $rig->find_pci('1234:1111');
my ($edu) = $rig->find_pci('1234:11e8');
my ($virtio, $bypassing) = $rig->find_pci('1af4:1050');
# Below which of the two devices depends on the kernel.
my $drm = "/sys/bus/pci/devices/$virtio/{,virtio*/}drm/card*";
my $card = $rig->wait_for("cd /dev/dri && bash -c 'ls -d $drm' 2>/dev/null | sed -n s,.*/,,p | grep .")
	// $rig->trouble('no DRM device');
chomp $card;

# What sysfs says of a vGPU's attributes, as JSON would have it
sub attributes($uuid)
{
	my %is;

	for (split /\n/, $rig->must("cd /sys/bus/mdev/devices/$uuid/mvgpu && grep . *")) {
		my ($name, $value) = /^(\w+):(.*)$/;
		if ($name eq 'errors') {
			my ($kind, $count) = split ' ', $value;
			$is{errors}{$kind} = $count;
		} else {
			$is{$name} = $value eq 'max' ? undef : $value;
		}
	}
	return \%is;
}

sub plain($attributes)
{
	return { map { $_ => JSON::PP::is_bool($attributes->{$_}) ? 0 + $attributes->{$_}
		: $attributes->{$_} } keys %$attributes };
}

subtest 'before anything is adopted' => sub {
	my $list = json('list');
	is_deeply [sort map { $_->{address} } $list->{gpus}->@*],
		[sort $bochs, $edu, $virtio, $bypassing], 'every GPU that a vendor driver knows';
	is_deeply $list->{parents}, [], 'none is a parent';
	my ($gpu) = grep { $_->{address} eq $virtio } $list->{gpus}->@*;
	is_deeply [@$gpu{qw(driver iommu ids kind)}], ['virtio_gpu', 'translates', '1af4:1050', 'virtio-gpu'],
		'driver, IOMMU, IDs';
	($gpu) = grep { $_->{address} eq $bypassing } $list->{gpus}->@*;
	is $gpu->{iommu}, 'bypassed', 'virtio without access_platform bypasses the IOMMU';
	refuses("create $bochs mvgpu-bochs-16m", MISSING, "$bochs: it is no parent", "mvgpuctl adopt $bochs");
	refuses("adopt $virtio", MISSING, 'mvgpu-virtio: it is not installed', 'make install',
		'the module is missing');
	refuses("adopt $edu", MISSING, 'mvgpu-edu: it is not installed', 'make install');
	my ($status, $out) = ctl('doctor');
	is $status, MISSING, 'doctor says that something blocks';
	like $out, qr/^FAIL +module +mvgpu-virtio is not installed/m, 'namely the module';
	like $out, qr/^ok +module +mvgpu-bochs is loaded/m, 'not the other one';
	like $out, qr/-> mvgpuctl adopt $bochs$/m, 'and what to type';
};

subtest 'mistakes with what can be adopted' => sub {
	$rig->load_modules('mvgpu-virtio');
	refuses('adopt 0000:00:99.0', NOT_FOUND, 'no such GPU', qr/did you mean 0000:00|list gpus/);
	refuses('adopt 0000:00:00.0', NOT_FOUND, 'no vendor driver knows a PCI device 8086:', 'list gpus');
	refuses("adopt --need-iommu $bypassing", MISSING, "$bypassing: no IOMMU keeps it.*bypassed",
		'iommu_platform=on', 'no IOMMU where one is wanted');
	refuses('adopt', USAGE, 'name one GPU', 'mvgpuctl help adopt');
	refuses("adopt --drvier=x $bochs", USAGE, 'no option --drvier', 'help adopt');
	$rig->load_modules('vfio-pci');
	refuses("adopt --driver=vfio-pci $edu", REFUSED, "$edu: vfio-pci took it, but makes no parent of it",
		'list gpus', 'a driver that shares nothing');
	is driver($edu), '', 'which has it no more';
	refuses("adopt --driver=mvgpu-bochs $edu", REFUSED, "$edu: mvgpu-bochs did not take it",
		'the kernel says: .*1234:11e8 is no GPU for mvgpu-bochs', 'the wrong driver');
	is $rig->read_file("/sys/bus/pci/devices/$edu/driver_override"), '(null)', 'which is undone';
	refuses("release $bochs", NOT_FOUND, "$bochs: it is no parent", 'list parents');

	my $pid = $rig->must("sleep 1000 </dev/dri/$card >/dev/null 2>&1 & echo \$!");
	refuses("adopt $virtio", BUSY, "sleep \\(pid $pid\\) has /dev/dri/$card open", 'adopt --force',
		'a GPU that a program uses');
	$rig->run("kill $pid");

	my $pci = "/sys/bus/pci/drivers";
	$rig->must("echo $bypassing >$pci/virtio-pci/unbind");
	refuses("adopt $bypassing", MISSING, 'needs the virtio device that virtio-pci makes',
		'virtio-pci/bind', 'the wrong driver is bound');
	$rig->must("echo $bypassing >$pci/virtio-pci/bind");
};

subtest 'adopt' => sub {
	my $short = $bochs =~ s/^0000://r;
	works("adopt $short", 'by a short address', qr/$bochs: mvgpu-bochs has it now/);
	is driver($bochs), 'mvgpu-bochs', 'mvgpu-bochs has it';
	works("adopt $bochs", 'once more is fine', qr/mvgpu-bochs has it now/);
	works("adopt --need-iommu $bochs", 'this one is behind an IOMMU', qr/mvgpu-bochs has it now/);
	works("adopt $bypassing", 'one that is not', qr/mvgpu-virtio has it now/);
	refuses("adopt --need-iommu $bypassing", MISSING, "$bypassing: no IOMMU keeps it.*bypassed",
		'iommu_platform=on', 'though it is a parent, with --need-iommu');
	works("release $bypassing", 'it is given back', qr/virtio_gpu has it now/);
	my $gpu = json("adopt $virtio")->{gpu};
	is $gpu->{driver}, 'mvgpu-virtio', 'mvgpu-virtio has the other';
	is_deeply [map { $_->{id} } $gpu->{types}->@*],
		[map { "virtio-pci-$_" } qw(0h32m 1h64m 1h128m 2h256m)], 'it offers its types';
	for my $type ($gpu->{types}->@*) {
		my $dir = "/sys/bus/pci/devices/$virtio/mdev_supported_types/$type->{id}";
		is $type->{available}, $rig->read_file("$dir/available_instances"), "$type->{id}: free";
		is $type->{name}, $rig->read_file("$dir/name"), 'name';
		is $type->{description}, $rig->read_file("$dir/description"), 'description';
	}
	is $gpu->{attributes}{memory}, $rig->read_file("/sys/bus/pci/devices/$virtio/mvgpu/memory"),
		'memory';
};

my (@web, $v);
subtest 'create' => sub {
	my $created = json("create -n 2 --name web $bochs 16m")->{created};
	@web = map { $_->{uuid} } @$created;
	is_deeply [map { $_->{name} } @$created], ['web-1', 'web-2'], 'two with names';
	is_deeply plain($_->{attributes}), attributes($_->{uuid}), 'their attributes are those of sysfs'
		for @$created;
	$v = works("create $virtio virtio-pci-1h64m");
	like $v, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'one with a random UUID';
	is json("show @{[substr $v, 0, 8]}")->{vgpu}{uuid}, $v, 'found by the start of it';
	is json('show web-2')->{vgpu}{uuid}, $web[1], 'found by a name';
	my $given = MVGPU::Rig->uuid;
	is works("create -u \U$given\E $bochs 4m"), $given, 'one with a UUID that is given';
	my $list = json('list vgpus')->{vgpus};
	is_deeply [sort map { $_->{uuid} } @$list], [sort @web, $v, $given], 'list has them all';
	works("remove $given");
	$rig->fails("ls /sys/bus/mdev/devices/$given", 'a removed one is gone', qr/No such file/);

	refuses("create -u $given-7 $bochs 4m", USAGE, 'that is no UUID', 'leave --uuid out');
	refuses("create -u $v $virtio 1h64m", BUSY, "$v: it exists already", "show $v");
	refuses("create --name web-1 $bochs 4m", BUSY, 'web-1: it exists already', 'show web-1');
	refuses("create --name 7up $bochs 4m", USAGE, "'7up' is no name", 'help create');
	refuses("create $bochs 16n", NOT_FOUND, 'no type 16n', 'did you mean 16m\?');
	refuses("create -n 3 $bochs 16m", BUSY, '3 of type mvgpu-bochs-16m do not fit: 1 is free',
		'mvgpuctl create -n 3 .* mvgpu-bochs-4m', 'more than fit');
	refuses("create -n many $bochs 16m", USAGE, "--count: 'many' is not a number", 'help create');
	my $pending = 'use POSIX; sigprocmask(SIG_BLOCK, POSIX::SigSet->new(SIGINT)); kill INT => $$; exec @ARGV';
	my ($status, $said) = $rig->run("perl -e '$pending' $ctl create -n 2 $bochs 4m 2>&1");
	is $status, 7, 'one that is interrupted fails';
	like $said, qr/^mvgpuctl: $bochs: interrupted\nmvgpuctl: 1 that had been created is removed again$/m,
		'and undoes what it has done';
	is scalar json('list vgpus')->{vgpus}->@*, 3, 'nothing was created by mistake';
};

subtest 'mistakes with vGPUs' => sub {
	my $typo = $v =~ s/(.)$/$1 eq '0' ? 1 : 0/er;
	refuses("show $typo", NOT_FOUND, "vGPU $typo: there is none", "did you mean $v\\?", 'a typo in a UUID');
	refuses('show wbe-1', NOT_FOUND, 'wbe-1: there is none', 'did you mean web-[12]\?', 'or in a name');
	refuses('remove nonsense', NOT_FOUND, 'nonsense: there is none', 'list vgpus');
	refuses("remove -n 5 $bochs", NOT_FOUND, 'only 2 vGPUs are idle', 'list vgpus');
	refuses("release $bochs", BUSY, 'it has 2 vGPUs', "remove --count=2 $bochs");
	refuses('shwo', USAGE, 'no command shwo', 'did you mean show\?');
	my ($status, $out) = ctl("--json show $typo");
	my $error = decode_json($out)->{error};
	is $status, NOT_FOUND, 'with --json, the status is the same';
	is $error->{status}, NOT_FOUND, 'and told';
	like $error->{message}, qr/there is none/, 'the message';
	like $error->{advice}, qr/did you mean $v/, 'and the advice';
};

subtest 'set' => sub {
	works("set $v weight=300 quota=64M");
	is $rig->vgpu($v, 'weight'), 300, 'weight';
	is $rig->vgpu($v, 'quota'), 64 << 8, 'quota: a size is turned into pages';
	works("set $v quota=2K");
	is $rig->vgpu($v, 'quota'), 1, 'less than a page is one, not the default';
	works("set $v quota=max");
	is $rig->vgpu($v, 'quota'), 'max', 'no quota';
	works('set web-1 foreground=yes');
	is $rig->foreground($bochs), $web[0], 'the screen shows web-1';
	works("set $bochs foreground=web-2");
	is $rig->foreground($bochs), $web[1], 'the screen shows web-2';
	is json("show $bochs")->{gpu}{attributes}{foreground}, $web[1], 'and show says so';
	is json("set $virtio memory=512M")->{attributes}{memory}, 512 << 20, 'memory of the parent';
	my $device = $rig->must("cd /sys/bus/pci/devices/$virtio && echo virtio*");
	is json("set $device memory=256M")->{attributes}{memory}, 256 << 20, 'by the name of its virtio device';

	refuses("set $v weight=0", USAGE, 'weight=0: not a number from 1 to 10000', 'help set');
	refuses("set $v quota=lots", USAGE, 'quota=lots: not a number of pages', 'help set');
	refuses("set $v wieght=7", NOT_FOUND, 'no attribute wieght', 'did you mean weight\?');
	refuses("set $v pinned=7", NOT_FOUND, "can't be given an attribute pinned", 'help set');
	refuses('set web-1 weight=7', NOT_FOUND, "can't be given an attribute weight", 'help set');
	refuses("set $v weight", USAGE, "not of the form", 'help set');
	refuses("set $bochs foreground=web-3", NOT_FOUND, 'web-3: there is none', 'did you mean');
	refuses("set $virtio memory=1M", BUSY, 'memory=1048576: .*busy', 'the kernel says: .*vGPUs own');
	refuses("set $bochs foreground=$v", NOT_FOUND, 'foreground=', "the kernel says: .*$bochs.*no vGPU");
	is $rig->vgpu($v, 'weight'), 300, 'nothing has changed';
};

# Who only names a vGPU's file does not have it open, whatever the name; and a name with control
# characters in it is not printed.
subtest 'who pretends' => sub {
	my $group = $rig->must("basename \$(readlink /sys/bus/mdev/devices/$web[0]/iommu_group)");
	my $file = "/dev/vfio/$group";
	my $open = sub ($who, $how, $before = '') {
		open my $fh, '>', $rig->shared($who) or die "$who: $!\n";
		print $fh <<~"EOF";
			open my \$comm, '>', '/proc/self/comm';
			syswrite \$comm, "\\e[31m\\nroot";
			sysopen my \$fh, '$file', $how or die "$file: \$!";
			sleep 1000;
			EOF
		close $fh;
		my $pid = $rig->must("$before perl /rig/$who </dev/null >/tmp/$who 2>&1 & echo \$!");
		ok defined $rig->wait_for("ls -l /proc/$pid/fd | grep ' $file\$'", 30), "$who $file"
			or diag $rig->must("ls -l /proc/$pid/fd; cat /tmp/$who");
		return $pid;
	};
	my $end = sub ($pid) { $rig->must("kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.1; done") };

	$rig->must('mkdir -p /tmp/fake/vfio; mknod -m 666 /tmp/fake/null c 1 3');
	my @pretend = ($open->('names', '010000000'),
		$open->('fakes', '0102', 'unshare --mount -- sh -c "mount --bind /tmp/fake /dev; exec \"\$@\"" sh'));
	is json('show web-1')->{vgpu}{holder}, undef, 'nobody has the vGPU open';
	$end->($_) for @pretend;
	my $pid = $open->('opens', '02');
	is json('show web-1')->{vgpu}{holder}{command}, '?[31m?root', 'this one has, shown without what a terminal obeys';
	refuses('remove web-1', BUSY, qr/web-1: \?\[31m\?root \(pid $pid\) uses it/, 'stop that VMM');
	$end->($pid);
};

subtest 'a VMM with two' => sub {
	my $pid = $rig->must('qemu-system-x86_64 -machine q35 -accel tcg -m 64 -nodefaults -display none -S '
		. join(' ', map { "-device vfio-pci,sysfsdev=/sys/bus/mdev/devices/$_,display=off" } @web)
		. ' >/tmp/two 2>&1 & echo $!');
	ok defined $rig->wait_for("test \$(ls -l /proc/$pid/fd | grep -c vfio-device) = 2"),
		'has them open';
	# Newer kernels tell them apart.
	refuses('screenshot web-1 /rig/no.png', MISSING, qr/does not tell them apart|shows nothing now/,
		qr/virsh screenshot|set a mode/, 'which is not known to be which');
	refuses("remove @web", BUSY, "web-1: .*\\(pid $pid\\) uses it", 'stop that VMM');
	$rig->must("kill $pid; while kill -0 $pid; do sleep 0.1; done 2>/dev/null; :");
};

# The first behind a root port, so that its QEMU can unplug it
my @guests = (
	$rig->guest(name => 'a', nowait => 1, devices => ['pcie-root-port,id=rp,chassis=1',
		"vfio-pci,sysfsdev=/sys/bus/mdev/devices/$web[0],bus=rp"]),
	$rig->guest(name => 'b', vgpu => $v, modules => ['virtio_gpu'], nowait => 1),
);
$_->wait_boot for @guests;

subtest 'a guest uses them' => sub {
	my ($pid, $other) = map { $_->{pid} } @guests;
	my $show = json('show web-1')->{vgpu};

	is_deeply [$show->{in_use}, $show->{holder}{pid}], [JSON::PP::true, $pid], 'who, and since when';
	like works('list vgpus'), qr/^$web[0] .*qemu-system-x86 \(pid $pid\)$/m, 'list says so';
	refuses('remove web-1', BUSY, "web-1: qemu-system-x86 \\(pid $pid\\) uses it", 'remove --wait web-1',
		'a vGPU in use');
	refuses("release $virtio", BUSY, "qemu-system-x86 \\(pid $other\\) uses one", 'remove --count',
		'the parent of one');
	works("remove -n 1 $bochs", 'the idle one is removed by count');
	is_deeply [sort map { $_->{uuid} } json('list vgpus')->{vgpus}->@*], [sort $web[0], $v], 'not the others';

	for ([$guests[0], 'web-1'], [$guests[1], $v]) {
		my ($guest, $name) = @$_;
		my $picture = $guest->draw('mvgpuctl', '800x600');
		my $shot = json("screenshot $name /rig/shot.png");
		is "$shot->{width}x$shot->{height}", '800x600', 'a screenshot has the size of the mode';
		my $png = MVGPU::Png::read($rig->shared('shot.png'));
		is $png->difference($picture), 'none', 'and every pixel of what the guest has drawn';
		isnt $png->differing(MVGPU::Image->picture('other', 800, 600)), 0, 'not of something else';
	}
	refuses('screenshot web-1', USAGE, 'name a vGPU and a file', 'help screenshot');
};

subtest 'top' => sub {
	$guests[1]->undraw;
	$guests[1]->must('while :; do draw -n 1 -F 123456 640x480; usleep 200000; done '
		. '>/dev/null 2>&1 &');
	my @samples = map { decode_json($_) } split /\n/, works('top --json -n 2 -d 1', 'two samples', qr//);
	is scalar @samples, 2, 'of two samples';
	my ($drawing) = grep { $_->{uuid} eq $v } $samples[1]{vgpus}->@*;
	my ($still) = grep { $_->{uuid} eq $web[0] } $samples[1]{vgpus}->@*;
	cmp_ok $drawing->{commands_per_second}, '>', 0, 'commands: ' . ($drawing->{commands_per_second} // 'none');
	cmp_ok $drawing->{bytes_per_second}, '>', 0, 'bytes';
	cmp_ok $drawing->{exits_per_second}, '>', 0, 'exits';
	cmp_ok $drawing->{pinned_pages}, '>', 0, 'pinned pages';
	is $still->{commands_per_second}, undef, 'a vGPU without commands has none';
	is $still->{exits_per_second}, 0, 'one whose guest does not touch it has no exits';
	my $text = works('top --batch -n 2 -d 0.5 --sort exits');
	is scalar(() = $text =~ /^VGPU +PARENT +CMD\/S /mg), 2, 'in batch mode, two tables';
	like $text, qr/\A.*by exits\n.*\n$v .*\nweb-1 /, 'sorted';
	refuses('top --sort=exist', USAGE, 'no column exist', 'did you mean exits\?');
	# Keys, each when the screen shows what it is to change
	my $until = sub ($what) { "until grep -qs '$what' /tmp/top; do sleep 0.1; done" };
	$rig->must("(@{[$until->('by commands')]}; printf s; @{[$until->('by bytes')]}; printf q) | "
		. "TERM=xterm script -qec '$ctl top -d 0.3' /dev/null >/tmp/top");
	my $screen = $rig->read_file('/tmp/top');
	like $screen, qr/\A\e\[\?1049h.*\e\[\?1049l/s, 'on a terminal, it takes the screen and gives it back';
	like $screen, qr/by commands.*by bytes/s, 'and listens to keys';
	my $tty = "TERM=xterm script -qec 'trap : QUIT; $ctl top -d 0.3; stty -a' /dev/null";
	$rig->must("rm /tmp/top; (@{[$until->('by commands')]}; printf '\\034') | $tty >/tmp/top");
	like $rig->read_file('/tmp/top'), qr/\e\[\?1049l.* icanon .* echo /s, 'Ctrl-\\ leaves a terminal in order';
	my $ended = $rig->must("rm /tmp/top; $ctl top >/tmp/top & p=\$!; @{[$until->('by commands')]}; kill -TERM \$p; wait \$p; echo \$?");
	is $ended, 0, 'it ends well when it is told to';
};

subtest 'doctor' => sub {
	my ($status, $out) = ctl('doctor --json');
	my $doctor = decode_json($out);

	my @blocks = map { $_->{text} } grep { $_->{state} eq 'blocks' } $doctor->{findings}->@*;
	is_deeply \@blocks, ['mvgpu-edu is not installed for this kernel'], 'only edu\'s module blocks';
	($status, $out) = ctl('doctor --need-iommu');
	like $out, qr/^FAIL +iommu +$bypassing: IOMMU: bypassed\n +-> have the device offer/m,
		'but with --need-iommu, the GPU that bypasses it does';
	unlike $out, qr/\033/, 'no colours where there is no terminal';
};

subtest 'without rights' => sub {
	my ($status, $output) = $rig->run(
		"chroot --userspec=65534:65534 / $ctl set $v weight=7 2>&1");
	is $status, PERMISSION, 'status';
	like $output, qr/^mvgpuctl: .*weight=7: Permission denied\nmvgpuctl: -> run it as root/, 'reason';
	($status, $output) = $rig->run("chroot --userspec=65534:65534 / $ctl list --json vgpus");
	is decode_json($output)->{vgpus}[0]{in_use}, undef, 'who uses a vGPU is unknown';
};

subtest 'give back' => sub {
	works('remove --wait web-1', 'a VMM is asked to unplug a vGPU');
	is $guests[0]->must('echo alive'), 'alive', 'and its guest lives on';
	works("create --name web-1 $bochs 4m", 'another has the name', qr//);

	my $pid = $guests[1]{pid};
	$rig->must("rm -f /tmp/removed; ($ctl remove --wait $v; echo \$? >/tmp/removed) >/dev/null 2>&1 &");
	my $leaving = $rig->wait_for("$ctl doctor | grep -A 1 'is being removed'") // 'nothing';
	like $leaving, qr/^WARN +vgpu +$v: .*waits for qemu-system-x86 \(pid $pid\)\n.*-> unplug it/,
		'doctor says what a removal waits for';
	$_->kill('KILL') for @guests;
	is $rig->wait_for('cat /tmp/removed'), "0\n", 'it ends when the VMM has gone';
	refuses('screenshot web-1 /rig/no.png', MISSING, 'no VMM has it open', 'start its guest');
	refuses("release $bochs", BUSY, 'it has 1 vGPU', 'release --wait');
	works("release $virtio", 'a virtio-gpu', qr/$virtio: virtio_gpu has it now/);
	works("release --wait $bochs", 'a Bochs display with a vGPU', qr/$bochs: no driver has it now/);
	is $rig->read_file("/sys/bus/pci/devices/$bochs/driver_override"), '(null)', 'no override stays';
	is_deeply json('list')->{parents}, [], 'no parent is left';
};

# With two virtio-gpus, their in-tree driver has two caches of one name.
$rig->clean_dmesg(unbinding => 1, reports => [qr/\b__kmem_cache_create_args\b/]);
$rig->stop;
done_testing;
