# SPDX-License-Identifier: MIT
#
# What L1 and its guests have in common: an agent that runs commands, a QMP
# session with the QEMU they live in, a console, and the TAP assertions over
# those. Wants from its heirs: label, release, consoles (files), scratch (a file name
# as we and as its QEMU see it), alive.

package MVGPU::Node;

use v5.36;
use MVGPU::Dmesg;
use MVGPU::Image;
use Test::Builder;
use MVGPU::Clock;
use Time::HiRes qw(sleep);

use constant { TAIL => 60, REPORT => 120 };

my $tap = Test::Builder->new;

sub new($class, %fields)
{
	return bless { timeout => 120, %fields }, $class;
}

sub timeout($self) { return $self->{timeout} }

# A time limit that someone put down in seconds of a healthy machine, as it is here
sub scaled($self, $seconds) { return $seconds * ($self->{scale} // 1) }

# Diagnostics go to stderr in TAP's manner, whether or not a test runs.
sub note($self, @lines)
{
	print STDERR "# $_\n" for map { split /\n/ } @lines;
}

sub console($self)
{
	my $text = '';

	for my $file ($self->consoles) {
		open my $fh, '<:raw', $file or next;
		local $/;
		$text .= <$fh> // '';
	}
	return $text;
}

sub show_console($self)
{
	my @lines = map { s/[^\t\x20-\x7e]//gr } split /\n/, $self->console;

	splice @lines, 0, -TAIL if @lines > TAIL;
	$self->note("--- console of $self->{label}, last lines:", (map { "  $_" } @lines), '---');
}

# Something outside of a test's own assertions went wrong: show and die.
sub trouble($self, $message)
{
	$self->note("$self->{label}: $message");
	$self->show_console;
	die "$self->{label}: $message\n";
}

# ---- commands --------------------------------------------------------------

# Runs a shell command; returns its status and what it printed. It is killed
# after timeout => seconds, scaled (status 124, 137 or 143; the console is shown).
sub run($self, $command, %o)
{
	my $limit = defined $o{timeout} ? $self->scaled($o{timeout}) : $self->{timeout};
	my ($status, $output, $timed_out) = $self->{agent}->run($command, $limit);

	if (!defined $status) {
		my $why = $self->alive ? "doesn't answer" : 'has died';
		$self->trouble("$why while running: $command");
	}
	if ($timed_out && !$o{quiet}) {
		$self->note("$self->{label}: killed after $limit s: $command");
		$self->show_console;
	}
	return ($status, $output);
}

# The same for commands that have no business failing: returns the output.
sub must($self, $command, %o)
{
	my ($status, $output) = $self->run($command, %o);

	$self->trouble("status $status from: $command\n$output") if $status;
	chomp $output;
	return $output;
}

sub read_file($self, $path) { return $self->must("cat '$path'") }

# Waits until a command succeeds, at most $seconds, scaled; returns its output, or nothing.
sub wait_for($self, $command, $seconds = undef)
{
	my $limit = defined $seconds ? $self->scaled($seconds) : $self->{timeout};
	my $deadline = now + $limit;

	do {
		my ($status, $output) = $self->run($command, timeout => $seconds);
		return $output unless $status;
		sleep 0.1;
	} while (now < $deadline);
	return;
}

# ---- assertions ------------------------------------------------------------

sub ok($self, $command, $name = $command, %o)
{
	my ($status, $output) = $self->run($command, %o);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $tap->ok($status == 0, $name);
	$tap->diag("$command\nstatus $status\n$output") unless $ok;
	return $ok;
}

# The command must fail, and say something like $like.
sub fails($self, $command, $name = "fails: $command", $like = qr//)
{
	my ($status, $output) = $self->run($command);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $tap->ok($status != 0 && scalar($output =~ $like), $name);
	$tap->diag("$command\nstatus $status, expected a failure like $like\n$output") unless $ok;
	return $ok;
}

# Runs a program that prints TAP; its results become a subtest.
sub relay_tap($self, $command, $name = $command, %o)
{
	my ($status, $output) = $self->run($command, %o);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	return $tap->subtest($name => sub {
		my ($plan, $count) = (undef, 0);
		for (split /\n/, $output) {
			if (/^(not )?ok\b[ \t]*\d*[ \t]*(?:- )?(.*)/) {
				my ($bad, $title) = ($1, $2);
				$count++;
				if ($title =~ /#\s*skip\S*\s*(.*)/i) {
					$tap->skip($1);
				} elsif ($title =~ s/\s*#\s*todo\s*(.*)//i) {
					$tap->todo_start($1);
					$tap->ok(!$bad, $title);
					$tap->todo_end;
				} else {
					$tap->ok(!$bad, $title);
				}
			} elsif (/^1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?/i) {
				$plan = $1;
				$tap->skip($2 // 'skipped') if !$plan && ++$count;
			} elsif (/^Bail out!/) {
				$tap->ok(0, $_);
			} else {
				$tap->diag(s/^#\s?//r);
			}
		}
		$tap->ok(0, defined $plan ? "ran $count of $plan tests" : 'no plan printed')
			if !$count || (defined $plan && $plan && $plan != $count);
		$tap->ok($status == 0, 'exit status') || $tap->diag("status $status");
	});
}

# The kernel's log: what the console showed and what is still in the buffer.
sub dmesg($self)
{
	my $text = $self->console;

	if ($self->alive) {
		my ($status, $output) = $self->run('dmesg');
		$text .= "\n$output" if !$status;
	}
	return $text;
}

sub dmesg_faults($self, %o)
{
	return MVGPU::Dmesg::faults($self->dmesg, ($o{allow} // [])->@*);
}

# unbinding => 1: its virtio-gpu driver has been unbound; reports: patterns of further reports
# that are let pass, allow: of lines
sub clean_dmesg($self, %o)
{
	my @reports = ($o{unbinding} ? MVGPU::Dmesg::unbinding() : (), ($o{reports} // [])->@*);
	my $text = MVGPU::Dmesg::without($self->dmesg, @reports);
	my @faults = MVGPU::Dmesg::faults($text, ($o{allow} // [])->@*);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $tap->ok(!@faults, $o{name} // "no kernel complaint in $self->{label}");
	$tap->diag(map { "$_\n" } @faults, '--- the first of these in full:',
		MVGPU::Dmesg::context($text, $faults[0], REPORT), '---') unless $ok;
	return $ok;
}

# ---- the QEMU around it ----------------------------------------------------

sub qmp($self, $command, $arguments = {}, %o)
{
	$self->{qmp} // die "$self->{label} has no QMP session\n";
	return $self->{qmp}->command($command, $arguments, $o{timeout} // $self->{timeout});
}

# What a display device shows: an Image. device: a QEMU id, head: its output,
# png: a file to save the same screen to. Dies if QEMU cannot tell.
sub screendump($self, %o)
{
	my ($ours, $theirs) = $self->scratch('screen.ppm');
	my %of;

	$of{device} = $o{device} if defined $o{device};
	$of{head} = $o{head} // 0 if defined $o{device};
	$self->qmp('screendump', { filename => $theirs, %of });
	my $image = MVGPU::Image->from_ppm($ours);
	unlink $ours;
	if ($o{png}) {
		($ours, $theirs) = $self->scratch('screen.png');
		$self->qmp('screendump', { filename => $theirs, format => 'png', %of });
		require File::Copy;
		File::Copy::move($ours, $o{png}) or die "$o{png}: $!\n";
	}
	return $image;
}

# TAP: a screen shows exactly this image.
sub shows($self, $expected, $name, %o)
{
	my $screen = $self->screendump(%o);

	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $ok = $tap->ok($screen->differing($expected) == 0, $name);
	$tap->diag($screen->difference($expected)) unless $ok;
	return $ok;
}

1;
