// SPDX-License-Identifier: GPL-2.0-only
/*
 * tracker.c - leaves, runs and references: which guest pages are pinned, at which DMA
 * address, held how often. Owns struct mvgpu_leaf. Portable: kernel and userspace.
 *
 * A run comes into being busy, while it is pinned and mapped without a lock. Then it
 * has references. When its last reference goes, or when VFIO takes its pages away, it is
 * busy again, and the reap work unmaps and unpins it, again without a lock. A busy page
 * gets no new reference; who wants one waits. Whoever made a page busy while coming
 * waits for nobody, so nobody waits in a circle.
 *
 * Everything about a page is under its leaf's spinlock, including the list of pieces
 * that says which mappings to revoke: a hit takes that one lock and nothing that sleeps.
 */
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "tracker.h"

#define BUSY_TIMEOUT	(5 * HZ)

/**
 * mvgpu_leaf_overlap() - which pages of a leaf lie in a range
 * @leaf: the leaf
 * @first: first GFN of the range
 * @last: last GFN of the range
 * @lo: the first page that does
 * @hi: the last page that does
 *
 * Return: whether any does.
 */
bool mvgpu_leaf_overlap(const struct mvgpu_leaf *leaf, u64 first, u64 last,
			unsigned int *lo, unsigned int *hi)
{
	u64 base = mvgpu_leaf_gfn(leaf, 0), end = base + MVGPU_LEAF_PAGES - 1;

	if (last < base || first > end)
		return false;
	*lo = max(first, base) - base;
	*hi = min(last, end) - base;
	return true;
}

/* The first leaf that is at or after *@index and not after @last; under RCU */
struct mvgpu_leaf *mvgpu_leaf_next(struct mvgpu_tracker *t, u64 *index, u64 last)
{
	unsigned long at = *index;
	struct mvgpu_leaf *leaf;

	leaf = xa_find(&t->leaves, &at, last, XA_PRESENT);
	*index = at;
	return leaf;
}

static int leaf_create(struct mvgpu_tracker *t, u64 index)
{
	struct mvgpu_leaf *leaf = kzalloc(sizeof(*leaf), GFP_KERNEL_ACCOUNT);
	int ret = -ENOMEM;

	if (!leaf)
		return -ENOMEM;
	leaf->entry = kcalloc(MVGPU_LEAF_PAGES, sizeof(*leaf->entry), GFP_KERNEL_ACCOUNT);
	leaf->meta = kcalloc(MVGPU_LEAF_PAGES, sizeof(*leaf->meta), GFP_KERNEL_ACCOUNT);
	if (!leaf->entry || !leaf->meta)
		goto err_free;
	spin_lock_init(&leaf->lock);
	leaf->index = index;
	INIT_LIST_HEAD(&leaf->pieces);
	INIT_LIST_HEAD(&leaf->reap_node);
	INIT_LIST_HEAD(&leaf->idle_node);
	ret = xa_insert(&t->leaves, index, leaf, GFP_KERNEL_ACCOUNT);
	if (!ret)
		return 0;

err_free:
	kfree(leaf->entry);
	kfree(leaf->meta);
	kfree(leaf);
	return ret == -EBUSY ? 0 : ret;
}

/* Free the leaf if nothing is in it. Under RCU, for the caller has yet to unlock it. */
void mvgpu_leaf_tidy(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf)
{
	lockdep_assert_held(&leaf->lock);
	if (leaf->tracked || !list_empty(&leaf->pieces))
		return;
	leaf->gone = true;
	xa_erase(&t->leaves, leaf->index);
	spin_lock(&t->lock);
	list_del_init(&leaf->reap_node);
	list_del_init(&leaf->idle_node);
	spin_unlock(&t->lock);
	kfree(leaf->entry);
	kfree(leaf->meta);
	kfree_rcu(leaf, rcu);
}

void mvgpu_run_set_live(struct mvgpu_leaf *leaf, unsigned int first, unsigned int live)
{
	leaf->meta[first] &= ~MVGPU_META_LIVE;
	leaf->meta[first] |= FIELD_PREP(MVGPU_META_LIVE, live);
}

static unsigned int run_live(const struct mvgpu_leaf *leaf, unsigned int first)
{
	return FIELD_GET(MVGPU_META_LIVE, leaf->meta[first]);
}

static void run_set_busy(struct mvgpu_leaf *leaf, unsigned int first)
{
	unsigned int i, end = first + mvgpu_run_pages(leaf, first);

	for (i = first; i < end; i++)
		leaf->entry[i] |= MVGPU_ENTRY_BUSY;
}

static void run_reserve(struct mvgpu_leaf *leaf, unsigned int first, unsigned int pages)
{
	unsigned int i;

	lockdep_assert_held(&leaf->lock);
	for (i = first; i < first + pages; i++) {
		leaf->entry[i] = MVGPU_ENTRY_TRACKED | MVGPU_ENTRY_BUSY;
		leaf->meta[i] = FIELD_PREP(MVGPU_META_FIRST, first);
	}
	leaf->meta[first] |= FIELD_PREP(MVGPU_META_PAGES, pages);
	leaf->tracked += pages;
}

void mvgpu_run_forget(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first)
{
	unsigned int i, pages = mvgpu_run_pages(leaf, first);

	lockdep_assert_held(&leaf->lock);
	for (i = first; i < first + pages; i++) {
		leaf->entry[i] = 0;
		leaf->meta[i] = 0;
	}
	leaf->tracked -= pages;
	atomic_long_sub(pages, &t->pinned);
}

/* Out of the cache, into use or to be reaped */
static void run_not_idle(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first)
{
	if (__test_and_clear_bit(first, leaf->idle))
		atomic_long_sub(mvgpu_run_pages(leaf, first), &t->cached);
}

static void run_idle(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first)
{
	long cached;

	__set_bit(first, leaf->idle);
	cached = atomic_long_add_return(mvgpu_run_pages(leaf, first), &t->cached);
	spin_lock(&t->lock);
	if (list_empty(&leaf->idle_node))
		list_add_tail(&leaf->idle_node, &t->idle);
	spin_unlock(&t->lock);
	if (cached > READ_ONCE(t->cache_limit))
		queue_work(t->wq, &t->reap_work);
}

/**
 * mvgpu_run_kill() - have a run without references unmapped and unpinned
 * @t: the tracker
 * @leaf: its leaf, locked
 * @first: its first page
 */
void mvgpu_run_kill(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first)
{
	lockdep_assert_held(&leaf->lock);
	run_not_idle(t, leaf, first);
	run_set_busy(leaf, first);
	__set_bit(first, leaf->dead);
	atomic_long_add(mvgpu_run_pages(leaf, first), &t->dying);
	spin_lock(&t->lock);
	if (list_empty(&leaf->reap_node))
		list_add_tail(&leaf->reap_node, &t->reap);
	spin_unlock(&t->lock);
	queue_work(t->wq, &t->reap_work);
}

/* One page of the run has lost its last reference */
static void run_unuse(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int first)
{
	unsigned int live = run_live(leaf, first) - 1;

	mvgpu_run_set_live(leaf, first, live);
	if (live)
		return;
	if (leaf->entry[first] & MVGPU_ENTRY_BUSY || !READ_ONCE(t->cache_limit))
		mvgpu_run_kill(t, leaf, first);
	else
		run_idle(t, leaf, first);
}

static int page_get(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int i, bool write)
{
	u64 entry = leaf->entry[i];
	unsigned int first;

	if (entry & MVGPU_ENTRY_BUSY)
		return -EBUSY;
	if (write && entry & MVGPU_ENTRY_RO)
		return -EPERM;
	if ((entry & MVGPU_ENTRY_REFS) == MVGPU_ENTRY_REFS)
		return -EOVERFLOW;
	if (!(entry & MVGPU_ENTRY_REFS)) {
		first = mvgpu_meta_first(leaf, i);
		mvgpu_run_set_live(leaf, first, run_live(leaf, first) + 1);
		run_not_idle(t, leaf, first);
	}
	leaf->entry[i] = entry + 1;
	return 0;
}

/*
 * page_get() from page @i on for as long as it is easy, which is the case for pages that
 * have references. Returns the first page that is not, or @end.
 */
static unsigned int pages_share(u64 *entry, unsigned int i, unsigned int end, bool write)
{
	const u64 unfit = MVGPU_ENTRY_BUSY | (write ? MVGPU_ENTRY_RO : 0);
	u64 refs;

	for (; i < end; i++) {
		refs = entry[i] & MVGPU_ENTRY_REFS;
		if (!refs || refs == MVGPU_ENTRY_REFS || entry[i] & unfit)
			break;
		entry[i]++;
	}
	return i;
}

static void page_put(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int i)
{
	leaf->entry[i]--;
	if (!(leaf->entry[i] & MVGPU_ENTRY_REFS))
		run_unuse(t, leaf, mvgpu_meta_first(leaf, i));
}

/* Make the gap at page @i ours, @most pages of it. Returns how many. */
static int gap_reserve(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf, unsigned int i,
		       unsigned int most)
{
	unsigned int pages = 1;

	lockdep_assert_held(&leaf->lock);
	while (pages < most && !leaf->entry[i + pages])
		pages++;
	if (mvgpu_going(t, mvgpu_leaf_gfn(leaf, i), mvgpu_leaf_gfn(leaf, i + pages - 1)))
		return -EAGAIN;
	if (atomic_long_add_return(pages, &t->pinned) + atomic_long_read(&t->quarantined) >
	    READ_ONCE(t->quota)) {
		atomic_long_sub(pages, &t->pinned);
		return -ENOSPC;
	}
	run_reserve(leaf, i, pages);
	return pages;
}

/*
 * One pass over a piece: take references until all are taken (0) or one can't be. Where
 * a page is not tracked, reserve a run of at most @most pages and return its size.
 */
static int piece_pass(struct mvgpu_tracker *t, struct mvgpu_piece *p, unsigned int most)
{
	unsigned int i, end = p->first + p->pages, held = p->held;
	bool write = p->mapping->write;
	struct mvgpu_leaf *leaf;
	int ret = -ENOENT;

	rcu_read_lock();
	leaf = xa_load(&t->leaves, p->index);
	if (!leaf)
		goto out;
	spin_lock(&leaf->lock);
	if (leaf->gone)
		goto out_unlock;
	if (!p->leaf) {
		p->leaf = leaf;
		list_add(&p->node, &leaf->pieces);
	}
	i = p->first + p->held;
	for (ret = 0; !ret; i += !ret) {
		i = pages_share(leaf->entry, i, end, write);
		if (i == end)
			break;
		if (leaf->entry[i])
			ret = page_get(t, leaf, i, write);
		else
			ret = gap_reserve(t, leaf, i, min(most, end - i));
	}
	p->held = i - p->first;
out_unlock:
	spin_unlock(&leaf->lock);
out:
	rcu_read_unlock();
	if (p->held != held)
		atomic64_add(p->held - held, &t->stats.hits);
	return ret;
}

static bool piece_waits(struct mvgpu_piece *p)
{
	bool busy;

	if (mvgpu_mapping_doomed(p->mapping))
		return false;
	spin_lock(&p->leaf->lock);
	busy = p->leaf->entry[p->first + p->held] & MVGPU_ENTRY_BUSY;
	spin_unlock(&p->leaf->lock);
	return busy;
}

/* What is on its way out will make room */
static bool quota_waits(struct mvgpu_tracker *t, struct mvgpu_piece *p)
{
	return !mvgpu_mapping_doomed(p->mapping) && atomic_long_read(&t->dying);
}

/* The next page can't be had now: wait until trying again makes sense */
static int piece_wait(struct mvgpu_tracker *t, struct mvgpu_piece *p, int why)
{
	long left;

	/* What it waits for can't happen before it returns */
	if (READ_ONCE(t->revoker) == current)
		return -EAGAIN;
	if (why == -ENOSPC) {
		if (!atomic_long_read(&t->dying))
			return -ENOSPC;
		left = wait_event_killable_timeout(t->wait, !quota_waits(t, p), BUSY_TIMEOUT);
	} else {
		left = wait_event_killable_timeout(t->wait, !piece_waits(p), BUSY_TIMEOUT);
	}
	if (left < 0)
		return -EINTR;
	return left && !mvgpu_mapping_doomed(p->mapping) ? 0 : -EAGAIN;
}

/**
 * mvgpu_piece_get() - take a reference to every page of a piece, pinning what is not
 * @t: the tracker
 * @p: the piece
 *
 * Context: process context, may sleep.
 * Return: 0, or an errno of mvgpu_map(); -EAGAIN if pages are going away or the mapping
 * is doomed. What is held then is to be given back with mvgpu_piece_put().
 */
int mvgpu_piece_get(struct mvgpu_tracker *t, struct mvgpu_piece *p)
{
	unsigned int most = MVGPU_LEAF_PAGES;
	int ret, pages;

	for (;;) {
		pages = piece_pass(t, p, most);
		if (pages == -ENOENT) {
			ret = leaf_create(t, p->index);
		} else if (pages == -EBUSY || pages == -ENOSPC) {
			ret = piece_wait(t, p, pages);
		} else if (pages > 0) {
			ret = mvgpu_run_fill(t, p, pages);
			most = min_t(unsigned int, most * 2, MVGPU_LEAF_PAGES);
			/* Part of it is read-only: look for the border */
			if (ret == -EPERM && !p->mapping->write && pages > 1) {
				most = pages / 2;
				ret = 0;
			}
		} else {
			return pages;
		}
		if (ret)
			return ret;
	}
}

/**
 * mvgpu_piece_put() - give the references of a piece back
 * @t: the tracker
 * @p: the piece; the only user of it
 *
 * Context: any but hard interrupts.
 */
void mvgpu_piece_put(struct mvgpu_tracker *t, struct mvgpu_piece *p)
{
	struct mvgpu_leaf *leaf = p->leaf;
	unsigned int i;

	if (!leaf)
		return;
	rcu_read_lock();
	spin_lock(&leaf->lock);
	for (i = p->first; i < p->first + p->held; i++)
		if (!p->lost || !test_bit(i, p->lost))
			page_put(t, leaf, i);
	list_del(&p->node);
	mvgpu_leaf_tidy(t, leaf);
	spin_unlock(&leaf->lock);
	rcu_read_unlock();
	kfree(p->lost);
	p->lost = NULL;
	p->leaf = NULL;
	p->held = 0;
}

/**
 * mvgpu_leaf_doom() - pages are going away: no more references, revoke those there are
 * @t: the tracker
 * @leaf: the leaf, locked
 * @lo: the first page
 * @hi: the last page
 *
 * A run dies whole, so mappings of pages next to these may be affected too. A run that
 * is coming is left to mvgpu_run_fill(), a dead one to the reap work.
 */
void mvgpu_leaf_doom(struct mvgpu_tracker *t, struct mvgpu_leaf *leaf,
		     unsigned int lo, unsigned int hi)
{
	struct mvgpu_piece *p;
	unsigned int i, n;

	lockdep_assert_held(&leaf->lock);
	if (leaf->entry[lo])
		lo = mvgpu_meta_first(leaf, lo);
	for (i = lo; i <= hi; i += n) {
		n = 1;
		if (!leaf->entry[i])
			continue;
		n = mvgpu_run_pages(leaf, i);
		if (leaf->entry[i] & MVGPU_ENTRY_BUSY)
			continue;
		if (run_live(leaf, i))
			run_set_busy(leaf, i);
		else
			mvgpu_run_kill(t, leaf, i);
	}
	list_for_each_entry(p, &leaf->pieces, node)
		if (p->first < i && p->first + p->held > lo)
			mvgpu_mapping_doom(p->mapping);
}
