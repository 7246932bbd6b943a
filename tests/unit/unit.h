/* SPDX-License-Identifier: MIT */
/* unit.h - what the unit tests share: cmocka's prelude, random numbers, death */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include "shim.h"

/* Fixed, so that a failure comes back; MVGPU_SEED in the environment overrides it */
static inline u64 unit_seed(const char *who)
{
	const char *env = getenv("MVGPU_SEED");
	u64 seed = env ? strtoull(env, NULL, 0) : 0x6d76677075;

	print_message("# %s: MVGPU_SEED=%#llx\n", who, (unsigned long long)seed);
	return seed;
}

/* splitmix64 */
static inline u64 unit_random(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* 0 to @n - 1 */
static inline unsigned int unit_below(u64 *state, unsigned int n)
{
	return unit_random(state) % n;
}

/* The signal that ends @fn in a child of its own, 0 if none does; -1 if it hangs */
static inline int unit_death(void (*fn)(void))
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		alarm(10);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status))
		return WEXITSTATUS(status);
	return WTERMSIG(status) == SIGALRM ? -1 : WTERMSIG(status);
}

#define assert_survives(fn)	assert_int_equal(unit_death(fn), 0)
#define assert_dies(fn)		assert_int_equal(unit_death(fn), SIGABRT)

#endif /* UNIT_H */
