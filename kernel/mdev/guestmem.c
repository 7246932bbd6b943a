// SPDX-License-Identifier: GPL-2.0-only
/*
 * guestmem.c - the CPU's short access to guest memory: copies, and windows for rings.
 * Owns struct mvgpu_window. Portable: kernel and userspace.
 *
 * A copy goes through VFIO, which knows at that moment what the VMM has mapped. A window
 * is a mapping like any other, which the kernel sees too and which its revoke callback
 * closes; it opens again when it is next used.
 */
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include "tracker.h"

#define MAX_WINDOW	(512ul << PAGE_SHIFT)

/**
 * struct mvgpu_window - guest memory that the kernel sees
 * @vgpu: whose
 * @range: the guest memory
 * @dir: DMA_TO_DEVICE if it is only read
 * @map_lock: protects @mapping; taken around mvgpu_map() and mvgpu_unmap()
 * @mapping: what holds the pages, NULL for none
 * @sem: held for reading while the memory is used, for writing to change what follows
 * @live: @mapping is not revoked
 * @addr: the first page in the kernel's address space, NULL if the window is closed
 */
struct mvgpu_window {
	struct mvgpu *vgpu;
	struct mvgpu_range range;
	enum dma_data_direction dir;
	struct mutex map_lock;	/* @mapping */
	struct mvgpu_mapping *mapping;
	struct rw_semaphore sem;
	bool live;
	void *addr;
};

static int copy_vfio(struct mvgpu_tracker *t, u64 iova, void *buf, size_t len, bool write)
{
	int ret = -ENODEV;

	down_read(&t->rw);
	if (!READ_ONCE(t->closed))
		ret = vfio_dma_rw(t->vdev, iova, buf, len, write);
	up_read(&t->rw);
	/* Also after an error: a part may have been written */
	if (write)
		mvgpu_dirty_mark(t, iova, len);
	return ret == -EINVAL || ret == -ENOENT ? -EFAULT : ret;
}

/* Through a window, because type1 copies for the VMM's own tasks and kernel threads only */
static int copy_window(struct mvgpu *vgpu, u64 iova, void *buf, size_t len, bool write)
{
	struct mvgpu_window *w;
	size_t n;
	void *at;

	for (; len; len -= n, iova += n, buf += n) {
		n = min_t(size_t, len, PAGE_SIZE - offset_in_page(iova));
		w = mvgpu_window_open(vgpu, iova, n, write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
		if (IS_ERR(w))
			return PTR_ERR(w);
		at = mvgpu_window_get(w);
		if (!IS_ERR(at)) {
			memcpy(write ? at : buf, write ? buf : at, n);
			mvgpu_window_put(w);
		}
		mvgpu_window_close(w);
		if (IS_ERR(at))
			return PTR_ERR(at);
	}
	return 0;
}

static int guest_copy(struct mvgpu *vgpu, u64 iova, void *buf, size_t len, bool write)
{
	int ret;

	might_sleep();
	if (!len)
		return 0;
	if (iova + len - 1 < iova)
		return -EINVAL;
	ret = copy_vfio(mvgpu_tracker(vgpu), iova, buf, len, write);
	if (ret == -EFAULT && current->mm)
		ret = copy_window(vgpu, iova, buf, len, write);
	return ret;
}

/**
 * mvgpu_guest_read() - copy from guest memory
 * @vgpu: the vGPU
 * @iova: where, as the guest gave it to the device
 * @buf: where to
 * @len: bytes
 *
 * The guest may write at the same time: read once, then check, then use.
 *
 * Context: process context, may sleep; not in a revoke callback.
 * Return: 0; -EFAULT if it is not all the guest's memory; -EINVAL if the range wraps;
 * -ENODEV if no VMM has the vGPU open; or an errno of mvgpu_map(). After an error @buf
 * may be filled in part.
 */
int mvgpu_guest_read(struct mvgpu *vgpu, u64 iova, void *buf, size_t len)
{
	return guest_copy(vgpu, iova, buf, len, false);
}
EXPORT_SYMBOL_GPL(mvgpu_guest_read);

/**
 * mvgpu_guest_write() - copy to guest memory
 * @vgpu: the vGPU
 * @iova: where, as the guest gave it to the device
 * @buf: where from
 * @len: bytes
 *
 * Context: process context, may sleep; not in a revoke callback.
 * Return: as mvgpu_guest_read(), and -EPERM if the guest's memory is read-only. After an
 * error a part may have been written.
 */
int mvgpu_guest_write(struct mvgpu *vgpu, u64 iova, const void *buf, size_t len)
{
	return guest_copy(vgpu, iova, (void *)buf, len, true);
}
EXPORT_SYMBOL_GPL(mvgpu_guest_write);

static int guest_copy_ranges(struct mvgpu *vgpu, const struct mvgpu_range *range, unsigned int n,
			     u64 offset, void *buf, size_t len, bool write)
{
	unsigned int i;
	u64 room = 0, part;
	int ret;

	for (i = 0; i < n; i++)
		if (check_add_overflow(room, range[i].len, &room))
			return -EINVAL;
	if (len > room || offset > room - len)
		return -EINVAL;
	for (; len && offset >= range->len; range++)
		offset -= range->len;
	for (; len; range++) {
		part = min_t(u64, len, range->len - offset);
		ret = guest_copy(vgpu, range->iova + offset, buf, part, write);
		if (ret)
			return ret;
		buf += part;
		len -= part;
		offset = 0;
	}
	return 0;
}

/**
 * mvgpu_guest_gather() - copy from guest memory in several ranges
 * @vgpu: the vGPU
 * @ranges: the ranges, one after another
 * @n: how many there are
 * @offset: bytes to skip of what is in them
 * @buf: where to
 * @len: bytes
 *
 * Context: as mvgpu_guest_read().
 * Return: as mvgpu_guest_read(), and -EINVAL if there are fewer bytes in the ranges.
 */
int mvgpu_guest_gather(struct mvgpu *vgpu, const struct mvgpu_range *ranges, unsigned int n,
		       u64 offset, void *buf, size_t len)
{
	return guest_copy_ranges(vgpu, ranges, n, offset, buf, len, false);
}
EXPORT_SYMBOL_GPL(mvgpu_guest_gather);

/**
 * mvgpu_guest_scatter() - copy to guest memory in several ranges
 * @vgpu: the vGPU
 * @ranges: the ranges, one after another
 * @n: how many there are
 * @offset: bytes to skip of what is in them
 * @buf: where from
 * @len: bytes
 *
 * Context: as mvgpu_guest_write().
 * Return: as mvgpu_guest_write(), and -EINVAL, with nothing written, if there are fewer
 * bytes in the ranges.
 */
int mvgpu_guest_scatter(struct mvgpu *vgpu, const struct mvgpu_range *ranges, unsigned int n,
			u64 offset, const void *buf, size_t len)
{
	return guest_copy_ranges(vgpu, ranges, n, offset, (void *)buf, len, true);
}
EXPORT_SYMBOL_GPL(mvgpu_guest_scatter);

/* Waits until nobody uses the window */
static void window_shut(struct mvgpu_window *w)
{
	down_write(&w->sem);
	w->live = false;
	if (w->addr)
		vunmap(w->addr);
	w->addr = NULL;
	up_write(&w->sem);
}

static void window_revoke(struct mvgpu_mapping *m, void *priv)
{
	window_shut(priv);
}

/* Whether a mapping is a window's, which nobody but its revoke callback closes */
bool mvgpu_mapping_is_window(const struct mvgpu_mapping *m)
{
	return m->revoke == window_revoke;
}

static bool window_is_shut(struct mvgpu_window *w)
{
	bool shut;

	down_read(&w->sem);
	shut = !w->addr;
	up_read(&w->sem);
	return shut;
}

static int window_vmap(struct mvgpu_window *w)
{
	struct mvgpu_tracker *t = w->mapping->tracker;
	const struct mvgpu_segment *seg;
	unsigned int i, n, num_segs, k = 0;
	struct page **page;
	dma_addr_t addr;

	n = PFN_UP(offset_in_page(w->range.iova) + w->range.len);
	page = kmalloc_array(n, sizeof(*page), GFP_KERNEL);
	if (!page)
		return -ENOMEM;
	seg = mvgpu_mapping_segments(w->mapping, &num_segs);
	for (i = 0; i < num_segs; i++)
		for (addr = seg[i].addr & PAGE_MASK; addr < seg[i].addr + seg[i].len;
		     addr += PAGE_SIZE)
			page[k++] = mvgpu_dma_page(&t->dma, addr);
	w->addr = vmap(page, n, VM_MAP, w->dir == DMA_TO_DEVICE ? PAGE_KERNEL_RO : PAGE_KERNEL);
	kfree(page);
	return w->addr ? 0 : -ENOMEM;
}

/* Map the memory again. It may be taken away again at once. */
static int window_map(struct mvgpu_window *w)
{
	struct mvgpu_mapping *m;
	int ret = -EAGAIN;

	lockdep_assert_held(&w->map_lock);
	mvgpu_unmap(w->mapping);
	w->mapping = NULL;
	/* No callback is under way */
	w->live = true;
	m = mvgpu_map(w->vgpu, &w->range, 1, w->dir, window_revoke, w);
	if (IS_ERR(m))
		return PTR_ERR(m);
	w->mapping = m;
	/* It is written by mvgpu_window_put() and at no other time */
	mvgpu_mapping_dirty(m, 0, 0);
	down_write(&w->sem);
	if (w->live)
		ret = window_vmap(w);
	up_write(&w->sem);
	return ret;
}

/**
 * mvgpu_window_open() - let the kernel see a part of guest memory
 * @vgpu: the vGPU
 * @iova: where it starts, as the guest gave it to the device
 * @len: bytes, at most 512 pages
 * @dir: DMA_TO_DEVICE if it is only read, else DMA_BIDIRECTIONAL
 *
 * Its pages count as mapped; keep it for as long as a ring is set up.
 *
 * Context: process context, may sleep.
 * Return: the window, or an ERR_PTR: -EINVAL, -ENOMEM. Whether the memory can be mapped
 * shows in mvgpu_window_get().
 */
struct mvgpu_window *mvgpu_window_open(struct mvgpu *vgpu, u64 iova, size_t len,
				       enum dma_data_direction dir)
{
	struct mvgpu_window *w;

	if (!len || len > MAX_WINDOW - offset_in_page(iova) || !valid_dma_direction(dir))
		return ERR_PTR(-EINVAL);
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w)
		return ERR_PTR(-ENOMEM);
	w->vgpu = vgpu;
	w->range = (struct mvgpu_range){ .iova = iova, .len = len };
	w->dir = dir;
	mutex_init(&w->map_lock);
	init_rwsem(&w->sem);
	return w;
}
EXPORT_SYMBOL_GPL(mvgpu_window_open);

/**
 * mvgpu_window_close() - the opposite of mvgpu_window_open()
 * @w: the window, not in use; errors and NULL are ignored
 *
 * Context: process context, may sleep.
 */
void mvgpu_window_close(struct mvgpu_window *w)
{
	if (IS_ERR_OR_NULL(w))
		return;
	window_shut(w);
	mvgpu_unmap(w->mapping);
	mutex_destroy(&w->map_lock);
	kfree(w);
}
EXPORT_SYMBOL_GPL(mvgpu_window_close);

/**
 * mvgpu_window_get() - use a window
 * @w: the window
 *
 * VFIO has to wait until mvgpu_window_put(), so that must be soon, and without calling
 * mvgpu_map(), mvgpu_window_get() or mvgpu_guest_*() in between. What is behind the
 * window may be other memory than last time, if the VMM has exchanged it. The guest may
 * write at the same time: read once, then check, then use.
 *
 * Context: process context, may sleep. Not in a revoke callback.
 * Return: where @iova is, or an ERR_PTR of mvgpu_map(). -EAGAIN: it is being taken away.
 */
void *mvgpu_window_get(struct mvgpu_window *w)
{
	int ret = 0;

	might_sleep();
	while (!ret) {
		down_read(&w->sem);
		if (w->addr)
			return w->addr + offset_in_page(w->range.iova);
		up_read(&w->sem);
		mutex_lock(&w->map_lock);
		if (window_is_shut(w))
			ret = window_map(w);
		mutex_unlock(&w->map_lock);
	}
	return ERR_PTR(ret);
}
EXPORT_SYMBOL_GPL(mvgpu_window_get);

/**
 * mvgpu_window_put() - stop using a window
 * @w: the window
 *
 * Context: the task that called mvgpu_window_get().
 */
void mvgpu_window_put(struct mvgpu_window *w)
{
	if (w->dir != DMA_TO_DEVICE)
		mvgpu_mapping_dirty(w->mapping, 0, w->range.len);
	up_read(&w->sem);
}
EXPORT_SYMBOL_GPL(mvgpu_window_put);
