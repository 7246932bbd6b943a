#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Somebody who follows the guides: what they have him type is typed as it stands, but for
# the addresses of the GPUs. The installation is tests/docs.t's; here, what it would have
# installed is there. QEMU gets his arguments, and, since his disk is empty, our kernel.
# Then the test rig's examples. MVGPU_FULL=1 runs all of those.

use v5.36;
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Guide qw(blocks_for);
use MVGPU::Png;
use MVGPU::Rig;
use Test::More;

my $self = 'tests/vm/32-guides.t';
my $repo = "$FindBin::Bin/../..";
my $rig = MVGPU::Rig->new(mem => 3072, gpus => ['bochs-display,vgamem=64M,id=gpu0',
	'virtio-gpu-pci,max_outputs=2,max_hostmem=512M,id=gpu1', 'edu']);

# What `make install` adds to L1's modules. depmod reads them all, which is slow in L1.
sub installed
{
	my ($kernel, $release) = $rig->kernel_of;
	my $root = tempdir(CLEANUP => 1);
	my $dir = "$root/lib/modules/$release";
	my $modules = $rig->modules_dir;

	system(<<~EOF) == 0 or die "the modules can't be installed\n";
		set -e
		PATH=\$PATH:/usr/sbin:/sbin
		mkdir -p '$root/lib/modules'
		cp -rs '$kernel/usr/lib/modules/$release' '$root/lib/modules'
		rm '$dir'/modules.*.bin
		mkdir '$dir/extra'
		cp '$modules'/*.ko '$dir/extra'
		depmod -b '$root' '$release'
		find '$dir' -type l -delete
		EOF
	return $dir;
}

my $installed = installed();
$rig->boot;
my ($bochs) = $rig->find_pci('1234:1111');
my ($virtio) = $rig->find_pci('1af4:1050');
system('cp', '-r', $installed, $rig->shared('modules')) == 0 or die "no copy\n";
$rig->must(<<~'EOF');
	set -e
	mkdir -p /run/modules/upper /run/modules/work /tmp/bin /tmp/home
	/run/mvgpu/busybox mount -t overlay overlay /usr/lib/modules \
		-o lowerdir=/usr/lib/modules,upperdir=/run/modules/upper,workdir=/run/modules/work
	cp -r /rig/modules/* /usr/lib/modules/$(uname -r)
	ln -s /mvgpu/build/mvgpuctl /usr/local/sbin/mvgpuctl
	printf '#!/bin/sh\nprintf "%%s\\n" "$@" >/tmp/qemu\n' >/tmp/bin/qemu-system-x86_64
	chmod +x /tmp/bin/qemu-system-x86_64
	truncate -s 1M /tmp/home/guest.img
	echo cd /tmp/home >/tmp/shell
	EOF

# In one shell, as far as a reader can tell
sub type($block)
{
	my $text = $block->{text} =~ s/0000:00:02\.0/$bochs/gr =~ s/0000:00:04\.0/$virtio/gr;

	open my $fh, '>', $rig->shared('block') or die "block: $!\n";
	print $fh ". /tmp/shell\nset -e\nPATH=/tmp/bin:\$PATH\n$text\n",
		"{ declare -p gpu uuid; echo cd \"\$PWD\"; } >/tmp/shell 2>/dev/null || :\n";
	close $fh;
	return $rig->run('bash /rig/block 2>&1');
}

# What is done before and after the blocks that look like this, besides typing them
my ($guest, $picture);
my %before = (
	'mvgpuctl screenshot' => sub { $picture = $guest->draw('the first guest') },
	'mvgpuctl remove first' => sub { $guest->shutdown },
	'mvgpuctl top --batch' => sub {
		$rig->must("mvgpuctl adopt $bochs && mvgpuctl create --name first $bochs 16m");
	},
	'mvgpuctl doctor' => sub { $rig->must("mvgpuctl release --wait $bochs") },
);
my %after = (
	'qemu-system' => sub {
		my @arguments = map { s{(?=guest\.img)}{/tmp/home/}r } split /\n/, $rig->read_file('/tmp/qemu');
		$guest = $rig->guest(name => 'first', args => \@arguments);
		$guest->ok('ls /sys/bus/pci/drivers/bochs-drm | grep -q :', 'its stock driver has the vGPU');
		like $rig->must('mvgpuctl list vgpus'), qr/\bfirst\b.*\(pid $guest->{pid}\)$/m, 'which QEMU has open';
	},
	'mvgpuctl screenshot' => sub {
		$rig->shows($picture, 'the screen shows the guest', device => 'gpu0', head => 0);
		$rig->must('cp /tmp/home/first.png /rig/');
		is MVGPU::Png::read($rig->shared('first.png'))->difference($picture), 'none', 'so does the file';
		$guest->clean_dmesg;
	},
	'(?:mvgpuctl release|> /sys/bus/pci/drivers_probe\n\z)' => sub { is $rig->driver_of($bochs), '', 'the GPU is given back' },
	'mvgpu/weight' => sub {
		is $rig->must('cat /sys/bus/mdev/devices/*/mvgpu/weight'), 200, 'the weight is set';
	},
	'mvgpu-virtio/adopt' => sub {
		like $rig->must("readlink /sys/bus/pci/devices/$virtio/virtio*/driver"), qr/mvgpu-virtio/, 'it is adopted';
	},
	'mvgpu-virtio/release' => sub {
		is $rig->must('ls /sys/bus/mdev/devices'), '', 'no vGPU is left';
	},
);

for my $guide ('docs/operators.md', 'docs/mvgpuctl.md') {
	subtest $guide => sub {
		for my $block (blocks_for($self, "$repo/$guide")) {
			$before{$_}->() for grep { $block->{text} =~ /$_/ } sort keys %before;
			my ($status, $said) = type($block);
			is $status, 0, "line $block->{line}" or diag $said;
			$after{$_}->() for grep { $block->{text} =~ /$_/ } sort keys %after;
		}
	};
}
my ($status) = type({ text => "false\ntrue\n" });
isnt $status, 0, 'a command that fails would be noticed';
$rig->clean_dmesg;
$rig->stop;

subtest 'docs/test-rig.md' => sub {
	my $dir = tempdir(CLEANUP => 1);
	my @examples = map { $_->{text} } blocks_for($self, "$repo/docs/test-rig.md");
	my ($first) = $examples[0] =~ /\A(.*\buse Test::More;\n)/s;
	my ($last) = $examples[0] =~ /(\$rig->clean_dmesg;\n.*)\z/s;

	symlink "$FindBin::Bin/lib", "$dir/lib";
	for my $n (0 .. ($ENV{MVGPU_FULL} ? $#examples : 0)) {
		open my $fh, '>', "$dir/$n.t" or die "$n.t: $!\n";
		print $fh $n ? "$first$examples[$n]$last" : $examples[0];
		close $fh;
		my $said = qx($^X $dir/$n.t 2>&1);
		is $?, 0, "example @{[$n + 1]}" or diag $said;
	}
};
done_testing;
