/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * transport.h - struct vg_queue and struct vg_transport: the virtio-pci device that a
 * guest sees, as the virtio specification 1.2 has it in sections 2.7 (split virtqueues)
 * and 4.1 (PCI). Portable: kernel and userspace. Everything that a guest writes, in
 * registers or in memory, is taken as hostile.
 */
#ifndef VG_TRANSPORT_H
#define VG_TRANSPORT_H

#include <linux/atomic.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include "mvgpu.h"

#define VG_CONTROLQ		0
#define VG_CURSORQ		1
#define VG_NUM_QUEUES		2
#define VG_QUEUE_SIZE		256	/* largest that is offered, and what reset restores */
#define VG_CHAIN_MAX		1024	/* descriptors of a chain, indirect ones included */

/* The parts of a virtqueue, as their registers follow one another */
enum { VG_DESC, VG_AVAIL, VG_USED, VG_NUM_PARTS };

struct vring_desc;

/* A split virtqueue of a guest */
struct vg_queue {
	u16 size;			/* entries, a power of two */
	u16 vector;			/* of MSI-X, or VIRTIO_MSI_NO_VECTOR */
	bool enabled;			/* the guest has set it up, and it is not broken */
	u32 epoch;			/* counts its resets: chains of another one are forgotten */
	u64 addr[VG_NUM_PARTS];		/* guest addresses */
	struct mvgpu *vgpu;
	bool event_idx;			/* VIRTIO_RING_F_EVENT_IDX has been negotiated */
	bool quiet;			/* the guest has been asked not to notify */
	struct vring_desc *scratch;	/* for a chain's descriptors, while it is taken */
	struct mvgpu_window *win[VG_NUM_PARTS];	/* for the CPU */
	u16 last_avail;			/* next entry of the available ring to look at */
	u16 used_idx;			/* entries that have been put into the used ring */
	u16 signalled;			/* @used_idx when the guest was last asked to be told */
};

/* A descriptor chain that the guest has made available */
struct vg_chain {
	u16 head;			/* its first descriptor, for vg_queue_push() */
	unsigned int num_out;		/* ranges that the device reads; they come first */
	unsigned int num_in;		/* ranges that the device writes */
	u64 out_len;			/* bytes in the former */
	u64 in_len;			/* bytes in the latter */
	struct mvgpu_range *range;	/* kvmalloced */
};

int vg_queue_enable(struct vg_queue *q, struct mvgpu *vgpu, bool event_idx);
void vg_queue_disable(struct vg_queue *q);
int vg_queue_pop(struct vg_queue *q, struct vg_chain *chain);
void vg_queue_unpop(struct vg_queue *q);
int vg_queue_push(struct vg_queue *q, u16 head, u32 written);
int vg_queue_listen(struct vg_queue *q);
int vg_queue_wants_irq(struct vg_queue *q);

/* Read what the guest has put into a chain. -EINVAL if that is shorter. */
static inline int vg_chain_read(struct vg_queue *q, const struct vg_chain *chain, u64 offset,
				void *buf, size_t len)
{
	return mvgpu_guest_gather(q->vgpu, chain->range, chain->num_out, offset, buf, len);
}

/* Write an answer into a chain. -EINVAL, and nothing is written, if that is shorter. */
static inline int vg_chain_write(struct vg_queue *q, const struct vg_chain *chain, u64 offset,
				 const void *buf, size_t len)
{
	return mvgpu_guest_scatter(q->vgpu, chain->range + chain->num_out, chain->num_in, offset,
				   buf, len);
}

struct vg_transport;

/* The device behind the transport. All but @notify are called with vg_transport.lock held. */
struct vg_transport_ops {
	/* The guest resets the device: forget all that it has asked for. No queue is enabled. */
	void (*reset)(struct vg_transport *t);
	/* There may be something in a queue; must not wait for vg_transport.lock */
	void (*notify)(struct vg_transport *t, unsigned int queue);
	/* The device configuration; @offset + @size lies in it */
	u32 (*config_read)(struct vg_transport *t, u32 offset, unsigned int size);
	void (*config_write)(struct vg_transport *t, u32 offset, unsigned int size, u32 val);
};

/* The registers of a virtio-pci function, first in mvgpu_priv() */
struct vg_transport {
	struct mvgpu *vgpu;
	const struct vg_transport_ops *ops;
	u64 offered;			/* feature bits that the guest may accept */
	u32 config_size;		/* bytes of device configuration */
	/*
	 * Protects the queues and the rest against the vGPU's worker; inside mvgpu.lock. Guest
	 * memory is mapped under it, so nothing that mvgpu_map() waits for takes it.
	 */
	struct mutex lock;
	u64 features;			/* accepted, final once @status has FEATURES_OK */
	struct vg_queue queue[VG_NUM_QUEUES];
	u8 status;
	atomic_t isr;
	u16 config_vector;		/* MSI-X vector for changes of the configuration */
	u8 generation;			/* counts these changes */
	u32 device_select;		/* which half of @offered the guest reads */
	u32 driver_select;		/* which half of @features the guest writes */
	u16 queue_select;		/* which queue the guest sets up */
};

int vg_transport_init(struct vg_transport *t, struct mvgpu *vgpu,
		      const struct vg_transport_ops *ops, u64 offered, u32 config_size);
void vg_transport_reset(struct vg_transport *t);
void vg_transport_config_changed(struct vg_transport *t);
void vg_transport_broken(struct vg_transport *t, const char *why);
void vg_transport_queue_irq(struct vg_transport *t, struct vg_queue *q);

#endif /* VG_TRANSPORT_H */
