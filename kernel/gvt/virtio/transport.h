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

struct vg_desc;

/**
 * struct vg_queue - one split virtqueue of a guest
 * @size: entries, a power of two
 * @vector: MSI-X vector, or VIRTIO_MSI_NO_VECTOR
 * @enabled: the guest has set it up, and it is not broken
 * @desc: guest address of the descriptor table
 * @driver: of the available ring
 * @device: of the used ring
 * @vgpu: whose it is
 * @event_idx: VIRTIO_RING_F_EVENT_IDX has been negotiated
 * @quiet: the guest has been asked not to notify
 * @scratch: room for the descriptors of a chain, while it is taken
 * @desc_win: the descriptor table, for the CPU
 * @avail_win: the available ring
 * @used_win: the used ring
 * @last_avail: next entry of the available ring to look at
 * @used_idx: entries that have been put into the used ring
 * @signalled: value of @used_idx when the guest was last asked whether it wants to know
 */
struct vg_queue {
	u16 size;
	u16 vector;
	bool enabled;
	u64 desc;
	u64 driver;
	u64 device;
	struct mvgpu *vgpu;
	bool event_idx;
	bool quiet;
	struct vg_desc *scratch;
	struct mvgpu_window *desc_win;
	struct mvgpu_window *avail_win;
	struct mvgpu_window *used_win;
	u16 last_avail;
	u16 used_idx;
	u16 signalled;
};

/**
 * struct vg_chain - a descriptor chain that the guest has made available
 * @head: its first descriptor, what vg_queue_push() gives back
 * @num_out: ranges that the device reads; they come first
 * @num_in: ranges that the device writes
 * @out_len: bytes in the former
 * @in_len: bytes in the latter
 * @range: the ranges, kvmalloced; vg_chain_free()
 */
struct vg_chain {
	u16 head;
	unsigned int num_out;
	unsigned int num_in;
	u64 out_len;
	u64 in_len;
	struct mvgpu_range *range;
};

int vg_queue_enable(struct vg_queue *q, struct mvgpu *vgpu, bool event_idx);
void vg_queue_disable(struct vg_queue *q);
int vg_queue_pop(struct vg_queue *q, struct vg_chain *chain);
void vg_queue_unpop(struct vg_queue *q);
int vg_queue_push(struct vg_queue *q, u16 head, u32 written);
int vg_queue_listen(struct vg_queue *q);
int vg_queue_wants_irq(struct vg_queue *q);
int vg_chain_read(struct vg_queue *q, const struct vg_chain *chain, u64 offset, void *buf,
		  size_t len);
int vg_chain_write(struct vg_queue *q, const struct vg_chain *chain, u64 offset,
		   const void *buf, size_t len);
void vg_chain_free(struct vg_chain *chain);

struct vg_transport;

/**
 * struct vg_transport_ops - the device behind the transport
 * @reset: the guest resets the device: forget everything that it has asked for. The
 *	queues have been disabled. Called with vg_transport.lock held.
 * @queue_reset: the guest resets one queue, which has been disabled: forget the chains
 *	that came from it. Called with vg_transport.lock held. NULL if VIRTIO_F_RING_RESET
 *	is not offered.
 * @notify: there may be something in a queue. Called with mvgpu.lock held, and nothing
 *	else; must not wait for vg_transport.lock.
 * @config_read: read device configuration, @offset + @size lies in it. Called with
 *	vg_transport.lock held.
 * @config_write: write device configuration; the same
 */
struct vg_transport_ops {
	void (*reset)(struct vg_transport *t);
	void (*queue_reset)(struct vg_transport *t, unsigned int queue);
	void (*notify)(struct vg_transport *t, unsigned int queue);
	u32 (*config_read)(struct vg_transport *t, u32 offset, unsigned int size);
	void (*config_write)(struct vg_transport *t, u32 offset, unsigned int size, u32 val);
};

/**
 * struct vg_transport - the registers of a virtio-pci function, first in mvgpu_priv()
 * @vgpu: whose it is
 * @ops: the device behind it
 * @offered: feature bits that the guest may accept
 * @config_size: bytes of device configuration
 * @lock: protects the queues and the rest against the vGPU's worker; inside mvgpu.lock.
 *	Guest memory is mapped under it, so nothing that mvgpu_map() waits for takes it.
 * @features: what the guest has accepted, final once FEATURES_OK is set in @status
 * @queue: the virtqueues
 * @status: device status field
 * @isr: ISR status
 * @config_vector: MSI-X vector for changes of the configuration
 * @generation: counts these changes
 * @device_select: which half of @offered the guest reads
 * @driver_select: which half of @features the guest writes
 * @queue_select: which queue the guest sets up
 */
struct vg_transport {
	struct mvgpu *vgpu;
	const struct vg_transport_ops *ops;
	u64 offered;
	u32 config_size;
	struct mutex lock;	/* see above */
	u64 features;
	struct vg_queue queue[VG_NUM_QUEUES];
	u8 status;
	atomic_t isr;
	u16 config_vector;
	u8 generation;
	u32 device_select;
	u32 driver_select;
	u16 queue_select;
};

int vg_transport_init(struct vg_transport *t, struct mvgpu *vgpu,
		      const struct vg_transport_ops *ops, u64 offered, u32 config_size);
void vg_transport_reset(struct vg_transport *t);
void vg_transport_config_changed(struct vg_transport *t);
void vg_transport_broken(struct vg_transport *t, const char *why);
void vg_transport_queue_irq(struct vg_transport *t, struct vg_queue *q);

#endif /* VG_TRANSPORT_H */
