/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_RWSEM_H
#define FAST_LINUX_RWSEM_H

#include <linux/lockdep.h>

/* Nothing that is timed uses it */
struct rw_semaphore {
	int unused;
};

static inline void init_rwsem(struct rw_semaphore *sem)
{
	sem->unused = 0;
}

static inline void down_read(struct rw_semaphore *sem)
{
	sem->unused++;
}

static inline void up_read(struct rw_semaphore *sem)
{
	sem->unused--;
}

static inline void down_write(struct rw_semaphore *sem)
{
	sem->unused++;
}

static inline void up_write(struct rw_semaphore *sem)
{
	sem->unused--;
}

#endif /* FAST_LINUX_RWSEM_H */
