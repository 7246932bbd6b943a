# SPDX-License-Identifier: MIT
#
# One QEMU process of ours: starts it, knows whether it lives, and sees to it
# that it and its temporary directory go, however we end.

package MVGPU::Machine;

use v5.36;
use File::Path qw(remove_tree);
use File::Temp qw(tempdir);
use POSIX qw(WNOHANG);
use MVGPU::Clock;
use Time::HiRes qw(sleep);

use constant { SYS_prctl => 157, PR_SET_PDEATHSIG => 1 };

my %running;
my $owner = $$;

# A child that we forked for something else must not tear our machines down.
sub _stop_all
{
	return unless $$ == $owner;
	$_->stop for grep { defined } values %running;
}

END { my $status = $?; _stop_all(); $? = $status; }

sub _on_signal($name)
{
	_stop_all();
	$SIG{$name} = 'DEFAULT';
	kill $name, $$;
}

sub new($class, %o)
{
	my $dir = tempdir('mvgpu-XXXXXX', TMPDIR => 1);

	chmod 0755, $dir;
	$SIG{$_} //= \&_on_signal for qw(INT TERM HUP);
	mkdir "$dir/share";
	return bless { dir => $dir }, $class;
}

sub dir($self) { return $self->{dir} }
sub share($self) { return "$self->{dir}/share" }
sub console($self) { return "$self->{dir}/console" }

sub start($self, @command)
{
	my $pid = fork // die "fork: $!\n";

	if (!$pid) {
		# So that it can't outlive us even if we are killed outright.
		syscall(SYS_prctl, PR_SET_PDEATHSIG, 9, 0, 0, 0);
		$SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
		# A terminal's ^C is ours to handle.
		setpgrp;
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', "$self->{dir}/qemu.log";
		open STDERR, '>&', \*STDOUT;
		exec { $command[0] } @command or POSIX::_exit(127);
	}
	$self->{pid} = $pid;
	$running{$pid} = $self;
	return $self;
}

sub alive($self)
{
	return 0 unless $self->{pid};
	return 1 if waitpid($self->{pid}, WNOHANG) == 0;
	$self->_gone;
	return 0;
}

sub _gone($self)
{
	delete $running{$self->{pid}};
	delete $self->{pid};
}

# What QEMU itself had to say
sub log($self)
{
	open my $fh, '<', "$self->{dir}/qemu.log" or return '';
	local $/;
	return scalar(<$fh>) // '';
}

sub wait_gone($self, $limit)
{
	my $deadline = now + $limit;

	while ($self->alive) {
		return 0 if now > $deadline;
		sleep 0.02;
	}
	return 1;
}

sub stop($self)
{
	if ($self->alive) {
		kill 'TERM', $self->{pid};
		if (!$self->wait_gone(5)) {
			kill 'KILL', $self->{pid};
			waitpid $self->{pid}, 0;
			$self->_gone;
		}
	}
	if ($self->{dir} && !$ENV{MVGPU_KEEP}) {
		remove_tree($self->{dir});
		delete $self->{dir};
	}
}

sub DESTROY($self)
{
	local ($?, $!, $@);
	$self->stop if $$ == $owner;
}

1;
