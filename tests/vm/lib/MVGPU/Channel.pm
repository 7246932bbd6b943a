# SPDX-License-Identifier: MIT
#
# A byte stream to one of a machine's ports: a unix socket with a buffer, where
# every read and write has a deadline. Knows nothing of what is said over it.

package MVGPU::Channel;

use v5.36;
use IO::Socket::UNIX;
use IO::Select;
use List::Util qw(min);
use MVGPU::Clock;
use Time::HiRes qw(sleep);

# QEMU makes its sockets while it starts; $alive tells whether waiting is in vain.
sub connect($class, $path, $limit, $alive = sub { 1 })
{
	my $deadline = now + $limit;

	while (1) {
		my $socket = IO::Socket::UNIX->new(Peer => $path);
		if ($socket) {
			$socket->blocking(0);
			return bless {
				socket => $socket,
				select => IO::Select->new($socket),
				path => $path,
				buffer => '',
			}, $class;
		}
		return if now > $deadline || !$alive->();
		sleep 0.02;
	}
}

sub put($self, $data, $limit)
{
	my $deadline = now + $limit;

	local $SIG{PIPE} = 'IGNORE';
	while (length $data) {
		my $left = $deadline - now;
		return if $left <= 0;
		next unless $self->{select}->can_write(min($left, 1));
		my $sent = $self->{socket}->syswrite($data);
		next if !defined $sent && ($!{EAGAIN} || $!{EINTR});
		return unless defined $sent;
		substr($data, 0, $sent, '');
	}
	return 1;
}

# Reads until $enough->(\buffer) gives something true, and returns that; undef
# when time is up or the other end has gone (then closed() is true).
sub _until($self, $limit, $enough)
{
	my $deadline = now + $limit;

	while (1) {
		my $result = $enough->(\$self->{buffer});
		return $result if defined $result;
		return if $self->{closed};
		my $left = $deadline - now;
		return if $left <= 0;
		next unless $self->{select}->can_read(min($left, 1));
		my $got = $self->{socket}->sysread(my $chunk, 1 << 16);
		next if !defined $got && ($!{EAGAIN} || $!{EINTR});
		if (!$got) {
			$self->{closed} = 1;
			next;
		}
		$self->{buffer} .= $chunk;
	}
}

sub line($self, $limit)
{
	return $self->_until($limit, sub ($buffer) {
		return $$buffer =~ s/\A([^\n]*)\n// ? $1 : undef;
	});
}

sub bytes($self, $count, $limit)
{
	return $self->_until($limit, sub ($buffer) {
		return length $$buffer >= $count ? substr($$buffer, 0, $count, '') : undef;
	});
}

# Throws away what has come so far, say of an earlier peer.
sub drain($self)
{
	while ($self->{select}->can_read(0)) {
		my $got = $self->{socket}->sysread(my $chunk, 1 << 16);
		last unless $got;
	}
	$self->{buffer} = '';
}

sub closed($self) { return $self->{closed} }

1;
