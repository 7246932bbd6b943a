/* SPDX-License-Identifier: MIT */
#ifndef SHIM_LINUX_WORKQUEUE_H
#define SHIM_LINUX_WORKQUEUE_H

#include <linux/kernel.h>

#define WQ_UNBOUND	2u
#define WQ_FREEZABLE	4u
#define WQ_MEM_RECLAIM	8u

struct workqueue_struct;

struct work_struct {
	void (*func)(struct work_struct *work);
	struct work_struct *next;
	struct workqueue_struct *wq;	/* where it was last queued */
	bool pending;
	bool running;
};

/* Waits for shim_advance() while it is @armed */
struct delayed_work {
	struct work_struct work;
	struct delayed_work *next;
	struct workqueue_struct *wq;
	s64 due;
	bool armed;
};

#define to_delayed_work(w)	container_of(w, struct delayed_work, work)
#define INIT_DELAYED_WORK(d, f)	(*(d) = (struct delayed_work){ .work.func = (f) })

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
		      unsigned long delay);
bool cancel_delayed_work(struct delayed_work *work);
bool cancel_delayed_work_sync(struct delayed_work *work);

#define INIT_WORK(w, f)	(*(w) = (struct work_struct){ .func = (f) })

struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags, int max_active,
					 ...);
void destroy_workqueue(struct workqueue_struct *wq);
bool queue_work(struct workqueue_struct *wq, struct work_struct *work);
bool cancel_work_sync(struct work_struct *work);
void drain_workqueue(struct workqueue_struct *wq);

#endif /* SHIM_LINUX_WORKQUEUE_H */
