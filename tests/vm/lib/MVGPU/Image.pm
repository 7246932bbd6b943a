# SPDX-License-Identifier: MIT
#
# Pixels of a screen: reads QEMU's PPM screendumps, compares them, and computes
# the pictures that tests/vm/guest/draw shows.

package MVGPU::Image;

use v5.36;

# pixels: three bytes each, row by row
sub new($class, $width, $height, $pixels)
{
	return bless { width => $width, height => $height, pixels => $pixels }, $class;
}

sub from_ppm($class, $path)
{
	open my $fh, '<:raw', $path or die "$path: $!\n";
	local $/;
	my $data = <$fh>;
	my ($head, $width, $height) = $data =~ /\A(P6\s+(\d+)\s+(\d+)\s+255\s)/
		or die "$path: not a PPM of 8 bits a colour\n";
	my $pixels = substr($data, length $head);
	die "$path: cut short\n" if length $pixels < $width * $height * 3;
	return $class->new($width, $height, substr($pixels, 0, $width * $height * 3));
}

sub width($self) { return $self->{width} }
sub height($self) { return $self->{height} }
sub size($self) { return "$self->{width}x$self->{height}" }

# The colour at x, y as 0xrrggbb
sub pixel($self, $x, $y)
{
	my $offset = ($y * $self->{width} + $x) * 3;
	return unpack 'N', "\0" . substr($self->{pixels}, $offset, 3);
}

sub _hash($seed)
{
	my $hash = 2166136261;

	$hash = (($hash ^ ord) * 16777619) & 0xffffffff for split //, $seed;
	return $hash;
}

# The picture of draw.c, which says how it is made
sub picture($class, $seed, $width, $height)
{
	my $hash = _hash($seed);
	my $gradient = $height - int($height / 8);
	my @row;

	for my $bottom (0, 1) {
		my @half;
		for my $right (0, 1) {
			my $quadrant = $bottom * 2 + $right;
			my $base = ($hash + $quadrant * 0x9e3779b9) & 0xffffffff;
			# In two steps: the product doesn't fit 64 bits unsigned.
			my $low = ($base & 0xffff) * 2654435761;
			my $high = (($base >> 16) * 2654435761 & 0xffff) << 16;
			my $colour = (($low + $high) & 0xffffffff) >> 8;
			push @half, substr pack('N', $colour), 1;
		}
		my $left = int($width / 2);
		push @row, $half[0] x $left . $half[1] x ($width - $left);
	}

	my @red = map { pack 'C', int($_ * 255 / ($width - 1)) } 0 .. $width - 1;
	my $pixels = '';
	for my $y (0 .. $height - 1) {
		if ($y >= $gradient) {
			my $rest = pack 'CC', $y & 255, $hash & 255;
			$pixels .= join $rest, @red, '';
		} else {
			$pixels .= $row[$y >= int($height / 2) ? 1 : 0];
		}
	}
	return $class->new($width, $height, $pixels);
}

# All of one colour, 0xrrggbb
sub flat($class, $colour, $width, $height)
{
	return $class->new($width, $height, substr(pack('N', $colour), 1) x ($width * $height));
}

# How many pixels differ (all of them if the sizes do)
sub differing($self, $other)
{
	return $self->{width} * $self->{height} if $self->size ne $other->size;
	return 0 if $self->{pixels} eq $other->{pixels};

	# Bytes that differ are not NUL; a pixel differs if one of its three does.
	my $xor = $self->{pixels} ^. $other->{pixels};
	my $count = 0;
	while ($xor =~ /[^\0]/g) {
		my $pixel = int((pos($xor) - 1) / 3);
		$count++;
		pos($xor) = ($pixel + 1) * 3;
	}
	return $count;
}

# Where and how two images differ first, for a failed test's diagnostics
sub difference($self, $other)
{
	return sprintf 'sizes differ: %s, expected %s', $self->size, $other->size
		if $self->size ne $other->size;
	my $count = $self->differing($other) or return 'none';
	($self->{pixels} ^. $other->{pixels}) =~ /[^\0]/g;
	my $at = int($-[0] / 3);
	my ($x, $y) = ($at % $self->{width}, int($at / $self->{width}));
	return sprintf '%d of %d pixels differ, the first at (%d, %d): 0x%06x, expected 0x%06x',
		$count, $self->{width} * $self->{height}, $x, $y,
		$self->pixel($x, $y), $other->pixel($x, $y);
}

1;
