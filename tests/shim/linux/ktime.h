/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_KTIME_H
#define SHIM_LINUX_KTIME_H

#include <linux/jiffies.h>
#include <linux/types.h>

typedef s64 ktime_t;

/* Stands still until shim_advance() */
ktime_t ktime_get(void);

#define ktime_sub(a, b)		((a) - (b))
#define ktime_to_ns(t)		(t)

#define NSEC_PER_SEC		1000000000L

#define div_u64(a, b)		((u64)(a) / (u32)(b))
#define div64_u64(a, b)		((u64)(a) / (u64)(b))

#endif /* SHIM_LINUX_KTIME_H */
