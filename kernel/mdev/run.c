// SPDX-License-Identifier: GPL-2.0-only
/*
 * run.c - how runs come and go: pin and map, unmap and unpin, and the cache of idle ones.
 * Owns the reap work. Portable: kernel and userspace.
 *
 * Here is every call of VFIO and of the DMA API. They sleep, and take locks that others
 * hold while they wait for us, so no lock of ours is held; the run is busy instead.
 */
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "trace.h"
#include "tracker.h"

/* -ERANGE if the addresses of this device lie too far apart to be told from one another */
static int entry_encode(struct mvgpu_tracker *t, dma_addr_t addr, u64 *entry)
{
	u64 pfn = addr >> PAGE_SHIFT;
	u16 high = pfn >> MVGPU_ENTRY_PFN_BITS;
	int ret = 0;

	*entry = MVGPU_ENTRY_TRACKED | pfn << MVGPU_ENTRY_PFN_SHIFT;
	if (!high)
		return 0;
	*entry |= MVGPU_ENTRY_HIGH;
	spin_lock(&t->lock);
	if (!t->high)
		WRITE_ONCE(t->high, high);
	else if (t->high != high)
		ret = -ERANGE;
	spin_unlock(&t->lock);
	return ret;
}

/* Ordinary memory, which has a life of its own to pin; VFIO lets more than that through */
static bool page_ordinary(struct page *page)
{
	return !PageReserved(page) && !is_zone_device_page(page);
}

/* For writing if the VMM's mapping allows it. -EPERM if it does for a part only. */
static int run_pin(struct mvgpu_tracker *t, u64 iova, unsigned int pages, bool write,
		   struct page **page, bool *ro)
{
	unsigned int i;
	int ret;

	*ro = false;
	ret = vfio_pin_pages(t->vdev, iova, pages, IOMMU_READ | IOMMU_WRITE, page);
	if (ret == -EPERM && !write && pages == 1) {
		*ro = true;
		ret = vfio_pin_pages(t->vdev, iova, pages, IOMMU_READ, page);
	}
	if (ret == -EINVAL || ret == -ENOENT)
		return -EFAULT;
	if (ret < 0)
		return ret;
	for (i = 0; i < ret && page_ordinary(page[i]); i++)
		;
	if (i == pages)
		return 0;
	if (ret)
		vfio_unpin_pages(t->vdev, iova, ret);
	return -EFAULT;
}

static void run_unmap(struct mvgpu_tracker *t, const u64 *entry, unsigned int pages)
{
	unsigned int i, n;

	for (i = 0; i < pages; i += n) {
		n = mvgpu_stretch(entry + i, pages - i);
		mvgpu_dma_unmap(&t->dma, mvgpu_entry_addr(t, entry[i]), n,
				entry[i] & MVGPU_ENTRY_RO);
	}
}

/* Map pinned pages, what is contiguous at once, and make the entries */
static int run_map(struct mvgpu_tracker *t, struct page **page, unsigned int pages, bool ro,
		   u64 *entry)
{
	unsigned int i, k, n;
	dma_addr_t addr;
	int ret;

	for (i = 0; i < pages; i += n) {
		for (n = 1; i + n < pages; n++)
			if (page_to_phys(page[i + n]) != page_to_phys(page[i]) + n * PAGE_SIZE)
				break;
		ret = mvgpu_dma_map(&t->dma, page[i], n, ro, &addr);
		if (ret)
			goto err_unmap;
		for (k = 0; k < n && !ret; k++)
			ret = entry_encode(t, addr + k * PAGE_SIZE, &entry[i + k]);
		if (ret) {
			mvgpu_dma_unmap(&t->dma, addr, n, ro);
			goto err_unmap;
		}
		entry[i] |= MVGPU_ENTRY_STRETCH;
		for (k = 0; k < n; k++)
			entry[i + k] |= ro ? MVGPU_ENTRY_RO : 0;
	}
	return 0;

err_unmap:
	run_unmap(t, entry, i);
	return ret;
}

/* The run is there. It is dead on arrival if VFIO has asked for its pages meanwhile. */
static int run_publish(struct mvgpu_tracker *t, struct mvgpu_piece *p, unsigned int pages,
		       const u64 *entry)
{
	struct mvgpu_leaf *leaf = p->leaf;
	unsigned int i, first = p->first + p->held;
	u64 gfn = mvgpu_leaf_gfn(leaf, first);
	bool going;

	spin_lock(&leaf->lock);
	going = mvgpu_going(t, gfn, gfn + pages - 1);
	for (i = 0; i < pages; i++) {
		leaf->entry[first + i] = (entry[i] & ~MVGPU_ENTRY_STRETCH) + !going;
		if (entry[i] & MVGPU_ENTRY_STRETCH)
			leaf->meta[first + i] |= MVGPU_META_START;
	}
	if (going) {
		mvgpu_run_kill(t, leaf, first);
	} else {
		mvgpu_run_set_live(leaf, first, pages);
		p->held += pages;
	}
	spin_unlock(&leaf->lock);
	return going ? -EAGAIN : 0;
}

/* Pin and map the run that this piece has reserved */
int mvgpu_run_fill(struct mvgpu_tracker *t, struct mvgpu_piece *p, unsigned int pages)
{
	unsigned int first = p->first + p->held;
	u64 iova = mvgpu_leaf_gfn(p->leaf, first) << PAGE_SHIFT;
	struct page **page;
	int ret = -ENOMEM;
	u64 *entry;
	bool ro;

	page = kmalloc_array(pages, sizeof(*page) + sizeof(*entry), GFP_KERNEL);
	if (!page)
		goto out;
	entry = (u64 *)(page + pages);
	ret = run_pin(t, iova, pages, p->mapping->write, page, &ro);
	if (ret)
		goto out;
	trace_mvgpu_pin(t, iova, pages);
	ret = run_map(t, page, pages, ro, entry);
	if (ret) {
		vfio_unpin_pages(t->vdev, iova, pages);
		trace_mvgpu_unpin(t, iova, pages);
		goto out;
	}
	atomic64_add(pages, &t->stats.misses);
	ret = run_publish(t, p, pages, entry);
	goto out_wake;

out:
	spin_lock(&p->leaf->lock);
	mvgpu_run_forget(t, p->leaf, first);
	spin_unlock(&p->leaf->lock);
out_wake:
	wake_up_all(&t->wait);
	kfree(page);
	return ret;
}

/* Unmap and unpin one dead run. The leaf's lock is dropped meanwhile. */
static void run_reap(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first)
	__must_hold(&leaf->lock)
{
	unsigned int i, n, pages = mvgpu_run_pages(leaf, first);
	u64 iova = mvgpu_leaf_gfn(leaf, first) << PAGE_SHIFT;
	bool lent = leaf->meta[first] & MVGPU_META_LENT;

	lockdep_assert_held(&leaf->lock);
	__clear_bit(first, leaf->dead);
	spin_unlock(&leaf->lock);
	/* Nobody else looks at these entries but for BUSY */
	for (i = first; i < first + pages && !lent; i += n) {
		for (n = 1; i + n < first + pages; n++)
			if (leaf->meta[i + n] & MVGPU_META_START)
				break;
		mvgpu_dma_unmap(&t->dma, mvgpu_entry_addr(t, leaf->entry[i]), n,
				leaf->entry[i] & MVGPU_ENTRY_RO);
	}
	vfio_unpin_pages(t->vdev, iova, pages);
	trace_mvgpu_unpin(t, iova, pages);
	spin_lock(&leaf->lock);
	mvgpu_run_forget(t, leaf, first);
	atomic_long_sub(pages, &t->dying);
	atomic_long_inc(&t->progress);
}

/* A leaf with dead runs. Only the reap work makes them fewer, so it won't go away. */
static struct mvgpu_leaf *reap_next(struct mvgpu_tracker *t)
{
	struct mvgpu_leaf *leaf;
	bool dead = false;

	rcu_read_lock();
	do {
		spin_lock(&t->lock);
		leaf = list_first_entry_or_null(&t->reap, struct mvgpu_leaf, reap_node);
		if (leaf)
			list_del_init(&leaf->reap_node);
		spin_unlock(&t->lock);
		if (!leaf)
			break;
		spin_lock(&leaf->lock);
		dead = !leaf->gone && !bitmap_empty(leaf->dead, MVGPU_LEAF_PAGES);
		spin_unlock(&leaf->lock);
	} while (!dead);
	rcu_read_unlock();
	return leaf;
}

static void leaf_reap(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf)
{
	unsigned int first;

	spin_lock(&leaf->lock);
	for (;;) {
		first = find_first_bit(leaf->dead, MVGPU_LEAF_PAGES);
		if (first == MVGPU_LEAF_PAGES)
			break;
		run_reap(t, leaf, first);
	}
	rcu_read_lock();
	mvgpu_leaf_tidy(t, leaf);
	spin_unlock(&leaf->lock);
	rcu_read_unlock();
	wake_up_all(&t->wait);
}

/* Kill the idle runs of one leaf. Returns whether there was one. */
static bool idle_evict(struct mvgpu_tracker *t)
{
	struct mvgpu_leaf *leaf;
	unsigned int first;

	rcu_read_lock();
	spin_lock(&t->lock);
	leaf = list_first_entry_or_null(&t->idle, struct mvgpu_leaf, idle_node);
	if (leaf)
		list_del_init(&leaf->idle_node);
	spin_unlock(&t->lock);
	if (leaf) {
		spin_lock(&leaf->lock);
		if (!leaf->gone)
			for_each_set_bit(first, leaf->idle, MVGPU_LEAF_PAGES)
				mvgpu_run_kill(t, leaf, first);
		spin_unlock(&leaf->lock);
	}
	rcu_read_unlock();
	return leaf;
}

/* Evict what the cache has too much of, unmap and unpin what is dead */
void mvgpu_reap_work(struct work_struct *work)
{
	struct mvgpu_tracker *t = container_of(work, struct mvgpu_tracker, reap_work);
	long keep = atomic_long_read(&t->cached) - atomic_long_xchg(&t->shed, 0);
	struct mvgpu_leaf *leaf;

	mvgpu_quarantine_release(t);
	keep = clamp_t(long, keep, 0, READ_ONCE(t->cache_limit));
	while (atomic_long_read(&t->cached) > keep && idle_evict(t))
		;
	while ((leaf = reap_next(t))) {
		leaf_reap(t, leaf);
		cond_resched();
	}
}
