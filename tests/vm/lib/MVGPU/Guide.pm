# SPDX-License-Identifier: MIT
#
# The guides' blocks of code. What a reader may type is a block of sh or perl, below a
# comment that no reader sees, which names the test that runs it:
#
#	<!-- run by tests/vm/32-guides.t -->
#	```sh
#	mvgpuctl doctor
#	```
#
# tests/docs.t sees that every such block has one. "dry" in the comment has it run what
# would start tests without starting them.

package MVGPU::Guide;

use v5.36;
use parent 'Exporter';

our @EXPORT_OK = qw(blocks_of blocks_for slurp);

sub slurp($path)
{
	open my $fh, '<:encoding(UTF-8)', $path or die "$path: $!\n";
	local $/;
	return <$fh> // '';
}

# All blocks of a text, in order: line, language, text, and who runs it, if somebody does
sub blocks_of($text)
{
	my (@blocks, $block, $tag);
	my $line = 0;

	for (split /^/, $text) {
		$line++;
		if (!$block && /^```(\w*)$/) {
			$block = { line => $line, language => $1, text => '', %{ $tag // {} } };
		} elsif ($block && /^```$/) {
			push @blocks, $block;
			undef $block;
		} elsif ($block) {
			$block->{text} .= $_;
			next;
		} elsif (/^(?: {4}|\t)\S/ && $line > 1) {
			push @blocks, { line => $line, language => 'indented', text => $_ };
		}
		$tag = /^<!-- run by (\S+?)(, dry)? -->$/ ? { test => $1, dry => !!$2 } : undef;
	}
	push @blocks, $block if $block;
	return @blocks;
}

# Those of a guide that a test has to run
sub blocks_for($test, $path)
{
	return grep { ($_->{test} // '') eq $test } blocks_of(slurp($path));
}

1;
