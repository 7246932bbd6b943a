#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# Static checks: the modules build for every kernel with W=1 and sparse and without a
# warning, checkpatch --strict and kernel-doc have nothing to say, and every file has
# a licence.

use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use Test::More;

my $repo = abs_path(dirname(__FILE__) . '/..');
my $provision = "$repo/tests/vm/provision";

chdir $repo or die "$repo: $!\n";

sub lines_of(@command)
{
	open my $pipe, '-|', @command or die "$command[0]: $!\n";
	chomp(my @lines = <$pipe>);
	close $pipe;
	return @lines;
}

sub slurp($path)
{
	open my $fh, '<', $path or return '';
	local $/;
	return <$fh> // '';
}

# A source tree without git, as a package builder has it, is checked all the same.
my @files = grep { -f && !m{^build/} }
	-e '.git' ? lines_of(qw(git ls-files -co --exclude-standard)) : lines_of(qw(find . -type f));

for my $version (qw(6.1 6.12 7.2)) {
	my ($dir) = lines_of($provision, 'modules', $version);
	my $log = slurp(($dir // '') . '/build.log');
	my @bad = grep { /warning:|error:|\bWARNING\b/ } split /\n/, $log;

	is(scalar(grep { m{/mvgpu-bochs\.ko$} } glob "$dir/*.ko"), 1, "the modules build for $version");
	like($log, qr/^  CHECK /m, "sparse ran for $version");
	is_deeply(\@bad, [], "W=1 and sparse are silent for $version");
}

my ($scripts) = lines_of($provision, 'checkpatch');
my @strict = ("$scripts/checkpatch.pl", qw(--no-tree --strict --terse --max-line-length=100));
# One source serves three kernels, so version checks have to be.
my $kernel_ignore = 'LINUX_VERSION_CODE,CONSTANT_COMPARISON';
# What only kernel code can follow
my $user_ignore = 'PREFER_KERNEL_TYPES,CAMELCASE,VOLATILE,STRCPY,'
	. 'PREFER_DEFINED_ATTRIBUTE_MACRO,NEW_TYPEDEFS,AVOID_EXTERNS,MACRO_ARG_REUSE,'
	. 'MACRO_ARG_PRECEDENCE,COMPLEX_MACRO,EMBEDDED_FUNCTION_NAME';

sub checkpatch($ignore, @sources)
{
	my @said = grep { !/^total:/ }
		map { lines_of('perl', @strict, '--ignore', $ignore, '-f', $_) } @sources;
	unlink glob '.checkpatch-camelcase.*';
	return @said;
}

my @kernel = grep { m{^(kernel|tests/vm/kmod)/.*\.[ch]$} } @files;
my @user = grep { m{^(userspace|tests)/.*\.[ch]$} && !m{^tests/(vm/kmod|shim)/} } @files;
is_deeply([checkpatch($kernel_ignore, @kernel)], [], 'checkpatch --strict: kernel');
is_deeply([checkpatch("$kernel_ignore,$user_ignore", @user)], [], 'checkpatch --strict: user space');

# What the framework is for: who writes a driver on it needs neither
my @vendors = grep { m{^kernel/gvt/.*\.[ch]$} } @files;
is_deeply([grep { slurp($_) =~ /vfio|\biommu_|\b(?:un)?pin_user/i } @vendors], [],
	'no vendor driver names VFIO or pins a page');
cmp_ok(join("", map { slurp($_) } grep { m{/virtio/} } @vendors) =~ tr{\n}{}, '<', 3500,
	'the virtio-gpu driver is below 3,500 lines');

# Nothing else builds it between two benchmarks.
is(qx(make -s -f tests/bench/native.mk O=build 2>&1), '', 'the benchmark of the tracker builds');

my ($kernel_doc) = glob '/usr/lib/linux-kbuild-*/scripts/kernel-doc';
ok($kernel_doc, 'kernel-doc is installed');
my @documented = grep { m{^(kernel|userspace)/.*\.[ch]$} } @files;
is_deeply([map { lines_of('sh', '-c', '"$0" -none "$1" 2>&1', $kernel_doc, $_) } @documented], [],
	'kernel-doc is complete');

my $no_comments = qr{^LICENSES/|\.md$|\.gitignore$|^debian/(changelog|copyright|source/format)$};
is_deeply([grep { !/$no_comments/ && slurp($_) !~ /SPDX-License-Identifier: / } @files], [],
	 'every file names its licence');

done_testing;
