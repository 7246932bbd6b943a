/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_JIFFIES_H
#define FAST_LINUX_JIFFIES_H

#define HZ	250

/* Time does not pass */
extern unsigned long volatile jiffies;

#define time_after(a, b)	((long)((b) - (a)) < 0)
#define time_before(a, b)	time_after(b, a)

#endif /* FAST_LINUX_JIFFIES_H */
