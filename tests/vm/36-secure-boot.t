#!/usr/bin/perl
# SPDX-License-Identifier: MIT
#
# A host with Secure Boot: Debian's own firmware, shim, GRUB and kernel boot it, and the kernel
# refuses the modules that DKMS has built and signed, until somebody at the console has enrolled
# the key as the guide says. Then a guest draws.

use v5.36;
use FindBin;
use lib "$FindBin::Bin/lib";
use MVGPU::Clock;
use MVGPU::Guide qw(blocks_for);
use MVGPU::Rig;
use Test::More;
use Time::HiRes qw(sleep);

use constant PASSWORD => 'vgpu';

my ($import, $enrolled) = map { $_->{text} }
	blocks_for('tests/vm/36-secure-boot.t', "$FindBin::Bin/../../" . 'docs/packages.md');
my $rig = MVGPU::Rig->new(root => 'libvirt', kernel => '6.12', mem => 3072, secure_boot => 1,
	gpus => ['bochs-display,vgamem=64M,id=gpu0']);
$rig->boot;
my ($bochs) = $rig->find_pci('1234:1111');

# What a reader types, and what is asked for while he does
sub type($block, $answers = '')
{
	for (['block', $block], ['answers', $answers]) {
		my ($name, $text) = @$_;

		open my $fh, '>', $rig->shared($name) or die "$name: $!\n";
		print $fh $text;
		close $fh;
	}
	return $rig->run('bash -e /rig/block </rig/answers 2>&1');
}

# Waits for a text on the console that was not there before, and presses keys
my $seen = 0;
sub at($text, @keys)
{
	my $until = now + $rig->timeout;
	my $at;

	until (($at = index $rig->console, $text, $seen) >= 0) {
		$rig->trouble("its console does not say '$text'") if now > $until || !$rig->alive;
		sleep 0.2;
	}
	$seen = $at + length $text;
	# The screen is painted before keys are looked at.
	sleep 2;
	for my $key (@keys) {
		$rig->qmp('send-key', { keys => [{ type => 'qcode', data => $key }] });
		sleep 0.5;
	}
}

sub enroll
{
	at('Press any key to perform MOK management', 'spc');
	at('Enroll MOK', qw(down ret));
	at('Continue', qw(down ret));
	at('Enroll the key', qw(down ret));
	at('Password:', split(//, PASSWORD), 'ret');
	at('Reboot', 'ret');
}

subtest 'before' => sub {
	like $rig->read_file('/sys/kernel/security/lockdown'), qr/\[integrity\]/, 'the kernel is locked down';
	my ($status, $said) = $rig->run('modprobe mvgpu 2>&1');
	isnt $status, 0, 'it does not load the modules';
	like $said, qr/Operation not permitted|Key was rejected by service/, 'for the reason in the guide';
	($status, $said) = $rig->run("mvgpuctl adopt $bochs 2>&1");
	is $status, 6, 'mvgpuctl ends with 6';
	like $said, qr/^mvgpuctl: module mvgpu-bochs: the kernel does not know the key.*\nmvgpuctl: -> mokutil --import/m,
		'and says what is missing and what to type';
	($status, $said) = $rig->run('mvgpuctl doctor');
	like $said, qr/^WARN +lockdown .*\n *-> mokutil --import/m, 'so does doctor';
};

subtest 'the guide' => sub {
	my ($status, $said) = type($import, PASSWORD . "\n" . PASSWORD . "\n");
	is $status, 0, 'the key is to be enrolled' or diag $said;
	like $said, qr/^SecureBoot enabled$/m, 'since there is Secure Boot';
	like $said, qr/^DKMS module signing key$/m, "it is DKMS'";
	$seen = length $rig->console;
	$rig->reboot(\&enroll);
	($status, $said) = type($enrolled);
	is $status, 0, 'after that, the modules are loaded' or diag $said;
	like $said, qr/DKMS module signing key/, 'the firmware knows the key';
};

subtest 'a guest' => sub {
	like +($rig->run('mvgpuctl doctor'))[1], qr/^ok +lockdown .*knows the key of ours$/m, 'doctor is content';
	$rig->must("mvgpuctl adopt $bochs");
	my $uuid = $rig->must("mvgpuctl create $bochs 16m");
	$rig->must("mvgpuctl set $uuid foreground=yes");
	my $guest = $rig->domain(name => 'guest', vgpu => $uuid);
	$rig->shows($guest->draw('a guest'), 'draws on the physical screen', device => 'gpu0', head => 0);
	$guest->destroy;
};

$rig->clean_dmesg;
$rig->stop;
done_testing;
