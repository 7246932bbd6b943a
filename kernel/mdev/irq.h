/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef MVGPU_IRQ_H
#define MVGPU_IRQ_H

#include <linux/eventfd.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/vfio.h>
#include "config.h"

/* PCI 3.0, 6.8.2: bytes per MSI-X table entry, and of the pending bits of so many vectors */
#define MVGPU_MSIX_ENTRY	16
#define MVGPU_MSIX_PBA(vectors)	(DIV_ROUND_UP((u64)(vectors), 64) * 8)

/**
 * struct mvgpu_vector - one interrupt vector
 * @trigger: where the VMM wants to be told, NULL if nowhere
 * @masked: the VMM masks it, or VFIO does until the VMM unmasks INTx
 * @table: its mask bit in the MSI-X table counts, since the guest has written it here.
 *	VMMs that keep the table themselves, as QEMU does, never do, and for them
 *	VFIO_DEVICE_SET_IRQS alone governs a vector
 * @pending: raised while it could not be delivered
 */
struct mvgpu_vector {
	struct eventfd_ctx *trigger;
	bool masked;
	bool table;
	bool pending;
};

/**
 * struct mvgpu_irqs - a vGPU's interrupts
 * @lock: protects everything but @count, which never changes; taken in any context
 * @config_lock: serialises mvgpu_irqs_set(); never taken by mvgpu_irqs_raise()
 * @count: vectors per VFIO index
 * @active: the VFIO index in use (INTX, MSI or MSIX), VFIO_PCI_NUM_IRQS if none
 * @vec: vectors of the active index
 * @max_vec: entries in @vec
 * @intx_level: the device asserts its INTx line
 * @gate: what configuration space allows
 * @unmask: eventfd that unmasks INTx
 * @err: error trigger
 * @req: unplug request trigger
 * @msix_table: MSI-X table as the guest wrote it
 * @delivered: interrupts signalled to the VMM since the vGPU was created
 */
struct mvgpu_irqs {
	spinlock_t lock;		/* the state */
	struct mutex config_lock;	/* mvgpu_irqs_set() */
	u32 count[VFIO_PCI_NUM_IRQS];
	u32 active;
	struct mvgpu_vector *vec;
	unsigned int max_vec;
	bool intx_level;
	struct mvgpu_config_gate gate;
	struct virqfd *unmask;
	struct eventfd_ctx *err;
	struct eventfd_ctx *req;
	u8 *msix_table;
	u64 delivered;
};

int mvgpu_irqs_init(struct mvgpu_irqs *irqs, bool intx, unsigned int msi, unsigned int msix);
void mvgpu_irqs_fini(struct mvgpu_irqs *irqs);
void mvgpu_irqs_close(struct mvgpu_irqs *irqs);
void mvgpu_irqs_reset(struct mvgpu_irqs *irqs);
void mvgpu_irqs_gate(struct mvgpu_irqs *irqs, const struct mvgpu_config_gate *gate);
void mvgpu_irqs_raise(struct mvgpu_irqs *irqs, unsigned int vector);
void mvgpu_irqs_lower(struct mvgpu_irqs *irqs);
bool mvgpu_irqs_request(struct mvgpu_irqs *irqs);
int mvgpu_irqs_info(const struct mvgpu_irqs *irqs, u32 index, u32 *flags);
int mvgpu_irqs_set(struct mvgpu_irqs *irqs, u32 flags, u32 index, u32 start, u32 count,
		   const void *data);
void mvgpu_irqs_pending(struct mvgpu_irqs *irqs, bool *intx, u32 *msi);
u64 mvgpu_irqs_delivered(struct mvgpu_irqs *irqs);
u32 mvgpu_irqs_table_read(struct mvgpu_irqs *irqs, u32 offset);
void mvgpu_irqs_table_write(struct mvgpu_irqs *irqs, u32 offset, u32 val);
u32 mvgpu_irqs_pba_read(struct mvgpu_irqs *irqs, u32 offset);

#endif /* MVGPU_IRQ_H */
