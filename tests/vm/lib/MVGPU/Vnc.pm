# SPDX-License-Identifier: MIT
#
# A window onto one head of a QEMU's display device, as a VNC client that resizes its window
# has it: RFB 3.8 without authentication, and of its messages those that are about the size.

package MVGPU::Vnc;

use v5.36;
use MVGPU::Channel;

use constant { SET_ENCODINGS => 2, SET_DESKTOP_SIZE => 251, EXTENDED_DESKTOP_SIZE => -308 };
use constant { BY_THIS_CLIENT => 1, LIMIT => 30 };

# $path: the socket of QEMU's -vnc unix:PATH,display=ID,head=N
sub connect($class, $path)
{
	my $channel = MVGPU::Channel->connect($path, LIMIT) // die "no VNC server at $path\n";
	my $self = bless { channel => $channel, path => $path }, $class;

	my $version = $self->_get(12);
	$version eq "RFB 003.008\n" or die "$path: a server of another kind: $version\n";
	$self->_put($version);
	my @security = unpack 'C*', $self->_get(unpack 'C', $self->_get(1));
	grep { $_ == 1 } @security or die "$path: a server with authentication: @security\n";
	$self->_put(pack 'C', 1);
	my $refused = unpack 'N', $self->_get(4);
	die "$path: refused: $refused\n" if $refused;
	$self->_put(pack 'C', 1);
	my $name = (unpack 'x20 N', $self->_get(24))[0];
	$self->_get($name);
	$self->_put(pack 'CxnN', SET_ENCODINGS, 1, EXTENDED_DESKTOP_SIZE & 0xffffffff);
	return $self;
}

# Wants the head to be that large, and returns when the server has passed that on; 0x0 is a
# window that is closed.
sub resize($self, $width, $height)
{
	$self->_put(pack 'CxnnCx NnnnnN', SET_DESKTOP_SIZE, $width, $height, 1,
		0, 0, 0, $width, $height, 0);
	while (1) {
		my ($reason, $status) = $self->_told;
		next if $reason != BY_THIS_CLIENT;
		die "$self->{path}: refused to resize: $status\n" if $status != 0 && $status != 4;
		return;
	}
}

# The next message, which can only be about the size: its reason and its status
sub _told($self)
{
	my ($type, $n) = unpack 'Cxn', $self->_get(4);
	my @told;

	die "$self->{path}: message $type\n" if $type != 0;
	while ($n--) {
		my ($reason, $status, undef, undef, $encoding) = unpack 'nnnnN', $self->_get(12);
		die "$self->{path}: encoding $encoding\n"
			if $encoding != (EXTENDED_DESKTOP_SIZE & 0xffffffff);
		$self->_get(16 * unpack 'C', $self->_get(4));
		@told = ($reason, $status);
	}
	return @told;
}

sub _put($self, $data)
{
	$self->{channel}->put($data, LIMIT) or die "$self->{path}: can't be written\n";
}

sub _get($self, $length)
{
	return $self->{channel}->bytes($length, LIMIT) // die "$self->{path}: no answer\n";
}

1;
