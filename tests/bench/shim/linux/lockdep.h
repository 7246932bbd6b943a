/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_LOCKDEP_H
#define FAST_LINUX_LOCKDEP_H

#include <linux/types.h>

/* Nobody checks here */
#define lockdep_assert_held(l)	((void)(l))

static inline void shim_might_sleep(const char *what)
{
	(void)what;
}

#endif /* FAST_LINUX_LOCKDEP_H */
