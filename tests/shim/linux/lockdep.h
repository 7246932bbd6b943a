/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_LOCKDEP_H
#define SHIM_LINUX_LOCKDEP_H

#include <linux/types.h>
#include <pthread.h>

/* A lock that knows who holds it: what a mutex and a spinlock have in common */
struct shim_lock {
	pthread_mutex_t mutex;
	const void *owner;
	const char *name;
	bool spins;
};

void shim_lock_init(struct shim_lock *lock, const char *name, bool spins);
void shim_lock_destroy(struct shim_lock *lock);
void shim_lock_take(struct shim_lock *lock);
bool shim_lock_try(struct shim_lock *lock);
void shim_lock_release(struct shim_lock *lock);
void shim_assert_held(const struct shim_lock *lock, const char *where, int line);
unsigned long shim_spinlocks_held(void);
void shim_might_sleep(const char *what);

#define lockdep_assert_held(l)	shim_assert_held(&(l)->shim, __FILE__, __LINE__)

#endif /* SHIM_LINUX_LOCKDEP_H */
