#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The documents say what is there: the vendor guide quotes all of edu.c, links lead to files
# and headings, what is called mvgpu_* exists, the tests that are named do, HTML is made of
# it all without a warning, and every block of commands is run by a test: by this one, what
# needs no machine of its own. For each check, a changed copy shows that it would notice.

use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find qw(find);
use File::Temp qw(tempdir);
use FindBin;
use lib "$FindBin::Bin/vm/lib";
use List::Util qw(max uniq);
use MVGPU::Guide qw(blocks_for blocks_of slurp);
use Test::More;

my $repo = abs_path(dirname(__FILE__) . '/..');
chdir $repo or die "$repo: $!\n";
# What a make above us has been told is not meant for those below.
delete @ENV{qw(MAKEFLAGS MFLAGS MAKELEVEL O)};

my $guide = 'docs/vendor-driver.md';
my $self = 'tests/docs.t';

# ---- the checks: each returns what is wrong, one line each -------------------

# All blocks marked as C are edu.c, in order; other code in the guide is indented.
sub quotes($text, $source)
{
	my @quoted = split /\n/, join('', $text =~ /^```c\n(.*?)^```$/gms), -1;
	my @lines = split /\n/, $source, -1;

	for my $i (0 .. max($#quoted, $#lines)) {
		my ($is, $should) = map { $_->[$i] // '(nothing)' } \@quoted, \@lines;
		return "line @{[$i + 1]} is '$is', not '$should'" if $is ne $should;
	}
	return;
}

sub without_code($text) { return $text =~ s/^```.*?^```$//gmsr =~ s/^(?: {4}|\t).*$//gmr }

# What a heading is called in a link
sub anchors($text)
{
	return map { lc =~ s/[^\w\- ]//gr =~ s/ /-/gr } without_code($text) =~ /^#+ +(.*?) *$/gm;
}

sub bad_links($path, $text)
{
	my @bad;

	for my $link (without_code($text) =~ /\]\(([^)\s]+)\)/g) {
		next if $link =~ /^[a-z]+:/;
		my ($file, $anchor) = $link =~ /^([^#]*)(?:#(.*))?$/;
		my $to = $file eq '' ? $path : dirname($path) . "/$file";

		if (!-e $to) {
			push @bad, "$path: there is no $link";
		} elsif (defined $anchor) {
			my $target = $to eq $path ? $text : slurp($to);
			push @bad, "$path: there is no heading $link"
				unless grep { $_ eq $anchor } anchors($target);
		}
	}
	return @bad;
}

# Names as mvgpu_map, mvgpu_driver.init, mvgpu_add_*, but not what is a part of a path
sub unknown_names($path, $text, $code)
{
	my %names = map { $_ => 1 } $code =~ /\b(\w*mvgpu_\w*)/g;
	my @bad;

	while ($text =~ m{(?<![\w/])(\w*mvgpu_\w*)(?:(\*)|\.(\w+))?}g) {
		my ($name, $glob, $member) = ($1, $2, $3);

		if ($glob) {
			push @bad, "$path: nothing is called $name*" unless grep { /^\Q$name/ } keys %names;
		} elsif (!$names{$name}) {
			push @bad, "$path: nothing is called $name";
		} elsif (defined $member && $code =~ /^struct \Q$name\E \{(.*?)^\}/ms) {
			push @bad, "$path: $name has no member $member" unless $1 =~ /\b$member[;,\[)]/;
		}
	}
	return uniq @bad;
}

# [file](path) "name of a test": the file has such a test.
sub unknown_tests($path, $text)
{
	my @bad;

	while ($text =~ /\]\(([^)]+)\) "([^"]+)"/g) {
		my ($file, $name) = (dirname($path) . "/$1", $2);

		push @bad, "$path: $1 has no test '$name'" unless -f $file
			&& slurp($file) =~ /["']\Q$name\E|^static void \Q$name\E\(void \*\*state\)/m;
	}
	return @bad;
}

# Every block of commands names a test, which is there and runs the blocks of this guide;
# nothing else looks like a command.
sub bad_blocks($path, $text)
{
	my $command = qr/^(?:\$ |# |sudo )?(?:apt|make|modprobe|mvgpuctl|prove|echo|cd|grep|qemu\S*) /m;
	my @blocks = blocks_of($text);
	my @bad;

	for my $block (@blocks) {
		my ($language, $test) = @$block{qw(language test)};
		my $where = "$path: line $block->{line}";

		if ($language =~ /^(?:sh|perl)$/) {
			push @bad, "$where: no test runs it" unless defined $test && -f $test;
			push @bad, "$where: $test does not run what is in $path"
				if defined $test && -f $test && $test ne $self
					&& slurp($test) !~ /'\Q$path\E'/;
		} elsif ($language eq 'text') {
			push @bad, "$where: text that is a command" if $block->{text} =~ $command;
		} elsif (!($language eq 'dot' || ($language eq 'c' && $path eq $guide))) {
			push @bad, "$where: a block of '$language'";
		}
	}
	my $named = () = $text =~ /^<!-- run by/mg;
	push @bad, "$path: a test is named, but not above a block"
		if $named != grep { defined $_->{test} } @blocks;
	return @bad;
}

# ---- what a reader may type --------------------------------------------------

# Where `make` finds the repository, and may build and install
sub playground
{
	my $dir = tempdir(CLEANUP => 1);
	my %bin = (
		'bin/apt' => 'exec apt-get -s "$@"',	# are there such packages?
		'dry/make' => 'exec /usr/bin/make -n "$@"',
		'dry/prove' => 'for f; do case $f in tests/*) [ -e "$f" ] || exit 1 ;; esac; done',
	);

	symlink "$repo/$_", "$dir/$_" for grep { !/^build$/ } map { s{.*/}{}r } glob "$repo/*";
	mkdir "$dir/$_" for qw(bin dry root);
	for (sort keys %bin) {
		open my $fh, '>', "$dir/$_" or die "$_: $!\n";
		print $fh "#!/bin/sh\n$bin{$_}\n";
		chmod 0755, $fh;
		close $fh;
	}
	return $dir;
}

# Runs a block there as it is; returns its status and what it said
sub follow($dir, $block)
{
	local %ENV = (%ENV, DESTDIR => "$dir/root", INSTALL_MOD_PATH => "$dir/root",
		PATH => join ':', ($block->{dry} ? "$dir/dry" : ()), "$dir/bin", "$ENV{PATH}:/usr/sbin:/sbin");

	open my $pipe, '-|', 'sh', '-c', 'cd "$0" && exec bash -e -c "$1" 2>&1', $dir, $block->{text}
		or die "bash: $!\n";
	my $said = join '', <$pipe>;
	close $pipe;
	return ($?, $said);
}

# Sphinx on the documents, in a tree of links to the repository; returns what it complains of
sub warnings_of(%changed)
{
	my $dir = tempdir(CLEANUP => 1);

	symlink "$repo/$_", "$dir/$_" for qw(kernel tests userspace);
	mkdir "$dir/docs";
	symlink $_, "$dir/docs/" . s{.*/}{}r for grep { !$changed{s{.*/}{}r} } glob "$repo/docs/*";
	for (sort keys %changed) {
		open my $fh, '>:encoding(UTF-8)', "$dir/docs/$_" or die "$_: $!\n";
		print $fh $changed{$_};
		close $fh;
	}
	my $said = qx(make -s -f '$repo/Makefile' -C '$dir' docs O=out 2>&1);
	return ($said, $dir);
}

# ---- on the documents --------------------------------------------------------

my @docs = ('README.md', glob 'docs/*.md');
my %text = map { $_ => slurp($_) } @docs;
my $edu = slurp('kernel/gvt/edu/edu.c');
my $code = '';	# of the kernel modules, without comments
find({ no_chdir => 1, wanted => sub { $code .= slurp($_) if /\.[ch]$/ } }, 'kernel');
$code =~ s{/\*.*?\*/}{}gs;

is_deeply [quotes($text{$guide}, $edu)], [], 'the guide quotes edu.c, every line and in order';
is_deeply [map { bad_links($_, $text{$_}) } @docs], [], 'links lead somewhere';
is_deeply [map { unknown_names($_, $text{$_}, $code) } @docs], [], 'what is named is there';
is_deeply [map { unknown_tests($_, $text{$_}) } @docs], [], 'so are the tests that show it';
cmp_ok scalar(() = $text{$_} =~ /\]\([^)]+\) "[^"]+"/g), '>', 20, "of which there are many in $_"
	for $guide, 'docs/security.md';
is_deeply [map { bad_blocks($_, $text{$_}) } @docs], [], 'every block of commands has a test';

# What has to be in the reference is what a vendor driver can call.
my ($warnings, $html) = warnings_of();
is $warnings, '', 'make docs has no complaint';
my $api = slurp("$html/out/docs/api.html");
# kernel-doc knows no variables
my @exported = grep { $code =~ /\b$_\(/ } $code =~ /^EXPORT_SYMBOL_GPL\((\w+)\);/mg;
cmp_ok scalar @exported, '>', 30, 'functions are exported';
is_deeply [grep { $api !~ /id="c\.(?:call\.)?$_"/ } @exported], [], 'all are in the API reference';
my $drawn = () = join('', values %text) =~ /^```dot$/mg;
is scalar(() = glob "$html/out/docs/_images/graphviz-*.svg"), $drawn, "$drawn pictures are drawn";

my $dir = playground();
for my $doc (@docs) {
	for my $block (blocks_for($self, $doc)) {
		my ($status, $said) = follow($dir, $block);

		is $status, 0, "$doc, line $block->{line}, can be followed" or diag $said;
	}
}
ok -x "$dir/root/usr/local/sbin/mvgpuctl", 'then mvgpuctl is installed';
is scalar(() = map { glob "$dir/root/lib/modules/*/$_/gvt/*/*.ko" } qw(extra updates)), 3,
	'and the vendor drivers are';

# ---- on changed copies -------------------------------------------------------

sub changed($text, $pattern, $by)
{
	$text =~ s/$pattern/$by/ or die "nothing to change: $pattern\n";
	return $text;
}

my $cancel = qr/\tcancel_work_sync\(&v->turn\);\n/;
my %changed = (
	'a line is missing' => [$cancel, ''],
	'a line is there twice' => [$cancel, "\tcancel_work_sync(&v->turn);\n" x 2],
	'a space is missing' => [qr/EDU_DST = 0x88/, 'EDU_DST =0x88'],
	'two lines are in the wrong order' => [qr/\tmutex_lock\(&v->busy\);\n\tmutex_unlock\(&v->busy\);\n/,
		"\tmutex_unlock(&v->busy);\n\tmutex_lock(&v->busy);\n"],
	'a block is no C' => [qr/^```c$/m, '```'],
	'a block is missing' => [qr/^```c\n(?:(?!```).)*^```$/ms, ''],
	'the end is missing' => [qr/MODULE_LICENSE.*\n/, ''],
	'something follows the end' => [qr/(?<=MODULE_LICENSE\("GPL"\);\n)/, "/* more */\n"],
);
for (sort keys %changed) {
	my $copy = changed($text{$guide}, @{$changed{$_}});

	like quotes($copy, $edu) // 'all is well', qr/^line \d+ is /, "it is noticed that $_";
}
like quotes($text{$guide}, changed($edu, $cancel, '')) // 'all is well', qr/^line \d+ is /,
	'or that edu.c has changed';

is_deeply [bad_links($guide, "[a](architecture.md) [b](https://b/) [c](no.md)\n")],
	["$guide: there is no no.md"], 'a dead link is noticed';
is_deeply [bad_links('README.md', "![a](docs/no.svg) [b](docs/operators.md#no)\n")],
	['README.md: there is no docs/no.svg', 'README.md: there is no heading docs/operators.md#no'],
	'also of a picture, and to a heading';
is_deeply [unknown_names('a', '`mvgpu_map()`, `mvgpu_mapp()`, `mvgpu_add_*()`, `mvgpu_sub_*()`', $code)],
	['a: nothing is called mvgpu_mapp', 'a: nothing is called mvgpu_sub_*'], 'a wrong name is noticed';
is_deeply [unknown_names('a', '`mvgpu_driver.init`, `mvgpu_driver.int`', $code)],
	['a: mvgpu_driver has no member int'], 'and a wrong member';
is_deeply [unknown_tests($guide, '[a](../tests/lint.t) "checkpatch", [b](../tests/lint.t) "none such"')],
	["$guide: ../tests/lint.t has no test 'none such'"], 'and a test that is not there';

my $block = "<!-- run by $self -->\n```sh\nmake\n```\n";
is_deeply [bad_blocks('a', $block)], [], 'a block with a test is fine';
for (['without', "```sh\nmake\n```\n", 'a: line 1: no test runs it'],
	['whose test is not there', $block =~ s/docs/dogs/r, 'a: line 2: no test runs it'],
	['whose test runs other guides', $block =~ s/docs/lint/r, 'a: line 2: tests/lint.t does not run what is in a'],
	['whose test is too far above', $block =~ s/-->\n/-->\n\n/r, 'a: line 3: no test runs it'],
	['that is called text', "```text\nmake check\n```\n", 'a: line 1: text that is a command'],
	['of no language', "```\nmake\n```\n", q(a: line 1: a block of '')],
	['that is indented', "Type\n\n    make\n", q(a: line 3: a block of 'indented')],
	['of C in another guide', "```c\nint i;\n```\n", q(a: line 1: a block of 'c')]) {
	my ($what, $copy, $bad) = @$_;

	is +(bad_blocks('a', $copy))[0], $bad, "a block $what is noticed";
}
for ('make no-such-target', 'apt install no-such-package', "false\ntrue") {
	isnt +(follow($dir, { text => $_, dry => !!m{^make} }))[0], 0, "what can't be followed is noticed: $_" =~ s/\n/; /r;
}
my ($said) = warnings_of('security.md' => <<~EOF);
	# Changed

	[a](architecture.md#no-such-heading) [b](no-such-guide.md) `mvgpu_no_such_function()`

	```dot
	digraph {
	```
	EOF
like $said, qr/security.md:3: .*$_/, "Sphinx notices $_"
	for qw(no-such-heading no-such-guide mvgpu_no_such_function);
like $said, qr/dot exited with error/, 'and a picture that is none';
($said) = warnings_of('index.md' => "# Changed\n");
like $said, qr/document isn't included in any toctree/, 'and a guide that nobody finds';

done_testing;
