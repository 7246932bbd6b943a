# SPDX-License-Identifier: MIT
#
# Intel's GPU tests, whose generic part is for any driver, in a guest: what they need
# there, which of them to run, what they said, and how two guests' results differ.

package MVGPU::Igt;

use v5.36;
use File::Path qw(make_path);
use Time::HiRes qw(time);

# Where the tests are in their root, and their root in the guest
use constant { TESTS => '/usr/libexec/igt-gpu-tools', INSIDE => '/igt' };

# What the tests of one program have at most, in seconds
use constant LIMIT => 300;

# How often tests are run again that differ: many of them judge time, and a busy machine fails
# one of those now and then
use constant AGAIN => 2;

# The exit status of a program that has no such test
use constant INVALID => 79;

# The programs that test what every display driver has
my $generic = qr/^(?:core_|kms_|prime_|syncobj|fbdev|(?:drm_read|drm_virtgpu|dumb_buffer)$)/;

# The guest has no way to wake up again.
my $awake = '*,!*suspend*,!*hibernate*';

# rig	a MVGPU::Rig
# list	a file that says what to run: a line is a program's name, patterns of its tests if
#	not all, and after a # why; "all" in a name's place stands for all generic
#	programs, "no NAME [PATTERNS]" takes away from them
sub new($class, %o)
{
	my $root = $o{rig}->provision('igt');
	my $self = bless { root => $root, %o }, $class;

	$self->{jobs} = $self->_read_list($o{list});
	return $self;
}

sub _read_list($self, $file)
{
	my (@jobs, %no);

	open my $fh, '<', $file or die "$file: $!\n";
	for (<$fh>) {
		my ($name, @patterns) = split ' ', s/#.*//sr;
		next unless defined $name;
		if ($name eq 'no') {
			my $from = shift @patterns;
			$no{$from} = join '', map { ",!$_" } @patterns;
		} elsif ($name eq 'all') {
			push @jobs, map { [$_, $awake] } grep { /$generic/ } $self->_programs;
		} else {
			push @jobs, [$name, join(',', @patterns) || $awake];
		}
	}
	return [map { [$_->[0], $_->[1] . ($no{$_->[0]} // '')] }
		grep { ($no{$_->[0]} // 'some') ne '' } @jobs];
}

sub _programs($self)
{
	open my $fh, '<', "$self->{root}@{[TESTS]}/test-list.txt" or die "no list of IGT's tests: $!\n";
	return map { split } grep { !/TESTLIST/ } <$fh>;
}

# What a rig for both sides needs
sub rig_options($class)
{
	return (gpus => ['virtio-gpu-pci,max_outputs=4,id=gpu0'], mem => 4096);
}

# Runs the list on two sides, and what differs again on both. Returns the results of either,
# {test => result}, the tests that differ each time, and those that didn't, as differences()
# does. on_side is called with a side's name, its seconds and its results, on_done with those
# of a program and the side's name.
sub compare($self, $names, $on_side = sub { }, $on_done = sub { })
{
	my $run = sub ($jobs, $folder) {
		return map { my $name = $_;
			my $began = time;
			my $of = $self->_side($name, $jobs, "$folder$name",
				sub { $on_done->($name, @_) });
			$on_side->($name, time - $began, $of);
			$of;
		} @$names;
	};
	my @results = $run->($self->{jobs}, '');
	my @first = my @differences = differences(@results);
	for my $n (1 .. AGAIN) {
		last unless @differences;
		my %jobs = map { my ($program, $test) = split /@/, $_->[0];
			("$program " . ($test // '') => [$program, $test // '*']) } @differences;
		my %still = map { $_->[0] => 1 } @differences;
		@differences = grep { $still{$_->[0]} }
			differences($run->([@jobs{sort keys %jobs}], "again $n "));
	}
	my %still = map { $_->[0] => 1 } @differences;
	return (@results, \@differences, [grep { !$still{$_->[0]} } @first]);
}

# Boots a guest and runs programs in it; returns {test => result}. A side whose name is vgpu
# gets one, any other QEMU's own device, of as many heads and as much memory. What the
# programs said is kept in a file each.
sub _side($self, $name, $jobs, $into, $on_done)
{
	my $rig = $self->{rig};
	my $type = $ENV{MVGPU_IGT_TYPE} // 'virtio-pci-1h64m';
	my ($heads, $mib) = $type =~ /-(\d+)h(\d+)m$/ or die "a type that tells no size: $type\n";
	my $folder = "$rig->{repo}/build/igt/$rig->{kernel}/" . $into =~ tr/ /-/r;
	my (%results, %said, $guest, $uuid);

	if ($name eq 'vgpu') {
		$self->{parent} //= do {
			$rig->load_modules(qw(mvgpu mvgpu-virtio));
			$rig->adopt_virtio;
		};
		$uuid = $rig->create_vgpu($self->{parent}, $type);
	}
	my @device = $uuid ? (vgpu => $uuid) : (devices =>
		["virtio-gpu-pci,id=ref0,max_outputs=$heads,max_hostmem=" . ($mib << 20)]);
	for my $job (@$jobs) {
		$guest //= $self->boot(@device);
		my $began = time;
		my ($status, $output) = eval { $self->_run($guest, @$job) };
		my $of = defined $status ? parse($job->[0], $output, $status)
			: { "$job->[0]@" . $job->[1] => 'HUNG' };
		if (!defined $status) {
			$output = $guest->console . "\n$@";
			$guest->kill;
			undef $guest;
		}
		$said{$job->[0]} .= sprintf "%s\nafter %.1f s\n", $output, time - $began;
		%results = (%results, %$of);
		$on_done->($job->[0], time - $began, $of);
	}
	$guest->kill if $guest;
	$rig->remove_vgpu($uuid) if $uuid;
	make_path($folder);
	for (keys %said) {
		open my $log, '>', "$folder/$_.log" or die "$folder/$_.log: $!\n";
		print $log $said{$_};
	}
	return \%results;
}

# A guest that is ready for tests; takes options of $rig->guest(). With one processor, a guest
# that is busy doesn't answer. The tests want another driver's device, too, for buffers to come
# from.
sub boot($self, %o)
{
	my $guest = $self->{rig}->guest(name => 'igt', modules => [qw(virtio_gpu vgem)],
		mem => 1024, smp => 2, files => $self->_files, %o);

	$guest->must('for d in dev proc sys tmp; do mkdir -p ' . INSIDE . '/$d; '
		. 'mount --rbind /$d ' . INSIDE . '/$d; done; echo 0 >/proc/sys/kernel/printk');
	return $guest;
}

sub _command($program, $before = 'exec')
{
	return "IGT_FORCE_DRIVER=virtio_gpu IGT_SRANDOM=1 $before chroot @{[INSIDE]} "
		. "@{[TESTS]}/$program";
}

# Returns a program's exit status and output.
sub _run($self, $guest, $program, $patterns)
{
	my $run = _command($program);
	my @limit = (timeout => LIMIT, quiet => 1);
	my ($status, $output) = $guest->run("$run --run-subtest '$patterns'", @limit);

	# Some are one test and take no pattern.
	return $status == INVALID ? $guest->run($run, @limit) : ($status, $output);
}

# Starts the list in a guest, at most $limit seconds of each program, and returns. With
# backwards => 1, the last comes first.
sub start($self, $guest, $limit, %o)
{
	my $time = $guest->scaled($limit);
	# What a program has left behind would keep the display from the next one.
	my @lines = map {
		my ($program, $patterns) = @$_;
		my $command = _command($program, "timeout -k 5 $time");
		"echo 'PROGRAM $program'; $command --run-subtest '$patterns'; s=\$?; echo; echo STATUS \$s; "
			. "killall -9 $program 2>/dev/null"
	} $self->{jobs}->@*;

	my $script = join "\n", $o{backwards} ? reverse @lines : @lines;
	$guest->must("cat >/tmp/igt.sh <<'EOF'\n$script\ntouch /tmp/igt.end\nEOF\n"
		. 'rm -f /tmp/igt.end; sh /tmp/igt.sh </dev/null >/tmp/igt.out 2>&1 &');
}

# Whether what was started has come to its end
sub ended($self, $guest) { return ($guest->run('test -e /tmp/igt.end'))[0] == 0 }

# What came of it, {test => result}
sub results($self, $guest)
{
	my %results;

	my $output = $guest->must('cat /tmp/igt.out');
	while ($output =~ /^PROGRAM (\S+)\n(.*?)^STATUS (\d+)$/msg) {
		%results = (%results, parse($1, $2, $3)->%*);
	}
	return \%results;
}

# The programs and what they load, at their places below INSIDE
sub _files($self)
{
	my $root = $self->{root};
	my $libraries = "$root/usr/lib/x86_64-linux-gnu";
	my $loader = "$root/lib64/ld-linux-x86-64.so.2";
	my @tests = map { "$root@{[TESTS]}/$_->[0]" } $self->{jobs}->@*;
	# The loader's list lacks what a thread's end loads.
	my %from = map { $_ => 1 } @tests, "$libraries/libgcc_s.so.1",
		glob "$root/usr/share/igt-gpu-tools/*.png";

	for my $test (@tests) {
		open my $list, '-|', $loader, '--library-path', $libraries, '--list', $test
			or die "$loader: $!\n";
		m{=> (\Q$root\E\S+)} and $from{$1} = 1 for <$list>;
		close $list or die "$test: its libraries cannot be found\n";
	}
	return {
		INSIDE . '/bin/sh' => '/bin/busybox',
		map { INSIDE . substr($_, length $root) => $_ } keys %from
	};
}

# What a program's output says: {PROGRAM@TEST => result, PROGRAM@TEST@PART => result}, or
# {PROGRAM => result} where it is one test. What was started and never ended is there, too.
sub parse($program, $output, $status)
{
	my %exits = (0 => 'SUCCESS', 77 => 'SKIP', INVALID, 'INVALID', 98 => 'FAIL',
		124 => 'TIMEOUT', 137 => 'TIMEOUT', 143 => 'TIMEOUT');
	my ($test, %of) = '';

	for (split /\n/, $output) {
		if (/^Starting subtest: (\S+)/) {
			$test = $1;
			$of{"$program\@$test"} = 'UNFINISHED';
		} elsif (/^Starting dynamic subtest: (\S+)/) {
			$of{"$program\@$test\@$1"} = 'UNFINISHED';
		} elsif (/^Dynamic subtest (\S+): ([A-Z]+)/) {
			$of{"$program\@$test\@$1"} = $2;
		} elsif (/^Subtest (\S+): ([A-Z]+)/) {
			$of{"$program\@$1"} = $2;
		}
	}
	$of{$program} = $exits{$status} // ($status > 128 ? 'CRASH' : 'FAIL') unless %of;
	return \%of;
}

# How results differ from the reference: [test, reference's, the other's] each
sub differences($reference, $other = $reference)
{
	my %all = (%$reference, %$other);

	return grep { $_->[1] ne $_->[2] }
		map { [$_, $reference->{$_} // 'ABSENT', $other->{$_} // 'ABSENT'] } sort keys %all;
}

# How many results of each kind there are, as text
sub summary($results)
{
	my %count;

	$count{$_}++ for values %$results;
	return join ', ', map { "$count{$_} $_" } sort keys %count;
}

1;
