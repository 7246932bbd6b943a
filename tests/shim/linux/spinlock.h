/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_SPINLOCK_H
#define SHIM_LINUX_SPINLOCK_H

#include <linux/lockdep.h>

typedef struct spinlock {
	struct shim_lock shim;
} spinlock_t;

#define spin_lock_init(l)	shim_lock_init(&(l)->shim, #l, true)

static inline void spin_lock(spinlock_t *l)
{
	shim_lock_take(&l->shim);
}

static inline void spin_unlock(spinlock_t *l)
{
	shim_lock_release(&l->shim);
}

#define spin_lock_irq	spin_lock
#define spin_unlock_irq	spin_unlock

/* The saved flags are the nesting, so restoring in the wrong order shows */
#define spin_lock_irqsave(l, flags) do {			\
	(flags) = shim_spinlocks_held();			\
	spin_lock(l);						\
} while (0)

void spin_unlock_irqrestore(spinlock_t *l, unsigned long flags);

#endif /* SHIM_LINUX_SPINLOCK_H */
