# SPDX-License-Identifier: MIT
#
# Disks with one FAT file system, without partitions: what firmware can boot from.

package MVGPU::Fat;

use v5.36;
use File::Basename qw(dirname);

use constant ROOM => 8 << 20;

sub _run(@command) { system(@command) == 0 or die "@command[0, 1] failed: $?\n" }

sub _file($path, $text)
{
	open my $fh, '>', $path or die "$path: $!\n";
	print $fh $text;
	close $fh or die "$path: $!\n";
	return $path;
}

# A new disk at $path with these files: path on it => file, or reference to its text
sub make($path, %files)
{
	my ($size, %dir) = (ROOM);

	for my $name (keys %files) {
		$files{$name} = _file("$path-" . $name =~ tr{/}{-}r, ${$files{$name}}) if ref $files{$name};
		$size += -s $files{$name} // die "$files{$name}: $!\n";
		for (my $dir = dirname $name; $dir ne '.'; $dir = dirname $dir) {
			$dir{$dir} = 1;
		}
	}
	_run('mformat', '-C', '-i', $path, '-T', $size >> 9, '::');
	_run('mmd', '-i', $path, map { "::$_" } sort keys %dir) if %dir;
	_run('mcopy', '-i', $path, $files{$_}, "::$_") for sort keys %files;
	return $path;
}

1;
