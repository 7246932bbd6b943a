#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A guest that does everything that no driver does, on one vGPU of a virtio-gpu: it is answered
# or told to reset its device, and the vGPUs beside it don't notice. MVGPU_FULL=1 does that
# behind an IOMMU, too.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Iommus;
use MVGPU::Rig;
use Test::More;

my $client = '/mvgpu/build/virtio-test';

# A vGPU beside the one under test keeps a picture on its head
sub hold($rig, $uuid)
{
	my $pid = $rig->must(<<~EOF);
		$client --hold $uuid >/tmp/hold 2>&1 &
		echo \$!
		for i in \$(seq 100); do ! grep -q HOLDING /tmp/hold || exit 0; sleep 0.2; done
		cat /tmp/hold; exit 1
		EOF
	return $pid =~ s/\s.*//sr;
}

sub screen($rig) { return $rig->screendump(device => 'gpu0', head => 2) }

sub run_iommu($name, $kernel)
{
	my $rig = MVGPU::Rig->new(kernel => $kernel, virtio_gpu($name));
	my $bdf = $rig->boot_virtio;
	my @uuids = map { $rig->create_vgpu($bdf, 'virtio-pci-1h64m') } 1 .. 3;
	my $blank = screen($rig);
	my $holder = hold($rig, $uuids[2]);
	my $picture = screen($rig);
	cmp_ok $picture->differing($blank), '>', 1000, 'a third vGPU shows a picture';

	my ($complaint) = $rig->run("$client --silent @uuids[0, 1]");
	isnt $complaint, 0, 'a command without an answer fails a test';
	for my $way ($rig->ways) {
		for my $group (qw(command ring reset memory plane)) {
			$rig->relay_tap("$client $way --only '$group:' @uuids[0, 1] 2>&1", "$group $way",
				timeout => 500);
			$rig->shows($picture, "$group: the third vGPU's picture is the same",
				device => 'gpu0', head => 2);
			$rig->nothing_held($_, $group) for @uuids[0, 1];
		}
	}
	$rig->must("kill $holder");
	$rig->wait_for("! kill -0 $holder 2>/dev/null");
	$rig->end_virtio(@uuids);
}

# Negative control: modules that let memory go without taking it out of anybody's sight
sub skip_revoke($kernel)
{
	my $rig = MVGPU::Rig->new(kernel => $kernel, variant => 'skip-revoke', virtio_gpu('bypass'));
	my $bdf = $rig->boot_virtio;
	my @uuids = map { $rig->create_vgpu($bdf, 'virtio-pci-1h64m') } 1, 2;

	$rig->must("$client --only 'plane: it shows*' @uuids");
	my ($complaint, $said) = $rig->run("$client --only 'plane: the memory goes*' @uuids 2>&1");
	isnt $complaint, 0, 'a plane that goes on showing memory that has gone fails a test';
	like $said, qr/^not ok \d+ - plane: the memory goes$/m, 'when nobody looks meanwhile';
	like $said, qr/^not ok \d+ - plane: the memory goes while/m, 'and when somebody does';
	$rig->stop;
}

my @models = $ENV{MVGPU_FULL} ? qw(bypass strict) : qw(bypass);
my $kernel = $ENV{MVGPU_KERNEL} // 'host';

for my $name (@models) {
	subtest "IOMMU $name, Linux $kernel" => sub { run_iommu($name, $kernel) };
}
subtest "Linux $kernel, without the revoke" => sub { skip_revoke($kernel) };
done_testing;
