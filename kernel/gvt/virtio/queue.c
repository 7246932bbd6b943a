// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue.c - struct vg_queue and struct vg_chain: the device's side of a split virtqueue,
 * virtio 1.2, section 2.7. Portable: kernel and userspace.
 *
 * The rings are in guest memory, which the guest may change and the VMM may take away at
 * any moment. So each part is used through a window of its own, one at a time, and what
 * is in it is read once, into private memory, before it is looked at.
 *
 * The caller serialises what it does to a queue. All functions run in process context, and
 * may sleep. Those that reach guest memory return -EAGAIN if that is being taken away: try
 * later. Any other errno means that the queue can't be used any more: -EPROTO if the guest
 * has broken the rules, else what mvgpu_window_get() and mvgpu_guest_read() say.
 */
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/virtio_byteorder.h>
#include <linux/virtio_ring.h>
#include <asm/barrier.h>
#include "transport.h"

/*
 * Begin to use a queue that the guest has set up. 0, -EINVAL if it can't be where the guest
 * says it is, -ENOMEM. Whether there is memory at these addresses shows when it is used.
 */
int vg_queue_enable(struct vg_queue *q, struct mvgpu *vgpu, bool event_idx)
{
	const struct { size_t size, align; } part[] = {	/* 2.7, "alignment" */
		{ q->size * sizeof(struct vring_desc), VRING_DESC_ALIGN_SIZE },
		{ (3 + q->size) * sizeof(__le16), VRING_AVAIL_ALIGN_SIZE },
		{ 3 * sizeof(__le16) + q->size * sizeof(struct vring_used_elem),
		  VRING_USED_ALIGN_SIZE },
	};
	unsigned int i;
	int ret;

	for (i = 0; i < VG_NUM_PARTS; i++)
		if (!IS_ALIGNED(q->addr[i], part[i].align) ||
		    q->addr[i] + part[i].size - 1 < q->addr[i])
			return -EINVAL;
	q->vgpu = vgpu;
	q->event_idx = event_idx;
	q->quiet = false;
	q->last_avail = 0;
	q->used_idx = 0;
	q->signalled = 0;
	q->scratch = kvmalloc_array(2 * VG_CHAIN_MAX, sizeof(*q->scratch), GFP_KERNEL_ACCOUNT);
	ret = q->scratch ? 0 : -ENOMEM;
	for (i = 0; i < VG_NUM_PARTS; i++) {
		q->win[i] = mvgpu_window_open(vgpu, q->addr[i], part[i].size,
					      i == VG_USED ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE);
		ret = ret ?: PTR_ERR_OR_ZERO(q->win[i]);
	}
	q->enabled = true;
	if (ret)
		vg_queue_disable(q);
	return ret;
}

/*
 * Stop using a queue: nothing of it reaches guest memory any more. A disabled queue is empty
 * and takes nothing: its other functions do nothing and return 0.
 */
void vg_queue_disable(struct vg_queue *q)
{
	unsigned int i;

	if (!q->enabled)
		return;
	q->enabled = false;
	for (i = 0; i < VG_NUM_PARTS; i++)
		mvgpu_window_close(q->win[i]);
	kvfree(q->scratch);
}

/* Entries of the available ring that are new, and the first of them if there is one */
static int avail_new(struct vg_queue *q, u16 *head)
{
	struct vring_avail *avail = mvgpu_window_get(q->win[VG_AVAIL]);
	u16 new;

	if (IS_ERR(avail))
		return PTR_ERR(avail);
	new = __virtio16_to_cpu(true, READ_ONCE(avail->idx)) - q->last_avail;
	/* The entries are what they were when the guest counted them, or newer */
	smp_rmb();
	*head = __virtio16_to_cpu(true, READ_ONCE(avail->ring[q->last_avail & (q->size - 1)]));
	mvgpu_window_put(q->win[VG_AVAIL]);
	return new > q->size ? -EPROTO : new;
}

/*
 * Say whether notifications are wanted. With event index it is avail_event that says so,
 * and as long as that stays behind, none come.
 */
static int set_quiet(struct vg_queue *q, bool quiet)
{
	u16 to = q->event_idx ? q->last_avail : quiet ? VRING_USED_F_NO_NOTIFY : 0;
	struct vring_used *used;
	__virtio16 *field;

	if (q->event_idx ? quiet : q->quiet == quiet)
		return 0;
	used = mvgpu_window_get(q->win[VG_USED]);
	if (IS_ERR(used))
		return PTR_ERR(used);
	field = q->event_idx ? (__virtio16 *)&used->ring[q->size] : &used->flags;
	WRITE_ONCE(*field, __cpu_to_virtio16(true, to));
	mvgpu_window_put(q->win[VG_USED]);
	q->quiet = quiet;
	return 0;
}

static bool has(const struct vring_desc *desc, u16 flag)
{
	return __virtio16_to_cpu(true, desc->flags) & flag;
}

/* Follow a chain through a table of @size entries into @to. Returns the descriptors. */
static int walk(struct vring_desc *to, const struct vring_desc *table, unsigned int size, u16 head)
{
	const struct vring_desc *from;
	unsigned int n;
	u16 i = head;

	/* One that is longer than the table goes round in circles */
	for (n = 0; n < size && i < size; n++, to++) {
		from = &table[array_index_nospec(i, size)];
		to->addr = READ_ONCE(from->addr);
		to->len = READ_ONCE(from->len);
		to->flags = READ_ONCE(from->flags);
		to->next = READ_ONCE(from->next);
		if (!has(to, VRING_DESC_F_NEXT))
			return n + 1;
		if (has(to, VRING_DESC_F_INDIRECT))
			break;
		i = __virtio16_to_cpu(true, to->next);
	}
	return -EPROTO;
}

/* The descriptors from @head on, into q->scratch. Returns how many there are. */
static int fetch(struct vg_queue *q, u16 head)
{
	struct vring_desc *last, *table = mvgpu_window_get(q->win[VG_DESC]);
	int n, more, ret;
	u32 len;

	if (IS_ERR(table))
		return PTR_ERR(table);
	n = walk(q->scratch, table, q->size, head);
	mvgpu_window_put(q->win[VG_DESC]);
	if (n < 0)
		return n;
	last = &q->scratch[n - 1];
	if (!has(last, VRING_DESC_F_INDIRECT))
		return n;
	/* What it refers to takes its place, through a private copy behind the chain's room */
	table = q->scratch + VG_CHAIN_MAX;
	len = __virtio32_to_cpu(true, last->len);
	if (!len || len % sizeof(*table) || len / sizeof(*table) > VG_CHAIN_MAX - (n - 1))
		return -EPROTO;
	ret = mvgpu_guest_read(q->vgpu, __virtio64_to_cpu(true, last->addr), table, len);
	if (ret)
		return ret;
	more = walk(last, table, len / sizeof(*table), 0);
	if (more < 0)
		return more;
	return has(last + more - 1, VRING_DESC_F_INDIRECT) ? -EPROTO : n - 1 + more;
}

/* 2.7.4.2: what the device reads comes first. Nobody needs what is empty. */
static int chain_add(struct vg_chain *chain, const struct vring_desc *desc)
{
	struct mvgpu_range range = {
		.iova = __virtio64_to_cpu(true, desc->addr),
		.len = __virtio32_to_cpu(true, desc->len),
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

static int chain_build(struct vg_queue *q, struct vg_chain *chain, unsigned int n)
{
	unsigned int i;
	int ret = 0;

	chain->range = kvmalloc_array(n, sizeof(*chain->range), GFP_KERNEL_ACCOUNT);
	if (!chain->range)
		return -ENOMEM;
	for (i = 0; i < n && !ret; i++)
		ret = chain_add(chain, &q->scratch[i]);
	if (ret)
		kvfree(chain->range);
	return ret;
}

/*
 * Take the next chain that the guest has made available. 1 for a chain, 0 if there is none,
 * or an errno. From the first one until vg_queue_listen() the guest is asked not to notify.
 */
int vg_queue_pop(struct vg_queue *q, struct vg_chain *chain)
{
	u16 head;
	int ret;

	if (!q->enabled)
		return 0;
	ret = avail_new(q, &head);
	if (ret <= 0)
		return ret;
	ret = set_quiet(q, true) ?: fetch(q, head);
	if (ret < 0)
		return ret;
	*chain = (struct vg_chain){ .head = head };
	ret = chain_build(q, chain, ret);
	if (ret)
		return ret;
	q->last_avail++;
	return 1;
}

/* Undo vg_queue_pop(), to take the same chain again later */
void vg_queue_unpop(struct vg_queue *q)
{
	q->last_avail--;
}

/* Give a chain back to the guest. 0 or an errno. */
int vg_queue_push(struct vg_queue *q, u16 head, u32 written)
{
	struct vring_used *used;
	struct vring_used_elem *entry;

	if (!q->enabled)
		return 0;
	used = mvgpu_window_get(q->win[VG_USED]);
	if (IS_ERR(used))
		return PTR_ERR(used);
	entry = &used->ring[q->used_idx & (q->size - 1)];
	WRITE_ONCE(entry->id, __cpu_to_virtio32(true, head));
	WRITE_ONCE(entry->len, __cpu_to_virtio32(true, written));
	/* Who sees the count sees the entry, and what was written for it */
	smp_wmb();
	WRITE_ONCE(used->idx, __cpu_to_virtio16(true, ++q->used_idx));
	mvgpu_window_put(q->win[VG_USED]);
	return 0;
}

/*
 * Ask to be notified of the next chain. 1 if there is one already, of which there may be no
 * notification; 0 if there is none; or an errno.
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

/*
 * Whether the guest wants to hear of what has been pushed. 1 if so, 0 if not or if it has
 * been asked since the last vg_queue_push(), or an errno.
 */
int vg_queue_wants_irq(struct vg_queue *q)
{
	struct vring_avail *avail;
	u16 was = q->signalled;
	bool wants;

	if (!q->enabled || q->used_idx == was)
		return 0;
	/* Either the guest sees what was pushed, or we see what it asks for */
	smp_mb();
	avail = mvgpu_window_get(q->win[VG_AVAIL]);
	if (IS_ERR(avail))
		return PTR_ERR(avail);
	if (q->event_idx)
		wants = vring_need_event(__virtio16_to_cpu(true, READ_ONCE(avail->ring[q->size])),
					 q->used_idx, was);
	else
		wants = !(__virtio16_to_cpu(true, READ_ONCE(avail->flags)) &
			  VRING_AVAIL_F_NO_INTERRUPT);
	mvgpu_window_put(q->win[VG_AVAIL]);
	q->signalled = q->used_idx;
	return wants;
}
