/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_SPINLOCK_H
#define FAST_LINUX_SPINLOCK_H

#include <linux/lockdep.h>

/* What an uncontended lock costs on x86: one locked instruction, and a store to unlock */
typedef struct spinlock {
	unsigned int locked;
} spinlock_t;

void fast_contended(void);

static inline void spin_lock_init(spinlock_t *l)
{
	l->locked = 0;
}

static inline void spin_lock(spinlock_t *l)
{
	unsigned int none = 0;

	if (!__atomic_compare_exchange_n(&l->locked, &none, 1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		fast_contended();
}

static inline void spin_unlock(spinlock_t *l)
{
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
}

/* Interrupts can't be told from here: as if disabling them cost nothing */
#define spin_lock_irqsave(l, flags) do {	\
	(flags) = 0;				\
	spin_lock(l);				\
} while (0)

#define spin_unlock_irqrestore(l, flags) do {	\
	(void)(flags);				\
	spin_unlock(l);				\
} while (0)

#endif /* FAST_LINUX_SPINLOCK_H */
