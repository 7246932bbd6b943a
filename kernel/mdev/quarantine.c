// SPDX-License-Identifier: GPL-2.0-only
/*
 * quarantine.c - pages that VFIO took away and that the hardware may still reach, because
 * a vendor driver did not get it quiet in time. Owns struct mvgpu_quarantined. Portable.
 *
 * Such a run gets page references of ours and keeps its DMA mapping, so that its memory
 * can't become anybody else's; its VFIO pin is given back. It is let go when every
 * mapping that was being revoked is quiet, or when the vendor driver has reset the
 * hardware, unless the CPU sees it through a window, which that does not close.
 */
#include <linux/device.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include "trace.h"
#include "tracker.h"

/**
 * struct mvgpu_quarantined - a run in quarantine
 * @node: in mvgpu_tracker.quarantine
 * @pages: how many
 * @window: a window of the CPU's is on it
 * @entry: as in the leaf, without references, with MVGPU_ENTRY_STRETCH
 */
struct mvgpu_quarantined {
	struct list_head node;
	unsigned int pages;
	bool window;
	u64 entry[];
};

/**
 * struct supplies - memory that is needed where none can be allocated
 * @run: for a run of 512 pages
 * @lost: bitmaps of a leaf's pages, a list through their first word
 * @num_lost: how many
 * @used_for: pages that were put into quarantine with it
 */
struct supplies {
	struct mvgpu_quarantined *run;
	unsigned long *lost;
	unsigned int num_lost;
	unsigned long used_for;
};

static void supplies_get(struct supplies *s, unsigned int num_lost)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_NOFAIL;
	unsigned long *lost;

	if (!s->run)
		s->run = kzalloc(struct_size(s->run, entry, MVGPU_LEAF_PAGES), gfp);
	for (; s->num_lost < num_lost; s->num_lost++) {
		lost = kcalloc(BITS_TO_LONGS(MVGPU_LEAF_PAGES), sizeof(*lost), gfp);
		*lost = (unsigned long)s->lost;
		s->lost = lost;
	}
}

static unsigned long *supplies_take_lost(struct supplies *s)
{
	unsigned long *lost = s->lost;

	s->lost = (unsigned long *)*lost;
	s->num_lost--;
	*lost = 0;
	return lost;
}

static void supplies_put(struct supplies *s)
{
	kfree(s->run);
	while (s->num_lost)
		kfree(supplies_take_lost(s));
}

/* The first run in [*lo, hi] that is going away and still has references */
static bool stuck_run(const struct mvgpu_leaf *leaf, unsigned int *lo, unsigned int hi)
{
	unsigned int i = *lo;

	if (leaf->entry[i])
		i = mvgpu_meta_first(leaf, i);
	while (i <= hi) {
		*lo = i;
		if (leaf->entry[i] & MVGPU_ENTRY_BUSY && leaf->meta[i] & MVGPU_META_LIVE)
			return true;
		i += leaf->entry[i] ? mvgpu_run_pages(leaf, i) : 1;
	}
	return false;
}

static bool piece_holds(const struct mvgpu_piece *p, unsigned int first, unsigned int end)
{
	return p->first < end && p->first + p->held > first;
}

static unsigned int lost_needed(const struct mvgpu_leaf *leaf, unsigned int first,
				unsigned int end)
{
	struct mvgpu_piece *p;
	unsigned int n = 0;

	list_for_each_entry(p, &leaf->pieces, node)
		n += piece_holds(p, first, end) && !p->lost;
	return n;
}

/* Move one run; the supplies suffice */
static void run_quarantine(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first,
			   struct supplies *s)
{
	unsigned int i, end = first + mvgpu_run_pages(leaf, first);
	struct mvgpu_quarantined *q = s->run;
	struct mvgpu_piece *p;

	s->run = NULL;
	q->pages = end - first;
	s->used_for += q->pages;
	for (i = first; i < end; i++) {
		get_page(mvgpu_dma_page(&t->dma, mvgpu_entry_addr(t, leaf->entry[i])));
		leaf->entry[i] &= ~MVGPU_ENTRY_REFS;
		q->entry[i - first] = leaf->entry[i];
		if (leaf->meta[i] & MVGPU_META_START)
			q->entry[i - first] |= MVGPU_ENTRY_STRETCH;
	}
	list_for_each_entry(p, &leaf->pieces, node) {
		if (!piece_holds(p, first, end))
			continue;
		if (!p->lost)
			p->lost = supplies_take_lost(s);
		bitmap_set(p->lost, first, end - first);
		q->window |= mvgpu_mapping_is_window(p->mapping);
	}
	leaf->meta[first] &= ~MVGPU_META_LIVE;
	leaf->meta[first] |= MVGPU_META_LENT;
	atomic_long_add(q->pages, &t->quarantined);
	atomic64_add(q->pages, &t->stats.quarantines);
	spin_lock(&t->lock);
	list_add_tail(&q->node, &t->quarantine);
	spin_unlock(&t->lock);
	trace_mvgpu_quarantine(t, mvgpu_leaf_gfn(leaf, first) << PAGE_SHIFT, q->pages);
	mvgpu_run_kill(t, leaf, first);
}

/* As many runs of a leaf as the supplies suffice for. Returns what the next one needs. */
static unsigned int leaf_quarantine(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf,
				    unsigned int lo, unsigned int hi, struct supplies *s)
{
	unsigned int end, needed;

	while (stuck_run(leaf, &lo, hi)) {
		end = lo + mvgpu_run_pages(leaf, lo);
		needed = lost_needed(leaf, lo, end);
		if (!s->run || s->num_lost < needed)
			return needed + 1;
		run_quarantine(t, leaf, lo, s);
	}
	return 0;
}

/**
 * mvgpu_quarantine() - the hardware had its chance: do without it
 * @t: the tracker
 * @first: first GFN of a range that is going away
 * @last: last GFN of it
 *
 * Context: process context, may sleep.
 */
void mvgpu_quarantine(struct mvgpu_tracker *t, u64 first, u64 last)
{
	u64 index = first >> MVGPU_LEAF_SHIFT, end = last >> MVGPU_LEAF_SHIFT;
	struct supplies supplies = {};
	struct mvgpu_leaf *leaf;
	unsigned int lo, hi, needed;

	while (index <= end) {
		needed = 0;
		rcu_read_lock();
		leaf = mvgpu_leaf_next(t, &index, end);
		if (leaf) {
			spin_lock(&leaf->lock);
			if (!leaf->gone && mvgpu_leaf_overlap(leaf, first, last, &lo, &hi))
				needed = leaf_quarantine(t, leaf, lo, hi, &supplies);
			spin_unlock(&leaf->lock);
		}
		rcu_read_unlock();
		if (!leaf)
			break;
		if (needed)
			supplies_get(&supplies, needed - 1);
		else
			index++;
	}
	supplies_put(&supplies);
	if (supplies.used_for)
		dev_notice_ratelimited(t->vdev->dev,
				       "a revoke callback takes too long: %lu pages in quarantine\n",
				       supplies.used_for);
	if (atomic_long_read(&t->quarantined) && t->quiesce)
		queue_work(t->wq, &t->quiesce_work);
}

static void quarantine_free(struct mvgpu_tracker *t, struct mvgpu_quarantined *q)
{
	unsigned int i, k, n;
	unsigned long pfn;
	dma_addr_t addr;

	for (i = 0; i < q->pages; i += n) {
		n = mvgpu_stretch(q->entry + i, q->pages - i);
		addr = mvgpu_entry_addr(t, q->entry[i]);
		pfn = page_to_pfn(mvgpu_dma_page(&t->dma, addr));
		mvgpu_dma_unmap(&t->dma, addr, n, q->entry[i] & MVGPU_ENTRY_RO);
		for (k = 0; k < n; k++)
			put_page(pfn_to_page(pfn + k));
	}
	atomic_long_sub(q->pages, &t->quarantined);
	kfree(q);
}

static void quarantine_free_all(struct mvgpu_tracker *t, struct list_head *list)
{
	struct mvgpu_quarantined *q, *next;
	unsigned long pages = 0;

	list_for_each_entry_safe(q, next, list, node) {
		pages += q->pages;
		quarantine_free(t, q);
	}
	if (pages)
		dev_notice_ratelimited(t->vdev->dev,
				       "the hardware is quiet: %lu pages leave quarantine\n",
				       pages);
	wake_up_all(&t->wait);
}

/* Let everything go, unless a mapping is still being revoked */
void mvgpu_quarantine_release(struct mvgpu_tracker *t)
{
	LIST_HEAD(list);

	spin_lock(&t->lock);
	if (!t->unquiet)
		list_splice_init(&t->quarantine, &list);
	spin_unlock(&t->lock);
	quarantine_free_all(t, &list);
}

/* The vendor driver resets the hardware, which ends what is in quarantine by then */
void mvgpu_quiesce_work(struct work_struct *work)
{
	struct mvgpu_tracker *t = container_of(work, struct mvgpu_tracker, quiesce_work);
	struct mvgpu_quarantined *q, *next;
	LIST_HEAD(list);
	LIST_HEAD(quiet);

	spin_lock(&t->lock);
	list_splice_init(&t->quarantine, &list);
	spin_unlock(&t->lock);
	if (list_empty(&list))
		return;
	if (!t->quiesce(t->quiesce_arg)) {
		/* the revoke work would have, but it may be held up */
		if (t->hide)
			t->hide(t);
		list_for_each_entry_safe(q, next, &list, node)
			if (!q->window)
				list_move_tail(&q->node, &quiet);
		quarantine_free_all(t, &quiet);
	}
	if (list_empty(&list))
		return;
	spin_lock(&t->lock);
	list_splice(&list, &t->quarantine);
	spin_unlock(&t->lock);
	queue_work(t->wq, &t->reap_work);
}
