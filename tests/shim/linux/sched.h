/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_SCHED_H
#define SHIM_LINUX_SCHED_H

#include <limits.h>
#include <linux/types.h>

#define MAX_SCHEDULE_TIMEOUT	LONG_MAX

#define PF_KTHREAD	1u

struct callback_head;

/* @killed: a fatal signal is pending */
struct task_struct {
	unsigned int flags;
	struct callback_head *works;
	unsigned int rcu;
	bool killed;
	void *mm;
};

extern _Thread_local struct task_struct shim_task;

#define current		(&shim_task)
#define cond_resched()	do { } while (0)

#endif /* SHIM_LINUX_SCHED_H */
