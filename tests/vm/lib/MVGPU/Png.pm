# SPDX-License-Identifier: MIT
#
# PNG files as mvgpuctl writes them, and no others: 8 bits a colour, three colours, rows
# that are not filtered.

package MVGPU::Png;

use v5.36;
use Compress::Zlib qw(crc32 uncompress);
use MVGPU::Image;

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
	my $row = 3 * $width;
	my @rows = unpack "(Ca$row)$height", $pixels;
	my $image = '';
	while (my ($filter, $bytes) = splice @rows, 0, 2) {
		die "$path: a filtered row\n" if $filter;
		$image .= $bytes;
	}
	return MVGPU::Image->new($width, $height, $image);
}

1;
