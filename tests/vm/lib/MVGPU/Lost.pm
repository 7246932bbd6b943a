# SPDX-License-Identifier: MIT
#
# A VMM that shows a picture whose memory goes away and comes back, each time we say so, in one
# of two colours: virtio-test --lose and --lose-blob.

package MVGPU::Lost;

use v5.36;
use MVGPU::Image;

use constant { EDGE => 256, OUTPUT => '/tmp/lost' };

my @colours = qw(2060a0 e01030);
my @pictures = map { MVGPU::Image->flat(hex, EDGE, EDGE) } @colours;

# What is in its memory after that many rounds
sub picture($n) { return $pictures[$n % 2] }

# Pages of the memory
sub pages { return EDGE * EDGE * 4 / 4096 }

# client: virtio-test as the host has it; options: what it is to do, '--lose' at least
sub new($class, $host, $client, $uuid, $options = '--lose')
{
	my $self = bless { host => $host }, $class;
	my $said = join ',', @colours;

	$self->{pid} = $host->must(': >' . OUTPUT
		. "; $client $options $said $uuid >>@{[OUTPUT]} 2>&1 & echo \$!");
	$self->_said('HOLDING');
	return $self;
}

# What the GPU answered meanwhile
sub _said($self, $word)
{
	my $line = $self->{host}->wait_for("grep -a '^$word' " . OUTPUT)
		// $self->{host}->trouble("no $word: " . $self->{host}->must('cat ' . OUTPUT));
	my (undef, @answers) = split ' ', $line;

	return @answers;
}

sub _step($self, $word)
{
	$self->{host}->must(': >' . OUTPUT . "; kill -USR1 $self->{pid}");
	return $self->_said($word);
}

# The memory goes, is painted in the other colour, and the GPU is to show that; returns what it
# answers
sub goes($self) { return $self->_step('GONE') }

# It comes back as it is
sub comes($self) { return $self->_step('BACK') }

sub end($self)
{
	$self->{host}->must("kill $self->{pid}");
	$self->{host}->wait_for("! kill -0 $self->{pid} 2>/dev/null")
		// $self->{host}->trouble("the VMM doesn't go");
}

1;
