#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# L1 is suspended to RAM and woken up under running guests, twice, with a Bochs display, a
# virtio-gpu and a copy engine that all have work at the time: every screen shows what it
# showed, the guests draw on, every byte is copied. In between each GPU has forgotten what it
# knew: the virtio-gpu because it was reset, the Bochs display in a build of mvgpu that clears
# its memory and its screen. Without what brings that back, the screen is wrong.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

my @bochs = (device => 'gpu0', head => 0);
my @virtio = map { [device => 'gpu1', head => $_] } 0, 1;

# A virtio-gpu has its own memory besides, so a suspended rig has all that it needs in L1's.
sub start(%o)
{
	my $rig = MVGPU::Rig->new(ram => 1, append => 'no_console_suspend loglevel=7', %o);

	$rig->boot;
	$rig->load_modules('mvgpu', 'mvgpu-bochs', 'mvgpu-virtio', 'mvgpu-edu dma_bits=64');
	return $rig;
}

# From awake to awake; $asleep is called in between.
sub sleep_once($rig, $when, $asleep = sub { })
{
	$rig->suspend;
	my $slept = $rig->asleep;
	$asleep->() if $slept;
	ok $rig->resume(by_itself => !$slept), "$when: the machine has slept";
}

subtest 'all kinds of GPUs at work' => sub {
	my $rig = start(gpus => ['bochs-display,vgamem=64M,id=gpu0',
		'virtio-gpu-pci,max_outputs=2,id=gpu1', 'edu,dma_mask=0xffffffffffffffff']);
	my $bochs = $rig->adopt('1234:1111', 'mvgpu-bochs');
	my $virtio = $rig->adopt_virtio;
	my $edu = $rig->adopt('1234:11e8', 'mvgpu-edu');
	my @of_bochs = map { $rig->create_vgpu($bochs, 'mvgpu-bochs-8m') } 0, 1;
	my @of_virtio = map { $rig->create_vgpu($virtio, 'virtio-pci-1h64m') } 0, 1;
	my $engine = $rig->create_vgpu($edu, 'mvgpu-edu-copy');
	my @guests = map { $rig->guest(name => "g$_", vgpu => [$of_bochs[$_], $of_virtio[$_]],
		modules => [qw(bochs virtio_gpu)], nowait => 1,
		programs => [$rig->guest_programs . '/frames']) } 0, 1;
	$_->wait_boot for @guests;
	$rig->foreground($bochs, $of_bochs[0]);
	$rig->must('cp /mvgpu/build/dma-test /run');

	# What each shows: of the Bochs display, and of the virtio-gpu
	my @shown;
	my $draw = sub ($when) {
		for my $n (0, 1) {
			$shown[$n] = [map { $guests[$n]->draw("$when $n $_", '800x600', card => $_) } 0, 1];
		}
	};
	my $show = sub ($when) {
		local $Test::Builder::Level = $Test::Builder::Level + 1;
		$rig->shows($shown[0][0], "$when: the Bochs display shows its foreground", @bochs);
		$rig->shows($shown[$_][1], "$when: head $_ of the virtio-gpu", $virtio[$_]->@*)
			for 0, 1;
	};

	for my $n (1, 2) {
		my $load = "/run/load$n";

		$draw->("before $n");
		$show->("before $n");
		# One guest draws without end, an engine copies without end.
		$guests[1]->undraw(card => 1);
		$guests[1]->must('frames -d /dev/dri/card1 dirty 100000000 >/dev/null 2>&1 &');
		$rig->must("(/run/dma-test --seconds 10 --only 'load:*' $engine; echo >$load.end) "
			. ">$load 2>&1 &");
		sleep_once($rig, "sleep $n", sub {
			isnt $rig->screendump($virtio[0]->@*)->differing($shown[0][1]), 0,
				'a virtio-gpu forgets its pictures';
		});
		$rig->shows($shown[0][1], "after $n: what stood still is there", $virtio[0]->@*);
		$rig->shows($shown[0][0], "after $n: and on the Bochs display", @bochs);
		my $commands = $rig->vgpu($of_virtio[1], 'commands');
		ok defined $rig->wait_for("[ \$(cat /sys/bus/mdev/devices/$of_virtio[1]/mvgpu/commands) "
			. '-gt ' . ($commands + 50) . ' ]'), 'the guest draws on';
		$guests[1]->must('killall frames');
		$rig->wait_for("test -e $load.end") // $rig->trouble('the engine does not come back');
		$rig->relay_tap("cat $load", 'the engine copied on, and right');
		$rig->relay_tap("/run/dma-test --only 'copy: any*' $engine", 'and does');
		$draw->("after $n");
		$show->("after $n");
		$rig->foreground($bochs, $of_bochs[1]);
		$rig->shows($shown[1][0], 'so does what was in the background', @bochs);
		$rig->foreground($bochs, $of_bochs[0]);
	}
	unlike $rig->dmesg, qr/does not answer|takes too long|pages in quarantine/, 'no pause is taken for a hang';
	is $rig->vgpu($_, 'quarantines'), 0, 'nothing went into quarantine' for @of_virtio, $engine;
	$_->clean_dmesg for @guests;
	$_->kill for @guests;
	$rig->nothing_held($_) for @of_bochs, @of_virtio, $engine;
	$rig->remove_vgpu($_) for @of_bochs, @of_virtio, $engine;
	$rig->release_virtio;
	$rig->unload_modules(qw(mvgpu-virtio mvgpu-edu mvgpu-bochs mvgpu));
	$rig->no_leaks;
	$rig->clean_dmesg;
	$rig->stop;
};

subtest 'memory and a screen that are lost' => sub {
	my $rig = start(gpus => ['bochs-display,vgamem=128M,id=gpu0'], variant => 'power-loss');
	my $bochs = $rig->adopt('1234:1111', 'mvgpu-bochs');
	my $lost = '/sys/module/mvgpu/parameters/stay_lost';
	my @vgpus = map { $rig->create_vgpu($bochs, 'mvgpu-bochs-32m') } 0 .. 2;
	my @guests = map { $rig->guest(name => "g$_", vgpu => $vgpus[$_], nowait => 1) } 0, 1;
	$_->wait_boot for @guests;
	my @shown = map { $_->draw("lost $_->{name}", '800x600') } @guests;

	$rig->foreground($bochs, $vgpus[0]);
	$rig->shows($shown[0], 'before', @bochs);

	# There is memory to save the first of them, but not both.
	$rig->must(<<~'EOF');
	mkdir /run/full && mount -t tmpfs -o size=100% tmpfs /run/full
	most=$(awk '/^MemAvailable/ { print int($2 / 1024) - 45 }' /proc/meminfo)
	dd if=/dev/zero of=/run/full/most bs=1M count=$most 2>/dev/null
	EOF
	$rig->suspend;
	ok !$rig->resume(by_itself => 1), 'without memory to save it to, it is not suspended';
	my @refused = $rig->dmesg =~ /(\S+): can't suspend: no memory to save its 32 MiB\. Stop its guest, or free memory$/mg;
	ok scalar(grep { $refused[0] eq $_ } @vgpus[0, 1]), 'the log names the vGPU and what to do'
		or diag "@refused";
	$rig->shows($shown[0], 'the screen is as before', @bochs);
	$shown[$_] = $guests[$_]->draw("refused $_", '800x600') for 0, 1;
	$rig->shows($shown[0], 'and guests draw on', @bochs);
	$rig->must('umount /run/full');

	sleep_once($rig, 'with memory again, memory lost', sub {
		isnt $rig->screendump(@bochs)->differing($shown[0]), 0, 'the screen is lost';
	});
	$rig->shows($shown[0], 'the screen is back', @bochs);
	$rig->foreground($bochs, $vgpus[1]);
	$rig->shows($shown[1], 'so is what was in the background', @bochs);

	# Suspending to disk is the same for a driver, but that it happens three times.
	$rig->must('echo devices >/sys/power/pm_test');
	$rig->suspend('disk');
	ok $rig->resume(by_itself => 1), 'frozen as for suspending to disk, and thawed';
	$rig->must('echo none >/sys/power/pm_test');
	$rig->shows($shown[1], 'the screen is back', @bochs);

	$rig->must("echo 1 >$lost");
	sleep_once($rig, 'memory stays lost');
	cmp_ok $rig->screendump(@bochs)->differing($shown[1]), '>', 1000,
		'without what gives them back, the screen is wrong';
	$rig->foreground($bochs, $vgpus[0]);
	cmp_ok $rig->screendump(@bochs)->differing($shown[0]), '>', 1000, 'and the memory';
	$_->kill for @guests;
	$rig->clean_dmesg;
	$rig->stop;
};

done_testing;
