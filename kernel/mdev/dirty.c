// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirty.c - what has been written to guest memory, for a VMM that copies its guest while
 * it runs. Owns struct mvgpu_dirty. Portable: kernel and userspace.
 *
 * The log has a bit a page, in a flat bitmap for each range that the VMM named. A bit is
 * set after the write: a VMM that has copied the page before will find it set.
 *
 * A vendor driver that knows what its GPU writes says so with mvgpu_mapping_dirty(), and
 * is believed. Any other mapping that the GPU may write counts as written: whenever the
 * VMM asks while it is held, and once more when it ends.
 */
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "tracker.h"

#define MAX_LOGGED	BIT_ULL(30)	/* pages: 4 TiB, 128 MiB of bitmap */
#define BATCH		32768u		/* bits to look at with interrupts off */

/**
 * struct logged - a range that the VMM wants to know about
 * @first: first GFN
 * @pages: how many
 * @bits: a bit each, set if it has been written
 */
struct logged {
	u64 first;
	u64 pages;
	unsigned long *bits;
};

/**
 * struct mvgpu_dirty_log - what has been written since the VMM last asked
 * @n: entries in @logged
 * @logged: the ranges
 */
struct mvgpu_dirty_log {
	unsigned int n;
	struct logged logged[];
};

void mvgpu_dirty_init(struct mvgpu_tracker *t)
{
	mutex_init(&t->dirty.mutex);
	spin_lock_init(&t->dirty.lock);
}

static void log_free(struct mvgpu_dirty_log *log)
{
	unsigned int i;

	for (i = 0; log && i < log->n; i++)
		kvfree(log->logged[i].bits);
	kfree(log);
}

static int logged_init(struct logged *l, const struct mvgpu_range *range, u64 *room)
{
	u64 last = range->iova + range->len - 1;

	if (!range->len || last < range->iova)
		return -EINVAL;
	l->first = range->iova >> PAGE_SHIFT;
	l->pages = (last >> PAGE_SHIFT) - l->first + 1;
	if (l->pages > *room)
		return -E2BIG;
	*room -= l->pages;
	l->bits = kvcalloc(BITS_TO_LONGS(l->pages), sizeof(*l->bits), GFP_KERNEL_ACCOUNT);
	return l->bits ? 0 : -ENOMEM;
}

static struct mvgpu_dirty_log *log_alloc(const struct mvgpu_range *ranges, unsigned int n)
{
	struct mvgpu_dirty_log *log;
	u64 room = MAX_LOGGED;
	int ret = 0;

	log = kzalloc(struct_size(log, logged, n), GFP_KERNEL_ACCOUNT);
	if (!log)
		return ERR_PTR(-ENOMEM);
	for (; log->n < n && !ret; log->n++)
		ret = logged_init(&log->logged[log->n], &ranges[log->n], &room);
	if (!ret)
		return log;
	log_free(log);
	return ERR_PTR(ret);
}

static struct mvgpu_dirty_log *log_exchange(struct mvgpu_tracker *t, struct mvgpu_dirty_log *log)
{
	struct mvgpu_dirty_log *old = t->dirty.log;
	unsigned long flags;

	lockdep_assert_held(&t->dirty.mutex);
	spin_lock_irqsave(&t->dirty.lock, flags);
	t->dirty.log = log;
	spin_unlock_irqrestore(&t->dirty.lock, flags);
	return old;
}

/**
 * mvgpu_dirty_start() - start to log what is written
 * @t: the tracker
 * @ranges: where; no overlaps
 * @n: entries in @ranges
 *
 * Context: process context, may sleep.
 * Return: 0; -EBUSY if it has been started; -EINVAL if a range is empty or wraps; -E2BIG
 * for more than 4 TiB; -ENOMEM.
 */
int mvgpu_dirty_start(struct mvgpu_tracker *t, const struct mvgpu_range *ranges, unsigned int n)
{
	struct mvgpu_dirty_log *log;
	int ret = 0;

	mutex_lock(&t->dirty.mutex);
	log = t->dirty.log ? ERR_PTR(-EBUSY) : log_alloc(ranges, n);
	if (IS_ERR(log))
		ret = PTR_ERR(log);
	else
		log_exchange(t, log);
	mutex_unlock(&t->dirty.mutex);
	return ret;
}

/**
 * mvgpu_dirty_stop() - the opposite, also of nothing
 * @t: the tracker
 *
 * Context: process context, may sleep.
 */
void mvgpu_dirty_stop(struct mvgpu_tracker *t)
{
	struct mvgpu_dirty_log *log;

	mutex_lock(&t->dirty.mutex);
	log = log_exchange(t, NULL);
	mutex_unlock(&t->dirty.mutex);
	log_free(log);
}

/**
 * mvgpu_dirty_mark() - guest memory has been written
 * @t: the tracker
 * @iova: start
 * @len: bytes; the range does not wrap
 *
 * Context: any.
 */
void mvgpu_dirty_mark(struct mvgpu_tracker *t, u64 iova, u64 len)
{
	u64 first = iova >> PAGE_SHIFT, end = ((iova + len - 1) >> PAGE_SHIFT) + 1, lo, hi;
	unsigned long flags;
	struct logged *l;

	if (!len)
		return;
	/* Even to see that nobody wants to know: who starts to want it, sees the write then */
	spin_lock_irqsave(&t->dirty.lock, flags);
	for (l = t->dirty.log ? t->dirty.log->logged : NULL;
	     l && l < t->dirty.log->logged + t->dirty.log->n; l++) {
		lo = max(first, l->first);
		hi = min(end, l->first + l->pages);
		if (lo < hi)
			bitmap_set(l->bits, lo - l->first, hi - lo);
	}
	spin_unlock_irqrestore(&t->dirty.lock, flags);
}

static void piece_mark(const struct mvgpu_piece *p, u64 offset, u64 len)
{
	u64 gfn = (p->index << MVGPU_LEAF_SHIFT) + p->first;

	mvgpu_dirty_mark(p->mapping->tracker, (gfn << PAGE_SHIFT) + p->skip + offset, len);
}

/* The GPU may write there, and nobody will say whether it has */
static bool mapping_suspect(const struct mvgpu_mapping *m)
{
	return m->write && !READ_ONCE(m->reports);
}

/**
 * mvgpu_dirty_ended() - the GPU does not use a mapping any more
 * @m: the mapping; its pieces are still held
 *
 * Context: any.
 */
void mvgpu_dirty_ended(const struct mvgpu_mapping *m)
{
	u32 i;

	for (i = 0; i < m->num_pieces && mapping_suspect(m); i++)
		piece_mark(&m->pieces[i], 0, m->pieces[i].len);
}

/**
 * mvgpu_mapping_dirty() - the GPU has written to a part of a mapping
 * @mapping: the mapping, not unmapped yet
 * @offset: bytes from the start of its first range
 * @len: bytes; what lies outside of the mapping is ignored. 0 only says that the vendor
 *	driver will report what is written to this mapping.
 *
 * For guests that are being migrated. To be called after the GPU has written, for
 * everything that it has written, as soon as that is known. A mapping for which it never
 * is called counts as written entirely, so drivers need not; migration just takes longer.
 *
 * Context: any, also revoke callbacks.
 */
void mvgpu_mapping_dirty(struct mvgpu_mapping *mapping, u64 offset, u64 len)
{
	const struct mvgpu_piece *p = mapping->pieces, *end = p + mapping->num_pieces;
	u64 n;

	WRITE_ONCE(mapping->reports, true);
	for (; p < end && len; p++) {
		if (offset >= p->len) {
			offset -= p->len;
			continue;
		}
		n = min(len, p->len - offset);
		piece_mark(p, offset, n);
		len -= n;
		offset = 0;
	}
}
EXPORT_SYMBOL_GPL(mvgpu_mapping_dirty);

/* What is mapped at the moment may have been written, too */
static void mark_held(struct mvgpu_tracker *t, u64 first, u64 last)
{
	u64 index = first >> MVGPU_LEAF_SHIFT, end = last >> MVGPU_LEAF_SHIFT;
	struct mvgpu_leaf *leaf;
	struct mvgpu_piece *p;

	for (; index <= end; index++) {
		rcu_read_lock();
		leaf = mvgpu_leaf_next(t, &index, end);
		if (leaf) {
			spin_lock(&leaf->lock);
			list_for_each_entry(p, &leaf->pieces, node)
				if (mapping_suspect(p->mapping))
					piece_mark(p, 0, p->len);
			spin_unlock(&leaf->lock);
		}
		rcu_read_unlock();
		if (!leaf)
			break;
		cond_resched();
	}
}

/**
 * struct query - what the VMM asks
 * @t: of which vGPU
 * @iova: start of the range that it wants to know about
 * @last: the last byte of it
 * @report: told what has been written, in parts
 * @opaque: for @report
 */
struct query {
	struct mvgpu_tracker *t;
	u64 iova;
	u64 last;
	void (*report)(void *opaque, u64 iova, u64 len);
	void *opaque;
};

/* Pages of a logged range have been written: tell the part that was asked for */
static void query_report(const struct query *q, u64 gfn, u64 pages)
{
	u64 iova = max(gfn << PAGE_SHIFT, q->iova);
	u64 last = min(((gfn + pages) << PAGE_SHIFT) - 1, q->last);

	q->report(q->opaque, iova, last - iova + 1);
}

/* @report may sleep, so bits are taken out in batches */
static void query_logged(const struct query *q, struct logged *l)
{
	u64 at = max(q->iova >> PAGE_SHIFT, l->first) - l->first, from, to, stop;
	u64 end = min((q->last >> PAGE_SHIFT) + 1, l->first + l->pages);
	unsigned long flags;

	for (; l->first + at < end; at = to) {
		stop = min(end - l->first, at + BATCH);
		spin_lock_irqsave(&q->t->dirty.lock, flags);
		from = find_next_bit(l->bits, stop, at);
		to = find_next_zero_bit(l->bits, stop, from);
		bitmap_clear(l->bits, from, to - from);
		spin_unlock_irqrestore(&q->t->dirty.lock, flags);
		if (to > from)
			query_report(q, l->first + from, to - from);
		cond_resched();
	}
}

/**
 * mvgpu_dirty_read() - what has been written since the last call, or the start
 * @t: the tracker
 * @iova: start of the range that is asked about
 * @len: bytes
 * @report: called for what has been written in that range, in parts; may sleep
 * @opaque: for @report
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL if nothing is logged, or if the range is empty or wraps.
 */
int mvgpu_dirty_read(struct mvgpu_tracker *t, u64 iova, u64 len,
		     void (*report)(void *opaque, u64 iova, u64 len), void *opaque)
{
	struct query q = {
		.t = t,
		.iova = iova,
		.last = iova + len - 1,
		.report = report,
		.opaque = opaque,
	};
	struct mvgpu_dirty_log *log;
	int ret = -EINVAL;
	unsigned int i;

	mutex_lock(&t->dirty.mutex);
	log = t->dirty.log;
	if (log && len && q.last >= iova) {
		mark_held(t, iova >> PAGE_SHIFT, q.last >> PAGE_SHIFT);
		for (i = 0; i < log->n; i++)
			query_logged(&q, &log->logged[i]);
		ret = 0;
	}
	mutex_unlock(&t->dirty.mutex);
	return ret;
}
