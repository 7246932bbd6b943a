/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_TASK_WORK_H
#define SHIM_LINUX_TASK_WORK_H

#include <linux/sched.h>

struct callback_head {
	struct callback_head *next;
	void (*func)(struct callback_head *work);
};

enum task_work_notify_mode { TWA_NONE, TWA_RESUME };

static inline void init_task_work(struct callback_head *work,
				  void (*func)(struct callback_head *work))
{
	work->func = func;
}

int task_work_add(struct task_struct *task, struct callback_head *work,
		  enum task_work_notify_mode mode);

#endif /* SHIM_LINUX_TASK_WORK_H */
