/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_MUTEX_H
#define FAST_LINUX_MUTEX_H

#include <linux/sched.h>
#include <linux/spinlock.h>

/* What an uncontended one costs: a locked instruction to lock, and one to unlock */
struct mutex {
	struct task_struct *owner;
};

static inline void mutex_init(struct mutex *m)
{
	m->owner = NULL;
}

static inline void mutex_destroy(struct mutex *m)
{
	(void)m;
}

static inline int mutex_trylock(struct mutex *m)
{
	struct task_struct *none = NULL;

	return __atomic_compare_exchange_n(&m->owner, &none, current, false, __ATOMIC_ACQUIRE,
					   __ATOMIC_RELAXED);
}

static inline void mutex_lock(struct mutex *m)
{
	if (!mutex_trylock(m))
		fast_contended();
}

static inline void mutex_unlock(struct mutex *m)
{
	struct task_struct *me = current;

	if (!__atomic_compare_exchange_n(&m->owner, &me, NULL, false, __ATOMIC_RELEASE,
					 __ATOMIC_RELAXED))
		fast_contended();
}

#endif /* FAST_LINUX_MUTEX_H */
