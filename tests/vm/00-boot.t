#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# The rig itself: L1 boots, runs commands, and what the other tests rely on to
# notice trouble does notice it.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Image;
use MVGPU::Rig;
use Test::More;

my $rig = MVGPU::Rig->new(gpus => ['bochs-display,vgamem=64M,id=gpu0']);
$rig->boot;
diag sprintf 'L1: Linux %s, booted in %.1f s', $rig->release, $rig->boot_seconds;

subtest 'commands' => sub {
	is $rig->must('uname -r'), $rig->release, 'L1 runs the kernel that was asked for';
	my ($status, $output) = $rig->run('echo out; echo err >&2; exit 7');
	is $status, 7, 'exit status';
	is $output, "out\nerr\n", 'stdout and stderr';

	my $size = 3_000_000;
	($status, $output) = $rig->run("head -c $size /dev/urandom | tee /rig/random");
	open my $fh, '<:raw', $rig->shared('random');
	my $expected = do { local $/; <$fh> };
	ok $output eq $expected && length $output == $size, "$size bytes of binary output";

	($status, $output) = $rig->run('sleep 1000 & echo $!');
	is $status, 0, 'a background job holds nobody up';
	$rig->ok("kill $output", 'it lives on');
	$rig->fails('cat /nonexistent', 'a failing command fails', qr/No such file/);
	$rig->relay_tap(q(printf '1..3\nok 1 - one\n# said\nok 2 # SKIP no reason\nok 3\n'), 'relayed TAP');
};

subtest 'the host under test' => sub {
	$rig->ok('test -e /mvgpu/tests/vm/provision', 'the repository is at /mvgpu');
	$rig->fails('touch /mvgpu/x', 'and read-only');
	$rig->ok('touch /etc/x /usr/x && ! test -e /mvgpu/x', 'its root is its own');
	ok !-e '/etc/x' && !-e '/usr/x', 'nothing of that reaches this machine';
	$rig->ok('modprobe vfio_iommu_type1 && modprobe mdev && test -e /dev/vfio/vfio', 'VFIO and mdev load');
	$rig->need_kvm;
	$rig->ok('test -e /dev/kvm', 'KVM works');
	my @gpus = $rig->find_pci('1234:1111');
	is @gpus, 1, 'one physical GPU';
};

subtest 'screens' => sub {
	my $picture = MVGPU::Image->picture('x', 640, 480);
	is $picture->differing($picture), 0, 'an image equals itself';
	my $other = MVGPU::Image->picture('y', 640, 480);
	cmp_ok $picture->differing($other), '>', 640 * 480 / 2, 'another picture does not';
	my $pixels = $picture->{pixels};
	substr($pixels, 3 * (479 * 640 + 639), 1) ^.= "\1";
	is $picture->differing(MVGPU::Image->new(640, 480, $pixels)), 1,
		'the last bit of one pixel is noticed';
	ok $rig->screendump(device => 'gpu0')->width, 'the physical screen can be read';
};

# Negative controls
subtest 'trouble is noticed' => sub {
	my @before = $rig->dmesg_faults;
	$rig->must("echo 'WARNING: CPU: 0 PID: 1 at negative-control' >/dev/kmsg");
	$rig->must("echo 'harmless negative-control' >/dev/kmsg");
	my @faults = $rig->dmesg_faults;
	is @faults, @before + 1, 'a warning in the kernel log';
	is scalar $rig->dmesg_faults(allow => [qr/negative-control/]), @before, 'unless it is allowed';

	for my $line ('BUG: KASAN: slab-use-after-free in x', 'refcount_t: underflow; use-after-free.',
		      'DMAR: [DMA Write NO_PASID] Request device [00:02.0] fault addr 0x0 [fault reason 0x05]',
		      'AMD-Vi: Event logged [IO_PAGE_FAULT device=00:02.0]',
		      'INFO: task x:1 blocked for more than 120 seconds.',
		      'WARNING: possible circular locking dependency detected') {
		is scalar MVGPU::Dmesg::faults("[    1.000000] $line\n"), 1, $line;
	}

	my ($known, $other) = map { <<~EOF } 'drm_mm_takedown+0x23/0x30 [drm]', 'mvgpu_unmap+0x1/0x2';
		[    1.000000] ------------[ cut here ]------------
		[    1.000001] WARNING: CPU: 1 PID: 271 at $_
		[    1.000002] Call Trace:
		[    1.000003] ---[ end trace 0000000000000000 ]---
		EOF
	for my $since (sub { $_[0] }, sub { $_[0] =~ s/.*cut here.*\n//r =~ s/: CPU.*at /: a.c:9 at /r }) {
		my ($passes, $stays) = map { $since->($_) } $known, $other;
		my $left = MVGPU::Dmesg::without($passes . $stays . $passes, MVGPU::Dmesg::unbinding());
		is $left, $stays, 'a known report is let pass, and no other';
		my $cut = $passes =~ s/[^\n]*end trace.*//sr;
		is MVGPU::Dmesg::without($cut, MVGPU::Dmesg::unbinding()), $cut, 'nor one without an end';
	}

	my $shown = '';
	my $start = time;
	{
		open my $stderr, '>&', \*STDERR;
		close STDERR;
		open STDERR, '>', \$shown;
		my ($status) = $rig->run('echo hung-on-purpose >/dev/kmsg; sleep 1000', timeout => 2);
		close STDERR;
		open STDERR, '>&', $stderr;
		isnt $status, 0, 'a command that hangs is killed';
	}
	cmp_ok time - $start, '<', 15, 'in time';
	like $shown, qr/killed after \d+ s/, 'that is said';
	like $shown, qr/--- console of L1.*\n.*\n/, 'the tail of the console is shown';
	$rig->ok('true', 'and the next command runs');
};

$rig->clean_dmesg(allow => [qr/negative-control/]);

# What only the debug kernel has, with a bug of each kind to see it noticed
subtest 'the debug kernel' => sub {
	plan skip_all => 'another kernel' unless $rig->debug;

	$rig->ok('modprobe iommufd && test -e /dev/iommu', 'IOMMUFD');
	$rig->ok("grep -Eq 'debug_locks: +1' /proc/lockdep_stats", 'lockdep is on');
	# One allocation and no more: the root's 9p never gets over one that fails on it.
	$rig->must('cd /sys/kernel/debug/failslab; echo N >ignore-gfp-wait; echo 0 >verbose');
	$rig->fails('echo 1 >/proc/self/fail-nth; read x </proc/uptime',
		'an allocation fails where it is told to', qr/Cannot allocate memory/);
	$rig->ok('read x </proc/uptime', 'and nowhere else');

	my $new = sub ($pattern) { scalar grep { /$pattern/ } $rig->dmesg_faults };
	$rig->no_leaks;
	$rig->must('modprobe kmemleak-test');
	cmp_ok scalar $rig->leaks(like => qr/kmemleak_test/), '>', 5, 'leaks are found';
	# Before KASAN's first report, which turns lockdep off. Networking takes these two
	# the other way round; the module never stays loaded.
	my ($inner, $outer) = map { "0x" . $rig->must("awk '\$3 == \"$_\" { print \$1 }' /proc/kallsyms") }
		qw(pernet_ops_rwsem rtnl_mutex);
	$rig->run("modprobe test_lockup state=R lock_mutex_ptr=$outer lock_rwsem_ptr=$inner");
	is $new->(qr/possible circular locking dependency/), 1, 'lockdep notices locks in the wrong order';
	$rig->must('modprobe lkdtm');
	my $provoke = sub ($what) { $rig->run("echo $what >/sys/kernel/debug/provoke-crash/DIRECT") };
	$provoke->('READ_AFTER_FREE');
	is $new->(qr/BUG: KASAN: slab-use-after-free/), 1, 'KASAN notices use after free';
	$provoke->('SLAB_LINEAR_OVERFLOW');
	is $new->(qr/BUG: KASAN: slab-out-of-bounds/), 1, 'and what comes after it';
	$provoke->('CORRUPT_LIST_ADD');
	is $new->(qr/list_add corruption/), 1, 'a broken list is noticed';
};
my $pid = $rig->{machine}{pid};
my $dir = $rig->{machine}->dir;
$rig->stop;
ok !kill(0, $pid) && !-e $dir, 'nothing is left behind';

done_testing;
