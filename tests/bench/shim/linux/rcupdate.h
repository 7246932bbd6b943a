/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_RCUPDATE_H
#define FAST_LINUX_RCUPDATE_H

#include <linux/types.h>

struct rcu_head {
	struct rcu_head *next;
	void *ptr;
};

/* As without preemption; what is to be freed waits for fast_settle() */
#define rcu_read_lock()		__atomic_signal_fence(__ATOMIC_SEQ_CST)
#define rcu_read_unlock()	__atomic_signal_fence(__ATOMIC_SEQ_CST)

void fast_kfree_rcu(void *ptr, struct rcu_head *head);

#define kfree_rcu(ptr, member)	fast_kfree_rcu(ptr, &(ptr)->member)

#endif /* FAST_LINUX_RCUPDATE_H */
