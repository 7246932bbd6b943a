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
	return ($? >> 8, $out, scalar slurp('build/mvgpuctl.err'));
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
for ('shwo --json', 'shwo -j', 'list --bogus --json', 'create -n x --json a b', '-j list x y') {
	($status, $out) = ctl($_);
	is $status, 1, "$_: is wrong usage";
	is decode_json($out || '{}')->{error}{status}, 1, 'as JSON';
}
is((ctl('list x -- --json'))[1], '', 'what follows -- is no option');
like decode_json((ctl("--json 'sh\377'"))[1])->{error}{message}, qr/no command sh\?$/,
	'what is no UTF-8 does not break it';
for (['list -qx', '-q'], ['list --quiet', '--quiet'], ['list --json=x', '--json=x']) {
	my ($arguments, $option) = @$_;

	like +(ctl($arguments))[2], qr/there is no option \Q$option\E$/m, "$arguments: $option is named";
}
($status, $out, $err) = ctl('create -n x --bogus a b');
is scalar(() = $err =~ /^mvgpuctl: (?!->)/mg), 1, 'the first mistake is said, no other';
for (['set x', 'name a vGPU or a parent'], ['create a', 'name a parent and a type'], ['top x', 'no arguments'],
	['top -d 0', 'not a number of seconds'], ['create -n -1 a b', 'not a number'], ['list x y', 'one kind'],
	['screenshot x', 'name a vGPU and a file']) {
	my ($arguments, $reason) = @$_;

	($status, undef, $err) = ctl($arguments);
	like $err, qr/$reason/, "$arguments: $reason";
	is $status, 1, "$arguments is wrong usage";
}
# Lists of GPUs: what is right in them, and handed over, is in deb.t
my $list = 'build/mvgpuctl.list';
sub adopts($text, $gpu = '')
{
	open my $fh, '>', $list or die "$list: $!\n";
	print $fh $text;
	close $fh or die "$list: $!\n";
	return ctl("adopt --list=$list $gpu");
}
for (["0000:00:2.0 mvgpu-bochs\n", "line 1: '0000:00:2.0' is no PCI address"],
	["# a\n\n0x0:00:02.0 mvgpu-bochs\n", "line 3: '0x0:00:02.0' is no PCI address"],
	["00:20.0 mvgpu-bochs\n", "line 1: '00:20.0' is no PCI address"],
	["00:02.0 # mvgpu-bochs", 'line 1: 0000:00:02.0: no vendor driver follows it'],
	["00:02.0 mvgpu-bochs now\n", 'line 1: 0000:00:02.0: something follows the vendor driver mvgpu-bochs'],
	["00:0A.0 mvgpu-bochs\n0000:00:0a.0 mvgpu-bochs\n", 'line 2: 0000:00:0a.0: line 1 lists it already']) {
	my ($text, $reason) = @$_;

	($status, undef, $err) = adopts($text);
	is $status, 1, "$reason: is wrong";
	like $err, qr{^mvgpuctl: $list \Q$reason\E.*\nmvgpuctl: -> correct it; then mvgpuctl adopt --list=$list$},
		'and nothing else is said';
	($status, undef, $err) = adopts($text, '0000:00:03.0');
	is "$status$err", '0', 'nor anything at all about another GPU';
}
($status, undef, $err) = adopts("# none\n\n");
is "$status$err", '0', 'an empty list is fine';
is((adopts('', 'virtio0'))[0], 1, 'a list takes an address');
is((ctl("adopt --list=$list --driver=a 00:02.0"))[0], 1, 'and the driver from the list');
is((ctl('adopt --list=build/none'))[0], 2, 'a list that is not there is no empty one');

($status) = ctl('help >/dev/full');
is $status, 7, 'output that gets lost is noticed';

# What bash-completion brings, as far as it matters
my $stub = '_get_comp_words_by_ref() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; }; '
	. '__ltrim_colon_completions() { :; }; compopt() { :; }';
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
is_deeply completes('--json', 'li'), ['list'], 'also behind an option';
is_deeply completes('list', '--json', 'v'), ['vgpus'], 'or two words behind';
is_deeply completes('create', '-n', '--c'), [], 'nothing for what belongs to an option';
is_deeply completes('create', '-n', '2', '--name=a', '--c'), ['--count'], 'but what comes then';
is_deeply completes('set', 'web-1', 'foreground=y'), [], 'and nothing behind a =';

unlink 'build/mvgpuctl.err', $list;
done_testing;
