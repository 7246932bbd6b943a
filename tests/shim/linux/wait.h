/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_WAIT_H
#define SHIM_LINUX_WAIT_H

#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/sched.h>

typedef struct wait_queue_head {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	unsigned long wakes;
} wait_queue_head_t;

void init_waitqueue_head(wait_queue_head_t *wq);
void wake_up_all(wait_queue_head_t *wq);
unsigned long shim_wakes(wait_queue_head_t *wq);

/* Wait for a wake-up after the first @wakes. Returns what is left of @timeout. */
long shim_wait(wait_queue_head_t *wq, unsigned long wakes, long timeout);

#define shim_wait_event(wq, cond, timeout, killable) ({			\
	long shim_left = (timeout);					\
									\
	shim_might_sleep("wait_event()");				\
	for (;;) {							\
		unsigned long shim_seen = shim_wakes(&(wq));		\
									\
		if (cond) {						\
			shim_left = shim_left ? shim_left : 1;		\
			break;						\
		}							\
		if (!shim_left)						\
			break;						\
		if (killable && current->killed) {			\
			shim_left = -512;				\
			break;						\
		}							\
		shim_left = shim_wait(&(wq), shim_seen, shim_left);	\
	}								\
	shim_left; })

#define wait_event(wq, cond)	((void)shim_wait_event(wq, cond, LONG_MAX, false))
#define wait_event_timeout(wq, cond, timeout)	shim_wait_event(wq, cond, timeout, false)
#define wait_event_killable_timeout(wq, cond, timeout)	shim_wait_event(wq, cond, timeout, true)

#define wait_event_lock_irq(wq, cond, lock) do {			\
	for (;;) {							\
		unsigned long shim_seen = shim_wakes(&(wq));		\
									\
		if (cond)						\
			break;						\
		spin_unlock_irq(&(lock));				\
		shim_might_sleep("wait_event_lock_irq()");		\
		shim_wait(&(wq), shim_seen, LONG_MAX);			\
		spin_lock_irq(&(lock));					\
	}								\
} while (0)

#endif /* SHIM_LINUX_WAIT_H */
