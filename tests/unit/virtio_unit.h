/* SPDX-License-Identifier: MIT */
/*
 * virtio_unit.h - the guest's side of a virtqueue, on the machine of shim_vmm.h
 *
 * The guest has pages 0 to 63; the parts of its queue are where the addresses below say.
 */
#ifndef VIRTIO_UNIT_H
#define VIRTIO_UNIT_H

#include <linux/virtio_ring.h>
#include "tracker_unit.h"
#include "transport.h"

#define GUEST_PAGES	64
#define DESC		0x1000ull
#define AVAIL		0x3000ull
#define USED		0x4ff0ull	/* crosses a page */
#define TABLE		0x8000ull	/* an indirect one, page 8 */
#define DATA		0x10000ull
#define NOWHERE		0x10000000ull

#define NEXT		VRING_DESC_F_NEXT
#define WRITE		VRING_DESC_F_WRITE
#define INDIRECT	VRING_DESC_F_INDIRECT

static u16 guest_idx;		/* of the available ring */

static inline void guest_put(u64 addr, u64 val, size_t size)
{
	shim_guest_copy(addr, &val, size, true);
}

static inline u64 guest_get(u64 addr, size_t size)
{
	u64 val = 0;

	shim_guest_copy(addr, &val, size, false);
	return val;
}

static inline void guest_desc(u64 table, unsigned int i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct vring_desc desc = { .addr = addr, .len = len, .flags = flags, .next = next };

	shim_guest_copy(table + i * sizeof(desc), &desc, sizeof(desc), true);
}

/* Make a chain available */
static inline void guest_add(const struct vg_queue *q, u16 head)
{
	guest_put(AVAIL + 4 + guest_idx % q->size * 2, head, 2);
	guest_put(AVAIL + 2, ++guest_idx, 2);
}

static inline void guest_want(const struct vg_queue *q, u16 used_event)
{
	guest_put(AVAIL + 4 + q->size * 2, used_event, 2);
}

static inline u16 guest_avail_event(const struct vg_queue *q)
{
	return guest_get(USED + 4 + q->size * 8, 2);
}

static inline u16 guest_used(void)
{
	return guest_get(USED + 2, 2);
}

static inline void guest_map(void)
{
	shim_vmm_map(0, GUEST_PAGES, GUEST_PAGES, RW);
}

static inline void guest_start(void)
{
	unit_start(SHIM_TYPE1, SHIM_DIRECT);
	guest_map();
	guest_idx = 0;
}

#endif /* VIRTIO_UNIT_H */
