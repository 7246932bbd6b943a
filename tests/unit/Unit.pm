# SPDX-License-Identifier: MIT
#
# Unit - build the unit tests' binaries and run them, for the .t files beside this one

package Unit;
use v5.36;
use Exporter 'import';
use Fcntl ':flock';
use File::Path 'make_path';
use File::Temp;
use FindBin;
use Test::More;

our @EXPORT = qw(build variable run relay);

# With address randomisation some kernels place mappings where ThreadSanitizer can't be
my @fixed = system('setarch -R true 2>/dev/null') ? () : ('setarch', '-R');

sub make(@args)
{
	my $pid = open my $out, '-|', 'sh', '-c', 'exec "$@" 2>&1', 'make',
		'make', '-s', '-C', $FindBin::Bin, @args or die "make: $!";
	my $said = do { local $/; <$out> } // '';
	close $out;
	return ($?, $said);
}

# A variable of the Makefile
sub variable($name)
{
	my ($status, $said) = make("show-$name");
	die "make show-$name: $said" if $status;
	return split ' ', $said;
}

# One build at a time, as test files may run side by side
sub build(@args)
{
	my ($folder) = variable('O');
	make_path $folder;
	open my $lock, '>', "$folder/.lock" or die "$folder/.lock: $!";
	flock $lock, LOCK_EX or die "$folder/.lock: $!";
	my ($status, $said) = make(@args);
	diag $said if $status;
	return !$status;
}

# Run a binary. Returns its wait status, its TAP and its standard error.
sub run($binary, $timeout = 300)
{
	my $err = File::Temp->new;
	local $ENV{CMOCKA_MESSAGE_OUTPUT} = 'TAP';
	local $ENV{ERR} = $err->filename;
	open my $out, '-|', 'sh', '-c', 'exec "$@" 2>"$ERR"', 'run',
		@fixed, 'timeout', '-s', 'KILL', $timeout, $binary or die "$binary: $!";
	my $tap = do { local $/; <$out> } // '';
	close $out;
	my $status = $?;
	return ($status, $tap, do { local $/; <$err> } // '');
}

# Run a binary as a subtest
sub relay($binary, $name)
{
	subtest $name => sub {
		my ($status, $tap, $err) = run($binary);
		my ($plan, $count, $said) = (0, 0, '');

		for (split /\n/, $tap) {
			if (/^1\.\.(\d+)/) {
				$plan = $1;
			} elsif (/^(?:not )?ok \d+ # SKIP (.*)/) {
				$count++;
				SKIP: { skip "$1: $said", 1 }
			} elsif (/^(not )?ok \d+ - (.*)/) {
				$count++;
				ok !$1, $2;
			} elsif (/^# (.*)/) {
				$said = $1;
				$status ? diag $said : note $said;
			}
		}
		is $count, $plan, 'every planned test ran';
		is $status, 0, 'exit status' or diag $err;
	};
}

1;
