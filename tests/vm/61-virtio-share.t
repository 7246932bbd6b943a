#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# Guests that compete for one virtio-gpu: who gets how much of its time, what happens to the
# others when it hangs on a command of one of them, and when one of them goes in any way.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Rig;
use Test::More;

# A build of the modules in which some commands never reach the hardware
my $rig = MVGPU::Rig->new(gpus => ['virtio-gpu-pci,max_outputs=4,id=gpu0'], variant => 'hang');
my $bdf = $rig->boot_virtio;
my @uuids = map { $rig->create_vgpu($bdf, 'virtio-pci-1h128m') } 1 .. 2;
my @dir = map { "/sys/bus/mdev/devices/$_/mvgpu" } @uuids;

# Frames without end, as large as they come, so that it is the GPU that is short
sub flood($guest) { $guest->must('frames dirty 100000000 >/dev/null 2>&1 &') }

# Guests that are programs, which hardly do anything but wait for the GPU. L1's own commands
# are slow meanwhile, for the same thread of L0 emulates the GPU and what they come through: so
# each part is one command.
my $client = '/mvgpu/build/virtio-test';
my $functions = <<~EOF;
	flood() {
		$client --flood 300 \$2 \$1 >/tmp/flood.\$1 2>&1 &
		floods="\$floods \$!"
		until grep -q FLOODING /tmp/flood.\$1; do sleep 0.1; done
	}
	# they end in order, and say how much they did
	calm() { kill \$floods; wait; cat /tmp/flood.*; rm /tmp/flood.*; }
	# ns of the GPU that each has had in some seconds, and bytes that it has read for them
	shares() {
		read a0 <$dir[0]/busy; read b0 <$dir[1]/busy
		read c0 <$dir[0]/bytes; read d0 <$dir[1]/bytes
		sleep \$1
		read a1 <$dir[0]/busy; read b1 <$dir[1]/busy
		read c1 <$dir[0]/bytes; read d1 <$dir[1]/bytes
		echo shares \$((a1 - a0)) \$((b1 - b0)) \$((c1 - c0)) \$((d1 - d0))
	}
	EOF

subtest 'weights' => sub {
	my $said = $rig->must(<<~EOF, timeout => 300);
		$functions
		flood $uuids[0] 4096x4096; flood $uuids[1] 4096x4096
		sleep 1; shares 20
		echo 300 >$dir[1]/weight
		sleep 1; shares 20
		echo 100 >$dir[1]/weight
		calm
		EOF
	my ($equal, $third) = map { [split ' '] } $said =~ /^shares (.*)/mg;

	is scalar(() = $said =~ /^\d+ commands$/mg), 2, 'both floods end in order';
	note $said;
	# Time is the scheduler's own account. What has been read is seen from outside, and a
	# byte need not take one as long as the other.
	for ([0, 'time', 0.1], [2, 'bytes', 0.3]) {
		my ($i, $of, $within) = @$_;
		cmp_ok abs($equal->[$i] / $equal->[$i + 1] - 1), '<', $within,
			sprintf 'equal weights: %s 1 to %.2f', $of, $equal->[$i + 1] / $equal->[$i];
		cmp_ok abs($third->[$i + 1] / $third->[$i] / 3 - 1), '<', $within,
			sprintf 'weights 1 to 3: %s 1 to %.2f', $of, $third->[$i + 1] / $third->[$i];
	}
	my $complaint = $rig->run("echo 0 >$dir[0]/weight");
	isnt $complaint, 0, 'a weight of 0 is refused';
};

subtest 'one floods, one is at leisure' => sub {
	my $said = $rig->must(<<~EOF, timeout => 300);
		$functions
		sh -c 'while :; do :; done' & burner=\$!
		$client --leisure 12 20 $uuids[1]
		kill \$burner
		flood $uuids[0] 2048x2048
		$client --leisure 12 20 $uuids[1]
		echo 10000 >$dir[0]/weight; echo 1 >$dir[1]/weight
		$client --leisure 12 20 $uuids[1]
		echo 100 >$dir[0]/weight; echo 100 >$dir[1]/weight
		calm
		EOF
	my ($burner, $flood, $unfair) = $said =~ /^(\d+) of \d+ updates/mg;

	note $said;
	cmp_ok $flood, '>=', 0.9 * $burner,
		"updates beside a flood: $flood, beside a busy processor: $burner";
	# Negative control
	cmp_ok $unfair, '<', 0.9 * $burner, "beside a flood that outweighs it: $unfair";
};

# The third time it is told by its device's status, and its VMM is served no more than its guest
subtest 'one makes the GPU hang' => sub {
	my $said = $rig->must(<<~EOF, timeout => 300);
		$client --leisure 45 20 $uuids[1] >/tmp/leisure &
		neighbour=\$!
		$client --singly 3 $uuids[0] >/tmp/singly 2>&1 &
		guilty=\$!
		until grep -q READY /tmp/singly; do sleep 0.1; done
		for lines in 2 3 4; do
			kill -STOP \$neighbour; sleep 1
			echo 1 >/sys/module/mvgpu_virtio/parameters/lose
			kill -USR1 \$guilty
			until [ \$(cat /sys/module/mvgpu_virtio/parameters/lose) = 0 ]; do sleep 0.1; done
			kill -CONT \$neighbour
			until [ \$(wc -l </tmp/singly) -ge \$lines ]; do sleep 0.1; done
		done
		wait \$guilty; echo guilty \$?
		wait \$neighbour; echo neighbour \$?
		cat /tmp/singly /tmp/leisure
		timeout 10 $client --hold $uuids[0] >/tmp/again 2>&1
		grep -q HOLDING /tmp/again || echo none again
		EOF

	note $said;
	like $said, qr/^READY\n0x1200\n0x1200\nBROKEN$/m, 'two errors, then the device needs a reset';
	like $said, qr/^guilty 0$/m, 'nothing else is wrong with it';
	like $said, qr/^neighbour 0$/m, 'all that the neighbour asks for is answered';
	my ($done, $of) = $said =~ /^(\d+) of (\d+) updates/m;
	cmp_ok $done, '>', $of / 3, "it goes on between the resets: $done of $of updates";
	like $said, qr/^none again$/m, 'the next VMM gets no further';
	$rig->remove_vgpu($uuids[0]);
	$uuids[0] = $rig->create_vgpu($bdf, 'virtio-pci-1h128m');
};

my @guests = map {
	$rig->guest(name => $_->[0], vgpu => $_->[1], modules => ['virtio_gpu'], nowait => 1,
		programs => [$rig->guest_programs . '/frames'])
} [a => $uuids[0]], [b => $uuids[1]];
$_->wait_boot for @guests;
my ($ga, $gb) = @guests;

subtest 'the GPU hangs' => sub {
	my ($pa, $pb) = map { $_->draw("before $_->{name}") } @guests;

	$rig->must('echo 1 >/sys/module/mvgpu_virtio/parameters/lose');
	$ga->must('killall draw; draw -f "lost" >/dev/null 2>&1 &');
	ok defined $rig->wait_for('dmesg | grep -q "does not answer: resetting it"'),
		'it is noticed, and the GPU is reset';
	$rig->shows($pb, 'the other guest\'s picture is there as before', device => 'gpu0', head => 1);
	$pb = $gb->draw('after b');
	$rig->shows($pb, 'it goes on', device => 'gpu0', head => 1);
	$pa = $ga->draw('after a');
	$rig->shows($pa, 'so does the one on whose command it hung', device => 'gpu0', head => 0);
	$rig->shows($pb, 'each on its own head', device => 'gpu0', head => 1);
};

subtest 'a guest goes, the other stays' => sub {
	my $pb = $gb->draw('stays');

	flood($ga);
	$rig->must('sleep 2');
	$ga->kill('KILL');
	$rig->nothing_held($uuids[0], 'killed in mid-transfer');
	$rig->shows($pb, 'the other\'s picture stays', device => 'gpu0', head => 1);
	$ga = $rig->guest(name => 'a', vgpu => $uuids[0], modules => ['virtio_gpu']);
	my $pa = $ga->draw('again');
	$rig->shows($pa, 'a new guest on the same vGPU', device => 'gpu0', head => 0);
	$ga->reset;
	$ga->wait_boot;
	$pa = $ga->draw('reset');
	$rig->shows($pa, 'reset in mid-picture, it boots and draws again', device => 'gpu0', head => 0);
	$rig->shows($pb, 'the other\'s picture stays', device => 'gpu0', head => 1);
	note 'revokes: ', $rig->vgpu($uuids[0], 'revokes');
	$gb->clean_dmesg;
};

$_->kill('KILL') for $ga, $gb;
$rig->nothing_held($_) for @uuids;
$rig->remove_vgpu($_) for @uuids;
$rig->release_virtio($bdf);
$rig->unload_modules('mvgpu-virtio', 'mvgpu');
$rig->clean_dmesg;
$rig->stop;
done_testing;
