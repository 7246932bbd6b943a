/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_RCUPDATE_H
#define SHIM_LINUX_RCUPDATE_H

#include <linux/types.h>

struct rcu_head {
	struct rcu_head *next;
	void *ptr;
};

void rcu_read_lock(void);
void rcu_read_unlock(void);
void synchronize_rcu(void);
void shim_kfree_rcu(void *ptr, struct rcu_head *head);

#define kfree_rcu(ptr, member)	shim_kfree_rcu(ptr, &(ptr)->member)

#endif /* SHIM_LINUX_RCUPDATE_H */
