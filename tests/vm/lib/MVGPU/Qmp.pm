# SPDX-License-Identifier: MIT
#
# A QMP session with one QEMU. Owns the protocol and the events that came.

package MVGPU::Qmp;

use v5.36;
use JSON::PP;
use MVGPU::Clock;

my $json = JSON::PP->new->utf8->canonical;

sub new($class, $channel, $limit)
{
	my $self = bless { channel => $channel, events => [] }, $class;

	# The greeting first: without it nobody speaks QMP at the other end.
	my $greeting = $self->_message($limit) // return;
	return unless $greeting->{QMP};
	$self->{version} = $greeting->{QMP}{version}{qemu};
	$self->command('qmp_capabilities', {}, $limit);
	return $self;
}

sub _message($self, $limit)
{
	my $deadline = now + $limit;

	while ((my $left = $deadline - now) > 0) {
		my $line = $self->{channel}->line($left) // return;
		my $message = eval { $json->decode($line) } or next;
		return $message unless $message->{event};
		push $self->{events}->@*, $message;
	}
	return;
}

# Returns what QEMU returned; dies with its error, or when it doesn't answer.
sub command($self, $name, $arguments, $limit)
{
	my %request = (execute => $name);
	$request{arguments} = $arguments if %$arguments;

	$self->{channel}->put($json->encode(\%request) . "\n", $limit)
		or die "QMP $name: cannot be sent\n";
	while (1) {
		my $message = $self->_message($limit)
			// die "QMP $name: no answer within $limit s\n";
		die "QMP $name: $message->{error}{desc}\n" if $message->{error};
		return $message->{return} if exists $message->{return};
	}
}

# The events so far, as text
sub events($self)
{
	$self->_message(0.2);
	return map { "$_->{event} " . $json->encode($_->{data} // {}) } $self->{events}->@*;
}

1;
