# SPDX-License-Identifier: MIT
#
# Makes initramfs archives (newc cpio, uncompressed: unpacking is what costs
# under emulation): an init, busybox, kernel modules in loading order, programs
# with their shared libraries.

package MVGPU::Initramfs;

use v5.36;
use File::Basename qw(dirname basename);

# kernel: an unpacked kernel, as printed by "provision kernel"
sub new($class, $kernel, $release)
{
	my $self = bless {
		kernel => $kernel, release => $release,
		entries => [], seen => {}, order => [], modules => {},
	}, $class;
	my ($busybox) = grep { -x } qw(/usr/bin/busybox /bin/busybox);
	die "busybox-static is not installed\n" unless $busybox;
	$self->add_file('/bin/busybox', $busybox, 0755);
	# For the time before init has mounted devtmpfs.
	$self->_entry('/dev', 040755, '');
	$self->_entry('/dev/console', 020600, '', 5, 1);
	return $self;
}

sub _entry($self, $path, $mode, $data, $major = 0, $minor = 0)
{
	return if $self->{seen}{$path}++;
	my $parent = dirname $path;
	$self->_entry($parent, 040755, '') if $parent ne '/' && !$self->{seen}{$parent};
	push $self->{entries}->@*, [$path =~ s{^/}{}r, $mode, $data, $major, $minor];
}

sub _slurp($path)
{
	open my $fh, '<:raw', $path or die "$path: $!\n";
	local $/;
	return scalar <$fh>;
}

sub add_file($self, $path, $from, $mode = 0644)
{
	$self->_entry($path, 0100000 | $mode, _slurp($from));
}

sub add_text($self, $path, $text, $mode = 0644)
{
	$self->_entry($path, 0100000 | $mode, $text);
}

# A program, and what the dynamic linker would load for it, at the same paths
sub add_program($self, $program, $path = '/bin/' . basename $program)
{
	$self->add_file($path, $program, 0755);
	for (qx(LC_ALL=C ldd '$program' 2>/dev/null)) {
		my ($library) = m{(?:=> )?(/\S+) \(0x} or next;
		$self->add_file($library, $library, 0755);
	}
}

# Kernel modules by name, each after what it depends on. A name may carry
# parameters: 'edu dma_mask=...'. Names that a kernel has built in are fine.
sub add_modules($self, @names)
{
	for my $spec (@names) {
		my ($name, $parameters) = split ' ', $spec, 2;
		my @lines = qx(PATH=\$PATH:/usr/sbin:/sbin modprobe -C /dev/null -d '$self->{kernel}' \\
			-S '$self->{release}' --show-depends '$name' 2>&1);
		die "no module $name in $self->{kernel}: @lines" if $?;
		for (@lines) {
			my ($file) = /^insmod (\S+)/ or next;
			my $base = basename($file) =~ s/\.(xz|gz|zst)$//r;
			next if $self->{modules}{$base}++;
			my $own = ($base =~ s/\.ko$//r) =~ tr/-/_/r eq $name =~ tr/-/_/r;
			$self->add_text("/modules/$base", _module($file));
			push $self->{order}->@*, $own && $parameters ? "$base $parameters" : $base;
		}
	}
}

# busybox cannot be relied on to unpack them.
sub _module($file)
{
	my %unpack = (xz => 'xz -dc', gz => 'gzip -dc', zst => 'zstd -dc');
	my ($suffix) = $file =~ /\.ko\.(\w+)$/ or return _slurp($file);
	my $data = qx($unpack{$suffix} '$file');
	die "cannot unpack $file\n" if $?;
	return $data;
}

sub write($self, $path)
{
	my $inode = 0;

	$self->add_text('/modules/order', join('', map { "$_\n" } $self->{order}->@*));
	open my $fh, '>:raw', $path or die "$path: $!\n";
	for ($self->{entries}->@*, ['TRAILER!!!', 0, '', 0, 0]) {
		my ($name, $mode, $data, $major, $minor) = @$_;
		my $header = sprintf '070701' . '%08X' x 13,
			++$inode, $mode, 0, 0, 1, 0, length $data, 0, 0,
			$major, $minor, 1 + length $name, 0;
		my $head = "$header$name\0";
		print $fh $head, "\0" x (-length($head) & 3), $data, "\0" x (-length($data) & 3);
	}
	close $fh or die "$path: $!\n";
	return $path;
}

1;
