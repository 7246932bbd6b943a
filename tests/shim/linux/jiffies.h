/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_JIFFIES_H
#define SHIM_LINUX_JIFFIES_H

/* A jiffy is a millisecond and there are 50 in a second: time flies in tests */
#ifndef HZ
#define HZ	50
#endif

unsigned long shim_jiffies(void);

#define jiffies			shim_jiffies()
#define jiffies_to_nsecs(n)	((u64)(n) * 1000000)
#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)

#endif /* SHIM_LINUX_JIFFIES_H */
