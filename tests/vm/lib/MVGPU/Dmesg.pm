# SPDX-License-Identifier: MIT
#
# Tells a kernel log's bad news from its noise.

package MVGPU::Dmesg;

use v5.36;

# Each of these means a bug, in the kernel or in our modules. A healthy boot of
# the stock kernels matches none.
my @bad = (
	qr/\bWARNING: (?!.*\bmitigation)/,
	qr/-----\[ cut here \]-----/,
	qr/\bBUG:/,
	qr/\bkernel BUG at\b/,
	qr/\bOops\b/,
	qr/\bKernel panic\b/i,
	qr/\bgeneral protection fault\b/,
	qr/\bdouble fault\b/,
	qr/\bunable to handle\b.*\b(?:page|NULL|paging)\b/i,
	qr/\bCall Trace:/,
	qr/\bRIP: 0010:/,
	qr/\b(?:KASAN|UBSAN|KCSAN|KFENCE|KMSAN):/,
	qr/\bslab-(?:out-of-bounds|use-after-free)\b|\buse-after-free\b(?! debug is enabled)/,
	qr/\brefcount_t:/,
	qr/\bpossible (?:recursive|circular|irq lock inversion).*\b(?:locking|dependency)\b/,
	qr/\bpossible circular locking dependency\b/,
	qr/\bsuspicious RCU usage\b/,
	qr/\binconsistent lock state\b/,
	qr/\bsleeping function called from invalid context\b/,
	qr/\bscheduling while atomic\b/,
	qr/\bbad unlock balance\b|\block held when returning to user space\b|\bheld lock freed\b/,
	qr/\blist_(?:add|del) corruption\b/,
	qr/\bINFO: task .* blocked for more than\b/,
	qr/\bsoft lockup\b|\bhard LOCKUP\b/,
	qr/\brcu.*\bdetected .*stalls?\b|\brcu.*self-detected stall\b/,
	qr/\bDMAR:.*\bfault\b/i,
	qr/\bAMD-Vi: Event logged\b/,
	qr/\bviommu.*\bfault\b|\bvirtio_iommu.*\bfault\b/i,
	qr/\bDMA-API: (?!preallocated|debugging enabled|dma_debug_entry pool grown)/,
	qr/\bkmemleak: \d+ new suspected/,
	qr/\bINFO: trying to register non-static key\b/,
	qr/\bODEBUG: (?!selftest)/,
	qr/\bheld lock\b.*\bfreed\b|\bstill has locks held\b/,
	# What can no longer notice anything
	qr/\bINFO: lockdep is turned off\b|\bturning off the locking correctness validator\b/,
	qr/\bkmemleak: .*(?:detector disabled|Cannot allocate|Memory pool empty|unknown object)/,
	qr/\bBad page (?:state|map)\b|\bBad rss-counter\b/,
	qr/\bstack-protector\b|\bstack guard page\b/,
	qr/\bOut of memory\b|\boom-kill\b/,
	qr/\bpage allocation failure\b/,
	qr/\bcannot create duplicate filename\b/,
	qr/\bkobject: .*(?:tried to add|not initialized)/,
	qr/\bDevice .* does not have a release\(\) function\b/,
	qr/\bunchecked MSR access\b/,
	qr/\bIRQ .* nobody cared\b|\birq \d+: nobody cared\b/,
	qr/\bTrying to (?:free already-free|vfree)\b/,
	qr/\bdebugfs: .*already present\b/,
	qr/\bunregister_netdevice: waiting\b|\bstuck\b.*\bvfio\b/,
);

sub _untimed($line) { return $line =~ s/^(?:<\d+>)?\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s?//r }

# The log without the reports, each from where it is cut to where its trace ends, that match one
# of @known. Since 7.3 some are not cut before their first line.
sub without($text, @known)
{
	my (@kept, @report);

	for (split /^/m, $text) {
		push @report, $_ if @report || /\[ cut here \]|\bWARNING: \S+:\d+ at /;
		push @kept, $_ unless @report;
		next unless @report && /\[ end trace /;
		my $report = join '', splice @report;
		push @kept, $report unless grep { $report =~ $_ } @known;
	}
	return join '', @kept, @report;
}

# What a kernel's own virtio-gpu driver reports when it is unbound: it doesn't wait for the
# hardware to let go of its last objects, whosever hardware it is.
sub unbinding { return qr/\bdrm_mm_takedown\b/ }

# Returns the lines of bad news in $text; lines matching one of @allow don't
# count. Lines are without the printed time, so that a log that comes both over
# the console and from dmesg counts once.
sub faults($text, @allow)
{
	my (@found, %seen);

	for my $line (map { _untimed($_) } split /\r?\n/, $text) {
		next unless grep { $line =~ $_ } @bad;
		next if grep { $line =~ $_ } @allow;
		push @found, $line unless $seen{$line}++;
	}
	return @found;
}

# A report is more than the line that gave it away: the whole of $text from shortly
# before the last line that is $fault on, at most $count lines.
sub context($text, $fault, $count)
{
	my @lines = split /\r?\n/, $text;
	my $at = (grep { _untimed($lines[$_]) eq $fault } 0 .. $#lines)[-1];

	return unless defined $at;
	my $from = $at < 3 ? 0 : $at - 3;
	my $to = $from + $count - 1;
	return @lines[$from .. ($to > $#lines ? $#lines : $to)];
}

1;
