#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# What of mvgpuctl needs no GPU: the command line, and that the manual, the guide and the
# completion tell of everything that it takes. How it deals with GPUs is in vm/31-mvgpuctl.t.

use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP;
use Test::More;

chdir abs_path(dirname(__FILE__) . '/..') or die "no repository: $!\n";

my $ctl = $ENV{MVGPUCTL} // 'build/mvgpuctl';

sub slurp($path)
{
	open my $fh, '<', $path or die "$path: $!\n";
	local $/;
	return <$fh>;
}

# Status, stdout and stderr of a command line
sub ctl($arguments)
{
	my $out = qx($ctl $arguments 2>build/mvgpuctl.err </dev/null);
	return ($? >> 8, $out, slurp('build/mvgpuctl.err'));
}

sub words($kind) { return split /\n/, (ctl("complete $kind"))[1] }

my @commands = grep { $_ ne 'help' } words('commands');
my $manual = slurp('userspace/mvgpuctl/mvgpuctl.8');
my $guide = slurp('docs/mvgpuctl.md');

cmp_ok scalar @commands, '>=', 10, 'there are commands: ' . join ' ', @commands;
for my $command (@commands) {
	my ($status, $help) = ctl("help $command");

	like $manual, qr/^\.It Cm $command$/m, "the manual tells of $command";
	is $status, 0, 'so does its help';
	for my $option (grep { !/^--(json|help)$/ } words("options $command")) {
		my $name = $option =~ s/^--//r;
		like $manual, qr/^\.Cm $command\n(?:(?!\.Nm).*\n)*?.*Fl -$name\b/m, "the manual: $command $option";
		like $help, qr/ $option\b/, 'the help, too';
	}
	($status, my $out, my $err) = ctl("$command --no-such-option");
	is $status, 1, "$command: an unknown option is wrong usage";
	like $err, qr/^mvgpuctl: $command: there is no option.*\nmvgpuctl: -> mvgpuctl help $command$/, 'and named';
}

my %status = $manual =~ /^\.It (\d)\n(.*)/mg;
my %in_guide = $guide =~ /^\| (\d) \| (.*) \|$/mg;
is_deeply [sort keys %status], [0 .. 7], 'the manual tells of each exit status';
is_deeply [sort keys %in_guide], [0 .. 7], 'so does the guide';

is((ctl(''))[0], 1, 'no command is wrong usage');
is((ctl('help'))[0], 0, 'help is not');
my ($status, $out, $err) = ctl('--json shwo');
is $status, 1, 'nor is a typo';
like $err, qr/no command shwo\nmvgpuctl: -> did you mean show\?/, 'what was meant';
is decode_json($out)->{error}{status}, 1, 'as JSON';
for (['set x', 'name a vGPU or a parent'], ['create a', 'name a parent and a type'], ['top x', 'no arguments'],
	['top -d 0', 'not a number of seconds'], ['create -n -1 a b', 'not a number'], ['list x y', 'one kind'],
	['screenshot x', 'name a vGPU and a file']) {
	my ($arguments, $reason) = @$_;

	($status, undef, $err) = ctl($arguments);
	like $err, qr/$reason/, "$arguments: $reason";
	is $status, 1, "$arguments is wrong usage";
}
($status) = ctl('list >/dev/full');
is $status, 7, 'output that gets lost is noticed';

# What bash-completion brings, as far as it matters
my $stub = '_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; }; '
	. '__ltrim_colon_completions() { :; }';
sub completes(@words)
{
	my $line = join ' ', map { "'$_'" } $ctl, @words;
	my $script = "$stub; . userspace/mvgpuctl/mvgpuctl.bash; COMP_WORDS=($line); COMP_CWORD=" . scalar(@words)
		. '; _mvgpuctl; printf "%s\n" "${COMPREPLY[@]}"';
	open my $pipe, '-|', 'bash', '-c', $script or die "bash: $!\n";
	chomp(my @replies = <$pipe>);
	return [grep { length } @replies];
}
is_deeply completes('sc'), ['screenshot'], 'bash completes a command';
is_deeply completes('create', '--c'), ['--count'], 'an option';
is_deeply completes('list', 'v'), ['vgpus'], 'a kind';

unlink 'build/mvgpuctl.err';
done_testing;
