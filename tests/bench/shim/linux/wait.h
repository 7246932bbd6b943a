/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_WAIT_H
#define FAST_LINUX_WAIT_H

#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/spinlock.h>

typedef struct wait_queue_head {
	spinlock_t lock;	/* taken to wake */
} wait_queue_head_t;

#define init_waitqueue_head(wq)	spin_lock_init(&(wq)->lock)

/* There is one task: who waits, runs the work that it waits for */
void fast_work_or_deadlock(void);

static inline void wake_up_all(wait_queue_head_t *wq)
{
	spin_lock(&wq->lock);
	spin_unlock(&wq->lock);
}

#define wait_event_timeout(wq, cond, timeout) ({	\
	(void)(wq);					\
	while (!(cond))					\
		fast_work_or_deadlock();		\
	(long)(timeout); })
#define wait_event(wq, cond)	((void)wait_event_timeout(wq, cond, 1))
#define wait_event_killable_timeout(wq, cond, timeout)	wait_event_timeout(wq, cond, timeout)

#endif /* FAST_LINUX_WAIT_H */
