# SPDX-License-Identifier: MIT
#
# mvgpuctl in L1: runs it, and the TAP assertions over what it says.

package MVGPU::Ctl;

use v5.36;
use parent 'Exporter';
use JSON::PP;
use Test::More;

use constant { USAGE => 1, NOT_FOUND => 2, BUSY => 3, PERMISSION => 4, REFUSED => 5, MISSING => 6 };

our @EXPORT = qw(ctl_of ctl works json refuses driver
	USAGE NOT_FOUND BUSY PERMISSION REFUSED MISSING);

my ($rig, $ctl);

# Whose L1 it is from here on; returns what runs it there. MVGPUCTL is another build of it, say
# with ASan, as L1 sees it.
sub ctl_of($its)
{
	$rig = $its;
	return $ctl = $ENV{MVGPUCTL} // '/mvgpu/build/mvgpuctl';
}

# Runs mvgpuctl: its status, what it printed, what it complained of
sub ctl($arguments)
{
	my ($status, $output) = $rig->run("$ctl $arguments 2>/tmp/err; s=\$?; echo; echo @@; cat /tmp/err; exit \$s");
	my ($out, $err) = $output =~ /\A(.*)\n\@\@\n(.*)\z/s or $rig->trouble("no end: $output");
	return ($status, $out, $err);
}

# It works, silently unless it says $like; returns what it printed
sub works($arguments, $name = $arguments, $like = qr/\A\z/)
{
	my ($status, $out, $err) = ctl($arguments);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	ok $status == 0 && $err =~ $like, $name or diag "$arguments\nstatus $status\n$out\n$err";
	chomp $out;
	return $out;
}

sub json($arguments)
{
	my $out = works("$arguments --json", "$arguments --json", qr//);
	my $json = eval { decode_json($out) } // {};

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is $json->{schema}, 1, 'is JSON of schema 1' or diag $out;
	return $json;
}

# It fails with a status, says what is wrong and what to do
sub refuses($arguments, $should, $reason, $advice, $name = $arguments)
{
	my ($status, $out, $err) = ctl($arguments);
	my ($first, @rest) = split /\n/, $err;

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	subtest "refused: $name" => sub {
		is $status, $should, "ends with $should";
		like $first // '', qr/^mvgpuctl: .*$reason/, 'says what is wrong';
		like join("\n", @rest), qr/^mvgpuctl: -> .*$advice/m, 'and what to do';
		unlike $err, qr/^(?!mvgpuctl: )/m, 'says nothing else';
		is $out, '', 'prints nothing';
	} or diag $err;
	return $err;
}

# The driver that has a PCI device, or ''
sub driver($bdf) { return $rig->driver_of($bdf) }

1;
