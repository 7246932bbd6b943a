// SPDX-License-Identifier: GPL-2.0-only
/*
 * mapping.c - mappings: how they are built, revoked and unmapped. Owns struct
 * mvgpu_mapping. Portable: kernel and userspace.
 *
 * A mapping is known to the leaves of its pages from the first reference on. If one of
 * them is taken away while it is being built, it gives everything back and starts again
 * once the range is through; the vendor driver never hears of it. Afterwards it is
 * revoked by the revoke work, one mapping at a time.
 */
#include <linux/device.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include "trace.h"
#include "tracker.h"

#define MAP_TIMEOUT	(5 * HZ)
#define MAX_PAGES	BIT_ULL(24)

/* The mapping has to go, now that it is there or instead of being finished */
void mvgpu_mapping_doom(struct mvgpu_mapping *m)
{
	struct mvgpu_tracker *t = m->tracker;

	spin_lock(&t->lock);
	if (!(m->flags & MVGPU_MAPPING_REVOKED)) {
		m->flags |= MVGPU_MAPPING_REVOKED;
		if (m->flags & MVGPU_MAPPING_BUILT) {
			kref_get(&m->users);
			t->unquiet++;
			list_add_tail(&m->node, &t->revokes);
			queue_work(t->wq, &t->revoke_work);
		}
	}
	spin_unlock(&t->lock);
	wake_up_all(&t->wait);
}

static bool mapping_is(struct mvgpu_mapping *m, u8 flag)
{
	bool is;

	spin_lock(&m->tracker->lock);
	is = m->flags & flag;
	spin_unlock(&m->tracker->lock);
	return is;
}

bool mvgpu_mapping_doomed(struct mvgpu_mapping *m)
{
	return mapping_is(m, MVGPU_MAPPING_REVOKED);
}

static void mapping_release(struct mvgpu_mapping *m)
{
	unsigned int i;

	for (i = 0; i < m->num_pieces; i++)
		mvgpu_piece_put(m->tracker, &m->pieces[i]);
}

static void mapping_free(struct kref *users)
{
	struct mvgpu_mapping *m = container_of(users, struct mvgpu_mapping, users);

	if (m->segments != m->few)
		kvfree(m->segments);
	kvfree(m);
}

/* One user less. NULL is none. */
void mvgpu_mapping_put(struct mvgpu_mapping *m)
{
	if (m)
		kref_put(&m->users, mapping_free);
}

/* A doomed mapping's pages are still there, and the VMM must not see them any more */
static void mapping_hide(struct mvgpu_mapping *m)
{
	if (m->tracker->hide)
		m->tracker->hide(m->tracker);
}

/* One mapping less that somebody may use though he should not */
static void mapping_is_quiet(struct mvgpu_tracker *t)
{
	lockdep_assert_held(&t->lock);
	if (!--t->unquiet && !list_empty(&t->quarantine))
		queue_work(t->wq, &t->reap_work);
}

static int ranges_check(const struct mvgpu_range *ranges, unsigned int n, u32 *num_pieces)
{
	u64 first, last, pages = 0, pieces = 0;
	unsigned int i;

	for (i = 0; i < n; i++) {
		last = ranges[i].iova + ranges[i].len - 1;
		if (!ranges[i].len || last < ranges[i].iova)
			return -EINVAL;
		first = ranges[i].iova >> PAGE_SHIFT;
		last >>= PAGE_SHIFT;
		pages += last - first + 1;
		pieces += (last >> MVGPU_LEAF_SHIFT) - (first >> MVGPU_LEAF_SHIFT) + 1;
		if (pages > MAX_PAGES)
			return -ENOSPC;
	}
	*num_pieces = pieces;
	return 0;
}

static void mapping_cut(struct mvgpu_mapping *m, const struct mvgpu_range *ranges, unsigned int n)
{
	const u64 leaf_len = (u64)MVGPU_LEAF_PAGES << PAGE_SHIFT;
	struct mvgpu_piece *p = m->pieces;
	u64 iova, len, left;
	unsigned int i;

	for (i = 0; i < n; i++) {
		iova = ranges[i].iova;
		for (left = ranges[i].len; left; left -= len, iova += len, p++) {
			len = min(left, leaf_len - (iova & (leaf_len - 1)));
			p->mapping = m;
			p->index = iova >> PAGE_SHIFT >> MVGPU_LEAF_SHIFT;
			p->first = (iova >> PAGE_SHIFT) & (MVGPU_LEAF_PAGES - 1);
			p->skip = offset_in_page(iova);
			p->len = len;
			p->pages = PFN_UP(p->skip + len);
		}
	}
}

static struct mvgpu_mapping *mapping_alloc(struct mvgpu_tracker *t,
					   const struct mvgpu_range *ranges, unsigned int n,
					   enum dma_data_direction dir)
{
	struct mvgpu_mapping *m;
	u32 num_pieces;
	int ret;

	ret = ranges_check(ranges, n, &num_pieces);
	if (ret)
		return ERR_PTR(ret);
	m = kvzalloc(struct_size(m, pieces, num_pieces), GFP_KERNEL_ACCOUNT);
	if (!m)
		return ERR_PTR(-ENOMEM);
	m->tracker = t;
	INIT_LIST_HEAD(&m->node);
	kref_init(&m->users);
	m->write = dir != DMA_TO_DEVICE;
	m->segments = m->few;
	m->num_pieces = num_pieces;
	mapping_cut(m, ranges, n);
	return m;
}

static int mapping_acquire(struct mvgpu_mapping *m)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; i < m->num_pieces && !ret; i++)
		ret = mvgpu_piece_get(m->tracker, &m->pieces[i]);
	return ret;
}

/* How many segments a piece adds to those that end at *@end so far, 0 for none */
static u32 piece_count(const struct mvgpu_piece *p, dma_addr_t *end)
{
	const struct mvgpu_tracker *t = p->mapping->tracker;
	const u64 *entry = p->leaf->entry + p->first;
	u32 i, n;

	spin_lock(&p->leaf->lock);
	n = !*end || mvgpu_entry_addr(t, entry[0]) + p->skip != *end;
	for (i = 1; i < p->pages; i++)
		n += !mvgpu_entry_follows(entry[i - 1], entry[i]);
	*end = mvgpu_entry_addr(t, entry[i - 1]) + offset_in_page(p->skip + p->len - 1) + 1;
	spin_unlock(&p->leaf->lock);
	return n;
}

/*
 * Add a piece's segments to those of its mapping, which has room for @room. If it is doomed
 * and its pages are in quarantine meanwhile, they may be more; it is undone anyway.
 */
static void piece_segments(struct mvgpu_mapping *m, const struct mvgpu_piece *p, u32 room)
{
	struct mvgpu_segment *seg = m->segments + m->num_segments;
	const u64 *entry = p->leaf->entry + p->first;
	u64 skip = p->skip, left = p->len, len;
	dma_addr_t addr;
	u32 i, n;

	spin_lock(&p->leaf->lock);
	for (i = 0; i < p->pages; i += n, left -= len, skip = 0) {
		for (n = 1; i + n < p->pages; n++)
			if (!mvgpu_entry_follows(entry[i + n - 1], entry[i + n]))
				break;
		addr = mvgpu_entry_addr(m->tracker, entry[i]) + skip;
		len = min(left, n * PAGE_SIZE - skip);
		if (!i && m->num_segments && seg[-1].addr + seg[-1].len == addr)
			seg[-1].len += len;
		else if (seg < m->segments + room)
			*seg++ = (struct mvgpu_segment){ .addr = addr, .len = len };
	}
	spin_unlock(&p->leaf->lock);
	m->num_segments = seg - m->segments;
}

static u32 mapping_count(const struct mvgpu_mapping *m)
{
	const struct mvgpu_piece *p;
	dma_addr_t end = 0;
	u32 n = 0;

	for (p = m->pieces; p < m->pieces + m->num_pieces; p++)
		n += piece_count(p, &end);
	return n;
}

/* What the device is told. While the references are held, the addresses stay. */
static int mapping_segments(struct mvgpu_mapping *m)
{
	const u32 few = ARRAY_SIZE(m->few);
	const struct mvgpu_piece *p;
	u32 n;

	/* There are not more segments than pages */
	n = m->num_pieces == 1 && m->pieces->pages <= few ? few : mapping_count(m);
	if (n > few) {
		m->segments = kvmalloc_array(n, sizeof(*m->segments), GFP_KERNEL_ACCOUNT);
		if (!m->segments) {
			m->segments = m->few;
			return -ENOMEM;
		}
	}
	m->num_segments = 0;
	for (p = m->pieces; p < m->pieces + m->num_pieces; p++)
		piece_segments(m, p, n);
	return 0;
}

/* From here on whoever takes a page away revokes the mapping */
static int mapping_commit(struct mvgpu_mapping *m)
{
	int ret = 0;

	spin_lock(&m->tracker->lock);
	if (m->flags & MVGPU_MAPPING_REVOKED)
		ret = -EAGAIN;
	else
		m->flags |= MVGPU_MAPPING_BUILT;
	spin_unlock(&m->tracker->lock);
	return ret;
}

/* Back to nothing; no piece is in a leaf any more, so nobody else knows the mapping */
static void mapping_undo(struct mvgpu_mapping *m)
{
	mapping_release(m);
	if (m->segments != m->few)
		kvfree(m->segments);
	m->segments = m->few;
	m->flags = 0;
}

static bool mapping_waits(struct mvgpu_mapping *m)
{
	const struct mvgpu_piece *p;
	u64 first;

	if (READ_ONCE(m->tracker->closed))
		return false;
	for (p = m->pieces; p < m->pieces + m->num_pieces; p++) {
		first = (p->index << MVGPU_LEAF_SHIFT) + p->first;
		if (mvgpu_going(m->tracker, first, first + p->pages - 1))
			return true;
	}
	return false;
}

/* Wait, holding nothing, until what was going is gone */
static int mapping_wait(struct mvgpu_mapping *m, unsigned long since)
{
	struct mvgpu_tracker *t = m->tracker;
	long left;

	if (READ_ONCE(t->revoker) == current || time_after(jiffies, since + MAP_TIMEOUT))
		return -EAGAIN;
	left = wait_event_killable_timeout(t->wait, !mapping_waits(m), MAP_TIMEOUT);
	if (left < 0)
		return -EINTR;
	if (READ_ONCE(t->closed))
		return -ENODEV;
	return left ? 0 : -EAGAIN;
}

static int mapping_build(struct mvgpu_mapping *m)
{
	unsigned long since = jiffies;
	int ret;

	do {
		ret = mapping_acquire(m);
		if (!ret)
			ret = mapping_segments(m);
		if (!ret)
			ret = mapping_commit(m);
		if (!ret)
			return 0;
		mapping_undo(m);
		if (ret == -EAGAIN)
			ret = mapping_wait(m, since);
	} while (!ret);
	return ret;
}

static enum mvgpu_map_error error_kind(int err)
{
	switch (err) {
	case -EFAULT:
		return MVGPU_ERR_ADDRESS;
	case -EINVAL:
		return MVGPU_ERR_INVALID;
	case -EPERM:
		return MVGPU_ERR_ACCESS;
	case -ENOSPC:
		return MVGPU_ERR_QUOTA;
	case -ERANGE:
		return MVGPU_ERR_REACH;
	case -EOVERFLOW:
		return MVGPU_ERR_REFS;
	case -EAGAIN:
	case -EINTR:
		return MVGPU_ERR_BUSY;
	case -ENODEV:
		return MVGPU_ERR_CLOSED;
	default:
		return MVGPU_ERR_OTHER;
	}
}

/* What the guest or the operator can do something about; the rest is in the way of things */
static const char *const refusals[MVGPU_NUM_ERRS] = {
	[MVGPU_ERR_ADDRESS] = "not the guest's memory, or no ordinary memory",
	[MVGPU_ERR_INVALID] = "a range is empty or wraps",
	[MVGPU_ERR_ACCESS] = "the GPU is to write, but a part is read-only to the guest",
	[MVGPU_ERR_QUOTA] = "over the quota of pinned pages",
	[MVGPU_ERR_REACH] = "the GPU can't address it without bounce buffers",
	[MVGPU_ERR_REFS] = "too many references to one page",
	[MVGPU_ERR_OTHER] = "out of memory, DMA addresses, or what the VMM may lock",
};

static void map_refused(struct mvgpu_tracker *t, const struct mvgpu_range *ranges,
			unsigned int n, int err)
{
	enum mvgpu_map_error kind = error_kind(err);

	atomic64_inc(&t->stats.errors[kind]);
	trace_mvgpu_map(t, ERR_PTR(err), ranges, n);
	if (refusals[kind])
		dev_notice_ratelimited(t->vdev->dev,
				       "refused to map %llu bytes at IOVA %#llx%s: %s (%d)\n",
				       ranges->len, ranges->iova, n > 1 ? " and more" : "",
				       refusals[kind], err);
}

/**
 * mvgpu_map() - map a guest buffer for the GPU
 * @vgpu: the vGPU
 * @ranges: the buffer's parts, in order; any alignment, overlaps allowed
 * @n: entries in @ranges, at least 1
 * @dir: what the GPU does with it: DMA_TO_DEVICE if it only reads, else
 *	DMA_FROM_DEVICE or DMA_BIDIRECTIONAL
 * @revoke: called when the guest's memory goes away. When it returns, the GPU can't
 *	reach the buffer any more. It may sleep, and should be quick: after a second the
 *	framework goes on without it, see mvgpu_driver.quiesce. It runs at most once a
 *	mapping, one at a time per vGPU, without the vGPU's lock. It must not wait for
 *	locks that are held around mvgpu_map(), mvgpu_unmap() or mvgpu_driver.reset. It
 *	may call mvgpu_unmap(); mvgpu_map() fails in it where it would have to wait.
 * @priv: for @revoke; must be valid until mvgpu_unmap() returns
 *
 * The mapping is in effect until mvgpu_unmap() or until @revoke has returned, but has to
 * be given to mvgpu_unmap() in any case. Waits while VFIO takes a part of the buffer away.
 *
 * Context: process context, may sleep; not from mvgpu_driver.init. The lock of the vGPU
 * may be held.
 * Return: the mapping, or an ERR_PTR:
 * -EINVAL for no or an empty range, one that wraps, a wrong @dir or no @revoke;
 * -EFAULT if a part is not the guest's memory, or not ordinary memory;
 * -EPERM if the GPU wants to write what the guest has read-only;
 * -ENOSPC over the vGPU's quota of pinned pages;
 * -EOVERFLOW for more than a million references to one page;
 * -ERANGE if the GPU can't address a page without a bounce buffer;
 * -EAGAIN if a part has been going away for 5 seconds, or in a revoke callback at once;
 * -EINTR if the task is being killed; -ENODEV if no VMM has the vGPU open;
 * -EIO if the DMA API failed; -ENOMEM, which may be the VMM's locked memory limit too.
 */
struct mvgpu_mapping *mvgpu_map(struct mvgpu *vgpu, const struct mvgpu_range *ranges,
				unsigned int n, enum dma_data_direction dir,
				void (*revoke)(struct mvgpu_mapping *mapping, void *priv),
				void *priv)
{
	struct mvgpu_tracker *t = mvgpu_tracker(vgpu);
	struct mvgpu_mapping *m;
	int ret;

	might_sleep();
	if (!n || !revoke || !valid_dma_direction(dir))
		return ERR_PTR(-EINVAL);
	m = mapping_alloc(t, ranges, n, dir);
	if (IS_ERR(m)) {
		map_refused(t, ranges, n, PTR_ERR(m));
		return m;
	}
	m->revoke = revoke;
	m->priv = priv;
	ret = mapping_build(m);
	if (ret) {
		map_refused(t, ranges, n, ret);
		mvgpu_mapping_put(m);
		return ERR_PTR(ret);
	}
	atomic64_inc(&t->stats.maps);
	atomic_long_inc(&t->mappings);
	trace_mvgpu_map(t, m, ranges, n);
	return m;
}
EXPORT_SYMBOL_GPL(mvgpu_map);

/**
 * mvgpu_unmap() - the opposite of mvgpu_map()
 * @mapping: what mvgpu_map() returned; errors and NULL are ignored
 *
 * The GPU does not use the buffer any more. A mapping that is revoked already is only
 * freed. If its revoke callback is running, this waits for it, unless it is called from
 * there; afterwards the callback neither runs nor will run. Unpinning happens soon, in
 * the background.
 *
 * Context: process context, may sleep. Not with a lock that the revoke callback takes.
 */
void mvgpu_unmap(struct mvgpu_mapping *mapping)
{
	struct mvgpu_tracker *t;
	bool ours, queued, wait;

	if (IS_ERR_OR_NULL(mapping))
		return;
	might_sleep();
	t = mapping->tracker;
	trace_mvgpu_unmap(t, mapping);
	spin_lock(&t->lock);
	ours = !(mapping->flags & MVGPU_MAPPING_REVOKED);
	wait = mapping->flags & MVGPU_MAPPING_RUNNING && t->revoker != current;
	mapping->flags |= MVGPU_MAPPING_REVOKED;
	queued = !list_empty(&mapping->node);
	if (queued)
		list_del_init(&mapping->node);
	else if (ours)
		t->unquiet++;
	spin_unlock(&t->lock);
	if (ours || queued) {
		mapping_hide(mapping);
		spin_lock(&t->lock);
		mapping_is_quiet(t);
		spin_unlock(&t->lock);
		if (queued)
			mvgpu_mapping_put(mapping);
		mvgpu_dirty_ended(mapping);
		mapping_release(mapping);
	} else if (wait) {
		wait_event(t->wait, mapping_is(mapping, MVGPU_MAPPING_DONE));
	}
	mvgpu_mapping_put(mapping);
	atomic_long_dec(&t->mappings);
}
EXPORT_SYMBOL_GPL(mvgpu_unmap);

/**
 * mvgpu_mapping_revoked() - the mapping's memory is going away, or has gone
 * @mapping: the mapping, not given to mvgpu_unmap() yet
 *
 * That is so before the revoke callback runs, which other callbacks may hold up. A driver
 * whose hardware is reset in mvgpu_driver.quiesce asks before it tells it addresses again.
 *
 * Context: any.
 * Return: whether it is.
 */
bool mvgpu_mapping_revoked(const struct mvgpu_mapping *mapping)
{
	return READ_ONCE(mapping->flags) & MVGPU_MAPPING_REVOKED;
}
EXPORT_SYMBOL_GPL(mvgpu_mapping_revoked);

/**
 * mvgpu_mapping_segments() - where the GPU finds a mapped buffer
 * @mapping: the mapping
 * @n: takes the number of segments
 *
 * Neighbours are joined. The lengths add up to those of the ranges.
 *
 * Context: any.
 * Return: the segments in the order of the ranges, until mvgpu_unmap().
 */
const struct mvgpu_segment *mvgpu_mapping_segments(const struct mvgpu_mapping *mapping,
						   unsigned int *n)
{
	*n = mapping->num_segments;
	return mapping->segments;
}
EXPORT_SYMBOL_GPL(mvgpu_mapping_segments);

/**
 * mvgpu_scanout_memory() - a picture is in guest memory
 * @so: the picture; its offset then counts from the start of the buffer
 * @mapping: the buffer, not given to mvgpu_unmap() yet
 *
 * The VMM sees it until mvgpu_unmap() is called or the mapping is revoked, provided that
 * it starts with a page, and that the buffer's pages follow one another in whole.
 *
 * Context: mvgpu_driver.scanout, with any locks held.
 */
void mvgpu_scanout_memory(struct mvgpu_scanout *so, struct mvgpu_mapping *mapping)
{
	kref_get(&mapping->users);
	so->mapping = mapping;
}
EXPORT_SYMBOL_GPL(mvgpu_scanout_memory);

/**
 * mvgpu_mapping_pages() - the pages that hold a part of a mapped buffer
 * @m: the mapping, which still has its references
 * @offset: bytes from the buffer's start to the part
 * @len: bytes of the part
 * @pfn: takes their page frame numbers, PFN_UP(@len) of them
 *
 * Context: any.
 * Return: 0; -EINVAL if the buffer ends before, or if the part doesn't start with a page
 * and go on with whole pages.
 */
int mvgpu_mapping_pages(const struct mvgpu_mapping *m, u64 offset, u64 len, unsigned long *pfn)
{
	const struct mvgpu_segment *seg = m->segments, *end = seg + m->num_segments;
	dma_addr_t addr, stop;

	for (; seg < end && offset >= seg->len; seg++)
		offset -= seg->len;
	for (; seg < end && len; seg++, offset = 0) {
		addr = seg->addr + offset;
		stop = addr + min(len, seg->len - offset);
		len -= stop - addr;
		if (addr & ~PAGE_MASK || (len && stop & ~PAGE_MASK))
			return -EINVAL;
		for (; addr < stop; addr += PAGE_SIZE)
			*pfn++ = page_to_pfn(mvgpu_dma_page(&m->tracker->dma, addr));
	}
	return len ? -EINVAL : 0;
}

static struct mvgpu_mapping *revoke_next(struct mvgpu_tracker *t)
{
	struct mvgpu_mapping *m;

	spin_lock(&t->lock);
	m = list_first_entry_or_null(&t->revokes, struct mvgpu_mapping, node);
	if (m) {
		list_del_init(&m->node);
		m->flags |= MVGPU_MAPPING_RUNNING;
		WRITE_ONCE(t->revoker, current);
	}
	spin_unlock(&t->lock);
	return m;
}

void mvgpu_revoke_work(struct work_struct *work)
{
	struct mvgpu_tracker *t = container_of(work, struct mvgpu_tracker, revoke_work);
	struct mvgpu_mapping *m;

	while ((m = revoke_next(t))) {
		atomic64_inc(&t->stats.revokes);
		trace_mvgpu_revoke(t, m);
		m->revoke(m, m->priv);
		mapping_hide(m);
		mvgpu_dirty_ended(m);
		mapping_release(m);
		spin_lock(&t->lock);
		WRITE_ONCE(t->revoker, NULL);
		WRITE_ONCE(t->quiet, jiffies);
		m->flags ^= MVGPU_MAPPING_RUNNING | MVGPU_MAPPING_DONE;
		mapping_is_quiet(t);
		spin_unlock(&t->lock);
		atomic_long_inc(&t->progress);
		wake_up_all(&t->wait);
		mvgpu_mapping_put(m);
	}
}
