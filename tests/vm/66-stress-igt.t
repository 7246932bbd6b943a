#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# IGT's tests of flips, cursors and atomic modesets in two guests at once, while vGPUs of other
# types are created, used and removed beside them: what the tests say is for 65-igt.t, here both
# guests must live and nothing must be left. MVGPU_FULL=1 takes longer.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Igt;
use MVGPU::Rig;
use Test::More;
use Time::HiRes qw(time sleep);

# Seconds that a program has
use constant LIMIT => $ENV{MVGPU_FULL} ? 60 : 30;

my $client = '/mvgpu/build/virtio-test';
my $rig = MVGPU::Rig->new(MVGPU::Igt->rig_options);
my $igt = MVGPU::Igt->new(rig => $rig, list => "$rig->{here}/../igt/stress.list");

my $bdf = $rig->boot_virtio;
my $types = "/sys/bus/pci/devices/$bdf/mdev_supported_types";
my @uuids = map { $rig->create_vgpu($bdf, 'virtio-pci-1h64m') } 0, 1;
my @guests = map { $igt->boot(name => "igt$_", vgpu => $uuids[$_]) } 0, 1;

# vGPUs that come and go until /tmp/stop is there; those with a head are drawn on. How many
# there were is in /tmp/came then, what went wrong in /tmp/trouble.
$rig->must(<<~EOF);
	cat >/tmp/come-and-go <<'END'
	came=0
	while [ ! -e /tmp/stop ]; do
		for type in virtio-pci-0h32m virtio-pci-1h64m virtio-pci-1h128m; do
			read uuid </proc/sys/kernel/random/uuid
			echo \$uuid >$types/\$type/create || echo "no \$type"
			case \$type in *1h*) $client --leisure 1 20 \$uuid ;; esac
			[ "\$(cat /sys/bus/mdev/devices/\$uuid/mvgpu/pinned)" = 0 ] || echo "\$uuid: pinned"
			echo 1 >/sys/bus/mdev/devices/\$uuid/remove || echo "\$uuid: not removed"
			came=\$((came + 1)); echo \$came >/tmp/came
		done
	done 2>&1 | grep -v 'median latency' >/tmp/trouble
	touch /tmp/stopped
	END
	setsid sh /tmp/come-and-go </dev/null >/dev/null 2>&1 &
	EOF

my $began = time;
$igt->start($guests[$_], LIMIT, backwards => $_) for 0, 1;
my $until = $began + $rig->scaled(LIMIT * 5 * 2 + 60);
sleep 1 until time > $until || !grep { !$igt->ended($_) } @guests;
for (@guests) {
	ok $igt->ended($_), "$_->{name}: the tests come to an end"
		or diag $_->must('ps; tail -n 20 /tmp/igt.out');
}
diag sprintf '%.0f s', time - $began;
$rig->must('touch /tmp/stop');
ok defined $rig->wait_for('test -e /tmp/stopped'), 'the others come and go no more';
is $rig->must('cat /tmp/trouble'), '', 'nothing went wrong with them';
my $came = $rig->must('cat /tmp/came');
cmp_ok $came, '>=', 10, "there were some: $came";

for (0, 1) {
	my ($guest, $results) = ($guests[$_], $igt->results($guests[$_]));
	diag "$guest->{name}: ", MVGPU::Igt::summary($results);
	cmp_ok scalar(grep { $_ eq 'SUCCESS' } values %$results), '>=', 10,
		"$guest->{name}: many tests pass";
	ok !(grep { $_ eq 'CRASH' } values %$results), 'none crashes';
}
my @pictures = map { $_->draw("in the end $_->{name}") } @guests;
$rig->shows($pictures[$_], "$guests[$_]{name} lives and draws", device => 'gpu0', head => $_)
	for 0, 1;
for (0, 1) {
	$guests[$_]->clean_dmesg;
	$guests[$_]->kill;
	$rig->nothing_held($uuids[$_]);
	$rig->remove_vgpu($uuids[$_]);
}
is $rig->must('ls /sys/bus/mdev/devices'), '', 'no vGPU is left';
$rig->end_virtio;
done_testing;
