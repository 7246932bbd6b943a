/* SPDX-License-Identifier: MIT */
#ifndef FAST_LINUX_WORKQUEUE_H
#define FAST_LINUX_WORKQUEUE_H

#include <linux/types.h>

#define WQ_UNBOUND	2u
#define WQ_MEM_RECLAIM	8u

struct workqueue_struct;

struct work_struct {
	void (*func)(struct work_struct *work);
	struct work_struct *next;
	bool pending;
};

#define INIT_WORK(w, f)	(*(w) = (struct work_struct){ .func = (f) })

/* One queue for all, which runs when somebody waits or settles */
struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags, int max_active);
void destroy_workqueue(struct workqueue_struct *wq);
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
void drain_workqueue(struct workqueue_struct *wq);

#endif /* FAST_LINUX_WORKQUEUE_H */
