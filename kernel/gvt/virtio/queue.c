// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue.c - struct vg_queue and struct vg_chain: the device's side of a split virtqueue,
 * virtio 1.2, section 2.7. Portable: kernel and userspace.
 *
 * The rings are in guest memory, which the guest may change and the VMM may take away at
 * any moment. So each part is used through a window of its own, one at a time, and what
 * is in it is read once, into private memory, before it is looked at.
 */
#include <linux/atomic.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/virtio_ring.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>
#include "transport.h"

/* 2.7.5 */
struct vg_desc {
	__le64 addr;
	__le32 len;
	__le16 flags;
	__le16 next;
};

/* 2.7.6; the word after the last entry is used_event */
struct avail_ring {
	__le16 flags;
	__le16 idx;
	__le16 ring[];
};

struct used_entry {
	__le32 id;
	__le32 len;
};

/* 2.7.8; the word after the last entry is avail_event */
struct used_ring {
	__le16 flags;
	__le16 idx;
	struct used_entry ring[];
};

/* Whether a part of the queue can be at @addr: 2.7, "alignment" */
static bool fits(u64 addr, size_t size, unsigned int align)
{
	return IS_ALIGNED(addr, align) && addr + size - 1 >= addr;
}

/**
 * vg_queue_enable() - begin to use a queue that the guest has set up
 * @q: the queue, not enabled, with its size and its addresses
 * @vgpu: whose it is
 * @event_idx: VIRTIO_RING_F_EVENT_IDX has been negotiated
 *
 * Whether there is memory at these addresses shows when the queue is used.
 *
 * Context: process context, may sleep; the caller serialises what it does to a queue.
 * Return: 0, -EINVAL if the queue can't be where the guest says it is, -ENOMEM.
 */
int vg_queue_enable(struct vg_queue *q, struct mvgpu *vgpu, bool event_idx)
{
	size_t desc = q->size * sizeof(struct vg_desc);
	size_t avail = sizeof(struct avail_ring) + (q->size + 1) * sizeof(__le16);
	size_t used = sizeof(struct used_ring) + q->size * sizeof(struct used_entry) +
		      sizeof(__le16);

	if (!fits(q->desc, desc, VRING_DESC_ALIGN_SIZE) ||
	    !fits(q->driver, avail, VRING_AVAIL_ALIGN_SIZE) ||
	    !fits(q->device, used, VRING_USED_ALIGN_SIZE))
		return -EINVAL;
	q->vgpu = vgpu;
	q->event_idx = event_idx;
	q->quiet = false;
	q->last_avail = 0;
	q->used_idx = 0;
	q->signalled = 0;
	q->scratch = kvmalloc_array(VG_CHAIN_MAX, sizeof(*q->scratch), GFP_KERNEL_ACCOUNT);
	q->desc_win = mvgpu_window_open(vgpu, q->desc, desc, DMA_TO_DEVICE);
	q->avail_win = mvgpu_window_open(vgpu, q->driver, avail, DMA_TO_DEVICE);
	q->used_win = mvgpu_window_open(vgpu, q->device, used, DMA_BIDIRECTIONAL);
	q->enabled = true;
	if (q->scratch && !IS_ERR(q->desc_win) && !IS_ERR(q->avail_win) && !IS_ERR(q->used_win))
		return 0;
	vg_queue_disable(q);
	return -ENOMEM;
}

/**
 * vg_queue_disable() - stop using a queue
 * @q: the queue, all zeroes or vg_queue_enable()d once; may be disabled already
 *
 * When it returns, nothing of this queue reaches guest memory any more. A disabled queue
 * is empty and takes nothing: its other functions do nothing and return 0.
 *
 * Context: process context, may sleep.
 */
void vg_queue_disable(struct vg_queue *q)
{
	if (!q->enabled)
		return;
	q->enabled = false;
	mvgpu_window_close(q->desc_win);
	mvgpu_window_close(q->avail_win);
	mvgpu_window_close(q->used_win);
	kvfree(q->scratch);
	q->desc_win = NULL;
	q->avail_win = NULL;
	q->used_win = NULL;
	q->scratch = NULL;
}

/* Entries of the available ring that are new, and the first of them if there is one */
static int avail_new(struct vg_queue *q, u16 *head)
{
	struct avail_ring *avail = mvgpu_window_get(q->avail_win);
	u16 new;

	if (IS_ERR(avail))
		return PTR_ERR(avail);
	new = le16_to_cpu(READ_ONCE(avail->idx)) - q->last_avail;
	/* The entries are what they were when the guest counted them, or newer */
	smp_rmb();
	*head = le16_to_cpu(READ_ONCE(avail->ring[q->last_avail & (q->size - 1)]));
	mvgpu_window_put(q->avail_win);
	return new > q->size ? -EPROTO : new;
}

/*
 * Say whether notifications are wanted. With event index it is avail_event that says so,
 * and as long as that stays behind, none come.
 */
static int set_quiet(struct vg_queue *q, bool quiet)
{
	struct used_ring *used;

	if (q->event_idx ? quiet : q->quiet == quiet)
		return 0;
	used = mvgpu_window_get(q->used_win);
	if (IS_ERR(used))
		return PTR_ERR(used);
	if (q->event_idx)
		WRITE_ONCE(*(__le16 *)&used->ring[q->size], cpu_to_le16(q->last_avail));
	else
		WRITE_ONCE(used->flags, cpu_to_le16(quiet ? VRING_USED_F_NO_NOTIFY : 0));
	mvgpu_window_put(q->used_win);
	q->quiet = quiet;
	return 0;
}

static bool has(const struct vg_desc *desc, u16 flag)
{
	return le16_to_cpu(desc->flags) & flag;
}

/* The descriptors from @head on, as far as they are in the queue's own table */
static int fetch_direct(struct vg_queue *q, u16 head)
{
	struct vg_desc *to = q->scratch, *from, *table = mvgpu_window_get(q->desc_win);
	int ret = -EPROTO;
	u16 i = head;

	if (IS_ERR(table))
		return PTR_ERR(table);
	/* One that is longer than the table goes round in circles */
	while (i < q->size && to < q->scratch + q->size) {
		from = &table[array_index_nospec(i, q->size)];
		to->addr = READ_ONCE(from->addr);
		to->len = READ_ONCE(from->len);
		to->flags = READ_ONCE(from->flags);
		to->next = READ_ONCE(from->next);
		if (!has(to, VRING_DESC_F_NEXT)) {
			ret = to - q->scratch + 1;
			break;
		}
		if (has(to, VRING_DESC_F_INDIRECT))
			break;
		i = le16_to_cpu(to->next);
		to++;
	}
	mvgpu_window_put(q->desc_win);
	return ret;
}

/* What the last of @direct descriptors refers to, into its place. Returns the entries. */
static int fetch_indirect(struct vg_queue *q, unsigned int direct)
{
	struct vg_desc *desc = &q->scratch[direct - 1];
	u64 addr = le64_to_cpu(desc->addr);
	u32 len = le32_to_cpu(desc->len);
	int ret;

	if (!len || len % sizeof(*desc) || len / sizeof(*desc) > VG_CHAIN_MAX - (direct - 1))
		return -EPROTO;
	ret = mvgpu_guest_read(q->vgpu, addr, desc, len);
	return ret ?: len / sizeof(*desc);
}

/* 2.7.4.2: what the device reads comes first. Nobody needs what is empty. */
static int chain_add(struct vg_chain *chain, const struct vg_desc *desc)
{
	struct mvgpu_range range = {
		.iova = le64_to_cpu(desc->addr),
		.len = le32_to_cpu(desc->len),
	};

	if (!range.len)
		return 0;
	if (range.iova + range.len - 1 < range.iova)
		return -EPROTO;
	if (has(desc, VRING_DESC_F_WRITE)) {
		chain->in_len += range.len;
		chain->range[chain->num_out + chain->num_in++] = range;
		return 0;
	}
	if (chain->num_in)
		return -EPROTO;
	chain->out_len += range.len;
	chain->range[chain->num_out++] = range;
	return 0;
}

/* The chain through a private copy of an indirect table */
static int chain_add_indirect(struct vg_chain *chain, const struct vg_desc *table, unsigned int n)
{
	const struct vg_desc *desc;
	unsigned int i = 0, count;
	int ret;

	for (count = 0; count < n && i < n; count++) {
		desc = &table[array_index_nospec(i, n)];
		if (has(desc, VRING_DESC_F_INDIRECT))
			return -EPROTO;
		ret = chain_add(chain, desc);
		if (ret || !has(desc, VRING_DESC_F_NEXT))
			return ret;
		i = le16_to_cpu(desc->next);
	}
	return -EPROTO;
}

static int chain_build(struct vg_queue *q, struct vg_chain *chain, unsigned int direct,
		       unsigned int indirect)
{
	unsigned int i, own = indirect ? direct - 1 : direct;
	int ret = 0;

	chain->range = kvmalloc_array(own + indirect, sizeof(*chain->range), GFP_KERNEL_ACCOUNT);
	if (!chain->range)
		return -ENOMEM;
	for (i = 0; i < own && !ret; i++)
		ret = chain_add(chain, &q->scratch[i]);
	if (!ret && indirect)
		ret = chain_add_indirect(chain, &q->scratch[own], indirect);
	if (ret)
		vg_chain_free(chain);
	return ret;
}

/**
 * vg_queue_pop() - take the next chain that the guest has made available
 * @q: the queue
 * @chain: filled in; vg_chain_free() releases it, vg_queue_push() gives it back
 *
 * From the first chain until vg_queue_listen() the guest is asked not to notify.
 *
 * Context: process context, may sleep.
 * Return: 1 for a chain, 0 if there is none. -EAGAIN if memory is being taken away: try
 * later. Any other errno means that the queue can't be used any more: -EPROTO if the
 * guest has broken the rules, else what mvgpu_window_get() and mvgpu_guest_read() say.
 */
int vg_queue_pop(struct vg_queue *q, struct vg_chain *chain)
{
	int direct, indirect = 0, ret;
	u16 head;

	if (!q->enabled)
		return 0;
	ret = avail_new(q, &head);
	if (ret <= 0)
		return ret;
	ret = set_quiet(q, true);
	if (ret)
		return ret;
	direct = fetch_direct(q, head);
	if (direct < 0)
		return direct;
	if (has(&q->scratch[direct - 1], VRING_DESC_F_INDIRECT)) {
		indirect = fetch_indirect(q, direct);
		if (indirect < 0)
			return indirect;
	}
	*chain = (struct vg_chain){ .head = head };
	ret = chain_build(q, chain, direct, indirect);
	if (ret)
		return ret;
	q->last_avail++;
	return 1;
}

/**
 * vg_queue_unpop() - undo vg_queue_pop(), to take the same chain again later
 * @q: the queue; nothing else has been popped or listened for since
 */
void vg_queue_unpop(struct vg_queue *q)
{
	q->last_avail--;
}

/**
 * vg_queue_push() - give a chain back to the guest
 * @q: the queue; the guest has not reset it since it made the chain available
 * @head: vg_chain.head
 * @written: bytes of the chain that have been written, from the first on
 *
 * Context: process context, may sleep.
 * Return: 0. -EAGAIN if memory is being taken away: try later. Any other errno of
 * mvgpu_window_get() means that the queue can't be used any more.
 */
int vg_queue_push(struct vg_queue *q, u16 head, u32 written)
{
	struct used_ring *used;
	struct used_entry *entry;

	if (!q->enabled)
		return 0;
	used = mvgpu_window_get(q->used_win);
	if (IS_ERR(used))
		return PTR_ERR(used);
	entry = &used->ring[q->used_idx & (q->size - 1)];
	WRITE_ONCE(entry->id, cpu_to_le32(head));
	WRITE_ONCE(entry->len, cpu_to_le32(written));
	/* Who sees the count sees the entry, and what was written for it */
	smp_wmb();
	WRITE_ONCE(used->idx, cpu_to_le16(++q->used_idx));
	mvgpu_window_put(q->used_win);
	return 0;
}

/**
 * vg_queue_listen() - ask to be notified of the next chain
 * @q: the queue
 *
 * Context: process context, may sleep.
 * Return: 1 if there is a chain already, of which there may be no notification; 0 if
 * there is none; an errno as vg_queue_pop().
 */
int vg_queue_listen(struct vg_queue *q)
{
	u16 head;
	int ret;

	if (!q->enabled)
		return 0;
	ret = set_quiet(q, false);
	if (ret)
		return ret;
	/* Either the guest sees that we ask, or we see what it has added */
	smp_mb();
	ret = avail_new(q, &head);
	return ret < 0 ? ret : !!ret;
}

/**
 * vg_queue_wants_irq() - whether the guest wants to hear of what has been pushed
 * @q: the queue
 *
 * Context: process context, may sleep.
 * Return: 1 if so, 0 if not or if it has been asked since the last vg_queue_push(), an
 * errno as vg_queue_push().
 */
int vg_queue_wants_irq(struct vg_queue *q)
{
	struct avail_ring *avail;
	u16 was = q->signalled;
	bool wants;

	if (!q->enabled || q->used_idx == was)
		return 0;
	/* Either the guest sees what was pushed, or we see what it asks for */
	smp_mb();
	avail = mvgpu_window_get(q->avail_win);
	if (IS_ERR(avail))
		return PTR_ERR(avail);
	if (q->event_idx)
		wants = vring_need_event(le16_to_cpu(READ_ONCE(avail->ring[q->size])),
					 q->used_idx, was);
	else
		wants = !(le16_to_cpu(READ_ONCE(avail->flags)) & VRING_AVAIL_F_NO_INTERRUPT);
	mvgpu_window_put(q->avail_win);
	q->signalled = q->used_idx;
	return wants;
}

/* Copy @len bytes from @offset on in the @n ranges, which are known to be that long */
static int copy_ranges(struct vg_queue *q, const struct mvgpu_range *range, u64 offset, void *buf,
		       size_t len, bool write)
{
	size_t n;
	u64 iova;
	int ret;

	for (; len && offset >= range->len; range++)
		offset -= range->len;
	for (; len; range++) {
		n = min_t(u64, len, range->len - offset);
		iova = range->iova + offset;
		ret = write ? mvgpu_guest_write(q->vgpu, iova, buf, n) :
			      mvgpu_guest_read(q->vgpu, iova, buf, n);
		if (ret)
			return ret;
		buf += n;
		len -= n;
		offset = 0;
	}
	return 0;
}

/**
 * vg_chain_read() - read what the guest has put into a chain
 * @q: its queue; the guest has not reset it since it made the chain available
 * @chain: the chain
 * @offset: bytes from the start of what the device reads
 * @buf: where to
 * @len: bytes
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL if the chain is shorter than that, or an errno of
 * mvgpu_guest_read().
 */
int vg_chain_read(struct vg_queue *q, const struct vg_chain *chain, u64 offset, void *buf,
		  size_t len)
{
	if (len > chain->out_len || offset > chain->out_len - len)
		return -EINVAL;
	return copy_ranges(q, chain->range, offset, buf, len, false);
}

/**
 * vg_chain_write() - write an answer into a chain
 * @q: its queue; the guest has not reset it since it made the chain available
 * @chain: the chain
 * @offset: bytes from the start of what the device writes
 * @buf: where from
 * @len: bytes
 *
 * Context: process context, may sleep.
 * Return: 0, -EINVAL if the chain is shorter than that (nothing is written then), or an
 * errno of mvgpu_guest_write().
 */
int vg_chain_write(struct vg_queue *q, const struct vg_chain *chain, u64 offset,
		   const void *buf, size_t len)
{
	if (len > chain->in_len || offset > chain->in_len - len)
		return -EINVAL;
	return copy_ranges(q, chain->range + chain->num_out, offset, (void *)buf, len, true);
}

/**
 * vg_chain_free() - release a chain's memory
 * @chain: the chain, from vg_queue_pop() or all zeroes; may be freed already
 *
 * Context: process context.
 */
void vg_chain_free(struct vg_chain *chain)
{
	kvfree(chain->range);
	chain->range = NULL;
}
