// SPDX-License-Identifier: MIT
/*
 * shim_task.c - tasks, time, wait queues, work queues, references, RCU, ids and the xarray
 */
#include <errno.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/idr.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/rcupdate.h>
#include <linux/rwsem.h>
#include <linux/slab.h>
#include <linux/task_work.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "shim.h"
#include "shim_vmm.h"

_Thread_local struct task_struct shim_task;

/* Time */

unsigned long shim_jiffies(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static struct timespec deadline(long timeout)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (timeout > 3600000)
		timeout = 3600000;
	ts.tv_sec += timeout / 1000;
	ts.tv_nsec += timeout % 1000 * 1000000;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

/* Wait queues */

void init_waitqueue_head(wait_queue_head_t *wq)
{
	pthread_mutex_init(&wq->mutex, NULL);
	pthread_cond_init(&wq->cond, NULL);
	wq->wakes = 0;
}

void wake_up_all(wait_queue_head_t *wq)
{
	pthread_mutex_lock(&wq->mutex);
	wq->wakes++;
	pthread_cond_broadcast(&wq->cond);
	pthread_mutex_unlock(&wq->mutex);
}

unsigned long shim_wakes(wait_queue_head_t *wq)
{
	unsigned long wakes;

	pthread_mutex_lock(&wq->mutex);
	wakes = wq->wakes;
	pthread_mutex_unlock(&wq->mutex);
	return wakes;
}

long shim_wait(wait_queue_head_t *wq, unsigned long wakes, long timeout)
{
	unsigned long since = shim_jiffies();
	struct timespec until = deadline(timeout);
	long left;

	pthread_mutex_lock(&wq->mutex);
	while (wq->wakes == wakes)
		if (pthread_cond_timedwait(&wq->cond, &wq->mutex, &until))
			break;
	pthread_mutex_unlock(&wq->mutex);
	if (timeout == LONG_MAX)
		return timeout;
	left = timeout - (long)(shim_jiffies() - since);
	return left > 0 ? left : 0;
}

/* Completions: who waits may free them as soon as they are complete and unlocked */

void init_completion(struct completion *c)
{
	init_waitqueue_head(&c->wait);
	c->done = 0;
}

static void complete_some(struct completion *c, unsigned int n)
{
	pthread_mutex_lock(&c->wait.mutex);
	c->done = max(c->done, n);
	pthread_cond_broadcast(&c->wait.cond);
	pthread_mutex_unlock(&c->wait.mutex);
}

void complete(struct completion *c)
{
	complete_some(c, 1);
}

void complete_all(struct completion *c)
{
	complete_some(c, UINT_MAX);
}

void wait_for_completion(struct completion *c)
{
	shim_might_sleep("wait_for_completion()");
	pthread_mutex_lock(&c->wait.mutex);
	while (!c->done)
		pthread_cond_wait(&c->wait.cond, &c->wait.mutex);
	c->done -= c->done != UINT_MAX;
	pthread_mutex_unlock(&c->wait.mutex);
}

/* Task work */

int task_work_add(struct task_struct *task, struct callback_head *work,
		  enum task_work_notify_mode mode)
{
	if (task != current || mode != TWA_RESUME)
		shim_bug("task work for somebody else");
	work->next = task->works;
	task->works = work;
	return 0;
}

void shim_return_to_user(void)
{
	struct callback_head *work;

	while ((work = current->works)) {
		current->works = work->next;
		work->func(work);
	}
}

/* Work queues: a thread runs an item, one item at a time once, several items at once */

#define WORKERS	3

struct workqueue_struct {
	pthread_mutex_t mutex;
	pthread_cond_t cond;
	struct work_struct *first;
	unsigned int busy;
	bool stop;
	pthread_t worker[WORKERS];
};

/* The first item that is not running */
static struct work_struct *take_work(struct workqueue_struct *wq)
{
	struct work_struct **link, *work;

	for (link = &wq->first; *link && (*link)->running; link = &(*link)->next)
		;
	work = *link;
	if (work) {
		*link = work->next;
		work->pending = false;
		work->running = true;
		wq->busy++;
	}
	return work;
}

static void *run_worker(void *arg)
{
	struct workqueue_struct *wq = arg;
	struct work_struct *work;

	current->flags = PF_KTHREAD;
	pthread_mutex_lock(&wq->mutex);
	for (;;) {
		work = take_work(wq);
		if (work) {
			pthread_mutex_unlock(&wq->mutex);
			work->func(work);
			pthread_mutex_lock(&wq->mutex);
			work->running = false;
			wq->busy--;
			pthread_cond_broadcast(&wq->cond);
		} else if (wq->stop) {
			break;
		} else {
			pthread_cond_wait(&wq->cond, &wq->mutex);
		}
	}
	pthread_mutex_unlock(&wq->mutex);
	return NULL;
}

struct workqueue_struct *alloc_workqueue(const char *name, unsigned int flags, int max_active,
					 ...)
{
	struct workqueue_struct *wq = kzalloc(sizeof(*wq), GFP_KERNEL);
	int i;

	(void)name;
	(void)flags;
	(void)max_active;
	if (!wq)
		return NULL;
	pthread_mutex_init(&wq->mutex, NULL);
	pthread_cond_init(&wq->cond, NULL);
	for (i = 0; i < WORKERS; i++)
		pthread_create(&wq->worker[i], NULL, run_worker, wq);
	return wq;
}

bool queue_work(struct workqueue_struct *wq, struct work_struct *work)
{
	struct work_struct **link;
	bool queued = false;

	pthread_mutex_lock(&wq->mutex);
	if (!work->pending) {
		for (link = &wq->first; *link; link = &(*link)->next)
			;
		work->next = NULL;
		work->wq = wq;
		*link = work;
		work->pending = true;
		queued = true;
		pthread_cond_broadcast(&wq->cond);
	}
	pthread_mutex_unlock(&wq->mutex);
	return queued;
}

void drain_workqueue(struct workqueue_struct *wq)
{
	shim_might_sleep("drain_workqueue()");
	pthread_mutex_lock(&wq->mutex);
	while (wq->first || wq->busy)
		pthread_cond_wait(&wq->cond, &wq->mutex);
	pthread_mutex_unlock(&wq->mutex);
}

/* Timers */

static pthread_mutex_t timer_mutex = PTHREAD_MUTEX_INITIALIZER;	/* these, and what is armed */
static struct delayed_work *timers;
static s64 now;

ktime_t ktime_get(void)
{
	return __atomic_load_n(&now, __ATOMIC_RELAXED);
}

static bool disarm(struct delayed_work *work)
{
	struct delayed_work **link;
	bool was = work->armed;

	for (link = &timers; was && *link != work; link = &(*link)->next)
		;
	if (was)
		*link = work->next;
	work->armed = false;
	return was;
}

static bool unqueue(struct workqueue_struct *wq, struct work_struct *work)
{
	struct work_struct **link;
	bool was;

	pthread_mutex_lock(&wq->mutex);
	was = work->pending;
	for (link = &wq->first; was && *link != work; link = &(*link)->next)
		;
	if (was)
		*link = work->next;
	work->pending = false;
	pthread_mutex_unlock(&wq->mutex);
	return was;
}

bool cancel_work_sync(struct work_struct *work)
{
	struct workqueue_struct *wq = work->wq;
	bool was;

	shim_might_sleep("cancel_work_sync()");
	if (!wq)
		return false;
	was = unqueue(wq, work);
	pthread_mutex_lock(&wq->mutex);
	while (work->running)
		pthread_cond_wait(&wq->cond, &wq->mutex);
	pthread_mutex_unlock(&wq->mutex);
	return unqueue(wq, work) || was;
}

bool mod_delayed_work(struct workqueue_struct *wq, struct delayed_work *work,
		      unsigned long delay)
{
	bool was;

	pthread_mutex_lock(&timer_mutex);
	was = disarm(work);
	work->wq = wq;
	if (delay) {
		was |= unqueue(wq, &work->work);
		work->due = ktime_get() + jiffies_to_nsecs(delay);
		work->armed = true;
		work->next = timers;
		timers = work;
	} else {
		queue_work(wq, &work->work);
	}
	pthread_mutex_unlock(&timer_mutex);
	return was;
}

void shim_advance(s64 ns)
{
	struct delayed_work *work;

	pthread_mutex_lock(&timer_mutex);
	__atomic_add_fetch(&now, ns, __ATOMIC_RELAXED);
	do {
		for (work = timers; work && work->due > now; work = work->next)
			;
		if (work) {
			disarm(work);
			queue_work(work->wq, &work->work);
		}
	} while (work);
	pthread_mutex_unlock(&timer_mutex);
}

bool cancel_delayed_work(struct delayed_work *work)
{
	bool was;

	pthread_mutex_lock(&timer_mutex);
	was = disarm(work);
	if (!was && work->wq)
		was = unqueue(work->wq, &work->work);
	pthread_mutex_unlock(&timer_mutex);
	return was;
}

bool cancel_delayed_work_sync(struct delayed_work *work)
{
	struct workqueue_struct *wq = work->wq;
	bool was;

	shim_might_sleep("cancel_delayed_work_sync()");
	was = cancel_delayed_work(work);
	if (!wq)
		return was;
	pthread_mutex_lock(&wq->mutex);
	while (work->work.running)
		pthread_cond_wait(&wq->cond, &wq->mutex);
	pthread_mutex_unlock(&wq->mutex);
	/* it may have queued itself again meanwhile */
	return cancel_delayed_work(work) || was;
}

void destroy_workqueue(struct workqueue_struct *wq)
{
	int i;

	pthread_mutex_lock(&wq->mutex);
	wq->stop = true;
	pthread_cond_broadcast(&wq->cond);
	pthread_mutex_unlock(&wq->mutex);
	for (i = 0; i < WORKERS; i++)
		pthread_join(wq->worker[i], NULL);
	kfree(wq);
}

/* References */

void kref_init(struct kref *ref)
{
	__atomic_store_n(&ref->refs, 1, __ATOMIC_RELAXED);
}

void kref_get(struct kref *ref)
{
	if (__atomic_fetch_add(&ref->refs, 1, __ATOMIC_RELAXED) <= 0)
		shim_bug("a reference to what is being freed");
}

int kref_put(struct kref *ref, void (*release)(struct kref *ref))
{
	if (__atomic_sub_fetch(&ref->refs, 1, __ATOMIC_ACQ_REL))
		return 0;
	release(ref);
	return 1;
}

/* Ids */

static pthread_mutex_t ida_mutex = PTHREAD_MUTEX_INITIALIZER;

void ida_init(struct ida *ida)
{
	*ida = (struct ida){};
}

void ida_destroy(struct ida *ida)
{
	if (ida->used && memchr(ida->used, 1, ida->room))
		shim_bug("ids left");
	free(ida->used);
	ida_init(ida);
}

int ida_alloc_min(struct ida *ida, unsigned int min, gfp_t gfp)
{
	unsigned int id = min;
	u8 *free_id;

	if (gfp & GFP_KERNEL)
		shim_might_sleep("ida_alloc_min()");
	pthread_mutex_lock(&ida_mutex);
	free_id = min < ida->room ? memchr(ida->used + min, 0, ida->room - min) : NULL;
	if (free_id) {
		id = free_id - ida->used;
	} else {
		id = max(ida->room, min);
		ida->used = realloc(ida->used, id * 2 + 16);
		memset(ida->used + ida->room, 0, id * 2 + 16 - ida->room);
		ida->room = id * 2 + 16;
	}
	ida->used[id] = 1;
	pthread_mutex_unlock(&ida_mutex);
	return id;
}

void ida_free(struct ida *ida, unsigned int id)
{
	pthread_mutex_lock(&ida_mutex);
	if (id >= ida->room || !ida->used[id])
		shim_bug("id %u freed, but not taken", id);
	ida->used[id] = 0;
	pthread_mutex_unlock(&ida_mutex);
}

/* RCU: what is to be freed waits until there is a moment without readers */

static pthread_mutex_t rcu_mutex = PTHREAD_MUTEX_INITIALIZER;	/* rcu_list */
static struct rcu_head *rcu_list;
static long rcu_readers;

void rcu_read_lock(void)
{
	if (!current->rcu++)
		__atomic_add_fetch(&rcu_readers, 1, __ATOMIC_ACQ_REL);
}

static void rcu_queue(struct rcu_head *head)
{
	struct rcu_head *next;

	pthread_mutex_lock(&rcu_mutex);
	for (; head; head = next) {
		next = head->next;
		head->next = rcu_list;
		rcu_list = head;
	}
	pthread_mutex_unlock(&rcu_mutex);
}

/* Who comes to read after the list was taken doesn't find any more what is on it */
static bool rcu_free(void)
{
	struct rcu_head *head, *next;

	pthread_mutex_lock(&rcu_mutex);
	head = rcu_list;
	rcu_list = NULL;
	pthread_mutex_unlock(&rcu_mutex);
	if (__atomic_add_fetch(&rcu_readers, 0, __ATOMIC_ACQ_REL)) {
		rcu_queue(head);
		return false;
	}
	for (; head; head = next) {
		next = head->next;
		kfree(head->ptr);
	}
	return true;
}

void rcu_read_unlock(void)
{
	if (--current->rcu)
		return;
	__atomic_sub_fetch(&rcu_readers, 1, __ATOMIC_ACQ_REL);
	rcu_free();
}

/* Longer than the real one may take: until there is no reader at all */
void synchronize_rcu(void)
{
	shim_might_sleep("synchronize_rcu()");
	while (__atomic_load_n(&rcu_readers, __ATOMIC_ACQUIRE))
		usleep(10);
}

void shim_kfree_rcu(void *ptr, struct rcu_head *head)
{
	head->ptr = ptr;
	head->next = NULL;
	rcu_queue(head);
}

void shim_rcu_barrier(void)
{
	while (!rcu_free())
		usleep(100);
}

/* Read-write semaphores */

void init_rwsem(struct rw_semaphore *sem)
{
	pthread_rwlock_init(&sem->lock, NULL);
}

void down_read(struct rw_semaphore *sem)
{
	shim_might_sleep("down_read()");
	pthread_rwlock_rdlock(&sem->lock);
}

void up_read(struct rw_semaphore *sem)
{
	pthread_rwlock_unlock(&sem->lock);
}

void down_write(struct rw_semaphore *sem)
{
	shim_might_sleep("down_write()");
	pthread_rwlock_wrlock(&sem->lock);
}

void up_write(struct rw_semaphore *sem)
{
	pthread_rwlock_unlock(&sem->lock);
}

/* The xarray */

struct shim_xa_slot {
	unsigned long index;
	void *entry;
};

static unsigned long xa_finds;

unsigned long shim_xa_finds(void)
{
	return __atomic_load_n(&xa_finds, __ATOMIC_RELAXED);
}

void xa_init(struct xarray *xa)
{
	memset(xa, 0, sizeof(*xa));
	pthread_mutex_init(&xa->lock, NULL);
}

void xa_destroy(struct xarray *xa)
{
	while (xa->num)
		kfree(xa->slots[--xa->num]);
	free(xa->slots);
	xa->slots = NULL;
	xa->room = 0;
}

/* The first slot at or after @index */
static unsigned long xa_at(const struct xarray *xa, unsigned long index)
{
	unsigned long lo = 0, hi = xa->num, mid;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		if (xa->slots[mid]->index < index)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter)
{
	void *entry = NULL;
	unsigned long at;

	(void)filter;
	__atomic_add_fetch(&xa_finds, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&xa->lock);
	at = xa_at(xa, *index);
	if (at < xa->num && xa->slots[at]->index <= max) {
		*index = xa->slots[at]->index;
		entry = xa->slots[at]->entry;
	}
	pthread_mutex_unlock(&xa->lock);
	return entry;
}

void *xa_load(struct xarray *xa, unsigned long index)
{
	return xa_find(xa, &index, index, XA_PRESENT);
}

int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	struct shim_xa_slot *slot = kmalloc(sizeof(*slot), gfp);
	unsigned long at;
	int ret = 0;

	if (!slot)
		return -ENOMEM;
	slot->index = index;
	slot->entry = entry;
	pthread_mutex_lock(&xa->lock);
	at = xa_at(xa, index);
	if (at < xa->num && xa->slots[at]->index == index) {
		kfree(slot);
		ret = -EBUSY;
	} else {
		if (xa->num == xa->room) {
			xa->room = xa->room * 2 + 16;
			xa->slots = realloc(xa->slots, xa->room * sizeof(*xa->slots));
		}
		memmove(xa->slots + at + 1, xa->slots + at, (xa->num++ - at) * sizeof(*xa->slots));
		xa->slots[at] = slot;
	}
	pthread_mutex_unlock(&xa->lock);
	return ret;
}

void *xa_erase(struct xarray *xa, unsigned long index)
{
	void *entry = NULL;
	unsigned long at;

	pthread_mutex_lock(&xa->lock);
	at = xa_at(xa, index);
	if (at < xa->num && xa->slots[at]->index == index) {
		entry = xa->slots[at]->entry;
		kfree(xa->slots[at]);
		memmove(xa->slots + at, xa->slots + at + 1, (--xa->num - at) * sizeof(*xa->slots));
	}
	pthread_mutex_unlock(&xa->lock);
	return entry;
}

int xa_err(void *entry)
{
	return IS_ERR(entry) ? PTR_ERR(entry) : 0;
}

/* Only where there is nothing */
void *xa_store(struct xarray *xa, unsigned long index, void *entry, gfp_t gfp)
{
	int ret = xa_insert(xa, index, entry, gfp);

	if (ret == -EBUSY)
		shim_bug("xa_store() over an entry");
	return ret ? ERR_PTR(ret) : NULL;
}
