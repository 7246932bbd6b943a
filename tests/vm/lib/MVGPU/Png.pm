# SPDX-License-Identifier: MIT
#
# PNG files as mvgpuctl and QEMU write them, and no others: 8 bits a colour, three colours.

package MVGPU::Png;

use v5.36;
use Compress::Zlib qw(crc32 uncompress);
use MVGPU::Image;

use constant PIXEL => 3;

# The file as an Image; dies of one that is damaged
sub read($path)
{
	open my $fh, '<:raw', $path or die "$path: $!\n";
	local $/;
	my $data = <$fh>;
	my ($width, $height, $packed) = (0, 0, '');

	$data =~ s/\A\x89PNG\r\n\x1a\n// or die "$path: no PNG\n";
	while (length $data) {
		my ($length, $type) = unpack 'Na4', $data;
		my $content = substr $data, 8, $length;
		my $crc = unpack 'N', substr $data, 8 + $length, 4;

		die "$path: a damaged $type\n" if $crc != crc32($type . $content);
		if ($type eq 'IHDR') {
			($width, $height, my $rest) = unpack 'NNH*', $content;
			die "$path: of another kind: $rest\n" if $rest ne '0802000000';
		}
		$packed .= $content if $type eq 'IDAT';
		substr($data, 0, 12 + $length) = '';
	}
	my $pixels = uncompress($packed) // die "$path: can't be unpacked\n";
	my $row = PIXEL * $width;
	my @rows = unpack "(Ca$row)$height", $pixels;
	my @above = (0) x $row;
	my $image = '';
	while (my ($filter, $bytes) = splice @rows, 0, 2) {
		@above = _unfilter($filter, [unpack 'C*', $bytes], \@above);
		$image .= pack 'C*', @above;
	}
	return MVGPU::Image->new($width, $height, $image);
}

# A row of bytes from what its filter has left of it (PNG, 9.2), and the row above it
sub _unfilter($filter, $left, $above)
{
	return @$left if $filter == 0;
	return map { ($left->[$_] + $above->[$_]) & 255 } 0 .. $#$left if $filter == 2;
	my @row;
	for (0 .. $#$left) {
		my ($a, $b, $c) = $_ < PIXEL ? (0, $above->[$_], 0)
			: ($row[$_ - PIXEL], $above->[$_], $above->[$_ - PIXEL]);

		push @row, 255 & ($left->[$_] + ($filter == 1 ? $a : $filter == 3 ? ($a + $b) >> 1
			: _paeth($a, $b, $c)));
	}
	return @row;
}

sub _paeth($a, $b, $c)
{
	my ($pa, $pb, $pc) = (abs($b - $c), abs($a - $c), abs($a + $b - 2 * $c));

	return $pa <= $pb && $pa <= $pc ? $a : $pb <= $pc ? $b : $c;
}

1;
