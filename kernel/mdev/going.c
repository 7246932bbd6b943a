// SPDX-License-Identifier: GPL-2.0-only
/*
 * going.c - the ranges that VFIO takes away, and the tracker's life from open to close.
 * Owns struct going and struct mvgpu_tracker. Portable: kernel and userspace.
 *
 * VFIO takes a range away by calling mvgpu_tracker_dma_unmap(), from an ioctl of the VMM.
 * From then on until that ioctl is over the range is going: who maps it, waits. Every
 * mapping in it is revoked by one work item, the runs are unpinned by another, and the
 * callback waits for both.
 *
 * The wait has a limit. The unpinning needs vfio_iommu.lock, which another open or close
 * of a device in the same container may hold while it waits for device_list_lock, which
 * type1 holds around the callback. Once the callback returns, everybody moves on; type1
 * finds pins left and calls again. It does so ten times and then stops the host. So only
 * the first calls are short; then the hardware gets the time that it may take to become
 * quiet. After that its pages are put into quarantine (quarantine.c), which needs nobody's
 * cooperation, and the last call but one waits without a limit: who has vfio_iommu.lock
 * by then, again and again, is the VMM, which may hold it for as long as it likes by a page
 * fault that it serves itself. That may cost it its container, but not the host.
 *
 * That the range stays closed until the ioctl is over keeps a guest that maps in a loop
 * from using up the ten calls.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "tracker.h"

/*
 * A call from VFIO without progress, and a revoke callback. A build for tests shows what
 * becomes of a container whose driver waits without a limit.
 */
#define CALL_TIMEOUT	(IS_ENABLED(CONFIG_MVGPU_TEST_WAIT_FOREVER) ? \
			 MAX_SCHEDULE_TIMEOUT : HZ / 5)
#define QUIET_TIMEOUT	HZ

/* Of at most 11 calls */
#define SHORT_CALLS	3
#define LAST_CALL	10

/**
 * struct going - a range that VFIO takes away
 * @node: in mvgpu_tracker.going
 * @tracker: whose
 * @first: first GFN
 * @last: last GFN
 * @cursor: leaves before this index are clear
 * @calls: how often VFIO has asked for it
 * @since: when it began, in jiffies
 * @owner: the task that takes it away
 * @through: runs when the task returns to user space
 * @deferred: @through will run
 */
struct going {
	struct list_head node;
	struct mvgpu_tracker *tracker;
	u64 first;
	u64 last;
	u64 cursor;
	unsigned int calls;
	unsigned long since;
	struct task_struct *owner;
	struct callback_head through;
	bool deferred;
};

/* Whether pages of a range can't be had at the moment; the leaf may be locked */
bool mvgpu_going(struct mvgpu_tracker *t, u64 first, u64 last)
{
	struct going *g;
	bool going;

	spin_lock(&t->lock);
	going = t->closed;
	list_for_each_entry(g, &t->going, node)
		going |= first <= g->last && last >= g->first;
	spin_unlock(&t->lock);
	return going;
}

static void going_through(struct callback_head *head)
{
	struct going *g = container_of(head, struct going, through);
	struct mvgpu_tracker *t = g->tracker;

	/* The tracker may be freed as soon as the lock is */
	spin_lock(&t->lock);
	list_del(&g->node);
	wake_up_all(&t->wait);
	spin_unlock(&t->lock);
	kfree(g);
}

static void going_init(struct going *g, struct mvgpu_tracker *t, u64 first, u64 last)
{
	g->tracker = t;
	g->first = first;
	g->last = last;
	g->cursor = first >> MVGPU_LEAF_SHIFT;
	g->calls = 0;
	g->since = jiffies;
	g->owner = current;
}

static struct going *going_find(struct mvgpu_tracker *t, u64 first, u64 last)
{
	struct going *g, *found = NULL;

	spin_lock(&t->lock);
	list_for_each_entry(g, &t->going, node)
		if (g->owner == current && g->first == first && g->last == last)
			found = g;
	spin_unlock(&t->lock);
	return found;
}

/*
 * A range begins to go, or this is VFIO's next try, if it is one that @calls_again. VFIO takes
 * no error for an answer.
 */
static struct going *going_get(struct mvgpu_tracker *t, u64 first, u64 last, bool calls_again)
{
	struct going *g = going_find(t, first, last);

	if (g)
		return g;
	g = kzalloc(sizeof(*g), GFP_KERNEL | __GFP_NOFAIL);
	going_init(g, t, first, last);
	init_task_work(&g->through, going_through);
	spin_lock(&t->lock);
	list_add_tail(&g->node, &t->going);
	spin_unlock(&t->lock);
	if (calls_again && !(current->flags & PF_KTHREAD))
		g->deferred = !task_work_add(current, &g->through, TWA_RESUME);
	return g;
}

/* No page of the range gets a new reference, and every mapping in it is revoked */
static void going_doom(struct going *g)
{
	struct mvgpu_tracker *t = g->tracker;
	u64 index, end = g->last >> MVGPU_LEAF_SHIFT;
	struct mvgpu_leaf *leaf;
	unsigned int lo, hi;

	for (index = g->cursor; index <= end; index++) {
		rcu_read_lock();
		leaf = mvgpu_leaf_next(t, &index, end);
		if (leaf) {
			spin_lock(&leaf->lock);
			if (!leaf->gone && mvgpu_leaf_overlap(leaf, g->first, g->last, &lo, &hi))
				mvgpu_leaf_doom(t, leaf, lo, hi);
			spin_unlock(&leaf->lock);
		}
		rcu_read_unlock();
		if (!leaf)
			break;
		cond_resched();
	}
}

static bool leaf_clear(struct mvgpu_leaf *leaf, u64 first, u64 last)
{
	unsigned int lo, hi;
	bool clear = true;

	spin_lock(&leaf->lock);
	if (!leaf->gone && mvgpu_leaf_overlap(leaf, first, last, &lo, &hi))
		for (; lo <= hi && clear; lo++)
			clear = !leaf->entry[lo];
	spin_unlock(&leaf->lock);
	return clear;
}

/* Nothing is tracked in the range any more; what is clear once, stays so */
static bool going_clear(struct going *g)
{
	u64 end = g->last >> MVGPU_LEAF_SHIFT;
	struct mvgpu_leaf *leaf;
	bool clear = true;

	rcu_read_lock();
	for (; g->cursor <= end && clear; g->cursor += clear) {
		leaf = mvgpu_leaf_next(g->tracker, &g->cursor, end);
		if (!leaf)
			break;
		clear = leaf_clear(leaf, g->first, g->last);
	}
	rcu_read_unlock();
	return clear;
}

/* How long the hardware still has, in jiffies; each callback has its own time */
static long going_time_left(const struct going *g)
{
	unsigned long quiet = READ_ONCE(g->tracker->quiet);

	if (time_before(quiet, g->since))
		quiet = g->since;
	return quiet + QUIET_TIMEOUT - jiffies;
}

/* Wait for as long as something happens: a call that returns too early is one call less */
static bool going_wait(struct going *g)
{
	struct mvgpu_tracker *t = g->tracker;
	long progress, limit;

	do {
		progress = atomic_long_read(&t->progress);
		limit = CALL_TIMEOUT;
		if (g->calls > SHORT_CALLS)
			limit = max(limit, going_time_left(g));
		if (wait_event_timeout(t->wait, going_clear(g), limit))
			return true;
	} while (atomic_long_read(&t->progress) != progress);
	return false;
}

/* Get the range clear. Hardware that had its chance is not waited for. */
static bool going_finish(struct going *g)
{
	struct mvgpu_tracker *t = g->tracker;

	g->calls++;
	do {
		going_doom(g);
		if (going_wait(g))
			return true;
		if (g->calls < LAST_CALL && going_time_left(g) > 0)
			return false;
		mvgpu_quarantine(t, g->first, g->last);
		if (going_wait(g))
			return true;
	} while (g->calls >= LAST_CALL);
	return false;
}

/**
 * mvgpu_tracker_dma_unmap() - VFIO takes a range away
 * @t: the tracker
 * @iova: start
 * @len: bytes; type1 passes whole struct vfio_dma, iommufd everything when it detaches
 *
 * When this returns, nothing is pinned in the range, or VFIO has to call again. iommufd
 * does not call again when it detaches, but holds no lock that the unpinning needs, and
 * pins nothing any more. It detaches when the last file is closed, too, where waiting for
 * the task to return to user space might be waiting for oneself.
 *
 * Context: process context, may sleep.
 */
void mvgpu_tracker_dma_unmap(struct mvgpu_tracker *t, u64 iova, u64 len)
{
	u64 end = iova + len - 1;
	bool calls_again = len < ULONG_MAX;
	struct going *g;

	if (!len)
		return;
	if (end < iova)
		end = U64_MAX;
	g = going_get(t, iova >> PAGE_SHIFT, end >> PAGE_SHIFT, calls_again);
	while (!going_finish(g) && !calls_again)
		;
	if (!g->deferred)
		going_through(&g->through);
}

static void tracker_drop(struct mvgpu_tracker *t)
{
	struct going g;

	going_init(&g, t, 0, U64_MAX >> PAGE_SHIFT);
	while (!going_finish(&g))
		;
}

/**
 * mvgpu_tracker_open() - a VMM has opened the vGPU
 * @t: the tracker
 * @quota: most pages that may be pinned, unless mvgpu_tracker_set_quota() said so
 *
 * Context: process context.
 */
void mvgpu_tracker_open(struct mvgpu_tracker *t, unsigned long quota)
{
	spin_lock(&t->lock);
	if (!t->quota_set)
		WRITE_ONCE(t->quota, quota);
	WRITE_ONCE(t->closed, false);
	spin_unlock(&t->lock);
}

/**
 * mvgpu_tracker_close() - the VMM has gone: drop everything, pin nothing any more
 * @t: the tracker
 *
 * Context: process context, may sleep, for as long as the hardware takes to be quiet
 * or to be given up.
 */
void mvgpu_tracker_close(struct mvgpu_tracker *t)
{
	spin_lock(&t->lock);
	WRITE_ONCE(t->closed, true);
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
	tracker_drop(t);
	/* Until the last copy through VFIO is over */
	down_write(&t->rw);
	up_write(&t->rw);
}

/**
 * mvgpu_tracker_reset() - the vGPU is reset: drop everything
 * @t: the tracker; no mvgpu_map() is under way
 *
 * Context: process context, may sleep as mvgpu_tracker_close() does.
 */
void mvgpu_tracker_reset(struct mvgpu_tracker *t)
{
	tracker_drop(t);
}

/**
 * mvgpu_tracker_init() - a tracker for a new vGPU, closed
 * @t: the tracker, zeroed but for its dma, quiesce and quiesce_arg, which may come later
 * @vdev: through which to pin
 *
 * Context: process context, may sleep.
 * Return: 0 or -ENOMEM.
 */
int mvgpu_tracker_init(struct mvgpu_tracker *t, struct vfio_device *vdev)
{
	t->wq = alloc_workqueue("mvgpu", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!t->wq)
		return -ENOMEM;
	t->vdev = vdev;
	t->closed = true;
	t->quota = ULONG_MAX;
	t->quiet = jiffies;
	xa_init(&t->leaves);
	spin_lock_init(&t->lock);
	INIT_LIST_HEAD(&t->going);
	INIT_LIST_HEAD(&t->reap);
	INIT_LIST_HEAD(&t->idle);
	INIT_LIST_HEAD(&t->revokes);
	INIT_LIST_HEAD(&t->quarantine);
	init_waitqueue_head(&t->wait);
	init_rwsem(&t->rw);
	mvgpu_dirty_init(t);
	INIT_WORK(&t->reap_work, mvgpu_reap_work);
	INIT_WORK(&t->revoke_work, mvgpu_revoke_work);
	INIT_WORK(&t->quiesce_work, mvgpu_quiesce_work);
	return 0;
}

static bool tracker_quiet(struct mvgpu_tracker *t)
{
	bool quiet;

	spin_lock(&t->lock);
	quiet = !t->unquiet;
	spin_unlock(&t->lock);
	return quiet;
}

static bool tracker_unused(struct mvgpu_tracker *t)
{
	bool unused;

	spin_lock(&t->lock);
	unused = list_empty(&t->going);
	spin_unlock(&t->lock);
	return unused;
}

/**
 * mvgpu_tracker_fini() - the opposite of mvgpu_tracker_init()
 * @t: the tracker, closed or never opened; also one that is all zeroes
 *
 * Context: process context, may sleep. It waits for revoke callbacks that hang: the
 * hardware may still write to what they hold.
 */
void mvgpu_tracker_fini(struct mvgpu_tracker *t)
{
	if (!t->wq)
		return;
	wait_event(t->wait, tracker_unused(t));
	if (!wait_event_timeout(t->wait, tracker_quiet(t), QUIET_TIMEOUT))
		dev_warn(t->vdev->dev, "waiting for a revoke callback that hangs\n");
	drain_workqueue(t->wq);
	mvgpu_quarantine_release(t);
	destroy_workqueue(t->wq);
	mvgpu_dirty_stop(t);
	mutex_destroy(&t->dirty.mutex);
	xa_destroy(&t->leaves);
}

/**
 * mvgpu_tracker_set_quota() - limit what the guest can have pinned
 * @t: the tracker
 * @pages: most pages, quarantine included; less than there are only stops new ones. 0
 *	for the default from the next open on.
 *
 * Context: process context.
 */
void mvgpu_tracker_set_quota(struct mvgpu_tracker *t, unsigned long pages)
{
	spin_lock(&t->lock);
	t->quota_set = pages;
	if (pages)
		WRITE_ONCE(t->quota, pages);
	spin_unlock(&t->lock);
}

/**
 * mvgpu_tracker_quota() - the limit in effect
 * @t: the tracker
 *
 * Context: any.
 * Return: pages, ULONG_MAX for no limit.
 */
unsigned long mvgpu_tracker_quota(struct mvgpu_tracker *t)
{
	return READ_ONCE(t->quota);
}

/**
 * mvgpu_tracker_set_cache() - keep pages pinned that no mapping holds
 * @t: the tracker
 * @pages: most pages, 0 for none
 *
 * Such a page is stale once the VMM discards it, which VFIO does not tell. It is for
 * VMMs that don't, and guests that map the same buffers over and over.
 *
 * Context: process context.
 */
void mvgpu_tracker_set_cache(struct mvgpu_tracker *t, unsigned long pages)
{
	WRITE_ONCE(t->cache_limit, min_t(unsigned long, pages, LONG_MAX));
	queue_work(t->wq, &t->reap_work);
}

/**
 * mvgpu_tracker_idle() - how much memory pressure could get back
 * @t: the tracker
 *
 * Context: any.
 * Return: pages.
 */
unsigned long mvgpu_tracker_idle(struct mvgpu_tracker *t)
{
	return atomic_long_read(&t->cached);
}

/**
 * mvgpu_tracker_shrink() - memory pressure: give idle pages back soon
 * @t: the tracker
 * @pages: how many
 *
 * It only queues work, because type1 allocates under the lock that unpinning takes.
 *
 * Context: any, also reclaim.
 */
void mvgpu_tracker_shrink(struct mvgpu_tracker *t, unsigned long pages)
{
	atomic_long_add(min_t(unsigned long, pages, atomic_long_read(&t->cached)), &t->shed);
	queue_work(t->wq, &t->reap_work);
}
