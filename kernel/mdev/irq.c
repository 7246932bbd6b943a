// SPDX-License-Identifier: GPL-2.0-only
/*
 * irq.c - struct mvgpu_irqs, the interrupts of a vGPU
 *
 * A vector is delivered by signalling an eventfd. What can't be delivered now,
 * because VFIO, the guest's configuration space or the MSI-X table masks it, stays
 * pending and goes out when the last mask falls. VFIO drives at most one of INTx,
 * MSI and MSI-X at a time; the error and request indexes stand apart.
 * Portable: the eventfd and virqfd calls are all it needs of the kernel.
 */
#include <linux/bitops.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/pci_regs.h>
#include <linux/slab.h>
#include <linux/string.h>
#include "compat.h"
#include "irq.h"

#define MSIX_VECTOR_CTRL	12	/* offset in a table entry */

/* After a failure, too, mvgpu_irqs_fini() must follow */
int mvgpu_irqs_init(struct mvgpu_irqs *irqs, bool intx, unsigned int msi, unsigned int msix)
{
	spin_lock_init(&irqs->lock);
	mutex_init(&irqs->config_lock);
	irqs->count[VFIO_PCI_INTX_IRQ_INDEX] = intx;
	irqs->count[VFIO_PCI_MSI_IRQ_INDEX] = msi;
	irqs->count[VFIO_PCI_MSIX_IRQ_INDEX] = msix;
	irqs->count[VFIO_PCI_ERR_IRQ_INDEX] = 1;
	irqs->count[VFIO_PCI_REQ_IRQ_INDEX] = 1;
	irqs->active = VFIO_PCI_NUM_IRQS;
	irqs->max_vec = max3((unsigned int)intx, msi, msix);
	if (irqs->max_vec) {
		irqs->vec = kcalloc(irqs->max_vec, sizeof(*irqs->vec), GFP_KERNEL);
		if (!irqs->vec)
			return -ENOMEM;
	}
	if (msix) {
		irqs->msix_table = kcalloc(msix, MVGPU_MSIX_ENTRY, GFP_KERNEL);
		if (!irqs->msix_table)
			return -ENOMEM;
	}
	mvgpu_irqs_reset(irqs);
	return 0;
}

void mvgpu_irqs_fini(struct mvgpu_irqs *irqs)
{
	kfree(irqs->vec);
	kfree(irqs->msix_table);
	mutex_destroy(&irqs->config_lock);
}

static bool table_masks(const struct mvgpu_irqs *irqs, unsigned int vector)
{
	const u8 *entry = irqs->msix_table + vector * MVGPU_MSIX_ENTRY;

	return irqs->vec[vector].table &&
	       get_unaligned_le32(entry + MSIX_VECTOR_CTRL) & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

static bool gated(const struct mvgpu_irqs *irqs, unsigned int vector)
{
	switch (irqs->active) {
	case VFIO_PCI_INTX_IRQ_INDEX:
		return irqs->gate.intx_off;
	case VFIO_PCI_MSI_IRQ_INDEX:
		return irqs->gate.msg_off || irqs->gate.msi_mask & BIT(vector);
	default:
		return irqs->gate.msg_off || irqs->gate.msix_masked || table_masks(irqs, vector);
	}
}

/*
 * Deliver @vector if it is pending and nothing holds it back. INTx is a level:
 * it stays pending as long as the device asserts it, and VFIO masks it on delivery.
 */
static void deliver(struct mvgpu_irqs *irqs, unsigned int vector)
{
	struct mvgpu_vector *v = &irqs->vec[vector];

	lockdep_assert_held(&irqs->lock);
	if (!v->pending || !v->trigger || v->masked || gated(irqs, vector))
		return;
	if (irqs->active == VFIO_PCI_INTX_IRQ_INDEX)
		v->masked = true;
	else
		v->pending = false;
	irqs->delivered++;
	mvgpu_eventfd_signal(v->trigger);
}

static void deliver_all(struct mvgpu_irqs *irqs)
{
	unsigned int i;

	lockdep_assert_held(&irqs->lock);
	if (irqs->active == VFIO_PCI_NUM_IRQS)
		return;
	for (i = 0; i < irqs->count[irqs->active]; i++)
		deliver(irqs, i);
}

/* Raise a vector of whichever kind of interrupt the VMM has enabled. Any context. */
void mvgpu_irqs_raise(struct mvgpu_irqs *irqs, unsigned int vector)
{
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	if (irqs->active == VFIO_PCI_INTX_IRQ_INDEX || irqs->active == VFIO_PCI_NUM_IRQS) {
		irqs->intx_level = irqs->count[VFIO_PCI_INTX_IRQ_INDEX];
		vector = 0;
	}
	if (irqs->active != VFIO_PCI_NUM_IRQS && vector < irqs->count[irqs->active]) {
		vector = array_index_nospec(vector, irqs->count[irqs->active]);
		irqs->vec[vector].pending = true;
		deliver(irqs, vector);
	}
	spin_unlock_irqrestore(&irqs->lock, flags);
}

/* The device takes its INTx line back; messages are edges and stay as they are. */
void mvgpu_irqs_lower(struct mvgpu_irqs *irqs)
{
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->intx_level = false;
	if (irqs->active == VFIO_PCI_INTX_IRQ_INDEX)
		irqs->vec[0].pending = false;
	spin_unlock_irqrestore(&irqs->lock, flags);
}

void mvgpu_irqs_gate(struct mvgpu_irqs *irqs, const struct mvgpu_config_gate *gate)
{
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->gate = *gate;
	deliver_all(irqs);
	spin_unlock_irqrestore(&irqs->lock, flags);
}

/*
 * Device reset: nothing is pending, the MSI-X table is masked and empty. What the
 * VMM set up through VFIO is the VMM's and stays, as it does on a physical function.
 */
void mvgpu_irqs_reset(struct mvgpu_irqs *irqs)
{
	unsigned long flags;
	unsigned int i;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->intx_level = false;
	for (i = 0; i < irqs->max_vec; i++) {
		irqs->vec[i].pending = false;
		irqs->vec[i].table = false;
	}
	for (i = 0; i < irqs->count[VFIO_PCI_MSIX_IRQ_INDEX]; i++) {
		u8 *entry = irqs->msix_table + i * MVGPU_MSIX_ENTRY;

		memset(entry, 0, MVGPU_MSIX_ENTRY);
		put_unaligned_le32(PCI_MSIX_ENTRY_CTRL_MASKBIT, entry + MSIX_VECTOR_CTRL);
	}
	spin_unlock_irqrestore(&irqs->lock, flags);
}

/* Replace a trigger; the old one's reference is dropped once nothing can signal it. */
static void swap_trigger(struct mvgpu_irqs *irqs, struct eventfd_ctx **slot,
			 struct eventfd_ctx *ctx)
{
	struct eventfd_ctx *old;
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	old = *slot;
	*slot = ctx;
	spin_unlock_irqrestore(&irqs->lock, flags);
	if (old)
		eventfd_ctx_put(old);
}

/* Forget the active kind of interrupt and everything armed for it. */
static void disable(struct mvgpu_irqs *irqs)
{
	unsigned long flags;
	unsigned int i;

	lockdep_assert_held(&irqs->config_lock);
	vfio_virqfd_disable(&irqs->unmask);
	for (i = 0; i < irqs->max_vec; i++)
		swap_trigger(irqs, &irqs->vec[i].trigger, NULL);
	spin_lock_irqsave(&irqs->lock, flags);
	for (i = 0; i < irqs->max_vec; i++) {
		irqs->vec[i].masked = false;
		irqs->vec[i].pending = false;
	}
	irqs->active = VFIO_PCI_NUM_IRQS;
	spin_unlock_irqrestore(&irqs->lock, flags);
}

static void activate(struct mvgpu_irqs *irqs, u32 index)
{
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->active = index;
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		irqs->vec[0].pending = irqs->intx_level;
	spin_unlock_irqrestore(&irqs->lock, flags);
}

/* The VMM is gone: drop every reference that it gave us. */
void mvgpu_irqs_close(struct mvgpu_irqs *irqs)
{
	mutex_lock(&irqs->config_lock);
	disable(irqs);
	swap_trigger(irqs, &irqs->err, NULL);
	swap_trigger(irqs, &irqs->req, NULL);
	mutex_unlock(&irqs->config_lock);
}

/* Ask the VMM to let go of the vGPU. Returns false if it can't be asked. */
bool mvgpu_irqs_request(struct mvgpu_irqs *irqs)
{
	unsigned long flags;
	bool asked;

	spin_lock_irqsave(&irqs->lock, flags);
	asked = irqs->req;
	if (asked)
		mvgpu_eventfd_signal(irqs->req);
	spin_unlock_irqrestore(&irqs->lock, flags);
	return asked;
}

/* Returns the number of vectors of @index and fills in VFIO_IRQ_INFO_* flags. */
int mvgpu_irqs_info(const struct mvgpu_irqs *irqs, u32 index, u32 *flags)
{
	if (index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	index = array_index_nospec(index, VFIO_PCI_NUM_IRQS);
	*flags = VFIO_IRQ_INFO_EVENTFD;
	if (index == VFIO_PCI_INTX_IRQ_INDEX)
		*flags |= VFIO_IRQ_INFO_MASKABLE | VFIO_IRQ_INFO_AUTOMASKED;
	else if (index == VFIO_PCI_MSI_IRQ_INDEX || index == VFIO_PCI_MSIX_IRQ_INDEX)
		*flags |= VFIO_IRQ_INFO_MASKABLE;
	else
		*flags |= VFIO_IRQ_INFO_NORESIZE;
	return irqs->count[index];
}

static struct eventfd_ctx *ctx_get(s32 fd)
{
	return fd == -1 ? NULL : eventfd_ctx_fdget(fd);
}

static void mask_vector(struct mvgpu_irqs *irqs, unsigned int vector, bool masked)
{
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	irqs->vec[vector].masked = masked;
	deliver(irqs, vector);
	spin_unlock_irqrestore(&irqs->lock, flags);
}

/*
 * The VMM signalled the eventfd that it had armed to unmask INTx. An eventfd must not be
 * signalled from within the wake-up of another, so a work item does the unmasking.
 */
static void unmask_work(void *opaque, void *unused)
{
	mask_vector(opaque, 0, false);
}

/* VFIO_IRQ_SET_ACTION_MASK and _UNMASK */
static int set_mask(struct mvgpu_irqs *irqs, u32 flags, u32 index, u32 start, u32 count,
		    const void *data)
{
	bool mask = flags & VFIO_IRQ_SET_ACTION_MASK;
	const u8 *chosen = data;
	u32 i;

	if (index == VFIO_PCI_ERR_IRQ_INDEX || index == VFIO_PCI_REQ_IRQ_INDEX)
		return -ENOTTY;
	if (irqs->active != index || !count)
		return -EINVAL;

	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		s32 fd = *(const s32 *)data;

		if (mask || index != VFIO_PCI_INTX_IRQ_INDEX)
			return -ENOTTY;
		if (fd != -1)
			return vfio_virqfd_enable(irqs, NULL, unmask_work, NULL,
						  &irqs->unmask, fd);
		vfio_virqfd_disable(&irqs->unmask);
		return 0;
	}
	for (i = 0; i < count; i++)
		if (flags & VFIO_IRQ_SET_DATA_NONE || chosen[i])
			mask_vector(irqs, start + i, mask);
	return 0;
}

/* DATA_EVENTFD: all the eventfds are looked up first, so that a bad one changes nothing. */
static int set_triggers(struct mvgpu_irqs *irqs, u32 index, u32 start, u32 count,
			const s32 *fds)
{
	struct eventfd_ctx **ctx;
	unsigned long flags;
	int ret = 0;
	u32 i;

	ctx = kcalloc(count, sizeof(*ctx), GFP_KERNEL_ACCOUNT);
	if (!ctx)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		ctx[i] = ctx_get(fds[i]);
		if (IS_ERR(ctx[i])) {
			ret = PTR_ERR(ctx[i]);
			while (i--)
				if (ctx[i])
					eventfd_ctx_put(ctx[i]);
			goto out;
		}
	}
	if (irqs->active != index)
		activate(irqs, index);
	for (i = 0; i < count; i++)
		swap_trigger(irqs, &irqs->vec[start + i].trigger, ctx[i]);
	spin_lock_irqsave(&irqs->lock, flags);
	deliver_all(irqs);
	spin_unlock_irqrestore(&irqs->lock, flags);
out:
	kfree(ctx);
	return ret;
}

/* Signal a trigger as the device would, for VMMs that test their wiring. */
static void loopback(struct mvgpu_irqs *irqs, struct eventfd_ctx *const *slot)
{
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	if (*slot) {
		irqs->delivered++;
		mvgpu_eventfd_signal(*slot);
	}
	spin_unlock_irqrestore(&irqs->lock, flags);
}

/* VFIO_IRQ_SET_ACTION_TRIGGER for INTx, MSI and MSI-X */
static int set_vectors(struct mvgpu_irqs *irqs, u32 flags, u32 index, u32 start, u32 count,
		       const void *data)
{
	const u8 *chosen = data;
	u32 i;

	if (irqs->active != index && irqs->active != VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	if (!count) {
		if (!(flags & VFIO_IRQ_SET_DATA_NONE))
			return -EINVAL;
		if (irqs->active == index)
			disable(irqs);
		return 0;
	}
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD)
		return set_triggers(irqs, index, start, count, data);
	if (irqs->active != index)
		return -EINVAL;
	for (i = 0; i < count; i++)
		if (flags & VFIO_IRQ_SET_DATA_NONE || chosen[i])
			loopback(irqs, &irqs->vec[start + i].trigger);
	return 0;
}

/* VFIO_IRQ_SET_ACTION_TRIGGER for the error and request indexes */
static int set_single(struct mvgpu_irqs *irqs, u32 flags, struct eventfd_ctx **slot, u32 count,
		      const void *data)
{
	struct eventfd_ctx *ctx;

	if (!count) {
		if (!(flags & VFIO_IRQ_SET_DATA_NONE))
			return -EINVAL;
		swap_trigger(irqs, slot, NULL);
		return 0;
	}
	if (flags & VFIO_IRQ_SET_DATA_EVENTFD) {
		ctx = ctx_get(*(const s32 *)data);
		if (IS_ERR(ctx))
			return PTR_ERR(ctx);
		swap_trigger(irqs, slot, ctx);
		return 0;
	}
	if (flags & VFIO_IRQ_SET_DATA_NONE || *(const u8 *)data)
		loopback(irqs, slot);
	return 0;
}

/**
 * mvgpu_irqs_set() - VFIO_DEVICE_SET_IRQS
 * @irqs: the vGPU's interrupts
 * @flags: VFIO_IRQ_SET_DATA_* and VFIO_IRQ_SET_ACTION_*, one of each
 * @index: VFIO_PCI_*_IRQ_INDEX
 * @start: first vector
 * @count: vectors; @start + @count is within what mvgpu_irqs_info() said
 * @data: @count bools or eventfds (-1 for none), or nothing
 *
 * Context: process context, may sleep.
 * Return: 0; -EINVAL if not exactly one action is asked for, if another kind of
 * interrupt is active or if there's nothing to act upon; -ENOTTY for an action that the
 * index does not have; what looking an eventfd up failed with.
 */
int mvgpu_irqs_set(struct mvgpu_irqs *irqs, u32 flags, u32 index, u32 start, u32 count,
		   const void *data)
{
	int ret;

	mutex_lock(&irqs->config_lock);
	start = array_index_nospec(start, irqs->count[index] + 1);
	if (hweight32(flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) != 1)
		ret = -EINVAL;
	else if (!(flags & VFIO_IRQ_SET_ACTION_TRIGGER))
		ret = set_mask(irqs, flags, index, start, count, data);
	else if (index == VFIO_PCI_ERR_IRQ_INDEX)
		ret = set_single(irqs, flags, &irqs->err, count, data);
	else if (index == VFIO_PCI_REQ_IRQ_INDEX)
		ret = set_single(irqs, flags, &irqs->req, count, data);
	else
		ret = set_vectors(irqs, flags, index, start, count, data);
	mutex_unlock(&irqs->config_lock);
	return ret;
}

/* What the Interrupt Status bit and the MSI pending bits have to say */
void mvgpu_irqs_pending(struct mvgpu_irqs *irqs, bool *intx, u32 *msi)
{
	unsigned long flags;
	unsigned int i;

	*msi = 0;
	spin_lock_irqsave(&irqs->lock, flags);
	*intx = irqs->intx_level;
	if (irqs->active == VFIO_PCI_MSI_IRQ_INDEX)
		for (i = 0; i < irqs->count[VFIO_PCI_MSI_IRQ_INDEX]; i++)
			*msi |= irqs->vec[i].pending ? BIT(i) : 0;
	spin_unlock_irqrestore(&irqs->lock, flags);
}

u64 mvgpu_irqs_delivered(struct mvgpu_irqs *irqs)
{
	unsigned long flags;
	u64 delivered;

	spin_lock_irqsave(&irqs->lock, flags);
	delivered = irqs->delivered;
	spin_unlock_irqrestore(&irqs->lock, flags);
	return delivered;
}

/* @offset is aligned to 4 and inside the table in the three calls below. */
u32 mvgpu_irqs_table_read(struct mvgpu_irqs *irqs, u32 offset)
{
	unsigned long flags;
	u32 val;

	spin_lock_irqsave(&irqs->lock, flags);
	val = get_unaligned_le32(irqs->msix_table + offset);
	spin_unlock_irqrestore(&irqs->lock, flags);
	return val;
}

void mvgpu_irqs_table_write(struct mvgpu_irqs *irqs, u32 offset, u32 val)
{
	unsigned int vector = array_index_nospec(offset / MVGPU_MSIX_ENTRY,
						 irqs->count[VFIO_PCI_MSIX_IRQ_INDEX]);
	unsigned long flags;

	spin_lock_irqsave(&irqs->lock, flags);
	if (offset % MVGPU_MSIX_ENTRY == MSIX_VECTOR_CTRL) {
		val &= PCI_MSIX_ENTRY_CTRL_MASKBIT;
		irqs->vec[vector].table = true;
	}
	put_unaligned_le32(val, irqs->msix_table + offset);
	if (irqs->active == VFIO_PCI_MSIX_IRQ_INDEX)
		deliver(irqs, vector);
	spin_unlock_irqrestore(&irqs->lock, flags);
}

u32 mvgpu_irqs_pba_read(struct mvgpu_irqs *irqs, u32 offset)
{
	unsigned int i, first = offset * 8;
	unsigned long flags;
	u32 val = 0;

	spin_lock_irqsave(&irqs->lock, flags);
	if (irqs->active == VFIO_PCI_MSIX_IRQ_INDEX)
		for (i = 0; i < 32 && first + i < irqs->count[VFIO_PCI_MSIX_IRQ_INDEX]; i++)
			val |= irqs->vec[first + i].pending ? BIT(i) : 0;
	spin_unlock_irqrestore(&irqs->lock, flags);
	return val;
}
