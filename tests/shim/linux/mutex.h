/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_MUTEX_H
#define SHIM_LINUX_MUTEX_H

#include <linux/lockdep.h>

struct mutex {
	struct shim_lock shim;
};

#define mutex_init(m)	shim_lock_init(&(m)->shim, #m, false)

static inline void mutex_destroy(struct mutex *m)
{
	shim_lock_destroy(&m->shim);
}

static inline void mutex_lock(struct mutex *m)
{
	shim_lock_take(&m->shim);
}

static inline int mutex_trylock(struct mutex *m)
{
	return shim_lock_try(&m->shim);
}

static inline void mutex_unlock(struct mutex *m)
{
	shim_lock_release(&m->shim);
}

#endif /* SHIM_LINUX_MUTEX_H */
