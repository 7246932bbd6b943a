# SPDX-License-Identifier: MIT
#
# Our side of the conversation with tests/vm/guest/agent, which runs commands
# in a machine. Owns the protocol.

package MVGPU::Agent;

use v5.36;
use MIME::Base64 qw(encode_base64);
use MVGPU::Clock;

# What the machine gets beyond a command's own limit to kill it and answer.
use constant GRACE => 20;

sub new($class, $channel)
{
	return bless { channel => $channel, id => 0 }, $class;
}

# The agent's first words; returns the kernel release it runs on.
sub ready($self, $limit)
{
	my $deadline = now + $limit;

	while ((my $left = $deadline - now) > 0) {
		my $line = $self->{channel}->line($left) // return;
		return $1 if $line =~ /^READY (\S+)/;
	}
	return;
}

# Has a command run, and doesn't wait for it; returns its number.
sub send($self, $command, $limit)
{
	my $id = ++$self->{id};

	return unless $self->{channel}->put(
		join(' ', $id, int($limit + 0.999), encode_base64($command, '')) . "\n", $limit + GRACE);
	return $id;
}

# Returns (status, output, timed out); nothing when the agent doesn't answer.
sub run($self, $command, $limit)
{
	my $channel = $self->{channel};
	my $start = now;
	my $patience = $limit + GRACE;
	my $id = $self->send($command, $limit) // return;

	while ((my $left = $start + $patience - now) > 0) {
		my $line = $channel->line($left) // return;
		# An answer that came after we had given up on it is skipped.
		my ($of, $status, $size) = $line =~ /^(\d+) (\d+) (\d+)$/ or next;
		my $output = $channel->bytes($size, $patience) // return;
		next unless $of == $id;
		my $killed = $status == 124 || $status == 137 || $status == 143;
		return ($status, $output, $killed && now - $start >= $limit);
	}
	return;
}

1;
