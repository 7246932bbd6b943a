#!/usr/bin/env perl
# SPDX-License-Identifier: MIT
#
# The documents say what is there: the vendor guide quotes all of edu.c, links lead to files
# and headings, what is called mvgpu_* exists, and the tests that are named do. For each
# check, a changed copy shows that it would notice.

use v5.36;
use Cwd qw(abs_path);
use File::Basename qw(dirname);
use File::Find qw(find);
use List::Util qw(max uniq);
use Test::More;

chdir abs_path(dirname(__FILE__) . '/..') or die "no repository: $!\n";

my $guide = 'docs/vendor-driver.md';

sub slurp($path)
{
	open my $fh, '<:encoding(UTF-8)', $path or die "$path: $!\n";
	local $/;
	return <$fh> // '';
}

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

		push @bad, "$path: $1 has no test '$name'"
			unless -f $file && slurp($file) =~ /["']\Q$name\E/;
	}
	return @bad;
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
is_deeply [unknown_tests($guide, $text{$guide})], [], 'so are the tests of the checklist';
cmp_ok scalar(() = $text{$guide} =~ /\]\([^)]+\) "[^"]+"/g), '>', 20, 'of which there are many';

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

done_testing;
