# SPDX-License-Identifier: MIT
#
# The clock that time-outs go by. It stands still while this machine does: a host that pauses
# it, say to save it, must not make everything that is waited for too late. Who waits looks at
# it once a second or more often.

package MVGPU::Clock;

use v5.36;
use Exporter 'import';
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

our @EXPORT = qw(now);

use constant { PAUSE => 5, COUNTS_AS => 1 };

my ($seen, $total) = (clock_gettime(CLOCK_MONOTONIC), 0);

# Seconds, from an arbitrary point
sub now :prototype() ()
{
	my $at = clock_gettime(CLOCK_MONOTONIC);
	my $passed = $at - $seen;

	$seen = $at;
	return $total += $passed > PAUSE ? COUNTS_AS : $passed;
}

1;
